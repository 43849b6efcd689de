"""The very moment and the one person on which a decision turns: limits that are just met, just missed or just there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.core.world import SETTINGS, START, World
from vehicle_agent.core import alarm_table, alarms, care
from vehicle_agent.core import events as ev
from vehicle_agent.core.automatic import sensed_rows
from vehicle_agent.core.commands import Scene
from vehicle_agent.core.inputs import Now
from vehicle_agent.core.state import Alarm, Live, Trip


def arrived(w: World) -> None:
    w.to_under_way()
    w.park()
    w.must("arrive")


# The panel.


@pytest.mark.parametrize("aboard", [1, 0])
@pytest.mark.parametrize("way", [World.to_securing, World.to_secured, World.to_under_way, arrived, World.to_unloading])
def test_H36_after_boarding_the_body_escorts_button_is_a_look_at_anybody_who_is_aboard(
    way: Callable[[World], None], aboard: int
) -> None:
    w = World(replace(SETTINGS, welfare_check_s=60.0))
    way(w)
    w.trip = replace(w.trip, unloaded=3 - aboard)
    w.press("body_count")
    assert len(w.happened(ev.WelfareChecked)) == aboard


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


# What changes by itself.


def test_a_proof_is_good_to_the_end_of_its_last_second() -> None:
    w = World(replace(SETTINGS, checklist_valid_s=30.0))
    w.to_ready()
    row = replace(w.trip.rows["radio"], at_s=64.0)
    w.trip = replace(w.trip, rows={"radio": row, "order_valid": w.trip.rows["order_valid"]})
    for at_s, found in ((94.0, []), (94.125, [ev.RowChanged("radio", "expired", "too_old")])):
        assert sensed_rows(Scene(w.trip, w.live, replace(w.now(), mono_s=at_s), w.settings), w.live) == found


@pytest.mark.parametrize(("commander", "body", "agree"), [(1, 1, True), (0, 0, False), (2, 1, False), (1, 2, False)])
def test_counts_agree_when_they_are_the_same_and_somebody_is_aboard(commander: int, body: int, agree: bool) -> None:
    w = World()
    w.to_securing()
    w.trip = replace(w.trip, commander=commander, body=body)
    w.scan()
    assert w.status("counts_agree") == ("passed" if agree else "failed")


# Notices.


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


# The care watch.


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
    assert [care.is_meant_for_people(w.trip, cell) for cell in (1, 2)] == [False, True]


def test_H36_a_look_is_due_when_its_time_is_over() -> None:
    w = World(replace(SETTINGS, welfare_check_s=60.0))
    trip = Trip(checked=(64.0, "boot-1"))
    for at_s, is_due in ((123.875, False), (124.0, True)):
        assert care.is_check_due(trip, replace(w.now(), mono_s=at_s), w.settings) is is_due


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
