"""A world in which one unit does not answer, and somebody is called by radio instead: for test_silent_unit.py."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.core.world import World
from tests.delivery.network import Weather
from tests.delivery.world import Delivery, Outcome, play_as
from vehicle_agent.messages import topics

CONFIRM_WITHIN_S = 120.0  # the contract's default
Json = dict[str, Any]


class Silent(Delivery):
    """One unit's desk is not running, or nobody sits in front of it."""

    unit: str
    has_desk: bool
    first_overdue_s: dict[str, float]
    seen: list[tuple[str, str]]  # stage and place in the story
    told: Json
    reported: list[Json]

    async def run(self) -> Outcome:
        self.build(Weather())
        self.first_overdue_s, self.seen, self.reported = {}, [], []
        self.broker.on_taken = self._hear
        vehicle, world, room = self.vehicle, self.vehicle.world, self.rooms[self.unit]
        vehicle.start_control()
        vehicle.start_uplink()
        for one in self.rooms.values():
            if one is not room or self.has_desk:
                one.start()
        self.spawn(self._officers_of_the_others())
        await asyncio.sleep(10.0)
        world.contacts["handbrake"], world.speed_mps = False, 10.0
        departed_s = await self._until_recorded()
        while self.loop.time() - departed_s < CONFIRM_WITHIN_S + 10.0:
            await asyncio.sleep(0.25)
            self._look(departed_s)
        self._note("after two minutes")
        await vehicle.order("told_by_radio", notice=self._notice()["id"], post="duty officer, channel 2")
        self._note("after the call")
        assert not self._notice()["overdue"], "who was called is not to be called"
        await asyncio.sleep(300.0)
        if not self.has_desk:
            room.start()
        await asyncio.sleep(30.0)
        self._note("with the desk back")
        assert not self._notice()["overdue"]
        received = next(row for row in room.rows() if row["id"] == self._notice()["id"])
        room.acknowledge(received["id"], "the officer who came back")
        await asyncio.sleep(10.0)
        self._note("after the officer")
        self.told = self._notice()
        return self.end(0.0)

    def _hear(self, topic: str, payload: bytes) -> None:
        if topic == topics.vehicle_topic(self.vehicle.world.settings.vehicle, "events"):
            self.reported.append(json.loads(payload)["data"])

    async def _officers_of_the_others(self) -> None:
        while True:
            await asyncio.sleep(3.0)
            for unit, room in self.rooms.items():
                if unit != self.unit and room.desk is not None:
                    for row in room.register.notices():
                        if row["stage"] == "received":
                            room.acknowledge(row["id"], f"officer of {unit}")

    async def _until_recorded(self) -> float:
        while not self._notices():
            self.vehicle.fast_until_s = self.vehicle.mono() + 0.5
            await asyncio.sleep(0.1)
        return self.loop.time()

    def _look(self, departed_s: float) -> None:
        for one in self._notices():
            if one["overdue"]:
                self.first_overdue_s.setdefault(one["recipient"], self.loop.time() - departed_s)

    def _note(self, when: str) -> None:
        self.seen.append((when, self._notice()["stage"]))

    def _notices(self) -> list[Json]:
        control = self.vehicle.control
        found: list[Json] = control.snapshot()["notices"] if control is not None and control.is_live else []
        return found

    def _notice(self) -> Json:
        return next(one for one in self._notices() if one["recipient"] == self.unit)


def silent(unit: str, tmp_path: Path, prepared: tuple[Path, World], *, has_desk: bool) -> tuple[Outcome, Silent]:
    return play_as(Silent, 16, tmp_path / "world", *prepared, unit=unit, has_desk=has_desk)


def stages(world: Silent) -> list[str]:
    """What the sending unit was told of this recipient's notice, in order."""
    return [one["stage"] for one in world.reported if one.get("notice") == world.told["id"] and "stage" in one]
