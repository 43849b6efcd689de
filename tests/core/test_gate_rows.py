"""The gate's list, reason by reason, and the presses that only a hand can give (Rules 15, 16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.core.world import PLAN, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core import fallback, rules
from vehicle_agent.core.commands import Answer
from vehicle_agent.core.interlock import (
    Refusal,
    before_boarding,
    has_valid_report,
    is_order_valid,
    last_change,
    refusal,
    refusals,
)
from vehicle_agent.core.state import Level, Live, Report, Row, Status, Trip


def said(w: World, **live: object) -> list[Refusal]:
    return [*refusals(w.trip, replace(w.live, **live), w.mono_s, w.settings)]  # type: ignore[arg-type]


def ready() -> World:
    w = World()
    w.to_ready()
    assert said(w) == []
    return w


def with_row(w: World, item: str, **changed: object) -> None:
    rows = {**w.trip.rows, item: replace(w.trip.rows.get(item, Row()), **changed)}  # type: ignore[arg-type]
    w.trip = replace(w.trip, rows=rows)


ITEMS = [
    item.item
    for item in rules.checklist(SETTINGS.cell_locks(), women_on_board=False)
    if item.stage == "before_boarding"
]


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("pending", "item_not_proven"),
        ("running", "item_not_proven"),
        ("failed", "item_failed"),
        ("expired", "item_expired"),
        ("passed", None),
        ("manual_fallback", None),
    ],
)
def test_H01_each_row_refuses_by_its_own_name_and_rule(item: str, status: str, code: str | None) -> None:
    w = ready()
    with_row(w, item, status=status)
    rule = next(row.rule for row in before_boarding(w.trip, SETTINGS) if row.item == item)
    if item == "order_valid" and status == "failed":
        assert said(w) == [Refusal("order_expired", "12.1", "order_valid")]
    else:
        # A person answers for a broken sensor only: nobody's word stands for a lock or for another person's word.
        by_hand = status == "manual_fallback" and item not in ("radio", "beacon", "intercom", "ventilation", "lighting")
        expected = "item_not_proven" if by_hand else code
        assert said(w) == ([] if expected is None else [Refusal(expected, rule, item)])
    rows = {name: row for name, row in w.trip.rows.items() if name != item}
    w.trip = replace(w.trip, rows=rows)
    assert said(w) == [Refusal("item_not_proven", rule, item)], "a row that was never touched"


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        *(("radio", "3"), ("beacon", "3"), ("intercom", "3"), ("ventilation", "15"), ("lighting", "15")),
        *(("cell_lock_1", "15"), ("cell_lock_2", "15"), ("body_door", "16")),
    ],
)
def test_H01_each_equipment_refuses_by_its_status(name: str, rule: str, is_open: bool) -> None:
    w = ready()
    w.trip = replace(w.trip, is_open=is_open)
    for status in ("fault", "stale", "unknown"):
        worse = {**w.live.equipment, name: Status(status)}
        assert said(w, equipment=worse) == [Refusal(f"equipment_{status}", rule, name)]
    gone = {item: status for item, status in w.live.equipment.items() if item != name}
    assert said(w, equipment=gone) == [Refusal("equipment_unknown", rule, name)]
    with_row(w, name, status="manual_fallback")
    by_hand = rule == "3" or name in ("ventilation", "lighting")
    refused = Refusal("equipment_unknown", rule, name)
    assert refused in said(w, equipment=gone) or by_hand, "nobody answers for a lock or a door"
    if by_hand:
        assert said(w, equipment=gone) == []


@pytest.mark.parametrize("reason", ["switched_off", "switched_on"])
def test_H35_nobody_answers_for_what_the_crew_has_switched(reason: str) -> None:
    w = ready()
    with_row(w, "ventilation", status="manual_fallback")
    for status, refused in ((Status("fault", "airflow_lost"), False), (Status("fault", reason), True)):
        found = said(w, equipment={**w.live.equipment, "ventilation": status})
        assert found == ([Refusal("equipment_fault", "15", "ventilation")] if refused else [])


def test_H35_a_word_for_one_sensor_hides_nothing_else() -> None:
    w = ready()
    with_row(w, "radio", status="manual_fallback")
    broken = {**w.live.equipment, "radio": Status("stale", "silent"), "body_door": Status("fault", "cut")}
    assert said(w, equipment=broken) == [Refusal("equipment_fault", "16", "body_door")]
    with_row(w, "seats_fixed", status="pending")
    assert [r.item for r in said(w, equipment=broken)] == ["seats_fixed", "body_door"]


@pytest.mark.parametrize(
    ("row", "reason", "status", "in_doubt"),
    [
        ("pending", None, None, True),
        ("pending", None, Status("fault", "dark"), True),
        ("pending", None, Status("stale", "silent"), True),
        ("pending", None, Status("fault", "switched_off"), False),
        ("pending", None, Status("working", None), False),
        ("failed", "sense_stuck", Status("working", None), True),
        ("failed", "switched_on", Status("working", None), False),
    ],
)
def test_H35_a_sensor_is_in_doubt_when_it_is_broken_or_could_not_say_both(
    row: str, reason: str | None, status: Status | None, in_doubt: bool
) -> None:
    assert fallback.is_sensor_in_doubt(Row(row, reason=reason), status) is in_doubt


def test_H35_only_a_sensor_that_the_vehicle_lists_is_answered_for_and_never_a_lock() -> None:
    settings = replace(SETTINGS, manual_fallback=frozenset({"lighting", "cell_lock_1", "body_door"}))
    allowed = [
        item
        for item in (*rules.SENSED_EQUIPMENT, "cell_lock_1", "body_door", "seats_fixed")
        if fallback.is_allowed(item, settings)
    ]
    assert allowed == ["lighting"]


def test_H26_the_driver_may_report_anew_before_boarding_is_opened_once_more() -> None:
    w = World()
    w.to_securing()
    assert [type(event) for event in w.press("driver_ready").events] == [ev.DriverReported]


def test_women_on_board_need_a_servicewoman_before_anybody_boards() -> None:
    assert "servicewoman_in_escort" not in {row.item for row in before_boarding(ready().trip, SETTINGS)}
    w = World()
    w.to_ready(women_on_board=True)
    missing = Refusal("item_not_proven", "4", "servicewoman_in_escort")
    assert said(w) == [missing, Refusal("driver_not_ready", "16", None)]
    w.must("confirm", item="servicewoman_in_escort")
    w.press("driver_ready")
    assert said(w) == []


@pytest.mark.parametrize("is_open", [False, True])
def test_H01_the_vehicles_own_reasons_hold_before_and_while_boarding_is_open(is_open: bool) -> None:
    w = ready()
    w.trip = replace(w.trip, is_open=is_open)
    assert said(w, motion_reason="vehicle_moving") == [Refusal("vehicle_moving", "16", None)]
    assert said(w, journal_ok=False) == [Refusal("journal_unavailable", None, None)]
    for status in ("fault", "unknown"):
        worse = {**w.live.equipment, "permit_output": Status(status)}
        assert said(w, equipment=worse) == [Refusal("permit_readback", None, "permit_output")]
    for indifferent in ("gnss", "power"):
        assert said(w, equipment={**w.live.equipment, indifferent: Status("fault")}) == []


def test_start_conditions_no_longer_count_once_boarding_is_open() -> None:
    w = ready()
    w.trip = replace(w.trip, report=None, commissioned=None)
    with_row(w, "seats_fixed", status="pending")
    assert {r.code for r in said(w)} == {"item_not_proven", "not_commissioned", "driver_not_ready"}
    w.trip = replace(w.trip, is_open=True)
    assert said(w) == []


def test_every_reason_is_said_at_once() -> None:
    w = World()
    w.must("open_trip", **PLAN)
    found = {r.code for r in refusals(replace(w.trip, commissioned=None), Live(), 0.0, SETTINGS)}
    assert found == {
        *("item_not_proven", "not_commissioned", "driver_not_ready", "equipment_unknown"),
        *("motion_unknown", "permit_readback", "journal_unavailable"),
    }


@pytest.mark.parametrize("phase", ["no_trip", "closed"])
def test_without_a_trip_there_is_one_reason(phase: str) -> None:
    assert refusals(Trip(phase=phase), Live(), 0.0, SETTINGS) == (Refusal("no_trip", None, None),)


def test_H34_a_commissioning_counts_for_the_wiring_it_was_made_with() -> None:
    w = ready()
    for wiring in (None, "another"):
        w.trip = replace(w.trip, commissioned=wiring)
        assert [r.code for r in said(w)] == ["not_commissioned"]
    w.settings = replace(w.settings, wiring_sha256="another")
    assert said(w) == []


def test_H26_a_report_is_newer_than_the_last_change_and_at_most_two_minutes_old() -> None:
    w = ready()
    newest = max(w.trip.rows[item].order for item in ITEMS)
    assert last_change(w.trip, SETTINGS) == newest

    def valid(order: int, age_s: float, *, is_open: bool = False) -> bool:
        report = Report(order, 100.0 - age_s, w.utc)
        return has_valid_report(replace(w.trip, report=report, is_open=is_open), 100.0, SETTINGS)

    assert valid(newest, 0.0)
    assert not valid(newest - 1, 0.0)
    assert valid(newest, 120.0)
    assert not valid(newest, 120.01)
    assert valid(newest, 500.0, is_open=True), "its age counts only until boarding opens"
    assert not valid(newest - 1, 0.0, is_open=True)
    assert not has_valid_report(replace(w.trip, report=None), 100.0, SETTINGS)
    w.trip = replace(w.trip, report=Report(newest - 1, w.mono_s, w.utc))
    assert said(w) == [Refusal("driver_report_outdated", "16", None)]
    assert last_change(Trip(), SETTINGS) == 0


def test_securing_rows_do_not_make_the_drivers_report_old() -> None:
    w = ready()
    before = last_change(w.trip, SETTINGS)
    with_row(w, "isolation", order=before + 50)
    with_row(w, "vehicle_empty", order=before + 51)
    assert last_change(w.trip, SETTINGS) == before


@pytest.mark.parametrize(
    ("at", "valid"),
    [
        (datetime(2026, 11, 22, 18, 59, 59, tzinfo=UTC), True),  # 23:59:59 in the Republic
        (datetime(2026, 11, 22, 19, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 1, tzinfo=UTC), True),
    ],
)
def test_an_order_holds_to_the_end_of_its_last_day(at: datetime, valid: bool) -> None:
    assert is_order_valid("2026-11-22", at) is valid


def test_a_refusal_names_the_rule_of_its_code_unless_a_row_knows_better() -> None:
    assert refusal("lock_open", "cell_lock_1") == Refusal("lock_open", "17", "cell_lock_1")
    assert refusal("lock_open", "cell_lock_1", "15") == Refusal("lock_open", "15", "cell_lock_1")
    assert refusal("journal_unavailable") == Refusal("journal_unavailable", None, None)


# Presses.


@pytest.mark.parametrize(
    ("hold_s", "counted"),
    [(0.049, 0), (0.05, 1), (2.99, 1), (3.0, -1), (8.0, -1), (8.01, 0)],
)
def test_H24_one_press_is_one_person_and_a_long_one_takes_back(hold_s: float, counted: int) -> None:
    w = World()
    w.to_boarding()
    w.press("body_count")
    w.run(1.0)
    w.press("body_count", hold_s)
    assert w.trip.body == 1 + counted
    assert w.out["buzzer"] is bool(counted), "the body escort hears that it counted"


def test_H24_nobody_is_taken_back_below_nobody_and_nobody_counted_outside_boarding() -> None:
    w = World()
    w.to_boarding()
    assert w.press("body_count", 5.0) == Answer()
    assert w.trip.body == 0
    for way in (World.to_ready, World.to_securing, World.to_secured, World.to_under_way):
        w = World()
        way(w)
        before = w.trip.body
        assert w.press("body_count") == Answer()
        assert w.trip.body == before


@pytest.mark.parametrize(("hold_s", "reported"), [(0.049, False), (0.05, True), (2.99, True), (3.0, False)])
def test_H24_H26_the_driver_reports_by_a_short_press(hold_s: float, reported: bool) -> None:
    w = ready()
    w.trip = replace(w.trip, report=None)
    w.press("driver_ready", hold_s)
    assert (w.trip.report is not None) is reported


@pytest.mark.parametrize("way", [World.to_secured, World.to_under_way, World.to_unloading])
def test_H26_a_press_outside_the_check_is_no_report(way: Callable[[World], None]) -> None:
    w = World()
    way(w)
    assert w.press("driver_ready") == Answer()
    assert w.trip.report is None


def test_H26_a_press_while_boarding_is_open_changes_nothing() -> None:
    w = World()
    w.to_boarding()
    before = w.trip
    assert w.press("driver_ready") == Answer()
    assert w.trip == before


@pytest.mark.parametrize("button", ["alarm_button", "nonsense"])
def test_no_other_button_is_a_report_or_a_count(button: str) -> None:
    w = World()
    w.to_boarding()
    assert w.press(button) == Answer()
    assert w.trip.body == 0


def test_a_press_of_stop_that_only_the_panel_saw_closes_boarding_and_takes_the_report_back() -> None:
    w = World()
    w.to_boarding()
    events = w.press("driver_stop").events
    assert events == (ev.DriverReportDropped("driver_stop"), ev.BoardingClosed("driver_stop"))
    assert (w.trip.is_open, w.trip.report) == (False, None)
    assert w.press("driver_stop") == Answer()
    w = ready()
    assert w.press("driver_stop").events == (ev.DriverReportDropped("driver_stop"),)


@pytest.mark.parametrize(
    ("handbrake", "stop", "answer"),
    [(False, False, ["vehicle_moving"]), (None, False, ["motion_unknown"]), (True, True, [])],
)
def test_H26_the_driver_cannot_report_while_moving_or_with_stop_pressed(
    handbrake: bool | None, stop: bool, answer: list[str]
) -> None:
    w = ready()
    w.trip = replace(w.trip, report=None)
    w.live = replace(w.live, motion_reason=answer[0] if answer else None)
    w.contacts |= {"handbrake": handbrake, "driver_stop": stop}
    w.run(0.04)
    said = w.press("driver_ready")
    assert w.trip.report is None
    assert {*answer} <= {r.code for r in said.refusals}
    assert w.live.refused_press_s == w.mono_s, "the lamp says no"


def test_H25_a_stop_button_that_chatters_counts_as_pressed() -> None:
    w = ready()
    bounces = tuple(w.mono_s - n / 10 for n in range(7, 0, -1))
    for name, stops in (("body_count", False), ("driver_stop", True)):
        flapping = Level(False, raw=False, raw_s=w.mono_s, reversals=bounces)
        w.live = replace(w.live, levels={**w.live.levels, name: flapping})
        w.scan()
        assert (w.trip.report is None) is stops, name


def test_H26_what_the_driver_cannot_help_is_said_and_his_own_report_is_not() -> None:
    w = World()
    w.run(3.0)
    w.must("open_trip", **PLAN)
    codes = {r.code for r in w.press("driver_ready").refusals}
    assert codes == {"item_not_proven"}


def test_H26_a_fault_that_is_not_his_does_not_stop_the_drivers_report() -> None:
    w = ready()
    w.trip = replace(w.trip, report=None)
    w.journal_ok = False
    w.run(0.04)
    assert [type(e) for e in w.press("driver_ready").events] == [ev.DriverReported]


def test_the_look_inside_is_confirmed_once_and_only_when_all_are_out() -> None:
    w = World()
    w.to_unloading()
    assert w.press("body_count") == Answer()
    for cell in (1, 2, 2):
        w.must("unload_person", cell=cell)
    assert w.press("body_count", 4.0) == Answer(), "a long press confirms nothing"
    event = w.press("body_count").events[0]
    assert event == ev.RowChanged("vehicle_empty", "passed", None, {"pressed": True})
    assert w.press("body_count") == Answer()
