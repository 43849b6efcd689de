"""A whole trip through the core, and what each phase allows (Rules 12 to 19)."""

from __future__ import annotations

import pytest

from tests.core.world import DOCUMENTS, PLAN, SECURING, World
from vehicle_agent.core import events as ev
from vehicle_agent.core import rules


def codes(answer: object) -> set[tuple[str, str | None]]:
    return {(r.code, r.item) for r in answer.refusals}  # type: ignore[attr-defined]


def test_whole_trip_from_opening_to_close() -> None:
    w = World()
    w.to_boarding()
    assert w.out["permit_enable"]
    assert w.snapshot()["boarding"] == {"permitted": True, "open": True, "energised": True, "refusals": []}
    w.board(1, 2, 2)
    w.must("finish_boarding")
    assert not w.out["permit_enable"]
    for item in SECURING:
        w.must("confirm", item=item)
    w.run(0.1)
    w.must("secure")
    w.must("depart")
    assert w.trip.phase == "under_way"
    assert w.happened(ev.Departed)[0].secured
    w.drive()
    w.park()
    w.must("arrive")
    w.must("open_unloading")
    for cell in (1, 2, 2):
        w.must("unload_person", cell=cell)
    assert codes(w.do("close_trip")) == {
        ("not_confirmed_empty", "cells_seen_open"),
        ("not_confirmed_empty", "vehicle_empty"),
    }
    for cell in (1, 2):
        w.loops[f"cell_{cell}"] = "door_open"
        w.run(0.1)
    w.press("body_count")
    w.must("close_trip")
    assert w.trip.phase == "closed"
    assert [n.record.kind for n in w.trip.notices] == ["departure"] * 3 + ["arrival"] * 3


def test_the_way_back_is_a_new_trip_with_its_own_checks() -> None:
    w = World()
    w.to_ready()
    w.must("cancel_trip", reason="order withdrawn")
    assert w.trip.phase == "closed"
    w.must("open_trip", **PLAN)
    assert w.trip.phase == "checking"
    assert w.status("radio") == "pending"
    assert w.trip.report is None


def test_nobody_is_aboard_in_the_wrong_cell_or_beyond_the_plan() -> None:
    w = World()
    w.to_boarding()
    w.must("board_person", cell=1)
    assert codes(w.do("board_person", cell=1)) == {("cell_full", "cell_1")}
    assert codes(w.do("board_person", cell=7)) == {("unknown_item", "cell_7")}
    assert codes(w.do("unboard_person", cell=2)) == {("cell_empty", "cell_2")}


def test_two_independent_counts_must_agree() -> None:
    w = World()
    w.to_boarding()
    assert codes(w.do("finish_boarding")) == {("counts_disagree", None)}
    w.must("board_person", cell=1)
    assert codes(w.do("finish_boarding")) == {("counts_disagree", None)}
    w.press("body_count")
    w.press("body_count")
    assert w.snapshot()["counts"] == {"commander": 1, "body": 2, "unloaded": 0}
    assert codes(w.do("finish_boarding")) == {("counts_disagree", None)}
    w.press("body_count", 4.0)  # held: takes one back
    w.must("finish_boarding")


def test_unboarding_takes_from_the_body_count_only_what_both_had_counted() -> None:
    w = World()
    w.to_boarding()
    w.board(1, 2)
    w.must("unboard_person", cell=2)
    assert (w.trip.commander, w.trip.body, w.trip.seated[2]) == (1, 1, 0)
    w.must("board_person", cell=2)
    w.must("unboard_person", cell=2)
    assert (w.trip.commander, w.trip.body) == (1, 1)


def test_securing_names_everything_that_is_missing() -> None:
    w = World()
    w.to_securing()
    w.loops["cell_2"] = "bolt_open"
    w.loops["body_door"] = "door_open"
    w.run(0.1)
    expected = {("lock_open", "cell_lock_2"), ("body_door_open", "body_door")}
    assert codes(w.do("secure")) == expected | {("securing_incomplete", item) for item in SECURING}
    assert w.status("cell_locks_locked") == "failed"


def test_rows_before_departure_are_pending_until_securing_and_again_after_going_back() -> None:
    w = World()
    w.to_securing()
    w.must("confirm", item="isolation")
    w.press("driver_ready")
    w.must("open_boarding")
    assert w.trip.phase == "boarding"
    assert w.status("isolation") == "pending"
    assert w.status("cell_locks_locked") == "pending"


@pytest.mark.parametrize("phase", ["to_ready", "to_boarding", "to_securing", "to_secured"])
def test_cancelling_is_possible_before_departure_people_out_first(phase: str) -> None:
    w = World()
    getattr(w, phase)()
    if w.trip.aboard:
        assert codes(w.do("cancel_trip", reason="x")) == {("persons_aboard", None)}
        for cell in (1, 2, 2):
            w.must("unboard_person", cell=cell)
    w.must("cancel_trip", reason="x")
    assert w.trip.phase == "closed"


