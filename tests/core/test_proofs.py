"""Proof of the sensed rows, what a restart leaves of it, and what no test may ever do (Rule 15)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulators.bench.parts import CutOff
from tests.core.world import PLAN, SETTINGS, World
from vehicle_agent.core import events as ev


def test_a_lost_item_must_be_proven_again_and_reported_again() -> None:
    w = World()
    w.to_boarding()
    w.loops["cell_1"] = "cut"
    w.run(0.2)
    w.loops["cell_1"] = "locked"
    w.run(1.0)
    assert w.codes() == {("item_expired", "cell_lock_1"), ("driver_report_outdated", None)}
    w.must("start_tests")
    w.prove_locks(1)
    assert w.codes() == {("driver_report_outdated", None)}
    w.press("driver_ready")
    w.must("open_boarding")
    w.run(0.1)
    assert w.out["permit_enable"]


def test_start_tests_only_with_a_closed_permit_and_a_standing_vehicle() -> None:
    w = World()
    w.to_boarding()
    assert {r.code for r in w.do("start_tests").refusals} == {"wrong_phase"}
    w.must("suspend_boarding")
    w.must("start_tests")
    w.contacts["handbrake"] = False
    w.run(0.1)
    assert {r.code for r in w.do("start_tests").refusals} == {"vehicle_moving"}


@pytest.mark.parametrize(
    "phase", ["to_ready", "to_boarding", "to_securing", "to_secured", "to_under_way", "to_unloading"]
)
@pytest.mark.parametrize("same_boot", [True, False])
def test_H07_a_restart_never_resumes_a_permit(phase: str, same_boot: bool) -> None:
    w = World()
    getattr(w, phase)()
    before = w.trip
    w.restart(same_boot=same_boot)
    assert not w.trip.is_open
    assert w.trip.report is None
    w.run(5.0)
    assert not w.out["permit_enable"]
    assert (w.trip.phase, w.trip.commander, w.trip.body) == (before.phase, before.commander, before.body)
    assert [n.id for n in w.trip.notices] == [n.id for n in before.notices]
    assert w.status("body_condition") == "passed"  # attested rows stay


def test_a_restart_with_people_aboard_keeps_what_nobody_could_prove_again() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.restart()
    assert w.status("cell_lock_1") == "passed"  # occupied
    assert w.status("cell_lock_2") == "expired"
    assert (w.status("lighting"), w.status("ventilation"), w.status("radio")) == ("passed", "passed", "expired")
    w.run(3.0)
    w.must("start_tests")
    w.run(6.0)
    w.prove_locks(2)
    w.press("driver_ready")
    w.must("open_boarding")
    w.restart(same_boot=False)
    assert w.status("cell_lock_1") == "expired"


def test_H37_nothing_is_inhibited_with_people_aboard() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.must("suspend_boarding")
    w.forced["airflow"] = False
    w.run(0.5)
    del w.forced["airflow"]
    w.run(1.0)
    assert w.status("ventilation") == "expired"
    w.must("start_tests")
    for _ in range(400):
        w.scan()
        assert not w.out["fan_inhibit"]
        assert not w.out["light_inhibit"]
    assert w.status("ventilation") == "passed"
    row = next(r for r in w.snapshot()["checklist"] if r["item"] == "ventilation")
    assert row["evidence"] == {"off": None, "on": True}


@pytest.mark.parametrize(
    ("wire", "level", "item", "reason"),
    [
        ("airflow", True, "ventilation", "sense_stuck"),
        ("light_sense", True, "lighting", "sense_stuck"),
        ("beacon_sense", False, "beacon", "not_lit"),
        ("intercom_return", False, "intercom", "no_tone"),
        ("airflow", False, "ventilation", "did_not_return"),
    ],
)
def test_a_sensor_that_cannot_say_both_fails_its_test(wire: str, level: bool, item: str, reason: str) -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **PLAN)
    w.forced[wire] = level
    w.must("start_tests")
    w.run(15.0)
    assert w.status(item) == "failed"
    assert w.trip.rows[item].reason == reason
    assert ("item_failed", item) in w.codes()
    assert not w.out["fan_inhibit"]


def test_each_inhibit_ends_before_the_cut_off_outside() -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **PLAN)
    w.forced["airflow"] = w.forced["light_sense"] = True  # the sensors never follow
    w.must("start_tests")
    lit = [w.scan() == () and w.out["fan_inhibit"] for _ in range(600)]
    assert 0 < sum(lit) * 0.02 < 10.0


def test_a_lock_needs_both_states_for_long_enough() -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **PLAN)
    w.must("start_tests")
    w.run(5.0)
    assert w.status("cell_lock_1") == "running"  # locked all the time proves nothing
    w.loops["cell_1"] = "both_open"
    w.run(0.2)
    w.loops["cell_1"] = "locked"
    w.run(2.0)
    assert w.status("cell_lock_1") == "running"  # too short
    w.loops["cell_1"] = "bolt_open"
    w.run(0.2)
    w.loops["cell_1"] = "both_open"  # bolt, then door: one unlocking
    w.run(0.2)
    w.loops["cell_1"] = "locked"
    w.run(1.0)
    assert w.status("cell_lock_1") == "passed"
    assert dict(w.trip.rows["cell_lock_1"].evidence) == {"unlocked": True, "locked": True}


@pytest.mark.parametrize(
    ("sense", "inhibit", "item"),
    [("airflow", "fan_inhibit", "ventilation"), ("light_sense", "light_inhibit", "lighting")],
)
def test_H37_quick_repetitions_of_a_failing_test_never_fill_the_cut_off(sense: str, inhibit: str, item: str) -> None:
    """Else the load could not be interrupted any more, and the repaired sense would go on looking stuck."""
    w, cut_off = World(), CutOff()
    w.run(3.0)
    w.must("open_trip", **PLAN)

    def step() -> None:
        line = w.out.get(inhibit, False)
        is_off = cut_off.update(line, round(w.mono_s * 1e9))
        assert is_off == line, "the cut-off has tripped"
        w.scan()

    w.forced[sense] = True
    for _ in range(4):  # as often as a finger can ask
        w.must("start_tests")
        while w.status(item) == "running":
            step()
        assert w.trip.rows[item].reason == "sense_stuck"
    del w.forced[sense]
    w.must("start_tests")
    for _ in range(round(10.0 / 0.02)):
        step()
    assert w.status(item) == "passed"


def test_H25_a_chattering_loop_is_a_fault_and_ordinary_use_of_a_door_is_not() -> None:
    w = World()
    w.to_boarding()
    for _ in range(4):  # twenty times a minute for twelve seconds
        for level, seconds in (("bolt_open", 0.1), ("both_open", 1.4), ("bolt_open", 0.1), ("locked", 1.4)):
            w.loops["cell_1"] = level
            w.run(seconds)
    assert w.out["permit_enable"]
    for _ in range(20):
        for level in ("both_open", "locked"):
            w.loops["cell_1"] = level
            w.run(0.04)
    assert not w.out["permit_enable"]
    assert w.live.equipment["cell_lock_1"].reason == "chattering"


def test_manual_fallback_needs_configuration_pin_and_the_drivers_button() -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"ventilation"})))
    w.run(3)
    w.must("open_trip", **PLAN)
    w.forced["airflow"] = False
    w.must("start_tests")
    w.run(10.0)
    assert {r.code for r in w.do("confirm", item="ventilation").refusals} == {"unknown_item"}
    assert {r.code for r in w.do("confirm", item="lighting", pin_is_right=True).refusals} == {"unknown_item"}
    w.must("confirm", item="ventilation", pin_is_right=True)
    w.run(31.0)
    w.press("driver_ready")
    assert w.status("ventilation") == "failed"  # too late
    w.must("confirm", item="ventilation", pin_is_right=True)
    w.press("driver_ready")
    assert w.status("ventilation") == "manual_fallback"
    w.prove_locks()
    w.attest()
    w.press("driver_ready")
    w.must("open_boarding")
    w.run(0.2)
    assert w.out["permit_enable"]


def with_fallback(item: str = "ventilation") -> World:
    """A world where this vehicle lets a person answer for `item`, in `checking`."""
    w = World(replace(SETTINGS, manual_fallback=frozenset({item})))
    w.run(3)
    w.must("open_trip", **PLAN)
    return w


def test_H35_a_sensor_that_works_is_proven_and_not_answered_for() -> None:
    w = with_fallback()
    assert {(r.code, r.item) for r in w.do("confirm", item="ventilation", pin_is_right=True).refusals} == {
        ("item_not_proven", "ventilation")
    }


def test_H35_what_the_crew_switched_off_is_no_broken_sensor() -> None:
    w = with_fallback()
    w.contacts["fan_switch"] = False
    w.run(8.0)
    assert w.live.equipment["ventilation"].reason == "switched_off"
    assert w.do("confirm", item="ventilation", pin_is_right=True).refusals
    w.must("start_tests")
    w.run(2.0)
    assert w.status("ventilation") == "failed"
    assert w.do("confirm", item="ventilation", pin_is_right=True).refusals


def test_H35_a_sense_that_never_goes_dark_can_be_answered_for() -> None:
    w = with_fallback()
    w.forced["airflow"] = True  # it says "running" also while the fan is interrupted
    w.must("start_tests")
    w.run(8.0)
    assert (w.status("ventilation"), w.trip.rows["ventilation"].reason) == ("failed", "sense_stuck")
    w.must("confirm", item="ventilation", pin_is_right=True)
    w.press("driver_ready")
    assert w.status("ventilation") == "manual_fallback"


def open_by_hand() -> World:
    """Boarding is open, with a person's word for the ventilation's sensor."""
    w = with_fallback()
    w.forced["airflow"] = False
    w.must("start_tests")
    w.run(10.0)
    w.must("confirm", item="ventilation", pin_is_right=True)
    w.press("driver_ready")
    w.prove_locks()
    w.attest()
    w.press("driver_ready")
    w.must("open_boarding")
    w.run(0.2)
    assert w.out["permit_enable"]
    return w


def test_H35_a_fan_switched_off_refuses_boarding_also_where_somebody_answers_for_its_sensor() -> None:
    w = open_by_hand()
    w.contacts["fan_switch"] = False
    w.run(0.2)
    assert not w.out["permit_enable"]
    assert ("equipment_fault", "ventilation") in w.codes()


def test_H35_with_people_aboard_the_alarm_stays_whoever_answered_for_the_sensor() -> None:
    w = open_by_hand()
    w.board(1)
    w.run(4.0)
    assert ("airflow_lost", "ventilation") in {(a.code, a.item) for a in w.trip.alarms}


def test_H35_the_word_of_a_person_ends_with_the_trip() -> None:
    w = open_by_hand()
    w.must("cancel_trip", reason="x")
    w.must("open_trip", **PLAN)
    assert w.status("ventilation") == "pending"


@pytest.mark.parametrize("item", ["cell_lock_1", "driver_ready", "counts_agree", "cells_seen_open", "vehicle_empty"])
def test_H35_a_lock_a_count_and_the_drivers_report_cannot_be_answered_for_even_if_configured(item: str) -> None:
    w = with_fallback(item)
    w.loops["cell_1"] = "cut"
    w.must("start_tests")
    w.run(1.0)
    assert {r.code for r in w.do("confirm", item=item, pin_is_right=True).refusals} <= {"unknown_item", "wrong_phase"}
    w.press("driver_ready")
    assert w.status(item) != "manual_fallback"
    assert w.trip.report is None


@pytest.mark.parametrize("phase", ["to_boarding", "to_securing", "to_under_way"])
def test_H35_a_sensor_is_answered_for_before_boarding_opens_and_not_later(phase: str) -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"lighting"})))
    getattr(w, phase)()
    refused = w.do("confirm", item="lighting", pin_is_right=True).refusals
    assert [r.code for r in refused] == ["wrong_phase"]
    assert w.trip.fallback is None


def test_H35_nobody_answers_for_a_sensor_that_works() -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"lighting"})))
    w.run(3)
    w.must("open_trip", **PLAN)
    refused = w.do("confirm", item="lighting", pin_is_right=True).refusals
    assert [(r.code, r.rule, r.item) for r in refused] == [("item_not_proven", "15", "lighting")]
    assert w.trip.fallback is None


def test_H35_a_row_that_is_proven_needs_no_answer() -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"lighting"})))
    w.to_ready()
    answer = w.do("confirm", item="lighting", pin_is_right=True)
    assert (answer.refusals, answer.events) == ((), ())


def test_every_sensed_pass_and_its_proof_is_an_event() -> None:
    w = World()
    w.to_ready()
    passed = {e.item for e in w.happened(ev.RowChanged) if e.status == "passed" and e.evidence}
    sensed = {"radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2"}
    assert passed == sensed | {"order_valid"}  # the order's date says by which clock


def test_a_fan_that_was_in_fault_when_its_test_began_passes_only_once_it_is_working() -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **PLAN)
    w.forced["airflow"] = False
    w.run(1.0)
    del w.forced["airflow"]
    w.must("start_tests")
    w.run(3.0)
    assert w.status("ventilation") == "passed"
    assert [e.status for e in w.happened(ev.RowChanged) if e.item == "ventilation"] == ["running", "passed"]


def test_H11_the_orders_date_is_not_taken_from_a_clock_that_is_gone() -> None:
    w = World()
    w.to_ready()
    assert w.status("order_valid") == "passed"
    w.source, w.uncertainty_s = "none", None
    w.scan()
    assert w.status("order_valid") == "pending"
    assert ("item_not_proven", "order_valid") in w.codes()
    w.must("confirm", item="order_valid")
    w.scan()
    assert w.status("order_valid") == "passed", "the commander's own word needs no clock"
    w.restart(same_boot=False)
    w.scan()
    assert w.status("order_valid") == "passed", "what a person confirmed stays"
