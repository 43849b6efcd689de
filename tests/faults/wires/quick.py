"""The same vehicle in one process and in time that it makes itself: electrics, the real rig and the real core.

No process, no socket, no disk: what a busy machine does to times is not in it. So the whole table is played in a minute
or two, and a verdict depends on nothing but the code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gpiozero.pins.pi import PiFactory

from hw.rig import Rig, RigSpec
from simulators.bench.electrics import Electrics
from simulators.bench.messages import Verb
from simulators.bench.mirror import Mirror
from simulators.bench.wiring import load_wiring
from simulators.pins import BenchFactory, BenchPin
from simulators.stack.variants import INPUTS, OUTPUTS, REFERENCES, SUPPLY
from tests.contract.bench_process import write_wiring
from tests.core.world import SETTINGS
from tests.faults.wires.walk import Walk
from tests.integration.control_rig import Json
from vehicle_agent.control.view import refusals_body
from vehicle_agent.control.wiring import readings
from vehicle_agent.core.decide import scan
from vehicle_agent.core.events import Envelope
from vehicle_agent.core.inputs import Command, Fix, Input, Now, Press, Radio
from vehicle_agent.core.outputs import outputs
from vehicle_agent.core.snapshot import snapshot
from vehicle_agent.core.state import Live, Trip

STEP_NS = 10_000_000
START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SUPPLY_RANGE = (2000, 3200)  # counts around the bench's 13.2 V
CELLS = {"cell_1": "ADC0.0", "cell_2": "ADC0.1"}


class Link:
    """What the pin factory talks to, without a socket between."""

    def __init__(self, electrics: Electrics, mirror: Mirror, clock_ns: Callable[[], int]) -> None:
        self._electrics, self._mirror, self._clock_ns = electrics, mirror, clock_ns
        self.level, self.counts = mirror.level, mirror.counts

    def claim(self, number: int) -> bool:
        return True

    def tell(self, verb: Verb, number: int, level: bool) -> None:
        self._electrics.drive(number, level and verb is Verb.DRIVE, self._clock_ns())

    def close(self) -> None:
        pass


class Factory(BenchFactory):
    def __init__(self, link: Any) -> None:
        PiFactory.__init__(self)
        self.link = link
        self.pin_class = BenchPin


class QuickWalk(Walk):
    """The trip on that vehicle; the scan is made here as control makes it."""

    def __init__(self, electrics: Electrics, rig: Rig, clock: SimpleNamespace) -> None:
        self._electrics, self._rig, self._clock = electrics, rig, clock
        self._settings = replace(SETTINGS, unscheduled_halt_s=3600.0, confirm_within_s=600.0)
        self._trip, self._live = Trip(commissioned=SETTINGS.wiring_sha256), Live()
        self._levels: dict[str, bool] = {}
        self._is_pulsed = False
        self._rows: list[Envelope] = []
        self._numbers = itertools.count(1)
        self._speed_mps = 0.0
        self._steps = 0
        self.hold(3.0)

    def close(self) -> None:
        pass

    def look(self) -> Json:
        return snapshot(self._trip, self._live, self._now(), self._settings) | {"rev": 0}

    def act(self, name: str, **arguments: Any) -> tuple[int, Json]:
        while self._steps % 2:
            self._step()
        answer = self._scan((Command(name, arguments),))[0]
        self._step()
        assert answer.malformed is None, answer
        if answer.refusals:
            return 409, refusals_body(answer.refusals, self._live, self._now())
        return 200, {}

    def scans_left_out(self) -> int:
        return 0

    def rows_after(self, seq: int) -> list[tuple[int, str, Json]]:
        found = enumerate(self._rows[seq:], seq + 1)
        return [(number, row.event.type, asdict(row.event)) for number, row in found]

    def last_row(self) -> int:
        return len(self._rows)

    def until(self, condition: Callable[[], Any], what: str, within_s: float = 5.0) -> None:
        end_ns = self.now_ns() + within_s * 1e9
        while not condition():
            assert self.now_ns() < end_ns, f"not within {within_s} s: {what}"
            self.hold(0.02)

    def hold(self, span_s: float) -> None:
        end_ns = self.now_ns() + round(span_s * 1e9)
        while self.now_ns() < end_ns:
            self._step()

    def now_ns(self) -> int:
        now_ns: int = self._clock.ns
        return now_ns

    def bench(self, method: str, path: str, body: Any = None) -> Any:
        what, _, name = path.partition("/")
        if what == "press":
            self._electrics.hold(name, True)
            self.hold(body["hold_s"])
            self._electrics.hold(name, False)
        elif what == "gnss":
            self._speed_mps = body.get("speed_mps", 0.0)
            self._electrics.set_driving(self._speed_mps > 0)
        elif method == "PUT":
            if "fault" in body:
                self._electrics.set_fault(name, body["fault"])
            if "set" in body:
                self._electrics.set(name, body["set"])
        elif what == "wires":
            return self._electrics.state()
        else:
            return self._electrics.entries_after(int(path.partition("=")[2]))
        return None

    def _step(self) -> None:
        """Ten milliseconds: the bench looks at its wires, control scans or glances."""
        self._clock.ns += STEP_NS
        self._electrics.step()
        self._steps += 1
        if self._steps % 2:
            self._rig.glance(self.now_ns() / 1e9)
        else:
            self._scan(())

    def _now(self) -> Now:
        at_s = self.now_ns() / 1e9
        return Now(at_s, START + timedelta(seconds=at_s), "gnss", 0.2, "boot-1", lambda: f"id-{next(self._numbers)}")

    def _scan(self, commands: tuple[Input, ...]) -> tuple[Any, ...]:
        now = self._now()
        at_s = now.mono_s
        reading = self._rig.read(at_s)
        fix = Fix(at_s, 3, True, True, now.utc, 43.25, 76.9, 800.0, self._speed_mps, None, 9, 1.0)
        seen = readings(
            reading,
            at_s,
            SUPPLY_RANGE,
            fix=fix,
            radio=Radio(at_s, True, True, -84, "TMO"),
            journal_ok=True,
            is_enabled=self._levels.get("permit_enable", False),
        )
        presses = [Press(press.button, press.hold_s) for press in reading.presses]
        step = scan(self._trip, self._live, seen, [*presses, *commands], now, self._settings)
        self._trip, self._live = step.trip, step.live
        self._rows += step.envelopes
        self._levels = outputs(self._trip, self._trip, self._live, at_s)
        self._is_pulsed = self._levels["permit_enable"] and not self._is_pulsed
        self._rig.write({**self._levels, "permit_pulse": self._is_pulsed})
        return step.answers[len(presses) :]


@contextmanager
def walking_quickly(root: Path) -> Iterator[QuickWalk]:
    """The vehicle, from its wires to its core, in this process."""
    clock = SimpleNamespace(ns=1_000_000_000_000)
    mirror = Mirror.create(root / "wires.shm")
    config = write_wiring(root / "config")
    electrics = Electrics(load_wiring(config), mirror, clock_ns=lambda: clock.ns)
    factory = Factory(Link(electrics, mirror, lambda: clock.ns))
    spec = RigSpec(CELLS, "ADC0.6", REFERENCES, SUPPLY, INPUTS, OUTPUTS)
    try:
        rig = Rig(spec, factory)
        try:
            yield QuickWalk(electrics, rig, clock)
        finally:
            rig.close()
    finally:
        factory.close()
        mirror.close()
