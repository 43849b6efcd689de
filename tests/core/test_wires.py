"""Debounced wires and motion: what one sample, a bounce, a handbrake or a fix can and cannot say (Rules 15, 16)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.core.world import SETTINGS
from vehicle_agent.core.inputs import Fix, Readings
from vehicle_agent.core.levels import fold_levels, is_chattering
from vehicle_agent.core.motion import distance_m, fold_fast, is_inside, judge, position
from vehicle_agent.core.state import Level

SCAN_S = 0.02


def sampled(samples: list[Any], name: str = "cell_1", start: Level | None = None, step_s: float = SCAN_S) -> Level:
    """A wire's level after these samples, one each scan, from time 0."""
    levels = {} if start is None else {name: start}
    for number, raw in enumerate(samples):
        is_loop = name.startswith("cell_")
        reading = Readings(number * step_s, {name: raw} if is_loop else {}, {} if is_loop else {name: raw})
        levels = dict(fold_levels(levels, reading))
    return levels[name]


LOCKED = Level("locked", raw="locked")
OPEN = Level("both_open", raw="both_open")


@pytest.mark.parametrize(
    ("start", "samples", "value"),
    [
        (LOCKED, ["both_open"], "locked"),
        (LOCKED, ["both_open"] * 2, "both_open"),
        (LOCKED, ["both_open", "locked", "both_open"], "locked"),
        (LOCKED, ["cut", "short"], "short"),  # leaving "locked", any other value counts against it
        (LOCKED, [None, None], None),
        (OPEN, ["locked"] * 9, "both_open"),
        (OPEN, ["locked"] * 10, "locked"),
        (OPEN, ["locked"] * 9 + ["both_open"] + ["locked"] * 9, "both_open"),
        (OPEN, ["cut", "short"], "both_open"),  # two samples of one value, not of two
        (OPEN, ["cut", "cut"], "cut"),
        (OPEN, ["locked", "cut", "cut"], "cut"),
    ],
)
def test_H01_a_loop_leaves_locked_after_two_samples_and_comes_back_after_ten(
    start: Level, samples: list[Any], value: Any
) -> None:
    assert sampled(samples, start=start).value == value


@pytest.mark.parametrize(
    ("name", "samples", "value"),
    [
        ("handbrake", [True] * 9, None),
        ("handbrake", [True] * 10, True),
        ("handbrake", [False] * 2, False),
        ("handbrake", [True] * 10 + [False], True),
        ("handbrake", [True] * 10 + [False, False], False),
        ("handbrake", [True] * 10 + [None, False], False),
        ("driver_stop", [True] * 2, True),
        ("driver_stop", [True], None),
        ("airflow", [True] * 2, True),
    ],
)
def test_only_an_applied_handbrake_has_to_be_earned_among_the_contacts(
    name: str, samples: list[Any], value: Any
) -> None:
    assert sampled(samples, name).value is value


def test_a_call_is_believed_after_two_samples_and_its_end_after_ten() -> None:
    levels: Any = {"cell_call_1": Level("idle", raw="idle")}

    def after(raw: str, times: int) -> Any:
        nonlocal levels
        for number in range(times):
            levels = fold_levels(levels, Readings(number * SCAN_S, {}, {}, calls={"cell_call_1": raw}))
        return levels["cell_call_1"].value

    assert [after("pressed", 1), after("pressed", 1)] == ["idle", "pressed"]
    assert [after("idle", 9), after("idle", 1)] == ["pressed", "idle"]


def test_a_level_knows_since_when_and_what_it_was() -> None:
    level = sampled(["locked"] * 10 + ["both_open"] * 3)
    assert (level.value, level.raw, level.before) == ("both_open", "both_open", "locked")
    assert level.since_s == pytest.approx(11 * SCAN_S)
    assert level.raw_s == pytest.approx(10 * SCAN_S)
    assert (level.candidate, level.count) == (None, 0)
    waiting = sampled(["locked"] * 10 + ["both_open"])
    assert (waiting.value, waiting.candidate, waiting.count) == ("locked", "both_open", 1)


def test_a_wire_that_does_not_move_makes_no_new_mapping() -> None:
    levels = {"cell_1": LOCKED, "airflow": Level(True, raw=True)}
    reading = Readings(9.0, {"cell_1": "locked"}, {"airflow": True})
    assert fold_levels(levels, reading) is levels
    assert fold_levels(levels, replace(reading, loops={"cell_1": "cut"})) is not levels
    bounced = {"cell_1": replace(LOCKED, reversals=(5.0,))}
    assert fold_levels(bounced, Readings(9.0, {"cell_1": "locked"}, {})) is bounced


def test_a_wire_seen_for_the_first_time_is_unknown_since_then() -> None:
    assert fold_levels({}, Readings(9.0, {"cell_1": "locked"}, {}))["cell_1"].since_s == 9.0


@pytest.mark.parametrize(
    ("gap_s", "counted"),
    [(0.1, True), (0.2, True), (0.21, False)],  # a contact that comes back within 200 ms has bounced
)
def test_H25_a_bounce_is_a_return_within_200_ms(gap_s: float, counted: bool) -> None:
    assert len(sampled(["locked", "both_open", "locked"], step_s=gap_s, start=LOCKED).reversals) == counted


