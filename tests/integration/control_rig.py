"""Real control on a real bench for tests: two processes, one directory, and a client of the socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulators.stack.calls import call
from simulators.stack.configuration import Places, write_configuration
from simulators.stack.ports import Ports
from simulators.stack.variants import VARIANTS, Variant

PIN = "2468"
TWO_CELLS = replace(VARIANTS["two_cells"], lockout_s=300.0)
CONTROL = (
    "import sys; from pathlib import Path; from vehicle_agent.control.run import main; "
    "raise SystemExit(main(Path(sys.argv[1])))"
)
Json = dict[str, Any]


def until(condition: Callable[[], Any], what: str, within_s: float = 5.0) -> Any:
    """The condition's first true value; fails, naming `what`, when it stays false."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {within_s} s: {what}")


class Wire:
    """One connection to control's socket: raw lines out, messages in."""

    def __init__(self, path: Path, timeout_s: float = 5.0) -> None:
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.settimeout(timeout_s)
        self.connection.connect(str(path))
        self._received = b""
        self._next = 1
        self.pushes: list[Json] = []

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def write(self, raw: bytes) -> None:
        self.connection.sendall(raw)

    def read(self) -> Json:
        """The next message. Raises ConnectionError at the end, TimeoutError in silence."""
        while b"\n" not in self._received:
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionError("control closed the connection")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        message: Json = json.loads(line)
        return message

    def ask(self, op: str, **fields: Any) -> tuple[int, Json]:
        """One request and its answer; pushes that come between are kept."""
        number = self._next
        self._next += 1
        self.write(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
        while True:
            message = self.read()
            if "push" in message:
                self.pushes.append(message)
            elif message["id"] == number:
                return message["status"], message["body"]

    def push(self, kind: str) -> Json:
        """The next push of this kind, which may have come already."""
        for index, message in enumerate(self.pushes):
            if message["push"] == kind:
                body: Json = self.pushes.pop(index)["body"]
                return body
        while True:
            message = self.read()
            if message.get("push") == kind:
                found: Json = message["body"]
                return found
            if "push" in message:
                self.pushes.append(message)


@dataclass
class ControlRig:
    """A bench and a control that can be killed and started again."""

    root: Path
    variant: Variant = TWO_CELLS
    bench_url: str = ""
    places: Places = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-c", CONTROL)  # what the interpreter runs; it gets the configuration's directory
    _bench: subprocess.Popen[str] | None = None
    _control: subprocess.Popen[bytes] | None = None
    _wires: list[Wire] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = Places(self.root)
        for directory in (self.places.config, self.places.keys, self.places.bench, self.places.run, self.places.logs):
            directory.mkdir()
        write_configuration(self.places, self.variant, Ports(1, 1, 1, 1, 1))

    @property
    def socket(self) -> Path:
        return self.places.run / "control.sock"

    @property
    def state_dir(self) -> Path:
        return self.root / "journal"

    @property
    def pid(self) -> int:
        assert self._control is not None
        return self._control.pid

    @property
    def log(self) -> str:
        return (self.places.logs / "control.log").read_text(errors="replace")

    def start_bench(self) -> None:
        command = [sys.executable, "-m", "simulators.bench.cli", "run", "--config", str(self.places.config)]
        command += ["--bench-dir", str(self.places.bench), "--port", "0"]
        self._bench = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._bench.stdout is not None
        self.bench_url = json.loads(self._bench.stdout.readline())["url"]

    def spawn(self, *arguments: str, config: Path | None = None) -> subprocess.Popen[bytes]:
        """One more control, without waiting for it."""
        bench = {"GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(self.places.bench)}
        with (self.places.logs / "control.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments, *self.program, str(config or self.places.config)],
                env={**os.environ, **bench, **self.environment},
                stderr=log,
            )

    def start(self, within_s: float = 10.0) -> Wire:
        """Start control and connect; returns when it serves."""
        self._control = self.spawn()
        return self.connect(within_s)

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """This one of several that were spawned is the rig's control."""
        self._control = process

    def connect(self, within_s: float = 5.0) -> Wire:
        wire = until(self._try_connect, f"control serves; its log: {self.log[-2000:]}", within_s)
        assert isinstance(wire, Wire)
        self._wires.append(wire)
        return wire

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End control with a signal; its exit code."""
        assert self._control is not None
        self._control.send_signal(number)
        return self._control.wait(10)

    def close(self) -> None:
        for wire in self._wires:
            wire.connection.close()
        for process in (self._control, self._bench):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self._bench is not None and self._bench.stdout is not None:
            self._bench.stdout.close()

    def bench(self, method: str, path: str, body: object = None) -> Any:
        answer = call(method, self.bench_url, f"/api/v1/{path}", body)
        assert answer.status in (200, 204), answer
        return answer.body

    def set_wire(self, name: str, word: str) -> None:
        self.bench("PUT", f"wires/{name}", {"set": word})

    def press(self, button: str, hold_s: float = 0.2) -> None:
        self.bench("POST", f"press/{button}", {"hold_s": hold_s})

    def session(self, wire: Wire) -> str:
        """A commander's session, once the journal is open."""

        def ask() -> tuple[int, Json] | None:
            status, body = wire.ask("session", pin=PIN)
            return None if status == 503 else (status, body)

        status, body = until(ask, "the journal is open")
        assert status == 200, body
        return str(body["session"])

    def _try_connect(self) -> Wire | None:
        assert self._control is not None
        assert self._control.poll() is None, f"control ended: {self.log[-3000:]}"
        with contextlib.suppress(OSError):
            return Wire(self.socket)
        return None


@contextlib.contextmanager
def control_rig(root: Path, variant: str = "two_cells") -> Iterator[ControlRig]:
    """A bench that runs; control is started by the test."""
    rig = ControlRig(root, replace(VARIANTS[variant], lockout_s=300.0))
    try:
        rig.start_bench()
        yield rig
    finally:
        rig.close()


def trip(rev: int, **changes: Any) -> Json:
    """The body of an `open_trip` for two cells."""
    return {
        "rev": rev,
        "kind": "within_settlement",
        "takeover": False,
        "to_court": True,
        "women_on_board": False,
        "order": {"number": "17/2", "valid_until": "2099-12-31"},
        "request_number": "44",
        "destination": "astana-mp",
        "destination_place": None,
        "intermediate": ["karaganda-mp"],
        "unloading_place": None,
        "cells": [{"cell": 1, "planned": 1, "supervision": False}, {"cell": 2, "planned": 1, "supervision": True}],
        **changes,
    }
