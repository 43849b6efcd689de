"""The real bench process with the reference wiring, and the agent's own rig on its wires."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from hw.rig import Rig, RigSpec
from simulators.pins import BenchFactory
from simulators.stack.variants import INPUTS, OUTPUTS

CELLS = {f"cell_{number}": f"ADC0.{number - 1}" for number in range(1, 7)}
SPEC = RigSpec(
    cells=CELLS,
    body_door="ADC0.6",
    references=("ADC0.7", "ADC1.7"),
    supply="ADC1.4",
    inputs=INPUTS,
    outputs=OUTPUTS,
)
# The care watch beside two cells: call lines on one converter, thermometers on the other.
CALLS = {"cell_call_1": "ADC0.2", "cell_call_2": "ADC0.3"}
TEMPERATURES = {"cell_temperature_1": "ADC1.5", "cell_temperature_2": "ADC1.6"}
TWO_CELLS_SPEC = replace(SPEC, cells={"cell_1": "ADC0.0", "cell_2": "ADC0.1"})
CARE_SPEC = replace(TWO_CELLS_SPEC, calls=CALLS, temperatures=TEMPERATURES)
DEADLINE_S = 10.0


def write_wiring(directory: Path, spec: RigSpec = SPEC) -> Path:
    """A configuration directory with the reference pin map, or another one of loops."""
    lines = ["[wiring]", 'body_door = "ADC0.6"', 'references = ["ADC0.7", "ADC1.7"]', 'supply = "ADC1.4"']
    for name, channel in spec.cells.items():
        number = name.removeprefix("cell_")
        lines += ["[[wiring.cells]]", f"number = {number}", f'loop = "{channel}"']
        for key, wires in (("call", spec.calls), ("temperature", spec.temperatures)):
            if f"cell_{key}_{number}" in wires:
                lines.append(f'{key} = "{wires[f"cell_{key}_{number}"]}"')
    lines += ["[wiring.inputs]", *(f'{name} = "{pin}"' for name, pin in INPUTS.items())]
    lines += ["[wiring.outputs]", *(f'{name} = "{pin}"' for name, pin in OUTPUTS.items())]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vehicle.toml").write_text("\n".join(lines), encoding="utf-8")
    return directory


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The condition's first true value; fails when the deadline passes."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError(f"not within {deadline_s} s: {what}")


class BenchProcess:
    def __init__(self, place: Path, *arguments: str, spec: RigSpec = SPEC) -> None:
        self.directory = place / "bench"
        config = write_wiring(place / "config", spec)
        command = [sys.executable, "-m", "simulators.bench.cli", "run", "--config", str(config)]
        self.process = subprocess.Popen(
            [*command, "--bench-dir", str(self.directory), "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the bench ended with {self.process.wait()}"
        self.ready: dict[str, str] = json.loads(line)
        self.url = self.ready["url"]
        self.client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=20.0)

    def set(self, name: str, word: str) -> None:
        self.client.put(f"/wires/{name}", json={"set": word}).raise_for_status()

    def press(self, button: str, hold_s: float) -> None:
        self.client.post(f"/press/{button}", json={"hold_s": hold_s}).raise_for_status()

    def wires(self) -> dict[str, Any]:
        body: dict[str, Any] = self.client.get("/wires").json()
        return body

    def timeline(self, after: int = 0) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.client.get("/timeline", params={"after": after}).json()
        return entries

    def last(self) -> int:
        entries = self.timeline()
        return int(entries[-1]["n"]) if entries else 0

    def all_auto(self) -> None:
        for name, wire in self.wires()["wires"].items():
            if wire["direction"] == "input" and wire["set"] != "auto":
                self.set(name, "auto")

    def stop(self) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()


@contextmanager
def rig_on(directory: Path, spec: RigSpec = SPEC) -> Iterator[Rig]:
    factory = BenchFactory(directory)
    try:
        rig = Rig(spec, factory)
        try:
            yield rig
        finally:
            rig.close()
    finally:
        factory.close()
