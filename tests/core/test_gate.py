"""The gate: what permits boarding, what revokes it, and that nothing else does (Rules 15 and 16)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.world import ATTESTED, PLAN, SETTINGS, World
from vehicle_agent.core import events as ev


def test_H01_after_a_start_everything_is_unknown_and_refused() -> None:
    w = World()
    w.scan()
    assert {s["status"] for s in w.snapshot()["equipment"].values()} == {"unknown"}
    w.must("open_trip", **PLAN)
    refused = {item for code, item in w.codes() if code == "equipment_unknown"}
    assert refused == {
        "radio",
        "beacon",
        "intercom",
        "ventilation",
        "lighting",
        "cell_lock_1",
        "cell_lock_2",
        "body_door",
    }
    assert not w.out["permit_enable"]


def test_every_refusal_before_the_first_test_is_listed() -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **PLAN)
    w.run(0.1)
    pending = {"radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2"}
    pending |= {*ATTESTED, "documents", "acceptance"}
    assert w.codes() == {("item_not_proven", item) for item in pending} | {("driver_not_ready", None)}
    assert all(r["since"] for r in w.snapshot()["boarding"]["refusals"])


@pytest.mark.parametrize("item", [*ATTESTED, "documents", "acceptance"])
def test_one_missing_attestation_refuses(item: str) -> None:
    w = World()
    w.to_ready()
    assert w.codes() == set()
    w.must("withdraw", item=item)
    assert w.codes() == {("item_not_proven", item), ("driver_report_outdated", None)}
    assert w.do("open_boarding").refusals


@pytest.mark.parametrize(
    ("wire", "level", "item", "code"),
    [
        ("cell_1", "cut", "cell_lock_1", "equipment_fault"),
        ("cell_2", "short", "cell_lock_2", "equipment_fault"),
        ("cell_2", "implausible", "cell_lock_2", "equipment_unknown"),
        ("cell_2", None, "cell_lock_2", "equipment_unknown"),
        ("body_door", "cut", "body_door", "equipment_fault"),
        ("body_door", "short", "body_door", "equipment_fault"),
    ],
)
def test_H01_a_loop_that_is_lost_while_boarding_is_open_revokes_in_two_scans(
    wire: str, level: str | None, item: str, code: str
) -> None:
    w = World()
    w.to_boarding()
    w.loops[wire] = level  # type: ignore[assignment]
    w.scan()
    assert w.out["permit_enable"]
    w.scan()
    assert not w.out["permit_enable"]
    assert not w.trip.is_open
    assert w.trip.phase == "boarding"
    assert (code, item) in w.codes()
    w.loops[wire] = "locked"
    w.run(5.0)
    assert not w.out["permit_enable"]  # only a person opens it again


def test_open_cell_doors_are_ordinary_while_boarding() -> None:
    w = World()
    w.to_boarding()
    for level in ("bolt_open", "both_open", "door_open", "locked"):
        w.loops["cell_1"] = w.loops["body_door"] = level
        w.run(1.0)
        assert w.out["permit_enable"], level
    before = w.rev_key()
    w.loops["cell_1"] = "both_open"
    w.run(1.0)
    assert w.rev_key() == before


@pytest.mark.parametrize(
    ("wire", "level", "item"),
    [
        ("airflow", False, "ventilation"),
        ("airflow", None, "ventilation"),
        ("light_sense", False, "lighting"),
        ("intercom_return", False, "intercom"),
        ("intercom_return", True, "intercom"),
        ("beacon_sense", True, "beacon"),
        ("permit_readback", False, "permit_output"),
        ("fan_switch", False, "ventilation"),
    ],
)
def test_equipment_that_is_lost_while_boarding_is_open_revokes(wire: str, level: bool | None, item: str) -> None:
    w = World()
    w.to_boarding()
    w.forced[wire] = level
    w.run(4.0)
    assert not w.out["permit_enable"]
    closed = w.happened(ev.BoardingClosed)[0]
    assert [r["item"] for r in closed.refusals] == [item]


def test_a_silent_radio_revokes_within_its_limit() -> None:
    w = World()
    w.to_boarding()
    w.radio_lives = False
    w.run(2.8)
    assert w.out["permit_enable"]
    w.run(0.5)
    assert ("equipment_stale", "radio") in w.codes()
    assert not w.out["permit_enable"]


def test_H26_an_early_press_is_not_a_report() -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **PLAN)
    assert w.press("driver_ready").refusals
    assert not w.snapshot()["driver"]["ready"]
    assert any(w.out["ready_lamp"] for _ in range(10) if w.scan() == ())  # it blinks
    w.run(3.0)
    assert not w.out["ready_lamp"]


def test_H26_a_report_ages_and_an_old_one_is_not_used() -> None:
    w = World(replace(SETTINGS, driver_report_valid_s=20.0))
    w.to_ready()
    w.run(19.0)
    assert w.codes() == set()
    w.run(2.0)
    assert w.codes() == {("driver_report_outdated", None)}
    w.press("driver_ready")
    w.must("open_boarding")
    w.run(25.0)
    assert w.out["permit_enable"]  # ages never revoke


def test_driver_stop_revokes_and_takes_the_report_back() -> None:
    w = World()
    w.to_boarding()
    w.contacts["driver_stop"] = True
    w.run(0.1)
    assert not w.out["permit_enable"]
    w.contacts["driver_stop"] = False
    w.run(1.0)
    assert w.codes() == {("driver_not_ready", None)}


def test_a_pass_expires_with_age_but_not_while_open() -> None:
    w = World(replace(SETTINGS, checklist_valid_s=60.0))
    w.to_boarding()
    w.run(61.0)
    assert w.out["permit_enable"]
    w.must("suspend_boarding")
    w.run(0.1)
    assert ("item_expired", "radio") in w.codes()


def test_H41_moving_while_boarding_is_open_revokes_at_once() -> None:
    w = World()
    w.to_boarding()
    w.contacts["handbrake"] = False
    w.scan()
    w.scan()
    assert not w.out["permit_enable"]
    w.run(0.1)
    assert w.trip.phase == "boarding"  # nobody aboard: the vehicle rolls up to the door
    assert w.status("radio") == "expired"
    assert w.status("at_door") == "expired"
    assert w.status("body_condition") == "passed"
    assert w.trip.report is None


def test_a_fast_fix_contradicts_the_handbrake() -> None:
    w = World()
    w.to_boarding()
    w.speed_mps = 2.5
    w.run(1.9)
    assert w.out["permit_enable"]
    w.run(0.2)
    assert not w.out["permit_enable"]
    assert ("motion_unknown", None) in w.codes()


def test_H23_an_untrusted_fix_says_nothing_about_motion() -> None:
    w = World()
    w.to_boarding()
    w.speed_mps, w.trusted = 30.0, False
    w.run(5.0)
    assert w.out["permit_enable"]


def test_H13_nothing_is_granted_before_it_is_on_disk_and_revoking_does_not_wait() -> None:
    w = World()
    w.to_ready()
    w.disk_works = False
    w.must("open_boarding")
    w.run(2.0)
    assert w.trip.is_open
    assert not w.out["permit_enable"]
    w.disk_works = True
    w.run(0.1)
    assert w.out["permit_enable"]
    w.disk_works = False
    w.loops["cell_1"] = "cut"
    w.run(0.04)
    assert not w.out["permit_enable"]


def test_an_old_durable_opening_does_not_stand_for_a_new_one() -> None:
    w = World()
    w.to_boarding()
    w.disk_works = False
    w.must("suspend_boarding")
    w.must("open_boarding")
    w.run(0.5)
    assert w.trip.is_open
    assert w.durable.is_open
    assert not w.out["permit_enable"]


def test_an_unhealthy_journal_refuses() -> None:
    w = World()
    w.to_boarding()
    w.journal_ok = False
    w.run(0.04)
    assert ("journal_unavailable", None) in w.codes()
    assert not w.out["permit_enable"]


def test_not_commissioned_refuses() -> None:
    w = World(replace(SETTINGS, wiring_sha256="other"))
    w.trip = replace(w.trip, commissioned="w")
    w.to_ready()
    assert w.codes() == {("not_commissioned", None)}


def test_an_expired_order_refuses_and_holds_to_the_end_of_its_last_day() -> None:
    w = World()
    w.run(3)
    w.must("open_trip", **(PLAN | {"order": {"number": "1", "valid_until": "2026-11-21"}}))
    w.run(0.1)
    assert ("order_expired", "order_valid") in w.codes()
    w = World()
    w.utc = w.utc.replace(hour=18, minute=59, second=50)  # 23:59:50 in Kazakhstan
    w.run(3)
    w.must("open_trip", **(PLAN | {"order": {"number": "1", "valid_until": "2026-11-22"}}))
    w.run(0.1)
    assert w.status("order_valid") == "passed"
    w.run(10.0)
    assert w.status("order_valid") == "failed"


def test_without_a_clock_the_commander_confirms_the_date() -> None:
    w = World(source="none")
    w.run(3)
    w.must("open_trip", **PLAN)
    w.run(0.1)
    assert ("item_not_proven", "order_valid") in w.codes()
    w.must("confirm", item="order_valid")
    assert w.status("order_valid") == "passed"


def test_rev_follows_what_a_person_decides_on_and_nothing_else() -> None:
    w = World()
    w.to_boarding()
    before = w.rev_key()
    w.speed_mps = 1.0
    w.run(2.0)
    assert w.rev_key() == before
    w.press("body_count")
    assert w.rev_key() != before


def test_withdrawing_a_confirmation_closes_an_open_boarding() -> None:
    w = World()
    w.to_boarding()
    w.must("withdraw", item="seats_fixed")
    w.run(0.1)
    assert not w.out["permit_enable"]
    assert ("item_not_proven", "seats_fixed") in w.codes()


def test_a_stuck_stop_button_lets_no_report_through() -> None:
    w = World()
    w.to_ready()
    w.contacts["driver_stop"] = True
    w.run(0.1)
    w.press("driver_ready")
    assert w.codes() == {("driver_not_ready", None)}


def test_H06_H07_a_hang_that_dropped_the_relay_needs_a_person_to_open_boarding_again() -> None:
    w = World()
    w.to_boarding()
    w.mono_s += 0.15  # shorter than the relay's 200 ms: the pulse was late, the permit never went
    w.scan()
    assert w.trip.is_open
    w.mono_s += 0.5
    w.scan()
    assert not w.trip.is_open
    assert not w.out["permit_enable"]
    assert [e.reason for e in w.happened(ev.BoardingClosed)] == ["scan_stopped"]
    assert {r.code for r in w.do("board_person", cell=1).refusals} == {"reopen_needed"}
    w.must("open_boarding")


def test_a_stop_that_only_the_panel_saw_closes_boarding_and_takes_the_report_back() -> None:
    """A legal press may be shorter than two scans; the panel looks more often than the level is sampled."""
    w = World()
    w.to_boarding()
    assert w.out["permit_enable"]
    w.press("driver_stop", 0.05)
    assert not w.out["permit_enable"]
    assert not w.trip.is_open
    assert w.trip.report is None
