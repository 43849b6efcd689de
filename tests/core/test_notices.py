"""Departure and who is told of it (Rule 19), and the alarms of a trip."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.world import PLAN, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.inputs import AtBroker, NoticeSending, Receipt


def receipt(notice: str, unit: str, stage: str) -> Receipt:
    return Receipt(notice, stage, "Captain A", "duty officer", "2026-11-22T08:10:00Z", "00", unit)


def test_a_notice_for_destination_intermediates_and_the_sending_unit_each_with_its_own_id() -> None:
    w = World()
    w.to_secured()
    w.must("depart")
    told = [(n.record.recipient, n.record.recipient_sequence) for n in w.trip.notices]
    assert told == [("astana-mp", 1), ("karaganda-mp", 1), ("almaty-mp", 1)]
    assert len({n.id for n in w.trip.notices}) == 3
    record = w.trip.notices[0].record
    assert record.secured
    assert record.checks == {"all_passed": True, "fallbacks": []}
    assert record.position == {"latitude_deg": 43.25, "longitude_deg": 76.9}


def test_a_place_without_a_desk_leaves_the_sending_unit_alone() -> None:
    w = World()
    w.to_boarding(destination=None, destination_place="Garrison court", intermediate=[])
    w.board(1)
    w.drive(0.5)
    assert [n.record.recipient for n in w.trip.notices] == ["almaty-mp"]


def test_a_trip_without_any_destination_is_malformed() -> None:
    w = World()
    w.run(1)
    assert w.do("open_trip", **(PLAN | {"destination": None})).malformed


@pytest.mark.parametrize("phase", ["to_securing", "to_secured"])
def test_movement_departs_and_says_whether_the_vehicle_was_secured(phase: str) -> None:
    w = World()
    getattr(w, phase)()
    w.drive(1.0)
    assert w.trip.phase == "under_way"
    assert w.happened(ev.Departed)[0].secured is (phase == "to_secured")
    alarmed = "moved_unpermitted" in {a.code for a in w.trip.alarms}
    assert alarmed is (phase == "to_securing")


def test_H41_movement_with_people_aboard_departs_from_boarding() -> None:
    w = World()
    w.to_boarding()
    w.press("body_count")  # only the body escort has counted him so far
    w.drive(0.5)
    assert w.trip.phase == "under_way"
    assert not w.out["permit_enable"]
    assert w.happened(ev.Departed)[0].secured is False
    assert {n.record.secured for n in w.trip.notices} == {False}
    assert [a.priority for a in w.trip.alarms if a.code == "moved_unpermitted"] == ["critical"]


def test_the_trip_ends_even_when_the_counts_never_agreed() -> None:
    w = World()
    w.to_boarding()
    w.press("body_count")
    w.drive(0.5)
    w.park()
    w.must("arrive")
    w.must("open_unloading")
    w.run(0.1)
    w.press("body_count")
    w.must("close_trip")


def test_a_lock_opened_after_securing_makes_the_departure_unsecured() -> None:
    w = World()
    w.to_secured()
    w.loops["cell_1"] = "both_open"
    w.run(0.1)
    assert {r.code for r in w.do("depart").refusals} == {"lock_open"}
    w.drive(1.0)
    assert w.happened(ev.Departed)[0].secured is False


def test_H15_only_the_units_own_receipt_moves_a_notice() -> None:
    w = World()
    w.to_under_way()
    mine, other = w.trip.notices[0], w.trip.notices[1]
    w.scan(AtBroker(mine.id))
    assert w.trip.notices[0].stage == "at_broker"
    assert w.scan(receipt(mine.id, other.record.recipient, "received"))[0].refusals
    assert w.scan(receipt("no-such-notice", "astana-mp", "received"))[0].refusals
    assert w.trip.notices[0].stage == "at_broker"
    w.scan(receipt(mine.id, "astana-mp", "acknowledged"))
    w.scan(receipt(mine.id, "astana-mp", "received"))  # late: takes nothing back
    assert (w.trip.notices[0].stage, w.trip.notices[0].by) == ("acknowledged", "Captain A")
    assert len([e for e in w.happened(ev.NoticeStage) if e.notice == mine.id]) == 2


def test_the_first_lateness_is_kept_for_every_resend() -> None:
    w = World()
    w.to_under_way()
    notice = w.trip.notices[0].id
    w.scan(NoticeSending(notice, 1.5))
    assert w.scan(NoticeSending(notice, 99.0))[0].events == ()
    assert w.trip.notices[0].late_by_s == 1.5


def test_H16_an_unconfirmed_recipient_is_to_be_told_by_radio() -> None:
    w = World()
    w.to_under_way()
    w.scan(receipt(w.trip.notices[2].id, "almaty-mp", "received"))
    w.scan(receipt(w.trip.notices[1].id, "karaganda-mp", "acknowledged"))
    w.run(112.0)
    assert not any(n["overdue"] for n in w.snapshot()["notices"])
    w.run(6.0)
    overdue = [n["recipient"] for n in w.snapshot()["notices"] if n["overdue"]]
    assert overdue == ["astana-mp"]
    assert ("notice_unconfirmed", "astana-mp") in {(a.code, a.item) for a in w.trip.alarms}
    w.must("told_by_radio", notice=w.trip.notices[0].id, post="duty officer")
    assert w.snapshot()["notices"][0]["stage"] == "told_by_radio"
    assert not w.snapshot()["notices"][0]["overdue"]


def test_H11_a_departure_under_no_clock_is_sent_at_once_and_corrected_later_by_a_new_record() -> None:
    w = World(source="none")
    w.run(3)
    w.must("open_trip", **PLAN)
    w.must("confirm", item="order_valid")
    w.must("start_tests")
    w.run(6.0)
    w.prove_locks()
    w.attest()
    w.press("driver_ready")
    w.must("open_boarding")
    w.board(1)
    w.drive(1.0)
    first = w.trip.notices[0].record
    assert first.time_source == "none"
    w.run(60.0)
    w.source, w.uncertainty_s = "gnss", 0.2
    w.utc = w.utc.replace(year=2027)
    w.run(0.1)
    fixed = [n.record for n in w.trip.notices if n.record.kind == "correction"]
    assert len(fixed) == 3
    assert fixed[0].corrects == first.notice
    assert fixed[0].departed_at.startswith("2027-11-22T08:00:")
    assert first.position is not None
    assert fixed[0].position == first.position
    assert (fixed[0].time_source, fixed[0].recipient_sequence) == ("gnss", 2)
    w.run(5.0)
    assert len([n for n in w.trip.notices if n.record.kind == "correction"]) == 3


def test_sequences_go_on_over_trips_and_unacknowledged_notices_stay_owed() -> None:
    w = World()
    w.to_unloading()
    w.loops["cell_1"] = w.loops["cell_2"] = "both_open"
    w.run(0.2)
    for cell in (1, 2, 2):
        w.must("unload_person", cell=cell)
    w.press("body_count")
    w.must("close_trip")
    w.scan(receipt(w.trip.notices[0].id, "astana-mp", "acknowledged"))
    w.must("open_trip", **PLAN)
    assert len(w.trip.notices) == 5
    assert w.trip.sequences == {"astana-mp": 2, "karaganda-mp": 2, "almaty-mp": 2}


def test_H10_after_a_lost_journal_numbers_begin_above_all_that_may_have_been_used() -> None:
    w = World()
    w.to_secured()
    w.trip = w.durable = evolve(w.trip, journal_restarted(w, 1000))
    w.drive()
    assert w.trip.sequences == {"astana-mp": 1001, "karaganda-mp": 1001, "almaty-mp": 1001}
    assert evolve(w.trip, journal_restarted(w, 2000)).sequence_floor == 2000


def journal_restarted(w: World, floor: int) -> ev.Envelope:
    event = ev.JournalRestarted("journal.db.damaged-1", None, "torn", floor)
    return ev.Envelope("e", w.utc, w.mono_s, "gnss", 0.2, w.boot_id, w.trip.id, event)


@pytest.mark.parametrize(
    ("wire", "code"),
    [("airflow", "airflow_lost"), ("light_sense", "lighting_lost"), ("intercom_return", "intercom_lost")],
)
@pytest.mark.parametrize("phase", ["to_securing", "to_secured", "to_under_way", "to_unloading"])
def test_H36_what_keeps_people_alive_is_alarmed_in_every_phase_within_ten_seconds(
    phase: str, wire: str, code: str
) -> None:
    w = World()
    getattr(w, phase)()
    w.forced[wire] = False
    w.run(9.0)
    assert code in {a.code for a in w.trip.alarms}


def test_alarm_life_raised_acknowledged_returned() -> None:
    w = World()
    w.to_under_way()
    w.loops["cell_1"] = "both_open"
    w.run(1.0)
    alarm = w.trip.alarms[0]
    assert (alarm.code, alarm.item, alarm.state) == ("cell_door_open_under_way", "cell_lock_1", "unacknowledged")
    assert w.out["buzzer"]
    w.must("acknowledge_alarm", alarm=alarm.id)
    assert w.trip.alarms[0].state == "acknowledged"
    assert not w.out["buzzer"]
    w.loops["cell_1"] = "locked"
    w.run(7.0)
    assert w.trip.alarms == ()
    assert {r.code for r in w.do("acknowledge_alarm", alarm="x").refusals} == {"unknown_item"}


def test_a_returned_alarm_stays_until_somebody_has_seen_it_and_comes_back_as_the_same() -> None:
    w = World()
    w.to_under_way()
    w.loops["body_door"] = "both_open"
    w.run(1.0)
    number = w.trip.alarms[0].id
    w.loops["body_door"] = "locked"
    w.run(7.0)
    assert w.snapshot()["alarms"][0]["state"] == "returned"
    w.loops["body_door"] = "both_open"
    w.run(1.0)
    assert [(a.id, a.state) for a in w.trip.alarms] == [(number, "unacknowledged")]


def test_doors_may_open_at_a_logged_halt_and_moving_with_people_out_is_critical() -> None:
    w = World()
    w.to_under_way()
    w.park()
    w.must("log_halt", reason="toilet")
    w.loops["cell_2"] = w.loops["body_door"] = "both_open"
    w.must("halt_out", cell=2)
    w.run(10.0)
    assert not [a for a in w.trip.alarms if a.priority == "critical"]
    w.drive(1.0)
    assert "moved_unpermitted" in {a.code for a in w.trip.alarms}


def test_an_unscheduled_halt_is_a_warning() -> None:
    w = World(replace(SETTINGS, unscheduled_halt_s=20.0))
    w.to_under_way()
    w.park()
    w.run(19.0)
    assert "unscheduled_halt" not in {a.code for a in w.trip.alarms}
    w.run(2.0)
    assert "unscheduled_halt" in {a.code for a in w.trip.alarms}


def test_H05_a_permit_that_does_not_go_off_is_alarmed_and_refused() -> None:
    w = World()
    w.to_ready()
    w.forced["permit_readback"] = True
    w.run(0.5)
    assert ("permit_readback", "permit_output") in w.codes()
    assert ("permit_stuck", "permit_output") in {(a.code, a.item) for a in w.trip.alarms}


def test_movement_after_arrival_is_alarmed_and_the_phase_kept() -> None:
    w = World()
    w.to_unloading()
    w.drive(1.0)
    assert w.trip.phase == "unloading"
    assert "moved_unpermitted" in {a.code for a in w.trip.alarms}


def test_the_journal_can_carry_every_event() -> None:
    w = World()
    w.to_unloading()
    for envelope in w.envelopes:
        again = ev.from_data(envelope.event.type, ev.to_data(envelope.event))
        assert ev.to_data(again) == ev.to_data(envelope.event)


def test_checks_that_were_passed_are_not_denied_because_the_computer_restarted() -> None:
    w = World()
    w.to_secured()
    w.restart()
    w.run(1.0)
    w.must("depart")
    assert w.trip.notices[0].record.checks == {"all_passed": True, "fallbacks": []}


def test_equipment_lost_after_boarding_is_told_with_the_departure() -> None:
    w = World()
    w.to_secured()
    w.forced["light_sense"] = False
    w.run(0.5)
    w.must("depart")
    assert w.trip.notices[0].record.checks == {"all_passed": False, "fallbacks": []}


def test_standing_before_the_departure_is_no_unscheduled_halt() -> None:
    w = World(replace(SETTINGS, unscheduled_halt_s=20.0))
    w.to_secured()
    w.run(25.0)
    w.must("depart")
    w.run(19.0)
    assert "unscheduled_halt" not in {a.code for a in w.trip.alarms}
    w.run(2.0)
    assert "unscheduled_halt" in {a.code for a in w.trip.alarms}


def test_H36_a_test_with_people_aboard_does_not_hide_a_lost_airflow() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.must("suspend_boarding")
    w.forced["airflow"] = False
    w.must("start_tests")
    w.run(9.0)
    assert "airflow_lost" in {a.code for a in w.trip.alarms}


def test_a_departure_without_a_fix_is_told_without_a_place() -> None:
    w = World()
    w.to_secured()
    w.has_gnss = False
    w.run(20.0)
    w.must("depart")
    assert [n.record.position for n in w.trip.notices] == [None] * 3


def test_an_arrival_says_where_it_was() -> None:
    w = World()
    w.to_under_way()
    w.park()
    w.latitude_deg = 51.1
    w.run(0.1)
    w.must("arrive")
    kinds = {n.record.kind: n.record.position for n in w.trip.notices}
    assert kinds["departure"] == {"latitude_deg": 43.25, "longitude_deg": 76.9}
    assert kinds["arrival"] == {"latitude_deg": 51.1, "longitude_deg": 76.9}


def test_a_receipt_for_a_notice_that_is_not_known_here_is_refused_by_its_number() -> None:
    w = World()
    w.to_under_way()
    (answer,) = w.scan(Receipt("none", "received", "A", "B", "2026-11-22T08:10:00Z", "00", "astana-mp"))
    assert [(r.code, r.item) for r in answer.refusals] == [("unknown_item", "none")]


def test_a_receipt_that_is_no_receipt_moves_nothing() -> None:
    w = World()
    w.to_under_way()
    notice = w.trip.notices[0]
    receipt = Receipt(notice.id, "recorded", "A", "B", "2026-11-22T08:10:00Z", "00", "astana-mp")
    for stage in ("recorded", "at_broker", "told_by_radio"):
        assert w.scan(replace(receipt, stage=stage))[0].events == ()
    assert w.trip.notices[0].stage == "recorded"


def test_H16_a_notice_that_lies_in_an_empty_room_is_overdue() -> None:
    w = World(replace(SETTINGS, confirm_within_s=5.0))
    w.to_secured()
    w.must("depart")
    receipt = Receipt("", "received", "A", "B", "2026-11-22T08:10:00Z", "00", "")
    for notice in w.trip.notices:
        w.scan(replace(receipt, notice=notice.id, unit=notice.record.recipient))
    w.run(4.9)
    assert not any(n["overdue"] for n in w.snapshot()["notices"])
    w.run(0.2)
    overdue = [n["recipient"] for n in w.snapshot()["notices"] if n["overdue"]]
    assert overdue == ["astana-mp", "karaganda-mp"], "the sending unit only has to have its own"
