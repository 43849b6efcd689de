"""Days without a link, and the way back: the worlds of test_delivery_outage.py."""

from __future__ import annotations

import asyncio
import bisect
import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tests.core.world import World
from tests.delivery.network import Weather
from tests.delivery.uplink_parts import LoopLink
from tests.delivery.world import Delivery, Outcome, play_as
from tests.resources import rss_mib
from vehicle_agent.control.store import FILE_NAME
from vehicle_agent.messages.events import parse_time

FIX_EVERY_S = 10.0
TOLD_WITHIN_S = 2 * FIX_EVERY_S + 1.0  # where a process began anew, "one in ten seconds" begins anew


class Outage(Delivery):
    """The vehicle departs without a link and drives for hours; then the link is back."""

    hours = 3
    said: list[tuple[float, str, bytes]]
    back_s: float
    grown_mib: float

    async def run(self) -> Outcome:
        self.build(Weather())
        self.said = []
        judge = self.vehicle.on_publish

        def publish(link: LoopLink, topic: str, payload: bytes) -> None:
            judge(link, topic, payload)
            self.said.append((self.loop.time(), topic, payload))

        self.vehicle.on_publish = publish
        self.broker.stop(forgets=False)
        self.vehicle.start_control()
        self.vehicle.start_uplink()
        world = self.vehicle.world
        await asyncio.sleep(10.0)
        world.contacts["handbrake"], world.speed_mps = False, 10.0
        self.vehicle.fast_until_s = self.loop.time() + 10.0
        await asyncio.sleep(600.0)
        self.vehicle.scan_slow_s = FIX_EVERY_S
        self.spawn(self.on_the_way())
        before_mib = rss_mib()
        await asyncio.sleep(self.hours * 3600.0)
        self.grown_mib = rss_mib() - before_mib
        self.vehicle.scan_slow_s = 1.0
        for room in self.rooms.values():
            room.start()
        await asyncio.sleep(2.0)
        self.broker.start()
        self.back_s = self.loop.time()
        self.spawn(self.officers())
        self.spawn(self.on_the_way_back())
        while not self.claims.is_settled() or self._is_draining():
            await asyncio.sleep(5.0)
            assert self.loop.time() - self.back_s < 3600.0, "the backlog does not drain"
        return self.end(self.loop.time() - self.back_s)

    async def on_the_way(self) -> None:
        """What happens beside, in the hours without a link."""

    async def on_the_way_back(self) -> None:
        """And when the link is back."""

    def _is_draining(self) -> bool:
        uplink = self.vehicle.uplink_itself
        return uplink is not None and uplink._fixes.waiting > 3


class Killed(Outage):
    """The same, while uplink and control are killed and the whole vehicle is switched off and on again."""

    taken: list[tuple[str, bytes]]

    async def on_the_way(self) -> None:
        self.taken = []
        self.broker.on_taken = lambda topic, payload: self.taken.append((topic, payload))
        while True:
            await asyncio.sleep(self.random.uniform(60.0, 0.3 * self.hours * 3600.0))
            await self._strike_the_vehicle(off_max_s=90.0)

    async def on_the_way_back(self) -> None:
        for _ in range(3):
            await asyncio.sleep(self.random.uniform(0.2, 8.0))
            await self._strike_the_vehicle(off_max_s=5.0)

    async def _strike_the_vehicle(self, off_max_s: float) -> None:
        vehicle, what = self.vehicle, self.random.choice(("uplink", "control", "both", "vehicle"))
        self.faults[what] += 1
        if what != "control":
            vehicle.kill_uplink()
        if what != "uplink":
            vehicle.kill_control()
        if what == "vehicle":
            vehicle.boot_id = f"boot-{self.random.getrandbits(32):08x}"
        await asyncio.sleep(self.random.uniform(0.1, off_max_s))
        if vehicle.control is None:
            vehicle.start_control()
        if vehicle.uplink is None:
            vehicle.start_uplink()

    def told(self) -> list[str]:
        """When the fixes were that the broker has, in the order of their coming."""
        found = []
        for topic, payload in self.taken:
            event = json.loads(payload) if topic.endswith(("/track", "/position")) else None
            if event is not None:
                data = event["data"]
                found += [fix[0] for fix in data["fixes"]] if data["historical"] else [event["time"]]
        return found

    def kept(self) -> list[str]:
        """When the fixes of the drive were that control's ring holds."""
        sql = "SELECT at FROM positions WHERE speed_mps > 2 ORDER BY n"
        with closing(sqlite3.connect(self.directory / "state" / FILE_NAME)) as file:
            return [at for (at,) in file.execute(sql)]

    def lost(self) -> list[datetime]:
        """The fixes of the ring that the broker has not, nor any near them."""
        told = sorted(parse_time(at) for at in self.told())
        return [at for at in map(parse_time, self.kept()) if not is_near(told, at, TOLD_WITHIN_S)]


def is_near(moments: list[datetime], at: datetime, within_s: float) -> bool:
    """Whether one of the moments, which are in order, is so near."""
    place = bisect.bisect(moments, at)
    return any(abs((one - at).total_seconds()) <= within_s for one in moments[max(0, place - 1) : place + 1])


def play_killed(seed: int, directory: Path, prepared: tuple[Path, World]) -> tuple[Outcome, Killed]:
    """An outage of three hours and everything that is killed in it."""
    return play_as(Killed, seed, directory, *prepared)
