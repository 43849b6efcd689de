"""Days without a link (hazard H17): the first notice is out within ten seconds of its return, before any position."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.world import World
from tests.delivery.network import Weather
from tests.delivery.uplink_parts import LoopLink
from tests.delivery.world import UNITS, Delivery, Outcome, play
from vehicle_agent.uplink.track import Kept, Track

FIRST_NOTICE_WITHIN_S = 10.0  # hazards.md, H17
GROWTH_MAX_MIB = 20.0  # hazards.md, H17
FIX_EVERY_S = 10.0
HOURS_LONG = 72


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


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
        before_mib = resident_mib()
        await asyncio.sleep(self.hours * 3600.0)
        self.grown_mib = resident_mib() - before_mib
        self.vehicle.scan_slow_s = 1.0
        for room in self.rooms.values():
            room.start()
        await asyncio.sleep(2.0)
        self.broker.start()
        self.back_s = self.loop.time()
        self.spawn(self.officers())
        while not self.claims.is_settled() or self._is_draining():
            await asyncio.sleep(5.0)
            assert self.loop.time() - self.back_s < 3600.0, "the backlog does not drain"
        return self.end(self.loop.time() - self.back_s)

    def _is_draining(self) -> bool:
        uplink = self.vehicle.uplink_itself
        return uplink is not None and uplink._fixes.waiting > 3


@pytest.mark.parametrize(
    "hours", [3, pytest.param(HOURS_LONG, marks=pytest.mark.campaign("loss"))], ids=lambda hours: f"{hours} h"
)
def test_H17_after_an_outage_notices_go_first_and_everything_arrives(
    hours: int,
    tmp_path: Path,
    prepared: tuple[Path, World],
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str, int], None],
) -> None:
    found: list[Outage] = []
    kept: list[str] = []
    keep = Track.keep

    def remembered(self: Track, one: Kept) -> None:
        kept.append(one.point[0])
        keep(self, one)

    monkeypatch.setattr(Track, "keep", remembered)

    class Recorded(Outage):
        async def run(self) -> Outcome:
            self.hours = hours
            found.append(self)
            return await super().run()

    outcome = play(17, tmp_path / "world", *prepared, kind=Recorded)
    assert not outcome.wrong, str(outcome)
    assert outcome.notices == len(UNITS)
    world = found[0]
    kinds = [(at_s - world.back_s, topic.rsplit("/", 2)[-2:]) for at_s, topic, _ in world.said]
    first = {name: next(at_s for at_s, parts in kinds if name in parts) for name in ("notices", "position", "track")}
    print(first, f"memory grew by {world.grown_mib:.1f} MiB")
    assert first["notices"] <= FIRST_NOTICE_WITHIN_S
    last_first_notice_s = sorted(at_s for at_s, parts in kinds if "notices" in parts)[len(UNITS) - 1]
    assert last_first_notice_s <= min(first["position"], first["track"])
    fixes = [
        fix[0]
        for _, topic, payload in world.said
        if topic.endswith("/track")
        for fix in json.loads(payload)["data"]["fixes"]
    ]
    assert len(kept) > 0.9 * hours * 3600 / FIX_EVERY_S
    assert fixes == sorted(kept), "older positions are lost, out of order, or come twice"
    # In 72 hours the world around it grows as well; the uplink alone is measured in test_uplink_outage.
    assert hours > 3 or world.grown_mib <= GROWTH_MAX_MIB
    tell(f"delivery positions after {hours} h", len(fixes))
