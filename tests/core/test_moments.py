"""The very moment and the one person on which a decision turns: limits that are just met, just missed or just there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from tests.core.world import SETTINGS, World
from vehicle_agent.core import care
from vehicle_agent.core import events as ev
from vehicle_agent.core.automatic import sensed_rows
from vehicle_agent.core.commands import Scene
from vehicle_agent.core.inputs import Press, Receipt
from vehicle_agent.core.notices import departure_checks, is_overdue, receipt_stage, wire_time
from vehicle_agent.core.panel import on_press
from vehicle_agent.core.rules import LOCAL_TIME
from vehicle_agent.core.state import Trip


def arrived(w: World) -> None:
    w.to_under_way()
    w.park()
    w.must("arrive")


@pytest.mark.parametrize("aboard", [1, 0])
@pytest.mark.parametrize("way", [World.to_securing, World.to_secured, World.to_under_way, arrived, World.to_unloading])
def test_H36_after_boarding_the_body_escorts_button_is_a_look_at_anybody_who_is_aboard(
    way: Callable[[World], None], aboard: int
) -> None:
    w = World(replace(SETTINGS, welfare_check_s=60.0))
    way(w)
    w.trip = replace(w.trip, unloaded=3 - aboard)
    w.press("body_count")
    assert w.happened(ev.WelfareChecked) == [ev.WelfareChecked("body_escort")] * aboard


def test_H26_the_driver_cannot_report_at_the_very_scan_that_sees_the_vehicle_roll() -> None:
    w = World()
    w.to_ready()
    w.trip = replace(w.trip, report=None)
    w.contacts["handbrake"] = False
    w.scan()
    assert w.live.motion == "standing"
    answer = w.press("driver_ready")
    assert w.live.motion == "moving"
    assert (answer.events, [r.code for r in answer.refusals]) == ((), ["vehicle_moving"])


@pytest.mark.parametrize(
    ("status", "age_s", "is_taken"),
    [("failed", 30.0, True), (None, 30.0, True), ("failed", 30.125, False), ("passed", 1.0, False)],
)
def test_H35_the_driver_answers_within_thirty_seconds_and_for_nothing_that_was_proven_since(
    status: str | None, age_s: float, is_taken: bool
) -> None:
    w = World()
    w.to_ready()
    rows = {item: row for item, row in w.trip.rows.items() if item != "ventilation"}
    if status is not None:
        rows["ventilation"] = replace(w.trip.rows["ventilation"], status=status)
    trip = replace(w.trip, report=None, rows=rows, fallback=("ventilation", 64.0, "boot-1"))
    scene = Scene(trip, w.live, replace(w.now(), mono_s=64.0 + age_s), w.settings)
    events = on_press(Press("driver_ready", 0.5), scene)[0].events
    answered = ev.RowChanged("ventilation", "manual_fallback", "sensor_faulty")
    assert (answered in events) is is_taken


def test_H26_an_outdated_report_is_not_held_against_the_driver_who_renews_it() -> None:
    w = World()
    w.to_ready()
    w.trip = replace(w.trip, rows={item: row for item, row in w.trip.rows.items() if item != "seats_fixed"})
    w.mono_s += 121.0
    assert [(r.code, r.item) for r in w.press("driver_ready").refusals] == [("item_not_proven", "seats_fixed")]


def test_a_proof_is_good_to_the_end_of_its_last_second_whatever_else_is_proven() -> None:
    w = World(replace(SETTINGS, checklist_valid_s=30.0))
    w.to_ready()
    row = replace(w.trip.rows["cell_lock_2"], at_s=64.0)
    w.trip = replace(w.trip, rows={"cell_lock_2": row, "order_valid": w.trip.rows["order_valid"]})
    too_old = ev.RowChanged("cell_lock_2", "expired", "too_old")
    for at_s, is_open, found in ((94.0, False, []), (94.125, False, [too_old]), (94.125, True, [])):
        trip, now = replace(w.trip, is_open=is_open), replace(w.now(), mono_s=at_s)
        assert sensed_rows(Scene(trip, w.live, now, w.settings)) == found


@pytest.mark.parametrize(("commander", "body", "agree"), [(1, 1, True), (0, 0, False), (2, 1, False), (1, 2, False)])
def test_counts_agree_when_they_are_the_same_and_somebody_is_aboard(commander: int, body: int, agree: bool) -> None:
    w = World()
    w.to_securing()
    w.trip = replace(w.trip, commander=commander, body=body)
    w.scan()
    assert w.status("counts_agree") == ("passed" if agree else "failed")


def test_H11_a_correction_names_the_departure_of_its_own_trip_and_unit() -> None:
    w = World()
    w.to_under_way()
    assert w.trip.departure is not None
    mine = {n.record.recipient: n.id for n in w.trip.notices}
    earlier = [replace(n, trip="earlier", record=replace(n.record, notice=f"earlier {n.id}")) for n in w.trip.notices]
    w.trip = replace(w.trip, notices=(*earlier, *w.trip.notices), departure=replace(w.trip.departure, source="none"))
    w.scan()
    corrections = [n.record for n in w.trip.notices if n.record.kind == "correction"]
    assert {record.recipient: record.corrects for record in corrections} == mine


def test_H11_a_correction_is_told_also_when_the_notice_that_it_corrects_is_no_longer_kept() -> None:
    w = World()
    w.to_under_way()
    assert w.trip.departure is not None
    w.trip = replace(w.trip, notices=(), departure=replace(w.trip.departure, source="none"))
    w.scan()
    assert [(n.record.kind, n.record.corrects) for n in w.trip.notices] == [("correction", None)] * 3


@pytest.mark.parametrize(
    ("reached", "said", "is_news"),
    [
        ("recorded", "received", True),
        ("at_broker", "received", True),
        ("told_by_radio", "received", True),
        ("received", "received", False),
        ("acknowledged", "received", False),
        ("told_by_radio", "acknowledged", True),
        ("received", "acknowledged", True),
        ("acknowledged", "acknowledged", False),
    ],
)
def test_H15_a_receipt_is_news_when_it_says_more_than_the_unit_has_said(reached: str, said: str, is_news: bool) -> None:
    w = World()
    w.to_under_way()
    notice = replace(w.trip.notices[0], stage=reached)
    receipt = Receipt(notice.id, said, "A", "B", "2026-11-22T08:10:00Z", "00", notice.record.recipient)
    assert (receipt_stage(notice, receipt) is not None) is is_news


def test_H16_a_notice_is_overdue_after_its_last_second() -> None:
    w = World()
    w.to_under_way()
    notice = replace(w.trip.notices[0], recorded_s=64.0)
    assert [is_overdue(notice, replace(w.now(), mono_s=mono_s), SETTINGS) for mono_s in (184.0, 184.125)] == [
        False,
        True,
    ]


@pytest.mark.parametrize("status", ["pending", "running", "failed"])
def test_a_proof_that_is_being_given_anew_after_a_restart_is_not_given(status: str) -> None:
    w = World()
    w.to_secured()
    rows = {**w.trip.rows, "radio": replace(w.trip.rows["radio"], status=status, reason="restart")}
    assert departure_checks(replace(w.trip, rows=rows), w.live, w.settings)["all_passed"] is False


def test_a_proof_that_only_a_restart_took_is_told_as_given_if_boarding_was_ever_opened() -> None:
    w = World()
    w.to_secured()
    rows = {**w.trip.rows, "radio": replace(w.trip.rows["radio"], status="expired", reason="restart")}
    told = {n: departure_checks(replace(w.trip, rows=rows, opening=n), w.live, w.settings) for n in (0, 1)}
    assert {n: checks["all_passed"] for n, checks in told.items()} == {0: False, 1: True}


def test_a_time_is_told_in_utc_and_to_the_millisecond_wherever_the_computer_thinks_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Almaty")
        time.tzset()
        told = wire_time(datetime(2026, 11, 22, 13, 5, 7, 123_456, LOCAL_TIME))
    time.tzset()
    assert told == "2026-11-22T08:05:07.123Z"


def test_what_is_lost_while_securing_is_lost() -> None:
    w = World()
    w.to_securing()
    w.forced["light_sense"] = False
    w.run(0.1)
    assert w.status("lighting") == "expired"


@pytest.mark.parametrize(
    ("celsius", "is_told"), [(10.0, False), (9.9, True), (30.0, False), (30.1, True), (None, False)]
)
def test_H36_a_cell_is_too_cold_or_too_hot_beyond_its_limits_and_not_at_them(
    celsius: float | None, is_told: bool
) -> None:
    assert care.is_out_of_range(celsius, SETTINGS) is is_told


def test_H36_one_person_in_a_cell_is_enough_for_its_heat_to_be_told() -> None:
    w = World(replace(SETTINGS, temperature_cells=(1, 2)))
    w.to_under_way()
    assert [care.is_meant_for_people(w.trip, cell) for cell in (1, 2, 3)] == [True, True, False]
    w.trip = replace(w.trip, seated={1: 0, 2: 1})
    assert [care.is_meant_for_people(w.trip, cell) for cell in (1, 2, 3)] == [False, True, False]


def test_H36_a_cell_that_is_planned_to_stay_empty_is_not_watched_before_boarding() -> None:
    w = World()
    w.to_ready(cells=[{"cell": 1, "planned": 0, "supervision": False}, {"cell": 2, "planned": 1, "supervision": False}])
    for phase in ("checking", "boarding"):
        trip = replace(w.trip, phase=phase)
        assert [care.is_meant_for_people(trip, cell) for cell in (1, 2)] == [False, True]


def test_H36_a_look_is_due_when_its_time_is_over_or_nobody_knows_when_it_was() -> None:
    w = World(replace(SETTINGS, welfare_check_s=60.0))
    trip = Trip(checked=(64.0, "boot-1"))
    for at_s, is_due in ((123.875, False), (124.0, True)):
        assert care.is_check_due(trip, replace(w.now(), mono_s=at_s), w.settings) is is_due
    for seen in (None, (123.875, "earlier")):
        assert care.is_check_due(Trip(checked=seen), replace(w.now(), mono_s=124.0), w.settings)
