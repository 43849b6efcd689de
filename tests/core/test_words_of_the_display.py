"""Every word that the display is given: the checklist with its rules, what is refused by which rule, the snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.core.world import DOCUMENTS, PLAN, SETTINGS, START, World
from vehicle_agent.core import events as ev
from vehicle_agent.core import rules
from vehicle_agent.core.inputs import Fix
from vehicle_agent.core.interlock import Refusal, refusal
from vehicle_agent.core.notices import wire_time
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.snapshot import snapshot
from vehicle_agent.core.state import Alarm, Live, Row, Shelf, Status, Trip

CHECKLIST = [
    ("radio", "15", "before_boarding", "sensed"),
    ("beacon", "3", "before_boarding", "sensed"),
    ("intercom", "15", "before_boarding", "sensed"),
    ("ventilation", "15", "before_boarding", "sensed"),
    ("lighting", "15", "before_boarding", "sensed"),
    ("cell_lock_1", "15", "before_boarding", "sensed"),
    ("cell_lock_2", "15", "before_boarding", "sensed"),
    ("order_valid", "12.1", "before_boarding", "computed"),
    ("body_condition", "15", "before_boarding", "attested"),
    ("seats_fixed", "15", "before_boarding", "attested"),
    ("objects_removed", "15", "before_boarding", "attested"),
    ("intercom_speech", "15", "before_boarding", "attested"),
    ("documents", "App. 1", "before_boarding", "attested"),
    ("acceptance", "14", "before_boarding", "attested"),
    ("at_door", "16", "before_boarding", "attested"),
    ("servicewoman_in_escort", "4", "before_boarding", "attested"),
    ("cell_locks_locked", "17", "before_departure", "sensed"),
    ("body_door_closed", "16", "before_departure", "sensed"),
    ("counts_agree", "16", "before_departure", "sensed"),
    ("isolation", "17", "before_departure", "attested"),
    ("escort_placed", "17", "before_departure", "attested"),
    ("keys_with_commander", "17", "before_departure", "attested"),
    ("commander_in_cab", "17", "before_departure", "attested"),
    ("cells_seen_open", "18", "before_close", "sensed"),
    ("vehicle_empty", "18", "before_close", "sensed"),
]


@pytest.mark.parametrize("women", [False, True])
def test_the_display_lists_every_row_of_the_order_with_its_rule_and_who_proves_it(women: bool) -> None:
    w = World()
    w.run(0.1)
    w.must("open_trip", **(PLAN | {"women_on_board": women}))
    shown = [(row["item"], row["rule"], row["stage"], row["kind"]) for row in w.snapshot()["checklist"]]
    assert shown == [row for row in CHECKLIST if women or row[0] != "servicewoman_in_escort"]
    built = rules.checklist(SETTINGS.cell_locks(), women_on_board=women)
    assert [(row.item, row.rule, row.stage, row.kind) for row in built] == shown


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("4", ["persons_out"]),
        ("12.1", ["order_expired"]),
        ("12.2", ["cell_full"]),
        ("16", ["driver_not_ready", "driver_report_outdated", "vehicle_moving", "motion_unknown", "reopen_needed"]),
        ("16", ["counts_disagree", "cell_empty", "body_door_open"]),
        ("17", ["lock_open", "securing_incomplete"]),
        ("18", ["persons_aboard", "not_confirmed_empty"]),
        ("19", ["unknown_unit"]),
        (None, ["wrong_phase", "no_trip", "stale_view", "unknown_item", "journal_unavailable", "permit_readback"]),
    ],
)
def test_each_refusal_names_the_rule_behind_it_where_the_order_speaks(rule: str | None, codes: list[str]) -> None:
    assert [refusal(code, "x") for code in codes] == [Refusal(code, rule, "x") for code in codes]


@pytest.mark.parametrize(
    ("name", "rule"),
    [("gnss", None), ("supply", None), ("permit_output", None), ("cell_lock_2", "15"), ("cell_call_2", None)],
)
def test_the_order_asks_for_the_locks_and_not_for_what_only_the_computer_needs(name: str, rule: str | None) -> None:
    assert rules.equipment_rule(name) == rule


@pytest.mark.parametrize(
    ("plan", "parts"),
    [
        ({}, DOCUMENTS),
        ({"takeover": True}, (*DOCUMENTS, "accompanying_list_3", "convict_files")),
        ({"kind": "within_settlement"}, ("list", "files")),
        ({"kind": "within_settlement", "to_court": True}, ("list",)),
        ({"kind": "medical", "to_court": True}, ("referral", "order", "certificate", "route_sheet", "travel_journal")),
    ],
)
def test_the_display_shows_each_document_and_which_are_confirmed(plan: dict[str, Any], parts: tuple[str, ...]) -> None:
    w = World()
    w.run(0.1)
    w.must("open_trip", **(PLAN | plan))
    w.must("confirm", item="documents", part=parts[0])
    w.must("confirm", item="acceptance", part="infection")
    shown = {row["item"]: row["parts"] for row in w.snapshot()["checklist"] if "parts" in row}
    acceptance = ("papers", "fit", "pregnant_certificate", "food_clothing", "infection")
    assert shown == {
        "documents": [{"part": part, "confirmed": part == parts[0]} for part in parts],
        "acceptance": [{"part": part, "confirmed": part == "infection"} for part in acceptance],
    }


def test_a_row_is_shown_with_all_that_is_known_of_it_and_an_untouched_one_as_pending() -> None:
    w = World()
    w.to_ready()
    proven = Row("failed", 3, 1.0, START, "silent", {"rssi": -84})
    w.trip = replace(w.trip, rows={"radio": proven})
    radio, beacon = w.snapshot()["checklist"][:2]
    common = {"stage": "before_boarding", "kind": "sensed"}
    assert radio == common | {"item": "radio", "rule": "15", "status": "failed", "since": wire_time(START)} | {
        "reason": "silent",
        "evidence": {"rssi": -84},
    }
    assert beacon == common | {"item": "beacon", "rule": "3", "status": "pending", "since": None} | {
        "reason": None,
        "evidence": {},
    }


def test_without_a_trip_the_snapshot_says_so_and_what_it_says_is_complete() -> None:
    w = World()
    shown = w.snapshot()
    equipment = shown.pop("equipment")
    assert shown == {
        "vehicle": "kz-mp-017",
        "at": wire_time(w.utc),
        "clock": {"source": "gnss", "uncertainty_s": 0.2},
        "phase": "no_trip",
        "trip": None,
        "boarding": {"permitted": False, "open": False, "energised": False, "refusals": []},
        "driver": {"ready": False, "since": None},
        "checklist": [],
        "counts": {"commander": 0, "body": 0, "unloaded": 0},
        "notices": [],
        "alarms": [],
        "position": None,
        "motion": "unknown",
        "panel": {"body_escort_counts": 0, "driver_stop": False},
        "commissioned": True,
    }
    unread = {"status": "unknown", "reason": "not_read_yet", "since": wire_time(w.utc)}
    assert equipment["radio"] == unread | {"detail": {}}
    assert equipment["body_door"] == unread | {"detail": {"loop": None}}


def test_the_trip_is_shown_word_for_word_with_its_halt() -> None:
    w = World()
    w.to_boarding(destination_place="town court")
    place = {"latitude_deg": 51.1, "longitude_deg": 71.4, "radius_m": 80.0}
    assert w.trip.plan is not None
    w.trip = replace(
        w.trip, plan=replace(w.trip.plan, unloading_place=place, takeover=True, to_court=True, women_on_board=True)
    )
    assert [cell["seated"] for cell in w.snapshot()["trip"]["cells"]] == [0, 0]
    w.board(1, 2, 2)
    plain = {
        "id": w.trip.id,
        "kind": "outside_settlement",
        "takeover": True,
        "to_court": True,
        "women_on_board": True,
        "order": {"number": "17", "valid_until": "2026-12-01"},
        "request_number": "4",
        "destination": "astana-mp",
        "destination_place": "town court",
        "intermediate": ["karaganda-mp"],
        "unloading_place": place,
        "persons_planned": 3,
        "cells": [
            {"cell": 1, "planned": 1, "seated": 1, "supervision": True},
            {"cell": 2, "planned": 2, "seated": 2, "supervision": False},
        ],
        "halt": None,
        "departed_at": None,
    }
    assert w.snapshot()["trip"] == plain
    w.drive(0.2)
    left = w.trip.departure
    assert left is not None
    w.park()
    w.must("log_halt", reason="toilet")
    since = w.utc
    for order, cell in (("halt_out", 2), ("halt_out", 1), ("halt_out", 2), ("halt_in", 1)):
        w.must(order, cell=cell)
    halt = {"reason": "toilet", "since": wire_time(since), "out": [{"cell": 2, "count": 2}]}
    assert w.snapshot()["trip"] == plain | {"departed_at": wire_time(left.at_utc), "halt": halt}
    w.must("halt_out", cell=1)
    assert [out["cell"] for out in w.snapshot()["trip"]["halt"]["out"]] == [1, 2]


def test_who_has_counted_what_is_shown_apart() -> None:
    w = World()
    w.trip = replace(w.trip, commander=3, body=2, unloaded=1)
    shown = w.snapshot()
    assert shown["counts"] == {"commander": 3, "body": 2, "unloaded": 1}
    assert shown["panel"]["body_escort_counts"] == 2


@pytest.mark.parametrize(("commissioned", "shown"), [(None, False), ("other", False), ("w", True)])
def test_a_vehicle_is_commissioned_for_the_wiring_that_it_has(commissioned: str | None, shown: bool) -> None:
    w = World()
    w.trip = Trip(commissioned=commissioned)
    assert w.snapshot()["commissioned"] is shown
    unwired = replace(SETTINGS, wiring_sha256="")
    assert snapshot(Trip(), Live(), w.now(), unwired)["commissioned"] is False


def test_each_reason_against_boarding_is_shown_with_its_rule_and_beginning() -> None:
    w = World()
    w.to_ready()
    reasons = (refusal("counts_disagree"), refusal("lock_open", "cell_lock_1"))
    w.live = replace(w.live, refusals=reasons, refusal_since={("lock_open", "cell_lock_1"): START})
    boarding = w.snapshot()["boarding"]
    assert (boarding["permitted"], boarding["refusals"]) == (
        False,
        [
            {"code": "counts_disagree", "rule": "16", "item": None, "since": None},
            {"code": "lock_open", "rule": "17", "item": "cell_lock_1", "since": wire_time(START)},
        ],
    )


def test_the_drivers_report_is_shown_with_its_moment_while_it_stands() -> None:
    w = World()
    w.to_ready()
    assert w.trip.report is not None
    w.scan()
    since = wire_time(w.trip.report.since_utc)
    assert w.snapshot()["driver"] == {"ready": True, "since": since}
    w.live = replace(w.live, is_driver_ready=False)
    assert w.snapshot()["driver"] == {"ready": False, "since": None}


def test_a_driver_who_holds_the_stop_button_is_shown() -> None:
    w = World()
    w.contacts["driver_stop"] = True
    w.run(0.2)
    assert w.snapshot()["panel"]["driver_stop"] is True


def test_an_equipment_is_shown_with_its_reason_beginning_and_detail() -> None:
    w = World()
    w.run(1.0)
    w.live = replace(w.live, equipment={"radio": Status("stale", "silent", START)})
    shown = w.snapshot()["equipment"]["radio"]
    detail = {"registered": True, "rssi_dbm": -84}
    assert shown == {"status": "stale", "reason": "silent", "since": wire_time(START), "detail": detail}


@pytest.mark.parametrize(("ago_s", "age_s"), [(0.0, 0.0), (2.06, 2.1), (-1.0, 0.0)])
def test_a_position_is_shown_with_its_age_and_whether_it_is_trusted(ago_s: float, age_s: float) -> None:
    w = World()
    fix = Fix(w.mono_s - ago_s, 3, True, False, START, 43.2, 76.9, 800.0, 12.5, 270.0, 9, 1.0)
    w.live = replace(w.live, fix=fix, motion="standing")
    words = {"latitude_deg": 43.2, "longitude_deg": 76.9, "speed_mps": 12.5, "course_deg": 270.0, "mode": 3}
    assert w.snapshot()["position"] == words | {"age_s": age_s, "trusted": False}
    assert w.snapshot()["motion"] == "standing"
    w.live = replace(w.live, fix=replace(fix, valid=False))
    assert w.snapshot()["position"] is None


def test_alarms_are_shown_by_danger_with_the_returned_and_the_put_aside_last() -> None:
    w = World()
    shelf = Shelf(1.0, START + timedelta(hours=1), "boot-1", "known", "x")
    made = [
        Alarm("aside", "lock_open", "critical", None, START, shelf=shelf),
        Alarm("warning", "radio_lost", "warning", "radio", START),
        Alarm("returned", "lock_open", "critical", None, START, is_active=False),
        Alarm("younger", "lock_open", "critical", None, START + timedelta(seconds=1)),
        Alarm("seen", "lock_open", "critical", "cell_1", START, is_acknowledged=True, acknowledged_by="x"),
    ]
    w.trip = replace(w.trip, alarms=tuple(made))
    shown = w.snapshot()["alarms"]
    assert [alarm["id"] for alarm in shown] == ["seen", "younger", "returned", "warning", "aside"]
    assert [alarm["state"] for alarm in shown] == [
        *("acknowledged", "unacknowledged", "returned", "unacknowledged", "unacknowledged"),
    ]
    common: Mapping[str, Any] = {"code": "lock_open", "priority": "critical", "since": wire_time(START)}
    seen = {"id": "seen", "state": "acknowledged", "item": "cell_1", "acknowledged_by": "x", "shelved_until": None}
    aside = {"id": "aside", "state": "unacknowledged", "item": None, "acknowledged_by": None}
    assert (shown[0], shown[-1]) == (
        {**common, **seen},
        {**common, **aside, "shelved_until": wire_time(shelf.until_utc)},
    )


def test_a_notice_is_shown_with_its_trip_its_stage_and_who_said_so() -> None:
    w = World()
    w.to_secured()
    w.must("depart")
    first = w.trip.notices[0]
    fresh = {"id": first.id, "kind": "departure", "recipient": "astana-mp", "trip": w.trip.id, "stage": "recorded"}
    fresh |= {"at": wire_time(first.recorded_utc), "departed_at": first.record.departed_at}
    assert w.snapshot()["notices"][0] == fresh | {"by": None, "post": None, "overdue": False}
    said = ev.NoticeStage(first.id, "received", "Captain A", "desk", "2026-11-22T08:10:00Z", "ab")
    told = replace(first, stage=said.stage, by=said.by, post=said.post, at=said.at)
    w.trip = replace(w.trip, notices=(told,))
    words = {"stage": "received", "by": "Captain A", "post": "desk", "at": "2026-11-22T08:10:00Z", "overdue": False}
    assert w.snapshot()["notices"] == [fresh | words]
    w.trip = replace(w.trip, notices=(first,))
    w.run(0.5)
    w.mono_s += 1000.0
    assert w.snapshot()["notices"][0]["overdue"] is True


def test_the_view_moves_with_the_drivers_readiness_and_each_refusal_and_with_nothing_else() -> None:
    w = World()
    w.to_ready()
    key = w.rev_key()
    assert key == (w.trip.view, True, ())
    w.live = replace(w.live, is_driver_ready=False, refusals=(refusal("lock_open", "cell_lock_1"),), motion="moving")
    assert w.rev_key() == (w.trip.view, False, (("lock_open", "cell_lock_1"),))


def test_the_equipment_of_a_vehicle_is_named_by_its_cells() -> None:
    settings = Settings("v", "o", frozenset(), (1, 3), call_cells=(3,), temperature_cells=(1, 3))
    assert settings.cell_locks() == ("cell_lock_1", "cell_lock_3")
    assert settings.care_equipment() == ("cell_call_3", "cell_temperature_1", "cell_temperature_3")