def test_H25_two_steps_of_one_movement_are_no_bounce_and_neither_is_a_second_unread_sample() -> None:
    assert sampled(["bolt_open", "both_open", "door_open"], start=LOCKED).reversals == ()
    assert sampled([None, "locked", None], start=LOCKED).reversals == (SCAN_S,)  # the return to "locked" alone
    assert sampled([True, False] * 20, "beacon_sense").reversals == ()  # meant to flash
    assert len(sampled([True, False] * 20, "airflow").reversals) == 7  # no more are kept


def test_H25_seven_bounces_in_ten_seconds_are_a_fault_and_ten_calm_seconds_end_it() -> None:
    six = sampled(["locked"] + ["both_open", "locked"] * 3 + ["both_open"], start=LOCKED)
    assert (len(six.reversals), is_chattering(six)) == (6, False)
    seven = sampled(["locked"] + ["both_open", "locked"] * 4, start=LOCKED)
    assert (len(seven.reversals), is_chattering(seven)) == (7, True)
    assert not is_chattering(None)

    def after(level: Level, at_s: float) -> Level:
        return fold_levels({"cell_1": level}, Readings(at_s, {"cell_1": "locked"}, {}))["cell_1"]

    settled = after(after(seven, 0.3), 9.9)
    assert is_chattering(settled)
    first_s = seven.reversals[0]
    assert len(after(settled, first_s + 9.99).reversals) == 7
    assert len(after(settled, first_s + 10.0).reversals) == 6
    assert after(settled, 30.0).reversals == ()


@pytest.mark.parametrize(
    ("handbrake", "fast_for_s", "motion", "reason"),
    [
        (True, None, "standing", None),
        (True, 1.99, "standing", None),
        (True, 2.0, "moving", "motion_unknown"),
        (False, None, "moving", "vehicle_moving"),
        (False, 5.0, "moving", "vehicle_moving"),
        (None, None, "unknown", "motion_unknown"),
        (None, 1.99, "unknown", "motion_unknown"),
        (None, 2.0, "moving", "motion_unknown"),
    ],
)
def test_H23_a_fix_can_contradict_the_handbrake_and_never_replace_it(
    handbrake: bool | None, fast_for_s: float | None, motion: str, reason: str | None
) -> None:
    since_s = None if fast_for_s is None else -fast_for_s
    assert judge(handbrake, since_s, 0.0) == (motion, reason)


FIX = Fix(0.0, 3, True, True, latitude_deg=43.25, longitude_deg=76.9, speed_mps=2.0)


@pytest.mark.parametrize(
    ("fix", "at_s", "since_s", "expected"),
    [
        (FIX, 3.0, None, 0.0),
        (FIX, 3.0, -4.0, -4.0),  # has been fast for longer
        (FIX, 3.01, -4.0, None),  # too old to say anything
        (replace(FIX, at_s=100.0), 103.0, None, 100.0),
        (None, 0.0, -4.0, None),
        (replace(FIX, valid=False), 0.0, -4.0, None),
        (replace(FIX, trusted=False), 0.0, -4.0, None),
        (replace(FIX, speed_mps=1.99), 0.0, -4.0, None),
        (replace(FIX, speed_mps=None), 0.0, -4.0, None),
    ],
)
def test_H23_only_a_fresh_trusted_fix_counts_as_fast(
    fix: Fix | None, at_s: float, since_s: float | None, expected: float | None
) -> None:
    assert fold_fast(since_s, fix, at_s, SETTINGS) == expected


@pytest.mark.parametrize(
    ("fix", "at_s", "is_known"),
    [
        (FIX, 10.0, True),
        (FIX, 10.01, False),
        (None, 0.0, False),
        (replace(FIX, valid=False), 0.0, False),
        (replace(FIX, trusted=False), 0.0, False),
        (replace(FIX, latitude_deg=None), 0.0, False),
        (replace(FIX, longitude_deg=None), 0.0, False),
    ],
)
def test_H23_an_event_is_placed_only_by_a_fresh_trusted_fix(fix: Fix | None, at_s: float, is_known: bool) -> None:
    assert position(fix, at_s) == ({"latitude_deg": 43.25, "longitude_deg": 76.9} if is_known else None)


def test_distances_are_great_circles() -> None:
    def at(latitude: float, longitude: float) -> dict[str, float]:
        return {"latitude_deg": latitude, "longitude_deg": longitude}

    degree_m = 6_371_008.8 * math.pi / 180  # the mean radius of the Earth
    assert distance_m(at(43.0, 76.0), at(44.0, 76.0)) == pytest.approx(degree_m, rel=1e-9)
    assert distance_m(at(0.0, 76.0), at(0.0, 77.0)) == pytest.approx(degree_m)
    assert distance_m(at(60.0, 76.0), at(60.0, 77.0)) == pytest.approx(degree_m / 2, rel=1e-4)
    assert distance_m(at(0.0, -90.0), at(0.0, 90.0)) == pytest.approx(180 * degree_m)
    # Almaty to Astana, by the same formula in another hand: 972 km.
    assert distance_m(at(43.25, 76.9), at(51.17, 71.43)) == pytest.approx(972_000, rel=5e-3)


def test_a_place_is_a_circle_and_an_unknown_position_says_nothing() -> None:
    place = {"latitude_deg": 0.0, "longitude_deg": 0.0, "radius_m": 0.0}
    here, there = {"latitude_deg": 0.0, "longitude_deg": 0.0}, {"latitude_deg": 0.0, "longitude_deg": 0.001}
    assert is_inside(place, here) is True  # on the line is inside
    assert is_inside(place, there) is False
    assert is_inside(place | {"radius_m": 112.0}, there) is True
    assert is_inside(None, here) is None
    assert is_inside(place, None) is None
