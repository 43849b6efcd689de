"""What changes without anybody's order: expiry, the order's date, securing, unloading, departure and its correction."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.core.world import PLAN, SECURING, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.state import Trip

SENSED = ("radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2")


def changes(w: World, item: str) -> list[tuple[str, str | None]]:
    return [(e.status, e.reason) for e in w.happened(ev.RowChanged) if e.item == item]


def checking(source: str = "gnss", **plan: object) -> World:
    w = World(source=source)
    w.run(3.0)
    w.must("open_trip", **(PLAN | plan))
    w.run(0.1)
    return w


def test_the_orders_date_is_judged_once_and_again_when_it_changes() -> None:
    w = checking()
    assert changes(w, "order_valid") == [("passed", None)]
    w.run(1.0)
    assert changes(w, "order_valid") == [("passed", None)]
    w.utc = w.utc.replace(year=2027)
    w.run(1.0)
    assert changes(w, "order_valid") == [("passed", None), ("failed", "order_expired")]


def test_a_clock_that_comes_later_has_the_last_word_on_the_date() -> None:
    w = checking("none", order={"number": "1", "valid_until": "2026-11-21"})
    w.must("confirm", item="order_valid")
    w.source, w.uncertainty_s = "gnss", 0.2
    w.run(0.1)
    assert changes(w, "order_valid") == [("passed", None), ("failed", "order_expired")]
    w.source = "none"
    w.run(0.1)
    assert changes(w, "order_valid")[2:] == [("pending", "no_clock")], "the commander may know better"


@pytest.mark.parametrize("open_first", [False, True])
def test_H41_rolling_up_to_the_door_expires_what_was_sensed_and_the_place_at_the_door(open_first: bool) -> None:
    w = World()
    if open_first:
        w.to_boarding()
    else:
        w.to_ready()
    w.contacts["handbrake"] = False
    w.run(0.1)
    for item in (*SENSED, "at_door"):
        assert changes(w, item)[-1] == ("expired", "moved"), item
    assert [w.status(item) for item in ("order_valid", "seats_fixed", "documents")] == ["passed"] * 3
    assert [e.reason for e in w.happened(ev.DriverReportDropped)] == ["moved"]
    closed = [(e.reason, e.refusals) for e in w.happened(ev.BoardingClosed)]
    assert closed == ([("revoked", ({"code": "vehicle_moving", "item": None},))] if open_first else [])
    before = len(w.envelopes)
    w.run(1.0)
    assert len(w.envelopes) == before, "each of it is said once"


def test_rolling_takes_a_running_test_back_too() -> None:
    w = checking()
    w.must("start_tests")
    w.contacts["handbrake"] = False
    w.run(0.1)
    assert [w.status(item) for item in SENSED] == ["expired"] * 7


@pytest.mark.parametrize(
    ("wire", "item", "reason"), [("airflow", "ventilation", "airflow_lost"), ("light_sense", "lighting", "dark")]
)
def test_a_proof_is_lost_with_its_equipment_and_says_why(wire: str, item: str, reason: str) -> None:
    w = World()
    w.to_ready()
    w.forced[wire] = False
    w.scan()
    assert w.status(item) == "passed", "one sample is no loss"
    w.scan()
    assert changes(w, item)[-1] == ("expired", reason)
    assert w.status("radio") == "passed"


def test_a_proof_ages_to_the_second_and_not_while_boarding_is_open() -> None:
    w = World(replace(SETTINGS, checklist_valid_s=30.0))
    w.to_ready()
    row = w.trip.rows["cell_lock_2"]
    w.mono_s = row.at_s + 29.97
    w.scan()
    assert w.status("cell_lock_2") == "passed"
    w.mono_s = row.at_s + 30.01
    w.scan()
    assert changes(w, "cell_lock_2")[-1] == ("expired", "too_old")
    assert w.status("seats_fixed") == "passed", "what a person confirmed never ages"


def test_with_people_aboard_the_proofs_of_their_cells_light_and_air_do_not_age() -> None:
    w = World(replace(SETTINGS, checklist_valid_s=30.0))
    w.to_boarding()
    w.board(1)
    w.must("suspend_boarding")
    w.run(32.0)
    expired = {item for item in SENSED if w.status(item) == "expired"}
    assert expired == {"radio", "beacon", "intercom", "cell_lock_2"}


def test_the_securing_rows_follow_locks_door_and_counts() -> None:
    w = World()
    w.to_securing()
    rows = ("cell_locks_locked", "body_door_closed", "counts_agree")
    assert [w.status(row) for row in rows] == ["passed"] * 3
    w.loops["cell_2"] = "both_open"
    w.run(0.1)
    assert [w.status(row) for row in rows] == ["failed", "passed", "passed"]
    w.loops |= {"cell_2": "locked", "body_door": "door_open"}
    w.run(0.5)
    assert [w.status(row) for row in rows] == ["passed", "failed", "passed"]
    w.loops["body_door"] = "locked"
    w.must("unboard_person", cell=1)
    w.run(0.5)
    assert [w.status(row) for row in rows] == ["passed"] * 3
    assert changes(w, "cell_locks_locked") == [("passed", None), ("failed", None), ("passed", None)]


def test_a_lock_whose_loop_is_lost_is_not_locked() -> None:
    w = World()
    w.to_secured()
    w.loops["cell_1"] = "cut"
    w.run(0.1)
    assert w.status("cell_locks_locked") == "failed"


def test_H40_each_cell_that_was_used_is_seen_open_and_remembered() -> None:
    w = World()
    w.to_unloading()
    w.loops["body_door"] = "both_open"  # not a cell
    w.run(0.1)
    assert changes(w, "cells_seen_open") == [("running", None)]
    w.loops["cell_2"] = "bolt_open"  # drawn, but the door is shut
    w.run(0.1)
    assert changes(w, "cells_seen_open") == [("running", None)]
    w.loops["cell_2"] = "both_open"
    w.run(0.1)
    w.loops["cell_2"] = "locked"
    w.run(0.5)
    assert [dict(e.evidence) for e in w.happened(ev.RowChanged) if e.item == "cells_seen_open"] == [
        {"cells": []},
        {"cells": [2]},
    ]
    w.loops["cell_1"] = "door_open"
    w.run(0.1)
    assert changes(w, "cells_seen_open")[-1] == ("passed", None)
    assert dict(w.trip.rows["cells_seen_open"].evidence) == {"cells": [1, 2]}
    w.loops["cell_1"] = "locked"
    w.run(0.5)
    assert w.status("cells_seen_open") == "passed", "seen is seen"
    assert changes(w, "cells_seen_open") == [("running", None), ("running", None), ("passed", None)], "and said once"


def test_a_cell_that_nobody_sat_in_need_not_be_opened() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.drive(0.5)
    w.park()
    w.must("arrive")
    w.must("open_unloading")
    w.loops["cell_1"] = "both_open"
    w.run(0.1)
    assert w.status("cells_seen_open") == "passed"


@pytest.mark.parametrize("wire", ["handbrake", "fast fix"])
def test_H41_people_aboard_and_moving_is_a_departure_whatever_says_so(wire: str) -> None:
    w = World()
    w.to_boarding()
    w.board(2)
    if wire == "handbrake":
        w.contacts["handbrake"] = False
    else:
        w.speed_mps = 5.0
    w.run(3.0)
    left = w.happened(ev.Departed)
    assert [(e.secured, e.cause) for e in left] == [(False, "movement")]
    kinds = [type(e.event) for e in w.envelopes if isinstance(e.event, ev.BoardingClosed | ev.Departed)]
    assert kinds == [ev.BoardingClosed, ev.Departed], "the permit goes before the vehicle"


def test_each_loss_and_return_of_equipment_is_recorded_once() -> None:
    w = World()
    w.to_ready()
    before = len(w.happened(ev.EquipmentChanged))
    w.loops["cell_1"] = "cut"
    w.run(1.0)
    w.loops["cell_1"] = "short"
    w.run(1.0)
    w.loops["cell_1"] = "locked"
    w.run(1.0)
    said = [(e.equipment, e.status, e.reason) for e in w.happened(ev.EquipmentChanged)[before:]]
    assert said == [
        ("cell_lock_1", "fault", "cut"),
        ("cell_lock_1", "fault", "short"),
        ("cell_lock_1", "working", None),
    ]


def test_H06_only_a_hang_longer_than_the_relay_holds_closes_boarding() -> None:
    for pause_s, still_open in ((0.17, True), (0.19, False)):
        w = World()
        w.to_boarding()
        w.mono_s += pause_s  # and the scan's own 20 ms
        w.scan()
        assert w.trip.is_open is still_open, pause_s


def test_H06_the_relay_still_holds_after_exactly_its_own_time() -> None:
    w = World()
    w.to_boarding()
    w.live = replace(w.live, at_s=-0.2)
    w.mono_s = -0.02  # the scan adds its own 20 ms
    w.scan()
    assert w.trip.is_open


def test_H06_a_first_scan_after_a_start_is_no_hang() -> None:
    w = World()
    w.to_boarding()
    w.restart()
    w.scan()
    assert [e.reason for e in w.happened(ev.BoardingClosed)] == []


def test_the_drivers_stop_is_recorded_with_what_stood_against_boarding_at_that_moment() -> None:
    w = World()
    w.to_boarding()
    w.contacts |= {"driver_stop": True, "handbrake": False}
    w.run(0.1)
    (closed,) = w.happened(ev.BoardingClosed)
    assert (closed.reason, [r["code"] for r in closed.refusals]) == ("driver_stop", ["vehicle_moving"])


def test_the_report_is_used_up_when_the_order_runs_out_while_people_board() -> None:
    w = World()
    w.to_boarding()
    assert w.snapshot()["driver"]["ready"] is True
    w.utc = w.utc.replace(year=2027)
    w.run(0.1)
    assert w.snapshot()["driver"]["ready"] is False
    assert (w.trip.is_open, w.live.refusals) == (True, ()), "age closes nothing that is open"


@pytest.mark.parametrize("is_on", [True, False])
def test_H02_the_crews_own_beacon_is_compared_with_its_light(is_on: bool) -> None:
    w = World()
    w.run(3.0)
    w.contacts["beacon_switch"] = is_on
    w.run(3.0)
    assert w.live.is_working("beacon")
    w.contacts["beacon_switch"] = False
    w.run(3.0)
    assert w.live.is_working("beacon")
    w.contacts["beacon_switch"] = is_on
    w.forced["beacon_sense"] = not is_on
    w.run(3.0)
    assert (w.live.equipment["beacon"].status, w.live.equipment["beacon"].reason) == (
        "fault",
        "not_lit" if is_on else "lit_unbidden",
    )


def test_the_beacon_is_expected_to_be_lit_exactly_while_its_test_lights_it() -> None:
    w = checking()
    w.must("start_tests")
    told = []
    for _ in range(150):
        is_lit = w.out["beacon_test"]
        w.scan()
        assert w.live.beacon_expected[0] is is_lit
        told.append(is_lit)
    assert [is_lit for is_lit, _ in itertools.groupby(told)] == [True, False]


def test_what_is_known_of_equipment_says_since_when() -> None:
    w = World()
    w.run(1.0)
    assert None not in {status.since_utc for status in w.live.equipment.values()}


def test_the_drivers_stop_takes_a_report_back_in_every_phase_of_the_check() -> None:
    w = World()
    w.to_ready()
    w.contacts["driver_stop"] = True
    w.run(0.1)
    assert [e.reason for e in w.happened(ev.DriverReportDropped)] == ["driver_stop"]
    w = World()
    w.to_boarding()
    w.contacts["driver_stop"] = True
    w.run(0.1)
    assert [e.reason for e in w.happened(ev.BoardingClosed)] == ["driver_stop"]


@pytest.mark.parametrize(
    ("source", "uncertainty_s", "corrected"),
    [("gnss", 1.0, True), ("ntp", 0.2, True), ("gnss", 1.01, False), ("gnss", None, False), ("rtc", 0.2, False)],
)
def test_H11_a_departure_is_corrected_by_a_clock_that_is_good_to_a_second(
    source: str, uncertainty_s: float | None, corrected: bool
) -> None:
    w = checking("none")
    w.must("confirm", item="order_valid")
    w.must("start_tests")
    w.run(6.0)
    w.prove_locks()
    w.attest()
    w.press("driver_ready")
    w.must("open_boarding")
    w.board(1)
    w.drive(0.5)
    w.source, w.uncertainty_s = source, uncertainty_s
    w.run(0.1)
    assert len([n for n in w.trip.notices if n.record.kind == "correction"]) == (3 if corrected else 0)


def test_H11_a_departure_of_another_start_is_not_corrected() -> None:
    w = World()
    w.to_under_way()
    departure = w.trip.departure
    assert departure is not None
    for changed in (replace(departure, source="none", boot_id="another"), replace(departure, source="ntp")):
        w.trip = replace(w.trip, departure=changed)
        w.run(0.1)
        assert not [n for n in w.trip.notices if n.record.kind == "correction"]


def test_a_commissioning_is_remembered_over_trips_and_restarts() -> None:
    w = World()
    w.trip = Trip()
    w.envelopes.append(
        ev.Envelope("c", w.utc, w.mono_s, "gnss", 0.2, "boot-1", None, ev.Commissioned(("cell_1",), "w", "post"))
    )
    w.restart()
    assert w.trip.commissioned == "w"
    w.to_ready()
    assert w.codes() == set()


def test_a_vehicle_without_a_fix_has_no_position() -> None:
    w = World()
    w.mode = 1
    w.run(0.1)
    assert w.snapshot()["position"] is None
    w.has_gnss = False
    w.run(0.1)
    assert w.snapshot()["position"] is None
    w.has_gnss, w.mode = True, 3
    w.run(0.1)
    assert w.snapshot()["position"]["latitude_deg"] == 43.25


def test_the_alarm_button_and_an_unlocked_cell_are_alarms() -> None:
    w = World()
    w.to_under_way()
    assert [a.code for a in w.trip.alarms] == [], "nothing is alarmed on an ordinary trip"
    w.contacts["alarm_button"] = True
    w.loops["cell_1"] = "bolt_open"  # drawn, the door still shut
    w.loops["cell_2"] = "cut"
    w.run(1.0)
    assert {(a.code, a.item, a.priority) for a in w.trip.alarms} == {
        ("alarm_button", None, "critical"),
        ("cell_unlocked", "cell_lock_1", "critical"),
        ("cell_lock_fault", "cell_lock_2", "critical"),
    }
    assert {a.state for a in w.trip.alarms} == {"unacknowledged"}


def test_a_halt_at_the_place_of_unloading_needs_no_reason() -> None:
    w = World(replace(SETTINGS, unscheduled_halt_s=5.0))
    w.to_ready(unloading_place={"latitude_deg": 43.25, "longitude_deg": 76.9, "radius_m": 100.0})
    w.must("open_boarding")
    w.board(1)
    w.must("finish_boarding")
    for item in SECURING:
        w.must("confirm", item=item)
    w.must("secure")
    w.drive(1.0)
    w.park()
    w.run(10.0)
    assert "unscheduled_halt" not in {a.code for a in w.trip.alarms}
    assert w.do("arrive").warnings == ()
    assert w.happened(ev.Arrived)[0].inside is True
