"""The clock: wall time is a value with a source, durations never depend on it (hazards H11, H12)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from vehicle_agent.control.clock import BUILD_FLOOR_UTC, Change, Clock
from vehicle_agent.core.inputs import Fix

TRUE_UTC = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


class World:
    """A true time, a system clock that may be wrong, and a receiver."""

    def __init__(self, system: datetime = TRUE_UTC, synchronised: float | None = None) -> None:
        self.mono_s = 100.0
        self.system_s = system.timestamp()
        self.synchronised = synchronised
        self.clock = Clock(
            mono=lambda: self.mono_s, wall=lambda: self.system_s, synchronisation=lambda: self.synchronised
        )

    def run(self, seconds: float) -> list[Change]:
        """Let time pass in scans of 20 ms; every change that the clock told."""
        found = []
        for _ in range(round(seconds / 0.02)):
            self.mono_s += 0.02
            self.system_s += 0.02
            change = self.clock.tick(self.mono_s)
            if change is not None:
                found.append(change)
        return found

    def fix(self, utc: datetime | None, *, trusted: bool = True) -> None:
        self.clock.feed(Fix(at_s=self.mono_s, mode=3, valid=True, trusted=trusted, time_utc=utc))

    def fixes(self, first: datetime, count: int) -> list[Change]:
        """One fix a second from `first` on."""
        found = []
        for number in range(count):
            self.fix(first + timedelta(seconds=number))
            found += self.run(1.0)
        return found

    @property
    def source(self) -> str:
        return self.clock.now(self.mono_s).source


@pytest.mark.parametrize(
    ("system", "synchronised", "source", "uncertainty_s"),
    [
        (datetime(1970, 1, 1, 0, 1, tzinfo=UTC), None, "none", None),
        (datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 0.1, "none", None),  # a synchronised 1970 is not synchronised
        (BUILD_FLOOR_UTC - timedelta(seconds=1), None, "none", None),
        (BUILD_FLOOR_UTC + timedelta(seconds=1), None, "rtc", None),
        (TRUE_UTC, 0.1, "ntp", 0.1),
    ],
)
def test_source_without_a_receiver(
    system: datetime, synchronised: float | None, source: str, uncertainty_s: float | None
) -> None:
    world = World(system, synchronised)
    world.run(0.1)
    found = world.clock.now(world.mono_s)
    assert (found.source, found.uncertainty_s) == (source, uncertainty_s)


def test_battery_clock_behind_the_journals_trusted_time_counts_as_none() -> None:
    world = World(TRUE_UTC)
    world.clock.believe_no_earlier(TRUE_UTC + timedelta(days=1))
    assert world.source == "none"


def test_H12_one_fix_never_sets_the_time_and_three_that_agree_do() -> None:
    world = World(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    world.run(0.1)
    assert world.fixes(TRUE_UTC, 2) == []
    assert world.source == "none"
    changes = world.fixes(TRUE_UTC + timedelta(seconds=2), 1)
    assert [change.source for change in changes] == ["gnss"]
    assert changes[0].step_s == pytest.approx((TRUE_UTC - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(), abs=120)
    assert world.clock.now(world.mono_s).utc == pytest.approx(
        TRUE_UTC + timedelta(seconds=3), abs=timedelta(seconds=0.1)
    )


@pytest.mark.parametrize(
    "date",
    [
        TRUE_UTC - timedelta(weeks=1024),
        TRUE_UTC - timedelta(weeks=2048),
        datetime(1980, 1, 6, tzinfo=UTC),
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(2000, 2, 29, tzinfo=UTC),
        BUILD_FLOOR_UTC - timedelta(minutes=1),
    ],
)
def test_H12_a_date_before_the_build_is_never_believed(date: datetime) -> None:
    world = World(TRUE_UTC)
    world.run(0.1)
    assert world.fixes(date, 10) == []
    assert world.source == "rtc"


@pytest.mark.parametrize(
    ("times_s", "accepted"),
    [
        ((0, 1, 2), True),
        ((0, 1.4, 1.9), True),  # serial jitter
        ((0, 2, 4), False),  # runs twice as fast as the monotonic clock
        ((0, 0, 0), False),  # a frozen receiver
        ((0, 3600, 3601), False),  # a jump leaves two that agree, not three
        ((5, 4, 3), False),
    ],
)
def test_H12_fixes_must_agree_with_the_monotonic_clock(times_s: tuple[float, ...], accepted: bool) -> None:
    world = World(TRUE_UTC)
    for time_s in times_s:
        world.fix(TRUE_UTC + timedelta(seconds=time_s))
        world.run(1.0)
    assert (world.source == "gnss") == accepted


def test_H12_untrusted_and_dateless_fixes_say_nothing_about_time() -> None:
    world = World(TRUE_UTC)
    for number in range(5):
        world.fix(TRUE_UTC + timedelta(seconds=number), trusted=False)
        world.fix(None)
        world.run(1.0)
    assert world.source == "rtc"


def test_a_single_outlier_moves_nothing_and_a_lasting_step_is_told_once() -> None:
    world = World(TRUE_UTC)
    world.fixes(TRUE_UTC, 5)
    world.fix(TRUE_UTC + timedelta(hours=1))
    assert world.run(1.0) == []
    assert world.fixes(TRUE_UTC + timedelta(seconds=6), 5) == []
    stepped = world.fixes(TRUE_UTC + timedelta(seconds=3611), 6)
    assert [round(change.step_s) for change in stepped] == [3600]


def test_two_sources_that_disagree_widen_the_uncertainty() -> None:
    world = World(TRUE_UTC + timedelta(seconds=40), 0.05)
    world.fixes(TRUE_UTC, 4)
    found = world.clock.now(world.mono_s)
    assert found.source == "gnss"
    assert found.uncertainty_s == pytest.approx(40, abs=1)


def test_without_fixes_the_uncertainty_grows_and_ntp_takes_over() -> None:
    world = World(TRUE_UTC)
    world.fixes(TRUE_UTC, 4)
    fresh = world.clock.now(world.mono_s).uncertainty_s
    world.mono_s += 3700.0
    world.system_s += 3700.0
    old = world.clock.now(world.mono_s)
    assert old.source == "gnss"
    assert fresh is not None
    assert old.uncertainty_s is not None
    assert old.uncertainty_s > fresh
    world.synchronised = 0.02
    assert [change.source for change in world.run(1.1)] == ["ntp"]


def test_H11_what_the_kernel_said_of_a_clock_that_was_set_since_is_not_believed() -> None:
    world = World(TRUE_UTC, synchronised=0.05)
    world.run(0.1)
    assert world.source == "ntp"
    world.system_s += 3600.0
    world.synchronised = None  # the kernel forgets it at once, but nobody has asked it yet
    assert world.source == "rtc"
    assert [change.source for change in world.run(0.02)] == ["rtc"], "in the next scan, not in the next second"
    assert world.source == "rtc"


def test_H11_a_step_by_the_synchronisation_itself_is_believed_at_once() -> None:
    world = World(TRUE_UTC - timedelta(minutes=1), synchronised=0.05)
    world.run(0.1)
    world.system_s += 60.0
    changes = world.run(0.02)
    assert [(change.source, change.step_s) for change in changes] == [("ntp", 60.0)]


def test_H11_random_steps_of_the_system_clock_are_told_and_touch_no_duration() -> None:
    seed = 11
    print("seed", seed)
    random_ = random.Random(seed)
    world = World(TRUE_UTC)
    world.run(0.1)
    for _ in range(2000):
        before_mono_s = world.clock.mono()
        world.system_s = TRUE_UTC.timestamp() + random_.uniform(-20, 20) * 365 * 86400
        changes = world.run(0.02)
        assert len(changes) == 1
        assert world.clock.mono() - before_mono_s == pytest.approx(0.02)
        is_before = world.system_s < BUILD_FLOOR_UTC.timestamp()
        assert world.source == ("none" if is_before else "rtc")
        assert world.run(0.04) == []


def test_H11_a_clock_before_1970_is_a_value_and_no_crash() -> None:
    world = World(TRUE_UTC)
    world.system_s = -5000.0
    assert world.clock.now(world.mono_s).utc == datetime(1970, 1, 1, tzinfo=UTC)


def test_identifiers_are_uuid_version_7_unique_and_ordered_also_when_the_clock_falls_back() -> None:
    world = World(TRUE_UTC)
    made = [world.clock.new_id() for _ in range(5000)]
    world.system_s -= 1000.0
    made += [world.clock.new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {value[14] for value in made} == {"7"}
    assert {value[19] for value in made} <= set("89ab")
    assert int(made[0].replace("-", "")[:12], 16) == round(TRUE_UTC.timestamp() * 1000)
