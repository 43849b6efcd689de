"""What clears `trusted`, and that nothing of it clears `valid` (hazards H12, H23)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hw.fix import FLOOR_UTC, RETRUST_PLACE_S, RETRUST_TIME_S, Fix, TrustLimits
from hw.nmea import NmeaReader
from simulators.bench.nmea_writer import Reception, epoch
from simulators.bench.route import Motion
from tests.contract.wires import read

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME = Motion(43.238949, 76.889709)


class Sky:
    """A live receiver under our hand: each call is one epoch, one second later unless told otherwise."""

    def __init__(self, limits: TrustLimits | None = None) -> None:
        self.reader = NmeaReader(limits or TrustLimits())
        self.at_s, self.time_utc = 1000.0, NOW

    def __call__(
        self,
        motion: Motion = HOME,
        *,
        elapsed_s: float = 1.0,
        time_off_s: float = 0.0,
        reception: Reception | None = None,
    ) -> Fix:
        self.at_s += elapsed_s
        self.time_utc += timedelta(seconds=elapsed_s)
        shown = self.time_utc + timedelta(seconds=time_off_s)
        fixes = self.reader.feed(epoch(motion, shown, reception or Reception()), self.at_s) + self.reader.end()
        self.reader.reset()
        (fix,) = fixes
        return fix


def moved(motion: Motion, north_m: float, speed_mps: float = 0.0) -> Motion:
    return replace(motion, latitude_deg=motion.latitude_deg + north_m / 111_195.0, speed_mps=speed_mps)


def test_a_good_fix_is_trusted_without_reasons() -> None:
    fix = Sky()()
    assert (fix.valid, fix.trusted, fix.reasons, fix.mode) == (True, True, (), 3)


def test_few_satellites_and_poor_geometry_only_clear_trust() -> None:
    assert Sky()(reception=Reception(satellites=3)).reasons == ("few_satellites",)
    assert Sky()(reception=Reception(hdop=5.1)).reasons == ("poor_hdop",)
    strict = Sky(TrustLimits(satellites_min=13, hdop_max=0.5))()
    assert (strict.valid, strict.trusted, strict.reasons) == (True, False, ("few_satellites", "poor_hdop"))


@pytest.mark.parametrize(("quality", "reason"), [(6, "dead_reckoning"), (8, "simulator"), (7, "manual")])
def test_dead_reckoning_and_simulators_are_marked_but_valid(quality: int, reason: str) -> None:
    (fix,) = read(
        "GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,221126,,,A,V",
        f"GNGGA,120000.00,4314.33694,N,07653.38254,E,{quality},12,0.80,812.4,M,-40.6,M,,",
    )
    assert (fix.valid, fix.trusted, fix.reasons) == (True, False, (reason,))


@pytest.mark.parametrize("cycles", [1, 2])
def test_H12_a_date_of_an_earlier_week_cycle_is_never_trusted(cycles: int) -> None:
    sky = Sky()
    for _ in range(50):
        fix = sky(time_off_s=-cycles * 1024 * 7 * 86_400)
        assert (fix.valid, fix.trusted, fix.reasons) == (True, False, ("date_rollover",))


@pytest.mark.parametrize("when", ["1969-07-20", "1980-01-06", "1999-08-22", "2000-02-29", "2025-12-31", "2068-01-01"])
def test_H12_dates_that_cannot_be_are_never_trusted(when: str) -> None:
    moment = datetime.fromisoformat(when).replace(tzinfo=UTC)
    fix = Sky()(time_off_s=(moment - NOW).total_seconds())
    assert fix.valid
    assert not fix.trusted
    assert fix.reasons[0].startswith("date_")


def test_H12_the_leap_second_and_a_29th_of_february_that_is_none_are_not_trusted() -> None:
    (leap,) = read("GNRMC,235960.00,A,4314.33694,N,07653.38254,E,0.040,77.5,311226,,,A,V")
    assert (leap.valid, leap.trusted, leap.reasons) == (True, False, ("leap_second",))
    (never,) = read("GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,290227,,,A,V")
    assert (never.valid, never.trusted, never.time_utc) == (False, False, None)


def test_H12_the_floor_is_configurable_and_never_later_than_now() -> None:
    assert datetime.now(UTC) > FLOOR_UTC
    assert Sky(TrustLimits(floor_utc=NOW + timedelta(days=1)))().trusted is False


def test_H23_a_teleport_is_flagged_until_the_new_place_has_lasted() -> None:
    sky = Sky()
    assert sky().trusted
    far = moved(HOME, 50_000.0)
    spoofed = [sky(far) for _ in range(int(RETRUST_PLACE_S))]
    assert all(fix.valid and fix.reasons == ("jump",) for fix in spoofed)
    assert sky().trusted  # back at the true place
    assert [sky(far).trusted for _ in range(int(RETRUST_PLACE_S) + 1)] == [False] * int(RETRUST_PLACE_S) + [True]


def test_H23_a_place_that_keeps_jumping_is_never_believed() -> None:
    sky = Sky()
    sky()
    places = [moved(HOME, 50_000.0 + 1000.0 * (second % 3)) for second in range(60)]
    assert not any(sky(place).trusted for place in places)


def test_H23_teleport_and_wrong_time_together_are_both_told() -> None:
    sky = Sky()
    sky()
    fix = sky(moved(HOME, 50_000.0), time_off_s=86_400.0)
    assert fix.reasons == ("time_drift", "jump")


def test_H23_a_jump_of_500_metres_in_one_second() -> None:
    sky = Sky()
    sky()
    assert "jump" in sky(moved(HOME, 501.0)).reasons


def test_H23_a_long_tunnel_is_no_jump() -> None:
    sky = Sky()
    sky()
    assert sky(moved(HOME, 3000.0), elapsed_s=120.0).trusted


def test_H23_a_drive_at_motorway_speed_is_trusted_and_a_rocket_is_not() -> None:
    sky = Sky()
    assert all(sky(moved(HOME, 33.0 * second, 33.0)).trusted for second in range(120))
    assert "speed_implausible" in Sky()(replace(HOME, speed_mps=71.0)).reasons


def test_H23_time_pulled_by_more_than_two_seconds() -> None:
    sky = Sky()
    assert all(sky(time_off_s=off).trusted for off in (0.0, 0.5, 1.0, 1.5))
    assert sky(time_off_s=2.5).reasons == ("time_drift",)  # little by little is noticed too
    pulled = [sky(time_off_s=5.0) for _ in range(int(RETRUST_TIME_S))]
    assert all(fix.valid and fix.reasons == ("time_drift",) for fix in pulled)
    assert sky(time_off_s=5.0).trusted  # five minutes of one time: ours was the wrong one


def test_H23_frozen_coordinates_while_moving() -> None:
    sky = Sky()
    moving = replace(HOME, speed_mps=10.0)
    fixes = [sky(moving) for _ in range(20)]
    assert all(fix.valid for fix in fixes)
    assert all(fix.reasons == ("frozen",) for fix in fixes[4:])
    assert sum("frozen" in fix.reasons for fix in fixes) >= 16
    assert all(sky().trusted for _ in range(10))  # standing still is not frozen


def test_H23_a_slow_drag_below_the_limit_is_the_documented_gap() -> None:
    sky = Sky()
    assert all(sky(moved(HOME, 20.0 * second, 20.0)).trusted for second in range(60))


def test_H23_a_recording_is_not_measured_against_our_clock() -> None:
    sky = Sky(TrustLimits(is_live=False))
    sky()
    assert sky(time_off_s=30.0).trusted
