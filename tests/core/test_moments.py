"""The very moment and the one person on which a decision turns: limits that are just met, just missed or just there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.core.world import SETTINGS, START, World
from vehicle_agent.core import alarm_table, alarms, care
from vehicle_agent.core import events as ev
from vehicle_agent.core.automatic import sensed_rows
from vehicle_agent.core.commands import Scene
from vehicle_agent.core.inputs import Now, Press, Receipt
from vehicle_agent.core.notices import departure_checks, is_overdue, receipt_stage, wire_time
from vehicle_agent.core.panel import on_press
from vehicle_agent.core.rules import LOCAL_TIME
from vehicle_agent.core.state import Alarm, Departure, Halt, Level, Live, Shelf, Trip


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
    assert [is_overdue(notice, at(mono_s), SETTINGS) for mono_s in (184.0, 184.125)] == [False, True]


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


# Alarms: priority, how long the cause must last and be gone, and how soon somebody has to act.

PAGE = [
    ("airflow_lost", "critical", 3.0, 5.0, 60.0),
    ("cell_temperature", "critical", 10.0, 30.0, 120.0),
    ("cell_call", "critical", 0.0, 0.0, 60.0),
    ("alarm_button", "critical", 0.0, 1.0, 30.0),
    ("moved_unpermitted", "critical", 0.0, 5.0, 10.0),
    ("cell_door_open_under_way", "critical", 0.3, 5.0, 30.0),
    ("cell_unlocked", "critical", 0.5, 5.0, 30.0),
    ("cell_lock_fault", "critical", 0.5, 5.0, 60.0),
    ("body_door_open", "critical", 0.3, 5.0, 30.0),
    ("permit_stuck", "critical", 0.0, 5.0, 60.0),
    ("lighting_lost", "warning", 3.0, 5.0, 300.0),
    ("intercom_lost", "warning", 3.0, 5.0, 300.0),
    ("radio_lost", "warning", 5.0, 5.0, 600.0),
    ("power_lost", "warning", 1.0, 5.0, 300.0),
    ("care_lost", "warning", 3.0, 5.0, 300.0),
    ("welfare_due", "warning", 0.0, 0.0, 300.0),
    ("unscheduled_halt", "warning", 0.0, 5.0, 300.0),
    ("notice_unconfirmed", "warning", 0.0, 0.0, 300.0),
    ("gnss_lost", "advisory", 10.0, 5.0, 900.0),
    ("chattering", "advisory", 0.0, 5.0, 3600.0),
    ("button_stuck", "advisory", 0.0, 5.0, 3600.0),
]
EXPLAINED_BY_POWER = {"lighting_lost", "intercom_lost", "radio_lost", "care_lost", "gnss_lost"}


def at(mono_s: float) -> Now:
    return Now(mono_s, START, "gnss", 0.2, "boot-1", lambda: "new")


def watched(
    monkeypatch: pytest.MonkeyPatch, found: set[alarms.Cause], trip: Trip, live: Live, mono_s: float
) -> alarms.Watch:
    """What the alarms make of these causes."""
    monkeypatch.setattr(alarms, "causes", lambda *_: set(found))
    return alarms.advance(trip, live, at(mono_s), frozenset(), SETTINGS)


@pytest.mark.parametrize(("code", "priority", "on_s", "off_s", "act_within_s"), PAGE)
def test_each_alarm_is_as_grave_as_quick_and_as_patient_as_the_crews_page_says(
    code: str, priority: str, on_s: float, off_s: float, act_within_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause, power = (code, "x"), ("power_lost", "power")
    since = Live(conditions={cause: 128.0})
    if on_s:
        assert watched(monkeypatch, {cause}, Trip(), since, 128.0 + on_s - 0.05).events == ()
    raised = watched(monkeypatch, {cause}, Trip(), since, 128.0 + on_s + 1e-6).events
    assert raised == (ev.AlarmRaised("new", code, priority, "x"),)
    trip, gone = Trip(alarms=(Alarm("a", code, priority, "x", START),)), Live(clear={cause: 128.0})
    if off_s:
        assert watched(monkeypatch, set(), trip, gone, 128.0 + off_s - 0.05).events == ()
    assert watched(monkeypatch, set(), trip, gone, 128.0 + off_s + 1e-6).events == (ev.AlarmReturned("a"),)
    assert (cause in watched(monkeypatch, {cause, power}, Trip(), Live(), 128.0).conditions) is (
        code not in EXPLAINED_BY_POWER
    )
    assert alarm_table.DEFINITIONS[code].act_within_s == act_within_s
    assert alarm_table.DEFINITIONS[code].is_call is (code in ("cell_call", "alarm_button"))


def test_there_is_no_other_alarm() -> None:
    assert [code for code, *_ in PAGE] == [*alarm_table.DEFINITIONS]
    assert [alarm_table.rank(priority) for priority in ("critical", "warning", "advisory")] == [0, 1, 2]


def causes(trip: Trip, **live: Any) -> set[alarms.Cause]:
    return alarms.causes(trip, replace(Live(at_s=1024.0), **live), at(1024.0), frozenset(), SETTINGS)


@pytest.mark.parametrize(("aboard", "is_told"), [(0, False), (1, True)])
def test_H36_one_person_aboard_is_enough_for_each_loss_to_be_told(aboard: int, is_told: bool) -> None:
    lost = {(f"{name}_lost", item) for name, item in (("airflow", "ventilation"), ("lighting", "lighting"))}
    lost |= {(f"{name}_lost", name) for name in ("intercom", "radio", "power")}
    assert causes(Trip(phase="securing", commander=aboard)) - {("gnss_lost", "gnss")} == (lost if is_told else set())


@pytest.mark.parametrize(
    ("phase", "is_told"), [("no_trip", False), ("checking", True), ("unloading", True), ("closed", False)]
)
def test_a_lost_receiver_matters_during_a_trip_only(phase: str, is_told: bool) -> None:
    assert causes(Trip(phase=phase)) == ({("gnss_lost", "gnss")} if is_told else set())


@pytest.mark.parametrize(
    ("phase", "is_told"),
    [("securing", False), ("secured", True), ("under_way", True), ("arrived", True), ("unloading", False)],
)
def test_H36_a_door_that_is_not_proven_shut_is_told_on_the_road_and_not_at_a_logged_halt(
    phase: str, is_told: bool
) -> None:
    doors = {("cell_lock_fault", "cell_lock_1"), ("cell_lock_fault", "cell_lock_2"), ("body_door_open", "body_door")}
    trip = Trip(phase=phase, commander=1)
    assert causes(trip) & doors == (doors if is_told else set())
    assert causes(replace(trip, halt=Halt("toilet", START))) & doors == set()
    shut = {"body_door": Level("locked")}
    assert ("body_door_open", "body_door") not in causes(trip, levels=shut)


LEFT = Departure(512.0, START, "gnss", 0.2, "boot-1", True, {}, None)


@pytest.mark.parametrize(
    ("phase", "motion", "is_secured", "out", "is_told"),
    [
        ("secured", "moving", True, None, False),
        ("under_way", "moving", True, None, False),
        ("under_way", "moving", False, None, True),
        ("under_way", "moving", True, {1: 0}, False),
        ("under_way", "moving", True, {1: 0, 2: 1}, True),
        ("under_way", "unknown", False, {1: 1}, False),
        ("arrived", "moving", True, None, True),
        ("arrived", "standing", True, None, False),
        ("unloading", "moving", True, None, True),
        ("unloading", "unknown", True, None, False),
    ],
)
def test_H41_moving_is_told_where_nobody_may_move(
    phase: str, motion: str, is_secured: bool, out: dict[int, int] | None, is_told: bool
) -> None:
    halt = None if out is None else Halt("toilet", START, out)
    trip = Trip(phase=phase, departure=replace(LEFT, is_secured=is_secured), halt=halt)
    found = causes(trip, motion=motion, still_since_s=1024.0) - {("gnss_lost", "gnss")}
    assert found == ({("moved_unpermitted", None)} if is_told else set())


@pytest.mark.parametrize(
    ("still_since_s", "left_s", "boot_id", "motion", "is_told"),
    [
        (724.0, 512.0, "boot-1", "standing", False),
        (723.875, 512.0, "boot-1", "standing", True),
        (723.875, 512.0, "boot-1", "unknown", False),
        (512.0, 724.0, "boot-1", "standing", False),
        (512.0, 723.875, "boot-1", "standing", True),
        (512.0, 1000.0, "earlier", "standing", True),
        (724.0, 512.0, "earlier", "standing", False),
    ],
)
def test_a_halt_is_unscheduled_when_it_lasts_longer_than_allowed_since_the_departure(
    still_since_s: float, left_s: float, boot_id: str, motion: str, is_told: bool
) -> None:
    w = World()
    w.to_under_way()
    trip = Trip(phase="under_way", plan=w.trip.plan, departure=replace(LEFT, at_s=left_s, boot_id=boot_id))
    halt = ("unscheduled_halt", None)
    assert (halt in causes(trip, still_since_s=still_since_s, motion=motion)) is is_told
    logged = replace(trip, halt=Halt("toilet", START))
    assert halt not in causes(logged, still_since_s=still_since_s, motion=motion)


@pytest.mark.parametrize(
    ("until_s", "boot_id", "is_back"),
    [(128.0, "boot-1", True), (128.125, "boot-1", False), (128.125, "earlier", True)],
)
def test_an_alarm_put_aside_comes_back_at_the_moment_that_was_said(
    until_s: float, boot_id: str, is_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(until_s, START + timedelta(hours=1), boot_id, "tunnel", "captain")
    trip = Trip(alarms=(Alarm("a", "radio_lost", "warning", "radio", START, shelf=shelf),))
    events = watched(monkeypatch, {("radio_lost", "radio")}, trip, Live(), 128.0).events
    assert events == ((ev.AlarmUnshelved("a"),) if is_back else ())


@pytest.mark.parametrize(
    ("code", "times", "is_told"),
    [
        ("body_door_open", (100.0, 101.0, 102.0), False),
        ("body_door_open", (100.0, 101.0, 102.0, 103.0), True),
        ("body_door_open", (68.0, 101.0, 102.0, 103.0), False),
        ("body_door_open", (68.125, 101.0, 102.0, 103.0), True),
        ("alarm_button", (100.0, 101.0, 102.0, 103.0), False),
        ("chattering", (100.0, 101.0, 102.0, 103.0), False),
    ],
)
def test_H25_more_than_three_comings_within_a_minute_are_an_unsteady_signal(
    code: str, times: tuple[float, ...], is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: dict[alarms.Cause, tuple[float, ...]] = {(code, "x"): times}
    watch = watched(monkeypatch, set(), Trip(), Live(came=came), 128.0)
    assert [e.code for e in watch.events if isinstance(e, ev.AlarmRaised)] == (["chattering"] if is_told else [])
    assert set(watch.conditions) == ({("chattering", "x")} if is_told else set())


def test_H25_an_unsteady_signal_without_an_item_is_told_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    came: dict[alarms.Cause, tuple[float, ...]] = {("unscheduled_halt", None): (100.0, 101.0, 102.0, 103.0)}
    watch = watched(monkeypatch, set(), Trip(), Live(came=came), 128.0)
    assert set(watch.conditions) == {("chattering", "unscheduled_halt")}


@pytest.mark.parametrize(("calm_s", "is_over"), [(19.875, False), (20.0, True)])
def test_H25_an_unsteady_alarm_returns_after_twenty_calm_seconds(
    calm_s: float, is_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = ("body_door_open", "x")
    trip = Trip(alarms=(Alarm("a", *("body_door_open", "critical", "x"), START),))
    live = Live(came={cause: (120.0, 121.0, 122.0, 123.0)}, clear={cause: 128.0})
    assert (ev.AlarmReturned("a") in watched(monkeypatch, set(), trip, live, 128.0 + calm_s).events) is is_over


def test_alarms_that_are_over_together_return_together(monkeypatch: pytest.MonkeyPatch) -> None:
    causes = [("airflow_lost", "ventilation"), ("lighting_lost", "lighting")]
    trip = Trip(alarms=tuple(Alarm(code, code, "critical", item, START) for code, item in causes))
    live = Live(clear=dict.fromkeys(causes, 128.0))
    returned = [ev.AlarmReturned(code) for code, _ in causes]
    assert [*watched(monkeypatch, set(), trip, live, 140.0).events] == returned


def test_a_cause_that_comes_back_before_its_old_alarm_has_returned_is_counted_as_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cause = ("body_door_open", "x")
    trip = Trip(alarms=(Alarm("a", "body_door_open", "critical", "x", START),))
    watch = watched(monkeypatch, {cause}, trip, Live(clear={cause: 199.0}), 200.0)
    assert (watch.came, watch.clear, watch.events) == ({cause: (200.0,)}, {}, ())