def test_halts_count_people_out_and_in() -> None:
    w = World()
    w.to_under_way()
    assert codes(w.do("log_halt", reason="toilet")) == {("vehicle_moving", None)}
    w.park()
    w.must("log_halt", reason="toilet")
    w.must("halt_out", cell=2)
    assert w.snapshot()["trip"]["halt"]["out"] == [{"cell": 2, "count": 1}]
    assert codes(w.do("end_halt")) == {("persons_out", None)}
    assert codes(w.do("arrive")) == {("persons_out", None)}
    assert codes(w.do("halt_in", cell=1)) == {("cell_empty", "cell_1")}
    w.must("halt_in", cell=2)
    w.must("end_halt")
    assert w.snapshot()["trip"]["halt"] is None


def test_arrival_outside_the_planned_place_is_a_warning() -> None:
    w = World()
    w.to_ready(unloading_place={"latitude_deg": 51.0, "longitude_deg": 71.0, "radius_m": 100.0})
    w.must("open_boarding")
    w.board(1)
    w.must("finish_boarding")
    w.drive()
    w.park()
    answer = w.do("arrive")
    assert answer.warnings == ("outside_unloading_place",)
    assert w.happened(ev.Arrived)[0].inside is False


def test_unknown_units_and_cells_are_refused_when_the_trip_is_planned() -> None:
    w = World()
    w.run(1)
    answer = w.do("open_trip", **(PLAN | {"destination": "oral-mp", "intermediate": ["semey-mp"]}))
    assert codes(answer) == {("unknown_unit", "oral-mp"), ("unknown_unit", "semey-mp")}
    answer = w.do("open_trip", **(PLAN | {"cells": [{"cell": 9, "planned": 1, "supervision": False}]}))
    assert codes(answer) == {("unknown_item", "cell_9")}
    assert w.trip.phase == "no_trip"


def test_rows_with_parts_pass_when_every_part_is_confirmed() -> None:
    w = World()
    w.run(1)
    w.must("open_trip", **PLAN)
    assert w.do("confirm", item="documents").malformed
    assert w.do("confirm", item="seats_fixed", part="x").malformed
    assert codes(w.do("confirm", item="documents", part="nonsense")) == {("unknown_item", "documents.nonsense")}
    for part in DOCUMENTS:
        assert w.status("documents") == "pending"
        w.must("confirm", item="documents", part=part)
    assert w.status("documents") == "passed"
    w.must("withdraw", item="documents")
    row = next(r for r in w.snapshot()["checklist"] if r["item"] == "documents")
    assert row["status"] == "pending"
    assert not any(part["confirmed"] for part in row["parts"])


def test_no_command_confirms_what_a_sensor_must_prove() -> None:
    w = World()
    w.run(1)
    w.must("open_trip", **PLAN)
    for item in ("radio", "cell_lock_1", "order_valid", "counts_agree", "vehicle_empty", "nonsense"):
        assert codes(w.do("confirm", item=item)) == {("unknown_item", item)}


@pytest.mark.parametrize(
    ("kind", "takeover", "to_court", "parts"),
    [
        ("within_settlement", False, False, ("list", "files")),
        ("within_settlement", False, True, ("list",)),
        ("outside_settlement", False, False, DOCUMENTS),
        ("medical", False, False, ("referral", "order", "certificate", "route_sheet", "travel_journal")),
        ("within_settlement", True, False, ("list", "files", "accompanying_list_3", "convict_files")),
        ("outside_settlement", True, False, (*DOCUMENTS, "accompanying_list_3", "convict_files")),
    ],
)
def test_documents_of_appendix_1(kind: str, takeover: bool, to_court: bool, parts: tuple[str, ...]) -> None:
    assert rules.documents(kind, takeover=takeover, to_court=to_court) == parts


def test_women_on_board_ask_for_a_servicewoman() -> None:
    w = World()
    w.run(1)
    w.must("open_trip", **(PLAN | {"women_on_board": True}))
    assert "servicewoman_in_escort" in {row["item"] for row in w.snapshot()["checklist"]}


@pytest.mark.parametrize(
    "name", ["secure", "depart", "arrive", "open_unloading", "close_trip", "finish_boarding", "log_halt"]
)
def test_wrong_phase_is_said(name: str) -> None:
    w = World()
    w.to_ready()
    args = {"reason": "x"} if name == "log_halt" else {}
    assert codes(w.do(name, **args)) == {("wrong_phase", None)}
