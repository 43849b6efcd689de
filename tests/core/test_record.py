"""What the record says: each event's moment and trip, each notice word for word, a refusal's beginning (Rule 19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.core.world import PLAN, SETTINGS, World
from vehicle_agent.core import events as ev
from vehicle_agent.core.inputs import AtBroker, NoticeSending, Press, Receipt
from vehicle_agent.core.notices import departure_checks, wire_time
from vehicle_agent.core.state import Level, Status

WORDS = ("by", "post", "at", "sha256")


def newest(w: World) -> ev.Envelope:
    return w.envelopes[-1]


def test_each_event_carries_its_moment_its_boot_and_its_trip() -> None:
    w = World()
    w.run(3.0)
    w.must("open_trip", **PLAN)
    opened = newest(w)
    assert (opened.at_utc, opened.at_s, opened.source, opened.uncertainty_s, opened.boot_id) == (
        *(w.utc, w.mono_s, "gnss", 0.2, "boot-1"),
    )
    assert opened.trip == w.trip.id
    assert opened.id != opened.trip
    w.must("confirm", item="seats_fixed")
    assert (newest(w).trip, newest(w).at_s) == (w.trip.id, w.mono_s)
    w.must("cancel_trip", reason="x")
    first = w.trip.id
    w.must("open_trip", **PLAN)
    assert newest(w).trip == w.trip.id != first


def test_no_id_names_two_events_and_a_command_tells_the_ids_of_its_own() -> None:
    w = World()
    w.to_secured()
    answer = w.do("depart")
    made = [envelope.id for envelope in w.envelopes[-len(answer.event_ids) :]]
    assert list(answer.event_ids) == made
    assert [type(e.event) for e in w.envelopes[-4:]] == [ev.Departed, *[ev.NoticeRecorded] * 3]
    ids = [envelope.id for envelope in w.envelopes]
    assert len({*ids}) == len(ids)
    assert {n.id for n in w.trip.notices} == {*made[1:]}, "a notice's id is its row's"


def test_a_departure_tells_each_unit_everything_that_was_known_of_it() -> None:
    w = World(replace(SETTINGS, is_test=True))
    w.to_boarding(destination_place="town court")
    w.board(1)
    w.drive(0.2)
    left = w.trip.departure
    assert left is not None
    common = ev.NoticeRecorded(
        notice="",
        kind="departure",
        recipient="",
        recipient_sequence=1,
        departed_at=wire_time(left.at_utc),
        arrived_at=None,
        time_source="gnss",
        time_uncertainty_s=0.2,
        secured=False,
        origin="almaty-mp",
        destination="astana-mp",
        destination_place="town court",
        intermediate=("karaganda-mp",),
        vehicle="kz-mp-017",
        checks={"all_passed": False, "fallbacks": []},
        position={"latitude_deg": 43.25, "longitude_deg": 76.9},
        test=True,
        corrects=None,
    )
    told = [replace(n.record, notice="", recipient="") for n in w.trip.notices]
    assert told == [common] * 3
    assert {(n.trip, n.boot_id, n.recorded_utc) for n in w.trip.notices} == {(w.trip.id, "boot-1", left.at_utc)}
    w.park()
    w.latitude_deg, w.uncertainty_s, w.source = 51.1, 0.5, "ntp"
    w.run(0.1)
    w.must("arrive")
    arrived = w.trip.notices[-1].record
    assert arrived == replace(
        common,
        notice=arrived.notice,
        kind="arrival",
        recipient="almaty-mp",
        recipient_sequence=2,
        arrived_at=wire_time(w.utc),
        time_source="ntp",
        time_uncertainty_s=0.5,
        position={"latitude_deg": 51.1, "longitude_deg": 76.9},
    )


@pytest.mark.parametrize(
    ("lost", "status", "all_passed"),
    [
        ("lighting", "fault", False),
        ("cell_lock_2", "fault", False),
        ("body_door", "unknown", False),
        ("gnss", "fault", True),
    ],
)
def test_a_departure_says_whether_what_the_order_asks_for_still_works(lost: str, status: str, all_passed: bool) -> None:
    w = World()
    w.to_secured()
    w.live = replace(w.live, equipment={**w.live.equipment, lost: Status(status)})
    assert departure_checks(w.trip, w.live, w.settings) == {"all_passed": all_passed, "fallbacks": []}


def test_a_departure_names_the_sensors_that_a_person_answered_for() -> None:
    w = World()
    w.to_secured()
    rows = dict(w.trip.rows)
    for item in ("ventilation", "lighting"):
        rows[item] = replace(rows[item], status="manual_fallback")
    w.trip = replace(w.trip, rows=rows)
    w.live = replace(w.live, equipment={**w.live.equipment, "lighting": Status("fault", "dark")})
    said = departure_checks(w.trip, w.live, w.settings)
    assert said == {"all_passed": True, "fallbacks": ["lighting", "ventilation"]}


@pytest.mark.parametrize(
    ("status", "reason", "all_passed"),
    [
        ("expired", "restart", True),
        ("expired", "too_old", True),
        ("expired", "cut", False),
        ("failed", None, False),
        ("pending", None, False),
    ],
)
def test_a_proof_lost_to_a_restart_or_its_age_was_given_all_the_same(
    status: str, reason: str | None, all_passed: bool
) -> None:
    w = World()
    w.to_secured()
    rows = {**w.trip.rows, "radio": replace(w.trip.rows["radio"], status=status, reason=reason)}
    w.trip = replace(w.trip, rows=rows)
    assert departure_checks(w.trip, w.live, w.settings)["all_passed"] is all_passed
    never_opened = replace(w.trip, opening=0)
    assert departure_checks(never_opened, w.live, w.settings)["all_passed"] is False


def test_what_a_unit_says_of_a_notice_is_recorded_word_for_word() -> None:
    w = World()
    w.to_under_way()
    notice = w.trip.notices[0]
    w.scan(AtBroker(notice.id))
    assert (w.trip.notices[0].stage, w.trip.notices[0].at) == ("at_broker", wire_time(w.utc))
    assert w.scan(AtBroker(notice.id))[0].events == (), "said already"
    receipt = Receipt(notice.id, "received", "Captain A", "duty officer", "2026-11-22T08:10:00Z", "ab", "astana-mp")
    w.scan(receipt)
    event = newest(w).event
    assert [getattr(event, word) for word in WORDS] == ["Captain A", "duty officer", "2026-11-22T08:10:00Z", "ab"]
    assert w.scan(receipt)[0].events == ()
    assert w.scan(AtBroker(notice.id))[0].events == (), "the unit has it"
    w.must("told_by_radio", notice=w.trip.notices[1].id, post="post 2")
    told = w.trip.notices[1]
    assert (told.stage, told.post, told.at, told.told_by) == ("told_by_radio", "post 2", wire_time(w.utc), "commander")
    w.scan(NoticeSending(told.id, 0.0))
    assert w.trip.notices[1].late_by_s == 0.0
    assert w.scan(NoticeSending(told.id, 7.0))[0].events == ()


def test_what_is_said_of_an_earlier_trips_notice_is_recorded_under_that_trip() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.drive(0.2)
    first, notice = w.trip.id, w.trip.notices[0].id
    w.park()
    w.must("arrive")
    w.must("open_unloading")
    w.loops["cell_1"] = "both_open"
    w.must("unload_person", cell=1)
    w.run(0.1)
    w.press("body_count")
    w.must("close_trip")
    w.must("open_trip", **PLAN)
    for said in (AtBroker(notice), NoticeSending(notice, 1.0)):
        w.scan(said)
        assert newest(w).trip == first != w.trip.id


@pytest.mark.parametrize(("limit_s", "overdue"), [(60.0, False), (59.0, True)])
def test_H16_after_a_reboot_a_notices_age_is_told_by_the_clock(limit_s: float, overdue: bool) -> None:
    w = World(replace(SETTINGS, confirm_within_s=limit_s))
    w.to_secured()
    w.must("depart")
    recorded = w.trip.notices[0].recorded_utc
    w.restart(same_boot=False)
    w.utc = recorded + timedelta(seconds=60.0)
    assert {n["overdue"] for n in w.snapshot()["notices"]} == {overdue}


def test_a_refusal_keeps_the_moment_from_which_it_holds() -> None:
    w = World()
    w.to_ready()
    w.loops["cell_1"] = "cut"
    w.run(0.04)
    since = {(r["code"], r["item"]): r["since"] for r in w.snapshot()["boarding"]["refusals"]}
    assert since["equipment_fault", "cell_lock_1"] == wire_time(w.utc)
    w.run(1.0)
    w.loops["cell_2"] = "cut"
    w.run(0.04)
    later = {(r["code"], r["item"]): r["since"] for r in w.snapshot()["boarding"]["refusals"]}
    assert later["equipment_fault", "cell_lock_1"] == since["equipment_fault", "cell_lock_1"]
    assert later["equipment_fault", "cell_lock_2"] == wire_time(w.utc)


def test_H07_a_kept_proof_waits_for_the_first_reading_after_a_restart() -> None:
    w = World()
    w.to_boarding()
    w.board(1)
    w.restart()
    w.scan()
    assert (w.live.equipment["lighting"].status, w.status("lighting")) == ("unknown", "passed")
    w.run(1.0)
    assert (w.live.equipment["lighting"].status, w.status("lighting")) == ("working", "passed")
    w.restart()
    w.forced["light_sense"] = False
    w.run(0.1)
    assert w.status("lighting") == "expired", "the first reading spoke against it"


def test_H25_a_button_that_chatters_is_no_report_and_takes_one_back() -> None:
    w = World()
    w.to_ready()
    flapping = Level(False, raw=False, raw_s=w.mono_s, reversals=tuple(w.mono_s - n / 10 for n in range(7, 0, -1)))
    w.contacts["driver_ready"] = False
    w.live = replace(w.live, levels={**w.live.levels, "driver_ready": flapping})
    w.scan()
    assert [e.reason for e in w.happened(ev.DriverReportDropped)] == ["chattering"]
    answer = w.scan(Press("driver_ready", 0.5))[0]
    assert (answer.events, answer.refusals) == ((), ())
    w.live = replace(w.live, levels={**w.live.levels, "driver_ready": replace(flapping, reversals=())})
    w.press("driver_ready")
    assert w.trip.report is not None


def test_H35_a_fallback_is_of_this_boot_and_of_a_row_that_is_not_good() -> None:
    w = World(replace(SETTINGS, manual_fallback=frozenset({"ventilation"})))
    w.run(3.0)
    w.must("open_trip", **PLAN)
    w.forced["airflow"] = False
    w.must("start_tests")
    w.run(10.0)
    w.must("confirm", item="ventilation", pin_is_right=True)
    asked = w.trip.fallback
    assert asked is not None
    w.mono_s = asked[1] + 29.97
    w.trip = replace(w.trip, fallback=(asked[0], asked[1], "another boot"))
    w.press("driver_ready")
    assert w.status("ventilation") == "failed"
    w.mono_s = asked[1] + 29.97
    w.trip = replace(w.trip, fallback=asked)
    w.press("driver_ready")
    row = w.trip.rows["ventilation"]
    assert (row.status, row.reason, w.trip.fallback) == ("manual_fallback", "sensor_faulty", None)
