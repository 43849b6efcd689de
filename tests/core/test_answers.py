"""What each order of the commander writes into the journal, word for word, and what a refusal names (contract.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.core.world import DOCUMENTS, PLAN, SECURING, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import Answer, Scene, decide_command
from vehicle_agent.core.inputs import Command
from vehicle_agent.core.interlock import Refusal
from vehicle_agent.core.notices import wire_time
from vehicle_agent.core.state import Alarm, Halt, Live, Row, Shelf, Status

HERE = {"latitude_deg": 43.25, "longitude_deg": 76.9}


def ask(w: World, order: str, /, by: str = "Major C", **args: Any) -> Answer:
    """The answer alone: nothing of it is carried out."""
    return decide_command(Command(order, args, by), Scene(w.trip, w.live, w.now(), w.settings))


def made(*events: ev.Event) -> Answer:
    return Answer(events=events)


def no(code: str, rule: str | None = None, item: str | None = None) -> Answer:
    return Answer(refusals=(Refusal(code, rule, item),))


def checking(w: World) -> None:
    w.run(3.0)
    w.must("open_trip", **PLAN)


def halted(w: World) -> None:
    w.to_under_way()
    w.park()
    w.must("log_halt", reason="toilet")
    w.must("halt_out", cell=2)


def parked(w: World) -> None:
    w.to_under_way()
    w.park()


def arrived(w: World) -> None:
    parked(w)
    w.must("arrive")


def suspended(w: World) -> None:
    w.to_boarding()
    w.must("suspend_boarding")


def boarded(w: World) -> None:
    w.to_boarding()
    w.board(1, 2, 2)


def ready_to_secure(w: World) -> None:
    w.to_securing()
    for item in SECURING:
        w.must("confirm", item=item)


def emptied(w: World) -> None:
    w.to_unloading()
    for cell in (1, 2, 2):
        w.must("unload_person", cell=cell)
        w.loops[f"cell_{cell}"] = "door_open"
        w.run(0.1)
    w.press("body_count")


Way = Callable[[World], None]
ORDERS: list[tuple[Way, str, dict[str, Any], tuple[ev.Event, ...]]] = [
    (checking, "confirm", {"item": "seats_fixed"}, (ev.RowChanged("seats_fixed", "passed"),)),
    (checking, "confirm", {"item": "documents", "part": "files"}, (ev.PartConfirmed("documents", "files"),)),
    (checking, "withdraw", {"item": "seats_fixed"}, (ev.RowChanged("seats_fixed", "pending"),)),
    (World.to_ready, "open_boarding", {}, (ev.BoardingOpened(),)),
    (
        World.to_boarding,
        "withdraw",
        {"item": "at_door"},
        (ev.RowChanged("at_door", "pending"), ev.BoardingClosed("withdrawn")),
    ),
    (suspended, "withdraw", {"item": "at_door"}, (ev.RowChanged("at_door", "pending"),)),
    (World.to_boarding, "suspend_boarding", {}, (ev.BoardingClosed("suspended"),)),
    (World.to_boarding, "board_person", {"cell": 2}, (ev.PersonBoarded(2),)),
    (boarded, "unboard_person", {"cell": 2}, (ev.PersonUnboarded(2),)),
    (boarded, "finish_boarding", {}, (ev.BoardingFinished(),)),
    (World.to_securing, "confirm", {"item": "isolation"}, (ev.RowChanged("isolation", "passed"),)),
    (World.to_securing, "withdraw", {"item": "isolation"}, (ev.RowChanged("isolation", "pending"),)),
    (ready_to_secure, "secure", {}, (ev.TripSecured(),)),
    (
        World.to_secured,
        "depart",
        {},
        (ev.Departed(True, "command", HERE, {"all_passed": True, "fallbacks": []}),),
    ),
    (parked, "log_halt", {"reason": "meal"}, (ev.HaltLogged("meal"),)),
    (halted, "halt_out", {"cell": 1}, (ev.HaltOut(1),)),
    (halted, "halt_in", {"cell": 2}, (ev.HaltIn(2),)),
    (parked, "arrive", {}, (ev.Arrived(HERE, None),)),
    (arrived, "open_unloading", {}, (ev.UnloadingOpened(),)),
    (World.to_unloading, "unload_person", {"cell": 2}, (ev.PersonUnloaded(2),)),
    (emptied, "close_trip", {}, (ev.TripClosed(),)),
    (World.to_ready, "cancel_trip", {"reason": "order withdrawn"}, (ev.TripCancelled("order withdrawn"),)),
]


@pytest.mark.parametrize(("way", "order", "args", "events"), ORDERS)
def test_an_order_writes_exactly_what_it_says(
    way: Way, order: str, args: dict[str, Any], events: tuple[ev.Event, ...]
) -> None:
    w = World()
    way(w)
    assert ask(w, order, **args) == made(*events)


@pytest.mark.parametrize("phase", ["checking", "boarding", "securing"])
def test_boarding_is_not_opened_while_one_reason_stands_and_each_is_named(phase: str) -> None:
    w = World()
    w.to_ready()
    w.trip = replace(w.trip, phase=phase)
    assert ask(w, "open_boarding") == made(ev.BoardingOpened())
    w.mono_s += SETTINGS.driver_report_valid_s + 1.0
    assert ask(w, "open_boarding") == no("driver_report_outdated", "16")
    w.live = replace(w.live, journal_ok=False)
    outdated, no_journal = Refusal("driver_report_outdated", "16"), Refusal("journal_unavailable")
    assert ask(w, "open_boarding") == Answer(refusals=(outdated, no_journal))


def test_the_last_part_passes_its_row_in_whatever_order_they_come() -> None:
    w = World()
    checking(w)
    for part in DOCUMENTS[1:]:
        w.must("confirm", item="documents", part=part)
    last = DOCUMENTS[0]
    passed = ev.RowChanged("documents", "passed")
    assert ask(w, "confirm", item="documents", part=last) == made(ev.PartConfirmed("documents", last), passed)


@pytest.mark.parametrize(
    ("plan", "parts"),
    [
        ({}, DOCUMENTS),
        ({"takeover": True}, (*DOCUMENTS, "accompanying_list_3", "convict_files")),
        ({"kind": "within_settlement", "to_court": True}, ("list",)),
    ],
)
def test_a_row_with_parts_asks_for_those_of_this_trip_and_one_without_for_none(
    plan: dict[str, Any], parts: tuple[str, ...]
) -> None:
    w = World()
    w.run(0.1)
    w.must("open_trip", **(PLAN | plan))
    assert ask(w, "confirm", item="documents").malformed == f"part is needed: one of {', '.join(parts)}"
    assert ask(w, "confirm", item="seats_fixed", part="x").malformed == "seats_fixed has no parts"


def test_a_place_without_a_unit_is_a_destination_and_no_place_is_none() -> None:
    w = World()
    nowhere = PLAN | {"destination": None}
    said = "destination or destination_place is needed: where does the trip go?"
    assert ask(w, "open_trip", **nowhere).malformed == said
    assert ask(w, "open_trip", **(nowhere | {"destination_place": ""})).malformed == said
    answer = ask(w, "open_trip", **(nowhere | {"destination_place": "town court"}))
    assert [getattr(event, "destination_place", None) for event in answer.events] == ["town court"]


def test_what_a_plan_may_leave_out_is_none() -> None:
    left_out = ("request_number", "destination_place", "unloading_place")
    w = World()
    (opened,) = ask(w, "open_trip", **{name: PLAN[name] for name in PLAN if name not in left_out}).events
    assert [getattr(opened, name) for name in left_out] == [None, None, None]


def test_each_unknown_unit_and_cell_of_a_plan_is_named_with_its_rule() -> None:
    w = World()
    cells = [{"cell": cell, "planned": 1, "supervision": False} for cell in (1, 7)]
    answer = ask(w, "open_trip", **(PLAN | {"destination": "oral-mp", "intermediate": ["semey-mp"], "cells": cells}))
    units = [Refusal("unknown_unit", "19", unit) for unit in ("oral-mp", "semey-mp")]
    assert answer == Answer(refusals=(*units, Refusal("unknown_item", None, "cell_7")))


def test_tests_run_for_the_sensed_rows_that_are_not_good() -> None:
    w = World()
    w.to_ready()
    rows = {**w.trip.rows, "beacon": Row("manual_fallback"), "lighting": Row("failed"), "cell_lock_2": Row("expired")}
    del rows["radio"]
    w.trip = replace(w.trip, rows=rows)
    running = [ev.RowChanged(item, "running") for item in ("radio", "lighting", "cell_lock_2")]
    assert ask(w, "start_tests") == made(ev.TestsStarted(), *running)


@pytest.mark.parametrize(
    ("phase", "is_open", "answer"),
    [
        ("checking", False, made(ev.FallbackRequested("lighting"))),
        ("boarding", False, made(ev.FallbackRequested("lighting"))),
        ("boarding", True, no("wrong_phase")),
        ("securing", False, no("wrong_phase")),
        ("secured", False, no("wrong_phase")),
    ],
)
def test_H35_a_broken_sensor_is_answered_for_while_boarding_is_closed(
    phase: str, is_open: bool, answer: Answer
) -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"lighting"})))
    w.to_ready()
    w.trip = replace(w.trip, phase=phase, is_open=is_open, rows={**w.trip.rows, "lighting": Row("failed")})
    w.live = replace(w.live, equipment={**w.live.equipment, "lighting": Status("fault", "dark")})
    assert ask(w, "confirm", item="lighting", pin_is_right=True) == answer
    assert ask(w, "confirm", item="lighting", pin_is_right=False) == no("unknown_item", None, "lighting")


def test_H35_a_sensor_that_works_is_refused_by_its_own_rule_and_a_good_row_needs_no_answer() -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"beacon"})))
    w.to_ready()
    assert ask(w, "confirm", item="beacon", pin_is_right=True) == Answer()
    w.trip = replace(w.trip, rows={})
    assert ask(w, "confirm", item="beacon", pin_is_right=True) == no("item_not_proven", "3", "beacon")


def test_the_orders_date_is_confirmed_by_a_person_only_where_there_is_no_clock() -> None:
    w = World(source="none")
    checking(w)
    assert ask(w, "confirm", item="order_valid") == made(ev.RowChanged("order_valid", "passed"))
    w.source = "rtc"
    assert ask(w, "confirm", item="order_valid") == no("unknown_item", None, "order_valid")


def test_rule_17_names_each_lock_the_door_the_counts_and_each_open_row() -> None:
    w = World()
    w.to_securing()
    w.live = Live()
    w.trip = replace(w.trip, body=2, rows={"isolation": Row("passed"), "escort_placed": Row("pending")})
    locks = [Refusal("lock_open", "17", f"cell_lock_{cell}") for cell in (1, 2)]
    rows = [Refusal("securing_incomplete", "17", item) for item in SECURING if item != "isolation"]
    refused = Answer(
        refusals=(*locks, Refusal("body_door_open", "16", "body_door"), Refusal("counts_disagree", "16"), *rows)
    )
    assert ask(w, "secure") == refused
    w.trip = replace(w.trip, phase="secured")
    assert ask(w, "depart") == refused
    w.trip = replace(w.trip, commander=0, body=0)
    assert Refusal("counts_disagree", "16") in ask(w, "depart").refusals


def test_one_person_counted_by_both_is_enough_to_secure_and_to_leave() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.must("finish_boarding")
    for item in SECURING:
        w.must("confirm", item=item)
    assert ask(w, "secure") == made(ev.TripSecured())


def test_H41_who_moves_before_it_is_secured_departs_unsecured_whatever_was_confirmed() -> None:
    w = World()
    ready_to_secure(w)
    assert ask(w, "secure") == made(ev.TripSecured())
    w.drive(0.2)
    assert [departed.secured for departed in w.happened(ev.Departed)] == [False]


@pytest.mark.parametrize(
    ("seated", "out", "may_out", "may_in"), [(2, 0, True, False), (2, 1, True, True), (1, 1, False, True)]
)
def test_at_a_halt_a_cell_gives_whom_it_holds_and_takes_back_whom_it_gave(
    seated: int, out: int, may_out: bool, may_in: bool
) -> None:
    w = World()
    halted(w)
    assert ask(w, "halt_in", cell=1) == no("cell_empty", "16", "cell_1"), "nobody of this cell was let out"
    w.trip = replace(w.trip, seated={1: seated}, halt=Halt("meal", w.utc, {1: out, 2: 0}))
    empty = no("cell_empty", "16", "cell_1")
    assert ask(w, "halt_out", cell=1) == (made(ev.HaltOut(1)) if may_out else empty)
    assert ask(w, "halt_in", cell=1) == (made(ev.HaltIn(1)) if may_in else empty)
    gone = no("persons_out", "4")
    assert ask(w, "end_halt") == (gone if out else made(ev.HaltEnded()))
    assert ask(w, "arrive") == (gone if out else made(ev.Arrived(HERE, None)))
    assert ask(w, "halt_in", cell=2) == no("cell_empty", "16", "cell_2")
    assert ask(w, "halt_out", cell=2) == no("cell_empty", "16", "cell_2")


@pytest.mark.parametrize(("latitude_deg", "inside"), [(43.25, True), (43.3, False)])
def test_an_arrival_says_whether_it_is_at_the_planned_place(latitude_deg: float, inside: bool) -> None:
    w = World()
    parked(w)
    place = {"latitude_deg": latitude_deg, "longitude_deg": 76.9, "radius_m": 100.0}
    assert w.trip.plan is not None
    w.trip = replace(w.trip, plan=replace(w.trip.plan, unloading_place=place))
    warnings = () if inside else ("outside_unloading_place",)
    assert ask(w, "arrive") == Answer(events=(ev.Arrived(HERE, inside),), warnings=warnings)
    w.mono_s += 10.5  # the last fix is too old to tell
    assert ask(w, "arrive") == made(ev.Arrived(None, None))


@pytest.mark.parametrize("item", ["cells_seen_open", "vehicle_empty"])
def test_rule_18_names_what_nobody_has_confirmed_empty(item: str) -> None:
    w = World()
    emptied(w)
    w.trip = replace(w.trip, rows={name: row for name, row in w.trip.rows.items() if name != item})
    assert ask(w, "close_trip") == no("not_confirmed_empty", "18", item)
    for unloaded in (2, 4):
        w.trip = replace(w.trip, unloaded=unloaded)
        assert ask(w, "close_trip") == no("persons_aboard", "18")


@pytest.mark.parametrize(
    ("code", "is_active", "looked"),
    [("welfare_due", True, True), ("welfare_due", False, False), ("radio_lost", True, False)],
)
def test_who_acknowledges_that_a_look_is_due_has_looked(code: str, is_active: bool, looked: bool) -> None:
    w = World()
    alarm = Alarm("a-1", code, "warning", None, w.utc, is_active=is_active)
    w.trip = replace(w.trip, alarms=(replace(alarm, id="a-0"), alarm))
    checked = (ev.WelfareChecked("Major C"),) if looked else ()
    assert ask(w, "acknowledge_alarm", alarm="a-1") == made(ev.AlarmAcknowledged("a-1", "Major C"), *checked)
    w.trip = replace(w.trip, alarms=(replace(alarm, is_acknowledged=True),))
    assert ask(w, "acknowledge_alarm", alarm="a-1") == Answer()
    assert ask(w, "acknowledge_alarm", alarm="a-2") == no("unknown_item", None, "a-2")


@pytest.mark.parametrize(("for_s", "lies_s"), [(60.0, 60.0), (86400.0, 1800.0)])
def test_an_alarm_is_put_aside_by_a_name_with_a_reason_and_for_half_an_hour_at_most(
    for_s: float, lies_s: float
) -> None:
    w = World()
    alarm = Alarm("a-1", "gnss_lost", "advisory", None, w.utc)
    args: dict[str, Any] = {"reason": "known", "for_s": for_s}
    w.trip = replace(w.trip, alarms=(replace(alarm, id="a-0"), alarm))
    assert ask(w, "shelve_alarm", alarm="a-1", **args) == made(ev.AlarmShelved("a-1", "Major C", "known", lies_s))
    assert ask(w, "shelve_alarm", alarm="a-2", **args) == no("unknown_item", None, "a-2")
    w.trip = replace(w.trip, alarms=(replace(alarm, is_active=False),))
    assert ask(w, "shelve_alarm", alarm="a-1", **args) == no("not_shelvable", None, "a-1")
    shelf = Shelf(1.0, w.utc, "boot-1", "known", "x")
    w.trip = replace(w.trip, alarms=(replace(alarm, shelf=shelf),))
    assert ask(w, "shelve_alarm", alarm="a-1", **args) == Answer()
    w.trip = replace(w.trip, alarms=(replace(alarm, code="alarm_button"),))
    assert ask(w, "shelve_alarm", alarm="a-1", **args) == no("not_shelvable", None, "a-1")


def test_a_call_by_radio_is_recorded_with_whom_it_reached_and_when() -> None:
    w = World()
    w.to_secured()
    w.must("depart")
    notice = w.trip.notices[1].id
    told = ev.NoticeStage(notice, "told_by_radio", None, "duty officer", wire_time(w.utc))
    assert ask(w, "told_by_radio", notice=notice, post="duty officer") == made(told)
    assert ask(w, "told_by_radio", notice="none", post="x") == no("unknown_item", None, "none")
