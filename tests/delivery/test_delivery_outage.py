"""Days without a link (hazard H17): the first notice is out within ten seconds of its return, before any position."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.world import World
from tests.delivery.outage import FIX_EVERY_S, Outage, play_killed
from tests.delivery.world import UNITS, play_as
from vehicle_agent.uplink.track import Kept, Track

FIRST_NOTICE_WITHIN_S = 10.0  # hazards.md, H17
GROWTH_MAX_MIB = 20.0  # hazards.md, H17
HOURS_LONG = 72


@pytest.mark.parametrize(
    "hours", [3, pytest.param(HOURS_LONG, marks=pytest.mark.campaign("outage"))], ids=lambda hours: f"{hours} h"
)
def test_H17_after_an_outage_notices_go_first_and_everything_arrives(
    hours: int,
    tmp_path: Path,
    prepared: tuple[Path, World],
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str, int], None],
) -> None:
    kept: list[str] = []
    keep = Track.keep

    def remembered(self: Track, one: Kept) -> None:
        kept.append(one.point[0])
        keep(self, one)

    monkeypatch.setattr(Track, "keep", remembered)

    outcome, world = play_as(Outage, 17, tmp_path / "world", *prepared, hours=hours)
    assert not outcome.wrong, str(outcome)
    assert outcome.notices == len(UNITS)
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


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.campaign("outage")) for seed in range(3, 24))]
)
def test_H17_an_outage_in_which_everything_is_killed_loses_no_position(
    seed: int, tmp_path: Path, prepared: tuple[Path, World], tell: Callable[[str, int], None]
) -> None:
    outcome, world = play_killed(seed, tmp_path / "world", prepared)
    assert not outcome.wrong, str(outcome)
    assert len(world.kept()) > 0.8 * world.hours * 3600 / FIX_EVERY_S
    lost = world.lost()
    assert not lost, f"seed {seed}: {len(lost)} are not told, the first of {lost[0]}; {dict(outcome.faults)}"
    told = world.told()
    tell("delivery positions told after kills", len(set(told)))
    tell("delivery positions told twice", len(told) - len(set(told)))
