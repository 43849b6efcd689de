"""The driver and the bench's receiver at the two ends of a pty (Rule 19's time and place; hazards H21 to H23)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hw.gnss import Fix, GnssReceiver
from simulators.bench.gnss_device import HOME, GnssDevice
from simulators.bench.route import Route, distance_m
from tests.contract.wires import wait_for


class Electrics:
    """Records what the drive asked for."""

    def __init__(self) -> None:
        self.driving: list[bool] = []

    def set_driving(self, driving: bool) -> None:
        self.driving.append(driving)


class Bench:
    def __init__(self, directory: Path) -> None:
        self.electrics = Electrics()
        self.device = GnssDevice(directory / "gnss", self.electrics)
        self.receiver = GnssReceiver(str(directory / "gnss"))
        self.device.start()
        self.device.set({"mode": "parked", "rate_hz": 10})
        self.receiver.start()

    def collect(self, count: int) -> list[Fix]:
        """At least that many epochs, as they come."""
        fixes: list[Fix] = []

        def enough() -> bool:
            fixes.extend(self.receiver.drain())
            return len(fixes) >= count

        wait_for(enough)
        return fixes

    def fresh(self, **wanted: Any) -> bool:
        """The newest epoch, made after now, has these values."""
        fix = self.receiver.latest()
        return fix is not None and all(getattr(fix, name) == value for name, value in wanted.items())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.receiver.stop()
    made.device.stop()


def test_parked_gives_trusted_fixes_at_home_with_the_present_time(bench: Bench) -> None:
    wait_for(lambda: bench.fresh(valid=True, trusted=True, mode=3))
    fix = bench.receiver.latest()
    assert fix is not None
    assert fix.latitude_deg == pytest.approx(HOME[0], abs=1e-6)
    assert fix.longitude_deg == pytest.approx(HOME[1], abs=1e-6)
    assert fix.time_utc is not None
    assert abs((fix.time_utc - datetime.now(UTC)).total_seconds()) < 1.0
    assert abs(fix.at_s - time.monotonic()) < 1.0
    assert (fix.satellites, fix.hdop, fix.speed_mps, fix.reasons) == (12, 0.8, 0.0, ())


def test_parked_elsewhere_and_quality(bench: Bench) -> None:
    wait_for(lambda: bench.fresh(trusted=True))
    bench.device.set(
        {
            "mode": "parked",
            "latitude_deg": 51.1282,
            "longitude_deg": 71.4304,
            "rate_hz": 10,
            "satellites": 3,
            "hdop": 9.5,
        }
    )
    wait_for(lambda: bench.fresh(satellites=3, hdop=9.5))
    fix = bench.receiver.latest()
    assert fix is not None
    assert fix.latitude_deg == pytest.approx(51.1282, abs=1e-6)
    assert {"few_satellites", "poor_hdop", "jump"} == set(fix.reasons)


def test_every_epoch_is_drained_once_and_in_order(bench: Bench) -> None:
    seen = bench.collect(10)
    times = [fix.time_utc for fix in seen if fix.time_utc is not None]
    assert times == sorted(set(times))
    assert len(times) == len(seen)


def test_the_epoch_is_told_before_the_next_one_begins(bench: Bench) -> None:
    bench.device.set({"mode": "parked", "rate_hz": 1})
    bench.receiver.drain()
    fixes = bench.collect(2)
    assert time.monotonic() - fixes[-1].at_s < 0.2


def test_H23_jamming_is_no_fix_and_keeps_no_position(bench: Bench) -> None:
    wait_for(lambda: bench.fresh(valid=True))
    bench.device.set({"mode": "jam", "rate_hz": 10})
    wait_for(lambda: bench.fresh(mode=1, valid=False, trusted=False, latitude_deg=None))


def test_H23_a_spoofer_keeps_valid_and_loses_trust(bench: Bench) -> None:
    wait_for(lambda: bench.fresh(trusted=True))
    bench.device.set({"mode": "spoof", "rate_hz": 10})
    wait_for(lambda: bench.fresh(valid=True, trusted=False))
    fix = bench.receiver.latest()
    assert fix is not None
    assert fix.reasons == ("time_drift", "jump")
    bench.device.set({"mode": "parked", "rate_hz": 10})
    wait_for(lambda: bench.fresh(trusted=True))


@pytest.mark.parametrize("mode", ["off", "garbage", "unplug"])
def test_H21_H22_no_new_fix_comes_from_silence_garbage_or_a_missing_port(bench: Bench, mode: str) -> None:
    wait_for(lambda: bench.fresh(valid=True))
    bench.device.set(mode)
    time_of_change_s = time.monotonic() + 0.1
    wait_for(lambda: time.monotonic() > time_of_change_s + 0.5)
    fix = bench.receiver.latest()
    assert fix is not None
    assert fix.at_s < time_of_change_s
    bench.device.set({"mode": "parked", "rate_hz": 10})
    wait_for(lambda: bench.receiver.latest() is not fix and bench.fresh(valid=True), within_s=6.0)


def test_a_short_route_drives_and_ends(bench: Bench) -> None:
    end = (HOME[0] + 0.0027, HOME[1])  # 300 m north
    bench.device.set({"mode": "route", "waypoints": [list(HOME), list(end)], "speed_mps": 60, "rate_hz": 10})
    assert bench.electrics.driving == [True]
    top_mps = 0.0
    state = bench.device.state()
    assert (state["driving"], state["finished"]) == (True, False)
    deadline_s = time.monotonic() + 40.0
    while not bench.device.state()["finished"]:
        assert time.monotonic() < deadline_s
        fixes = bench.receiver.drain()
        top_mps = max([top_mps, *(fix.speed_mps or 0.0 for fix in fixes)])
        assert all(fix.trusted for fix in fixes), [fix.reasons for fix in fixes if not fix.trusted]
        if top_mps > 4.0:
            break
        time.sleep(0.05)
    # Not the whole way, to save time: parking here ends the drive where the vehicle is.
    assert top_mps > 4.0
    bench.device.set({"mode": "parked", "rate_hz": 10})
    assert bench.electrics.driving == [True, False]
    state = bench.device.state()
    assert 0.0 < distance_m(HOME, (state["latitude_deg"], state["longitude_deg"])) < 300.0
    wait_for(lambda: bench.fresh(speed_mps=0.0, trusted=True))


def test_a_route_ends_by_itself_and_applies_the_handbrake(bench: Bench) -> None:
    end = (HOME[0] + 0.00004, HOME[1])  # 4.4 m: the shortest drive there is
    bench.device.set({"mode": "route", "waypoints": [list(HOME), list(end)], "speed_mps": 10, "rate_hz": 10})
    wait_for(lambda: bench.device.state()["finished"], within_s=8.0)
    assert bench.electrics.driving == [True, False]
    assert bench.device.state()["latitude_deg"] == pytest.approx(end[0], abs=1e-8)


def test_a_disturbed_receiver_does_not_stop_the_vehicle(bench: Bench) -> None:
    bench.device.set({"mode": "route", "waypoints": [list(HOME), [43.25, 76.9]], "speed_mps": 15, "rate_hz": 10})
    bench.device.set({"mode": "jam", "rate_hz": 10})
    assert bench.device.state()["driving"]
    wait_for(lambda: bench.fresh(mode=1))
    bench.device.set({"mode": "route", "rate_hz": 10})
    wait_for(lambda: bench.fresh(valid=True))
    assert bench.electrics.driving == [True]


def test_a_recording_is_replayed_at_its_own_pace(bench: Bench, tmp_path: Path) -> None:
    from simulators.bench.nmea_writer import Reception, epoch
    from simulators.bench.route import Motion

    log = tmp_path / "drive.log"
    moments = [datetime(2026, 11, 22, 12, 0, 0, tenth * 100_000, tzinfo=UTC) for tenth in range(6)]
    log.write_bytes(b"".join(epoch(Motion(50.0, 70.0), moment, Reception()) for moment in moments))
    bench.device.set({"mode": "file", "path": str(log)})
    wait_for(lambda: bench.device.state()["finished"])
    wait_for(lambda: (fix := bench.receiver.latest()) is not None and fix.time_utc == moments[-1])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("fast", "allowed are parked, route"),
        ({"mode": "parked", "latitude": 1}, "latitude_deg"),
        ({"mode": "parked", "latitude_deg": 91}, "from -90 to 90"),
        ({"mode": "parked", "latitude_deg": True}, "a number"),
        ({"mode": "parked", "rate_hz": 50}, "0.1 to 10"),
        ({"mode": "route", "waypoints": [[43, 76]], "speed_mps": 5}, "at least two"),
        ({"mode": "route", "waypoints": [[43, 76], [43, 76]], "speed_mps": 5}, "not all the same"),
        ({"mode": "route", "waypoints": [[43, 76], "x"], "speed_mps": 5}, "at least two"),
        ({"mode": "route", "waypoints": [[43, 76], [44, 76]]}, "speed_mps"),
        ({"mode": "route"}, "at least two"),
        ({"mode": "file", "path": "/nowhere.log"}, "give a recorded NMEA log"),
        ({}, "allowed are"),
    ],
)
def test_a_wrong_body_says_what_is_allowed_and_changes_nothing(tmp_path: Path, body: Any, says: str) -> None:
    device = GnssDevice(tmp_path / "gnss")
    before = device.state()
    with pytest.raises(ValueError, match=says):
        device.set(body)
    assert device.state() == before


def test_a_route_follows_the_great_circle_with_a_vans_acceleration() -> None:
    almaty, taraz = (43.238949, 76.889709), (42.9, 71.37)
    route = Route([almaty, taraz], 25.0)
    assert route.length_m == pytest.approx(450_000, rel=0.02)
    motions = [route.at(second) for second in range(int(route.duration_s) + 2)]
    steps = [b.speed_mps - a.speed_mps for a, b in pairwise(motions)]
    assert max(abs(step) for step in steps) <= 1.5 + 1e-9
    ways = [
        distance_m((a.latitude_deg, a.longitude_deg), (b.latitude_deg, b.longitude_deg)) for a, b in pairwise(motions)
    ]
    assert sum(ways) == pytest.approx(route.length_m, rel=1e-6)
    assert max(ways) <= 25.0 + 1e-6
    assert motions[-1].is_finished
    assert math.isclose(motions[-1].latitude_deg, taraz[0])
