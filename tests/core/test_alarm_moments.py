"""When an alarm is raised and returns: how long its cause must last and be gone, and how soon somebody has to act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.core.world import SETTINGS, START, World
from vehicle_agent.core import alarm_table, alarms
from vehicle_agent.core import events as ev
from vehicle_agent.core.inputs import Now
from vehicle_agent.core.state import Alarm, Departure, Halt, Level, Live, Shelf, Trip

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
