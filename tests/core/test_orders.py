"""What each order of the commander may do in each phase (contract.md, "Where"), and what it names when it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.world import PLAN, SECURING, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.commands import NAMES, Answer
from vehicle_agent.core.inputs import AtBroker, NoticeSending

ORDERS: dict[str, dict[str, Any]] = {
    "open_trip": dict(PLAN),
    "start_tests": {},
    "confirm seats_fixed": {"item": "seats_fixed"},
    "confirm isolation": {"item": "isolation"},
    "withdraw seats_fixed": {"item": "seats_fixed"},
    "withdraw isolation": {"item": "isolation"},
    "open_boarding": {},
    "suspend_boarding": {},
    "board_person": {"cell": 1},
    "unboard_person": {"cell": 1},
    "finish_boarding": {},
    "secure": {},
    "depart": {},
    "log_halt": {"reason": "toilet"},
    "halt_out": {"cell": 2},
    "halt_in": {"cell": 2},
    "end_halt": {},
    "arrive": {},
    "open_unloading": {},
    "unload_person": {"cell": 1},
    "close_trip": {},
    "cancel_trip": {"reason": "order withdrawn"},
}
ROWS = {"confirm seats_fixed", "withdraw seats_fixed"}
SECURING_ROWS = {"confirm isolation", "withdraw isolation"}
# Every order that is not answered with `wrong_phase`, read from the contract.
ALLOWED: dict[str, set[str]] = {
    "no_trip": {"open_trip"},
    "checking": {"start_tests", "open_boarding", "cancel_trip", *ROWS},
    "boarding": {
        *("start_tests", "open_boarding", "board_person", "unboard_person", "finish_boarding", "cancel_trip"),
        *ROWS,
    },
    "boarding, open": {
        *("suspend_boarding", "board_person", "unboard_person", "finish_boarding", "cancel_trip"),
        *ROWS,
    },
    "securing": {"open_boarding", "unboard_person", "secure", "cancel_trip", *SECURING_ROWS},
    "secured": {"unboard_person", "depart", "cancel_trip"},
    "under_way": {"log_halt", "arrive"},
    "under_way, halt": {"halt_out", "halt_in", "end_halt", "arrive"},
    "arrived": {"open_unloading"},
    "unloading": {"unload_person", "close_trip"},
    "closed": {"open_trip"},
}


def codes(answer: Answer) -> list[tuple[str, str | None]]:
    return [(r.code, r.item) for r in answer.refusals]


def _checking(w: World) -> None:
    w.to_ready()


def _boarding(w: World) -> None:
    w.to_boarding()
    w.must("suspend_boarding")


def _under_way(w: World) -> None:
    w.to_under_way()
    w.park()


def _halt(w: World) -> None:
    _under_way(w)
    w.must("log_halt", reason="toilet")


def _arrived(w: World) -> None:
    _under_way(w)
    w.must("arrive")


def _closed(w: World) -> None:
    w.to_ready()
    w.must("cancel_trip", reason="order withdrawn")


WAYS: dict[str, Callable[[World], None]] = {
    "no_trip": lambda w: w.run(3.0),
    "checking": _checking,
    "boarding": _boarding,
    "boarding, open": World.to_boarding,
    "securing": World.to_securing,
    "secured": World.to_secured,
    "under_way": _under_way,
    "under_way, halt": _halt,
    "arrived": _arrived,
    "unloading": World.to_unloading,
    "closed": _closed,
}


def at(phase: str) -> World:
    w = World()
    WAYS[phase](w)
    assert w.trip.phase == phase.partition(",")[0]
    return w


def test_the_table_below_names_every_order() -> None:
    apart = {"acknowledge_alarm", "shelve_alarm", "told_by_radio"}  # allowed at any time
    assert {name.partition(" ")[0] for name in ORDERS} | apart == NAMES


@pytest.mark.parametrize("phase", ALLOWED)
def test_an_order_out_of_its_phase_is_refused_and_changes_nothing(phase: str) -> None:
    for order, args in ORDERS.items():
        if order in ALLOWED[phase]:
            continue
        w = at(phase)
        trip = w.trip
        said = codes(w.do(order.partition(" ")[0], **args))
        no_trip = phase in ("no_trip", "closed") and order == "open_boarding"
        assert said == [("no_trip" if no_trip else "wrong_phase", None)], order
        assert w.trip == trip, order


@pytest.mark.parametrize("phase", ALLOWED)
def test_an_order_in_its_phase_is_not_refused_for_the_phase(phase: str) -> None:
    for order in ALLOWED[phase]:
        said = [code for code, _ in codes(at(phase).do(order.partition(" ")[0], **ORDERS[order]))]
        assert not {"wrong_phase", "no_trip"} & {*said}, order


@pytest.mark.parametrize(
    ("phase", "order", "args"),
    [
        ("checking", "start_tests", {}),
        ("checking", "confirm", {"item": "at_door"}),
        ("under_way", "log_halt", {"reason": "toilet"}),
        ("under_way", "arrive", {}),
        ("arrived", "open_unloading", {}),
    ],
)
def test_what_needs_a_standing_vehicle_is_refused_with_the_reason(phase: str, order: str, args: dict[str, Any]) -> None:
    for handbrake, code in ((False, "vehicle_moving"), (None, "motion_unknown")):
        w = at(phase)
        w.contacts["handbrake"] = handbrake
        w.run(0.1)
        trip = w.trip
        assert codes(w.do(order, **args)) == [(code, None)]
        assert (w.trip.phase, w.trip.halt, w.trip.tests) == (trip.phase, trip.halt, trip.tests)


@pytest.mark.parametrize(
    ("phase", "order"),
    [
        ("boarding, open", "board_person"),
        ("boarding, open", "unboard_person"),
        ("under_way, halt", "halt_out"),
        ("under_way, halt", "halt_in"),
        ("unloading", "unload_person"),
    ],
)
def test_a_cell_that_is_not_planned_is_named(phase: str, order: str) -> None:
    assert codes(at(phase).do(order, cell=7)) == [("unknown_item", "cell_7")]


def test_boarding_that_was_closed_is_opened_by_a_person_before_anybody_boards() -> None:
    assert codes(at("boarding").do("board_person", cell=1)) == [("reopen_needed", None)]


def test_a_cell_takes_as_many_as_are_planned_and_gives_as_many_as_it_has() -> None:
    w = at("boarding, open")
    assert codes(w.do("unboard_person", cell=2)) == [("cell_empty", "cell_2")]
    for _ in range(2):
        w.must("board_person", cell=2)
    assert codes(w.do("board_person", cell=2)) == [("cell_full", "cell_2")]
    w = at("under_way, halt")
    w.must("halt_out", cell=1)
    assert codes(w.do("halt_out", cell=1)) == [("cell_empty", "cell_1")]
    w.must("halt_in", cell=1)
    assert codes(w.do("halt_in", cell=1)) == [("cell_empty", "cell_1")]
    w = at("unloading")
    w.must("unload_person", cell=1)
    assert codes(w.do("unload_person", cell=1)) == [("cell_empty", "cell_1")]


@pytest.mark.parametrize(("boarded", "counted", "agree"), [(0, 0, False), (1, 0, False), (1, 2, False), (1, 1, True)])
def test_boarding_ends_with_two_counts_that_agree_on_somebody(boarded: int, counted: int, agree: bool) -> None:
    w = at("boarding, open")
    for _ in range(boarded):
        w.must("board_person", cell=2)
    for _ in range(counted):
        w.press("body_count")
    assert codes(w.do("finish_boarding")) == ([] if agree else [("counts_disagree", None)])
    assert w.trip.phase == ("securing" if agree else "boarding")


def test_securing_asks_for_counts_that_still_agree() -> None:
    w = at("securing")
    for item in SECURING:
        w.must("confirm", item=item)
    for cell in (1, 2, 2):
        w.must("unboard_person", cell=cell)
    w.run(0.1)
    assert codes(w.do("secure")) == [("counts_disagree", None)]
    assert w.status("counts_agree") == "failed"


def test_a_trip_closes_only_when_the_last_person_is_out() -> None:
    w = at("unloading")
    w.loops["cell_1"] = w.loops["cell_2"] = "both_open"
    w.run(0.1)
    for cell in (1, 2):
        w.must("unload_person", cell=cell)
    assert codes(w.do("close_trip")) == [("persons_aboard", None)]
    w.must("unload_person", cell=2)
    assert codes(w.do("close_trip")) == [("not_confirmed_empty", "vehicle_empty")]
    w.press("body_count")
    assert codes(w.do("close_trip")) == []


@pytest.mark.parametrize("counted_by", ["commander", "body escort"])
def test_a_trip_is_not_cancelled_over_the_head_of_somebody_counted_by_one_of_two(counted_by: str) -> None:
    w = at("boarding, open")
    if counted_by == "commander":
        w.must("board_person", cell=1)
    else:
        w.press("body_count")
    assert codes(w.do("cancel_trip", reason="x")) == [("persons_aboard", None)]


def test_confirming_twice_adds_nothing() -> None:
    w = at("checking")
    for args in ({"item": "seats_fixed"}, {"item": "documents", "part": "files"}):
        answer = w.do("confirm", **args)
        assert (answer.events, codes(answer)) == ((), [])
    assert w.trip.report is not None
    assert w.codes() == set()


def test_only_what_a_person_confirmed_can_be_withdrawn() -> None:
    for item in ("radio", "order_valid", "cell_lock_1", "nonsense"):
        assert codes(at("checking").do("withdraw", item=item)) == [("unknown_item", item)]
    for order in ("confirm", "withdraw"):
        assert codes(at("no_trip").do(order, item="nonsense")) == [("wrong_phase", None)]


def test_a_withdrawn_row_closes_boarding_with_its_reason() -> None:
    w = at("boarding, open")
    w.must("withdraw", item="acceptance")
    assert [e.reason for e in w.happened(ev.BoardingClosed)] == ["withdrawn"]
    assert w.status("acceptance") == "pending"


def test_a_plan_that_contradicts_itself_is_malformed() -> None:
    w = at("no_trip")
    cell = {"cell": 1, "planned": 1, "supervision": False}
    twice = w.do("open_trip", **(PLAN | {"cells": [cell, cell]}))
    assert twice.malformed == "cells: a cell is listed twice"
    nowhere = w.do("open_trip", **(PLAN | {"destination": None}))
    assert (nowhere.malformed or "").startswith("destination or destination_place is needed")
    assert w.trip.phase == "no_trip"


def test_a_plan_keeps_every_word_and_gives_each_cell_a_line() -> None:
    w = at("no_trip")
    place = {"latitude_deg": 51.1, "longitude_deg": 71.4, "radius_m": 80.0}
    w.must(
        "open_trip",
        **(
            PLAN
            | {"takeover": True, "to_court": True, "women_on_board": True, "destination_place": "town court"}
            | {"intermediate": ["karaganda-mp", "taraz-mp", "karaganda-mp"], "unloading_place": place}
            | {"cells": [{"cell": 2, "planned": 3, "supervision": True}]}
        ),
    )
    assert w.trip.plan == ev.TripOpened(
        kind="outside_settlement",
        takeover=True,
        to_court=True,
        women_on_board=True,
        order_number="17",
        order_valid_until="2026-12-01",
        request_number="4",
        destination="astana-mp",
        destination_place="town court",
        intermediate=("karaganda-mp", "taraz-mp"),
        unloading_place=place,
        cells=({"cell": 1, "planned": 0, "supervision": False}, {"cell": 2, "planned": 3, "supervision": True}),
    )


def test_what_nobody_knows_of_is_named() -> None:
    w = at("under_way")
    assert codes(w.do("told_by_radio", notice="none", post="duty officer")) == [("unknown_item", "none")]
    assert codes(w.do("acknowledge_alarm", alarm="none")) == [("unknown_item", "none")]
    assert codes(w.scan(AtBroker("none"))[0]) == [("unknown_item", "none")]
    assert codes(w.scan(NoticeSending("none", 1.0))[0]) == [("unknown_item", "none")]


def test_an_alarm_is_acknowledged_once_and_by_the_commander() -> None:
    w = at("under_way")
    w.contacts["alarm_button"] = True
    w.run(0.3)
    alarm = next(a for a in w.trip.alarms if a.code == "alarm_button")
    assert [(e.alarm, e.by) for e in w.do("acknowledge_alarm", alarm=alarm.id).events] == [(alarm.id, "commander")]  # type: ignore[attr-defined]
    assert w.do("acknowledge_alarm", alarm=alarm.id) == Answer()
