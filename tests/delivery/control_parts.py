"""What control is made of beside its own code: a journal without a thread, wires and devices of a simulated vehicle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hw.rig import RigReading
from tests.core.world import World
from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.ring import Told
from vehicle_agent.control.store import Store
from vehicle_agent.core.inputs import Fix


class StepJournal(Journal):
    """The journal's own work, done in the loop a little later instead of in a thread."""

    def __init__(self, directory: Path, random_: random.Random, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(directory, self._loop.time, Ballast(directory, 4096))
        self._random, self._wake = random_, wake
        self.stall_until_s = 0.0
        self.is_dead = False

    def start(self) -> None:
        assert self._open()

    def append(self, *envelopes: Any) -> int:
        last = super().append(*envelopes)
        if envelopes:
            self._work_soon()
        return last

    def add_position(self, position: dict[str, Any]) -> None:
        super().add_position(position)
        self._work_soon()

    def positions_told(self, told: Told) -> None:
        super().positions_told(told)
        self._work_soon()

    def ask(
        self, question: Callable[[Store], Any], answer: Callable[[Any], None], *, is_of_positions: bool = False
    ) -> None:
        super().ask(question, answer, is_of_positions=is_of_positions)
        self._work_soon()

    def problem(self) -> str | None:
        return "the disk does not answer" if self.stall_until_s > self._loop.time() + 2.0 else self._reason

    def is_alive(self) -> bool:
        return True

    def kill(self) -> None:
        """What was not committed is gone."""
        self.is_dead = True
        if self._store is not None:
            self._store.close()

    def _work_soon(self) -> None:
        at_s = max(self._loop.time(), self.stall_until_s) + self._random.uniform(0.001, 0.03)
        self._loop.call_at(at_s, self._work)

    def _work(self) -> None:
        if not self.is_dead and not self._inbox.empty():
            self._turn()
            self._wake()


class Wires:
    """The rig and the serial devices: what the simulated vehicle's electrics say."""

    def __init__(self, world: World, mono: Callable[[], float]) -> None:
        self._world, self._mono = world, mono
        self._fix: Fix | None = None

    def read(self, at_s: float) -> RigReading:
        self._world.mono_s = at_s
        seen = self._world.readings()
        self._fix = seen.fix
        return RigReading(
            loops=cast("Any", dict(seen.loops)),
            contacts=dict(seen.contacts),
            supply_counts=2000,
            adc_ok=True,
            presses=(),
            stuck=frozenset(),
        )

    def write(self, levels: dict[str, bool]) -> None:
        self._world.out = dict(levels)

    def fixes(self) -> list[Fix]:
        return [self._fix] if self._fix is not None else []

    def fix(self) -> Fix | None:
        return self._fix

    def radio(self) -> Any:
        return self._world.radio
