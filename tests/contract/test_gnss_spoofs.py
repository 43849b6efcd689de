"""Scripted spoofers of four kinds, seeded: how many are flagged, and that an honest receiver is spared (H23)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from hw.fix import Fix
from tests.contract.test_gnss_trust import HOME, Sky, moved

PER_KIND = 100
FLAGGED_MIN = 0.95
WITHIN = 5  # fixes, one a second: three seconds of frozen coordinates are needed, and one more to see a drag
SEED = 20260423


def teleport(pick: random.Random, sky: Sky) -> list[Fix]:
    """Another place at once, half a kilometre to the other end of the country away."""
    far = moved(HOME, pick.choice([-1, 1]) * 10 ** pick.uniform(2.7, 6.0))
    return [sky(far) for _ in range(WITHIN)]


def drag(pick: random.Random, sky: Sky) -> list[Fix]:
    """The place is pulled away, faster than any transport vehicle drives. A slower drag is the documented gap."""
    speed_mps = pick.uniform(75.0, 600.0)
    return [sky(moved(HOME, speed_mps * second)) for second in range(1, WITHIN + 1)]


def time_pull(pick: random.Random, sky: Sky) -> list[Fix]:
    """The right place and a time that is off, by seconds or by years."""
    off_s = pick.choice([-1, 1]) * 10 ** pick.uniform(0.4, 8.0)
    return [sky(time_off_s=off_s) for _ in range(WITHIN)]


def frozen(pick: random.Random, sky: Sky) -> list[Fix]:
    """One recorded position over and over while the vehicle is said to move."""
    moving = replace(HOME, speed_mps=pick.uniform(2.5, 40.0))
    return [sky(moving) for _ in range(WITHIN)]


@pytest.mark.parametrize("spoof", [teleport, drag, time_pull, frozen])
def test_H23_at_least_95_in_100_scripted_spoofs_lose_trust_within_five_seconds_and_none_hides_its_fix(
    spoof: Callable[[random.Random, Sky], list[Fix]], tell: Callable[[str, int], None]
) -> None:
    pick = random.Random(f"{SEED} {spoof.__name__}")
    flagged = 0
    for _ in range(PER_KIND):
        sky = Sky()
        for _ in range(pick.randrange(2, 10)):
            assert sky().trusted
        fixes = spoof(pick, sky)
        flagged += any(not fix.trusted for fix in fixes)
        assert all(fix.trusted or fix.reasons for fix in fixes), "whoever loses trust is told why"
    tell("spoofs of a satellite receiver", PER_KIND)
    tell("spoofs that were flagged", flagged)
    assert flagged >= FLAGGED_MIN * PER_KIND, f"seed {SEED}: {flagged} of {PER_KIND}"


def test_H23_an_honest_drive_keeps_its_trust() -> None:
    """The other side of the figure: what flags everything would pass the test above."""
    pick = random.Random(SEED)
    for _ in range(20):
        sky, north_m, speed_mps = Sky(), 0.0, 0.0
        for _ in range(40):
            speed_mps = min(33.0, max(0.0, speed_mps + pick.uniform(-2.5, 2.5)))
            north_m += speed_mps
            assert sky(moved(HOME, north_m, speed_mps), time_off_s=pick.uniform(-0.3, 0.3)).trusted, f"seed {SEED}"
