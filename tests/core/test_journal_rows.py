"""What each row of the journal does to the trip, and nothing else; and what a restart and a new trip keep."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.core.world import START
from vehicle_agent.core import events as ev
from vehicle_agent.core.evolve import evolve, is_kept_with_people
from vehicle_agent.core.state import Alarm, Departure, Halt, Level, Live, Notice, Report, Row, Shelf, Status, Trip

LATER = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
OPENED = ev.TripOpened(
    "medical", False, False, False, "17", "2026-12-01", None, "astana-mp", None, (), None, ({"cell": 1, "planned": 1},)
)
RECORD = ev.NoticeRecorded(
    *("n-1", "departure", "astana-mp", 4, "2026-11-22T08:00:00Z", None, "gnss", 0.2, True, "almaty-mp"),
    *("astana-mp", None, (), "kz-mp-017", {}, None, False, None),
)
SHELF = Shelf(500.0, START, "boot-1", "known", "commander")
ALARMS = (
    Alarm("a-1", "cell_unlocked", "critical", "cell_1", START, is_acknowledged=True, acknowledged_by="x", shelf=SHELF),
    Alarm("a-2", "radio_lost", "warning", "radio", START),
    Alarm("a-3", "radio_lost", "warning", None, START, is_active=False),
)
ROWS = {
    "documents": Row("pending", 1, 10.0, START, None, {}, frozenset({"files"})),
    "radio": Row("passed", 2, 20.0, START, None, {"rssi": -84}),
    "lighting": Row("running", 3, 30.0, START),
    "at_door": Row("passed", 4, 40.0, START),
    "isolation": Row("passed", 5, 50.0, START),
}
NOTICES = (
    Notice(RECORD, "trip-1", START, 80.0, "boot-1"),
    Notice(replace(RECORD, notice="n-2"), "trip-1", START, 80.0, "boot-1", stage="acknowledged"),
)
FULL = Trip(
    order=10,
    view=7,
    id="trip-1",
    phase="boarding",
    plan=OPENED,
    rows=ROWS,
    report=Report(5, 50.0, START),
    is_open=True,
    opening=6,
    commander=2,
    body=1,
    seated={1: 1, 2: 1},
    used=frozenset({1}),
    tests=3,
    fallback=("lighting", 90.0, "boot-1"),
    halt=Halt("toilet", START, {2: 1}),
    departure=Departure(1.0, START, "gnss", 0.2, "boot-1", True, {}, None),
    notices=NOTICES,
    sequences={"astana-mp": 4},
    sequence_floor=2,
    alarms=ALARMS,
    commissioned="w",
    checked=(60.0, "boot-1"),
    boot_id="boot-1",
)
PROVEN = {"since_s": 1.5}
NEW_NOTICE = replace(RECORD, notice="n-3", kind="correction", recipient="taraz-mp", recipient_sequence=9)


def envelope(event: ev.Event, trip: str | None = "trip-1") -> ev.Envelope:
    return ev.Envelope("e-1", LATER, 200.0, "rtc", 3.5, "boot-2", trip, event)


def changed(before: Trip, event: ev.Event, trip: str | None = "trip-1") -> dict[str, Any]:
    """The fields that this event changes, and into what; its number is checked here."""
    after = evolve(before, envelope(event, trip))
    assert after.order == before.order + 1
    names = [f.name for f in fields(Trip) if f.name != "order"]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def row(item: str, new: Row) -> dict[str, Any]:
    return {"rows": ROWS | {item: new}}


def alarms(*new: Alarm) -> dict[str, Any]:
    return {"alarms": new}


def first_notice(**new: Any) -> dict[str, Any]:
    return {"notices": (replace(NOTICES[0], **new), NOTICES[1])}


SEEN: list[tuple[ev.Event, dict[str, Any]]] = [
    (ev.TestsStarted(), {"tests": 11}),
    (
        ev.RowChanged("radio", "failed", "silent", PROVEN),
        row("radio", Row("failed", 11, 200.0, LATER, "silent", PROVEN)),
    ),
    (ev.RowChanged("radio", "passed"), row("radio", Row("passed", 2, 200.0, START))),
    (ev.RowChanged("seats_fixed", "passed"), row("seats_fixed", Row("passed", 11, 200.0, LATER))),
    (
        ev.RowChanged("documents", "passed"),
        row("documents", Row("passed", 11, 200.0, LATER, parts=frozenset({"files"}))),
    ),
    (ev.RowChanged("documents", "pending"), row("documents", Row("pending", 1, 200.0, START))),
    (
        ev.RowChanged("lighting", "manual_fallback", "sensor_faulty"),
        row("lighting", Row("manual_fallback", 11, 200.0, LATER, "sensor_faulty")) | {"fallback": None},
    ),
    (
        ev.PartConfirmed("documents", "order"),
        row("documents", replace(ROWS["documents"], parts=frozenset({"files", "order"}))),
    ),
    (ev.PartConfirmed("acceptance", "fit"), row("acceptance", Row(parts=frozenset({"fit"})))),
    (ev.FallbackRequested("radio"), {"fallback": ("radio", 200.0, "boot-2")}),
    (ev.DriverReported(), {"report": Report(11, 200.0, LATER)}),
    (ev.DriverReportDropped("stop"), {"report": None}),
    (ev.BoardingOpened(), {"opening": 11, "rows": {item: ROWS[item] for item in ROWS if item != "isolation"}}),
    (ev.BoardingClosed("revoked"), {"is_open": False}),
    (ev.PersonBoarded(2), {"commander": 3, "seated": {1: 1, 2: 2}, "used": frozenset({1, 2})}),
    (ev.PersonBoarded(3), {"commander": 3, "seated": {1: 1, 2: 1, 3: 1}, "used": frozenset({1, 3})}),
    (ev.PersonUnboarded(2), {"commander": 1, "seated": {1: 1, 2: 0}}),
    (ev.BodyCounted(1), {"body": 2}),
    (ev.BodyCounted(-1), {"body": 0}),
    (ev.BoardingFinished(), {"phase": "securing", "is_open": False}),
    (ev.TripSecured(), {"phase": "secured", "report": None}),
    (
        ev.Departed(False, "motion", {"latitude_deg": 43.0}, {"all_passed": True}),
        {"phase": "under_way", "is_open": False, "report": None}
        | {
            "departure": Departure(
                200.0, LATER, "rtc", 3.5, "boot-2", False, {"all_passed": True}, {"latitude_deg": 43.0}
            )
        },
    ),
    (ev.HaltLogged("meal"), {"halt": Halt("meal", LATER)}),
    (ev.HaltOut(2), {"halt": Halt("toilet", START, {2: 2})}),
    (ev.HaltOut(1), {"halt": Halt("toilet", START, {1: 1, 2: 1})}),
    (ev.HaltIn(2), {"halt": Halt("toilet", START, {2: 0})}),
    (ev.HaltEnded(), {"halt": None}),
    (ev.Arrived(None, None), {"phase": "arrived", "halt": None}),
    (ev.UnloadingOpened(), {"phase": "unloading"}),
    (ev.PersonUnloaded(2), {"unloaded": 1, "seated": {1: 1, 2: 0}}),
    *(
        (event, {"phase": "closed", "is_open": False, "report": None, "fallback": None, "halt": None})
        for event in (ev.TripClosed(), ev.TripCancelled("order withdrawn"))
    ),
    (ev.Commissioned(("cell_1",), "w2", "x"), {"commissioned": "w2"}),
    (
        ev.Started("1", 1, same_boot=False, reason="boot"),
        {"report": None, "is_open": False, "fallback": None, "boot_id": "boot-2"}
        | row("radio", Row("expired", 11, 200.0, LATER, "restart"))
        | {
            "rows": ROWS
            | {"radio": Row("expired", 11, 200.0, LATER, "restart"), "lighting": Row("pending", 11, 200.0, LATER)}
        },
    ),
]
SILENT: list[tuple[ev.Event, dict[str, Any]]] = [
    (ev.EquipmentChanged("radio", "fault", "silent"), {}),
    *((event, {}) for event in (ev.SessionOpened("x"), ev.PinWrong(1), ev.PinLocked(60.0))),
    (ev.ClockChanged("gnss", 0.2, 1.0), {}),
    (ev.JournalRestarted("aside", None, "torn", 1004), {"sequence_floor": 1004}),
    (
        NEW_NOTICE,
        {"corrected": True, "sequences": {"astana-mp": 4, "taraz-mp": 9}}
        | {"notices": (*NOTICES, Notice(NEW_NOTICE, "trip-1", LATER, 200.0, "boot-2"))},
    ),
    (ev.NoticeFirstSent("n-1", 4.5), first_notice(late_by_s=4.5)),
    (ev.NoticeStage("n-1", "at_broker", at="t"), first_notice(stage="at_broker", at="t")),
    (
        ev.NoticeStage("n-1", "received", "Captain A", "desk", "t", "ab"),
        first_notice(stage="received", by="Captain A", post="desk", at="t", is_received=True),
    ),
    (
        ev.NoticeStage("n-2", "told_by_radio", None, "post 2", "t"),
        {"notices": (NOTICES[0], replace(NOTICES[1], told_by="commander"))},
    ),
    (ev.NoticeStage("n-2", "received", "x"), {"notices": (NOTICES[0], replace(NOTICES[1], is_received=True))}),
    (ev.NoticeStage("n-1", "recorded", "x"), {}),
    (ev.NoticeStage("of an earlier trip", "received", "x"), {}),
    (
        ev.NoticeStage("n-1", "told_by_radio", None, "post 2", "t"),
        first_notice(stage="told_by_radio", post="post 2", at="t", told_by="commander"),
    ),
    (
        ev.NoticeStage("n-1", "told_by_radio", "Sergeant B", "post 2", "t"),
        first_notice(stage="told_by_radio", by="Sergeant B", post="post 2", at="t", told_by="Sergeant B"),
    ),
    (
        ev.AlarmRaised("a-4", "cell_unlocked", "critical", "cell_2"),
        alarms(*ALARMS, Alarm("a-4", "cell_unlocked", "critical", "cell_2", LATER)),
    ),
    (
        ev.AlarmRaised("a-3", "radio_lost", "warning", None),
        alarms(*ALARMS[:2], Alarm("a-3", "radio_lost", "warning", None, LATER)),
    ),
    (ev.AlarmRaised("a-5", "told_by_an_earlier_version", "critical", "x"), {}),
    (ev.AlarmReturned("a-1"), alarms(*ALARMS[1:])),
    (ev.AlarmReturned("a-2"), alarms(ALARMS[0], replace(ALARMS[1], is_active=False), ALARMS[2])),
    (
        ev.AlarmAcknowledged("a-2", "x"),
        alarms(ALARMS[0], replace(ALARMS[1], is_acknowledged=True, acknowledged_by="x"), ALARMS[2]),
    ),
    (ev.AlarmAcknowledged("a-3", "x"), alarms(*ALARMS[:2])),
    (
        ev.AlarmShelved("a-2", "x", "known", 600.0),
        alarms(
            ALARMS[0],
            replace(ALARMS[1], shelf=Shelf(800.0, LATER + timedelta(minutes=10), "boot-2", "known", "x")),
            ALARMS[2],
        ),
    ),
    (
        ev.AlarmUnshelved("a-1"),
        alarms(replace(ALARMS[0], shelf=None, is_acknowledged=False, acknowledged_by=None), *ALARMS[1:]),
    ),
    (ev.AlarmUnshelved("a-2"), {}),
    (ev.WelfareChecked("x"), {"checked": (200.0, "boot-2")}),
]


def _name(value: object) -> str | None:
    return value.type if isinstance(value, ev.Event) else None


@pytest.mark.parametrize(("event", "expected"), SEEN, ids=_name)
def test_a_row_of_the_journal_changes_what_it_is_about_and_the_view(event: ev.Event, expected: dict[str, Any]) -> None:
    assert changed(FULL, event) == expected | {"view": 11}


@pytest.mark.parametrize(("event", "expected"), SILENT, ids=_name)
def test_what_nobody_decides_on_moves_no_view(event: ev.Event, expected: dict[str, Any]) -> None:
    assert changed(FULL, event) == expected


def test_the_two_tables_name_every_event_but_the_opening() -> None:
    assert {type(event) for event, _ in (*SEEN, *SILENT)} == {*ev.BY_TYPE.values()} - {ev.TripOpened}


def test_a_row_that_was_written_is_read_as_the_event_that_it_was() -> None:
    revoked = ev.BoardingClosed("revoked", ({"code": "lock_open", "rule": "17", "item": "cell_lock_1"},))
    for event in (OPENED, revoked, *(event for event, _ in (*SEEN, *SILENT))):
        written = ev.to_data(event)
        read = json.loads(json.dumps(written))
        assert read == written, event.type
        assert ev.from_data(event.type, read) == event


def test_a_new_trip_takes_over_what_is_owed_or_unseen_and_nothing_else() -> None:
    after = evolve(FULL, envelope(OPENED, "trip-2"))
    assert after == Trip(
        order=11,
        view=11,
        id="trip-2",
        phase="checking",
        plan=OPENED,
        notices=NOTICES[:1],
        sequences={"astana-mp": 4},
        sequence_floor=2,
        alarms=ALARMS,
        commissioned="w",
        boot_id="boot-2",
    )


def test_a_correction_for_an_earlier_trip_corrects_nothing_of_this_one() -> None:
    assert "corrected" not in changed(FULL, NEW_NOTICE, "trip-0")
    assert "corrected" not in changed(FULL, replace(NEW_NOTICE, kind="departure"))
    assert changed(replace(FULL, corrected=True), NEW_NOTICE, "trip-0").keys() == {"notices", "sequences"}


def test_the_welfare_timer_starts_with_the_first_person_whoever_counted_him() -> None:
    empty = replace(FULL, commander=0, body=0, seated={}, checked=None)
    for event in (ev.PersonBoarded(1), ev.BodyCounted(1)):
        assert changed(empty, event)["checked"] == (200.0, "boot-2")
        assert "checked" not in changed(replace(FULL, commander=1, body=0), event)


@pytest.mark.parametrize(("commander", "body", "left"), [(2, 2, 1), (2, 1, 1), (2, 0, 0), (1, 3, 2), (1, 1, 0)])
def test_who_leaves_before_the_departure_leaves_the_body_count_if_it_has_him(
    commander: int, body: int, left: int
) -> None:
    after = evolve(replace(FULL, commander=commander, body=body), envelope(ev.PersonUnboarded(1)))
    assert (after.commander, after.body) == (commander - 1, left)


@pytest.mark.parametrize(
    ("item", "same_boot", "seated", "kept"),
    [
        ("lighting", True, {1: 1}, True),
        ("ventilation", True, {1: 1}, True),
        ("cell_lock_1", True, {1: 1}, True),
        ("cell_lock_2", True, {1: 1}, False),
        ("cell_lock_1", True, {1: 0, 2: 1}, False),
        ("radio", True, {1: 1}, False),
        ("lighting", True, {}, False),
        ("lighting", False, {1: 1}, False),
        ("cell_lock_1", False, {1: 1}, False),
    ],
)
def test_H07_a_restart_keeps_the_proofs_that_would_need_people_let_out(
    item: str, same_boot: bool, seated: dict[int, int], kept: bool
) -> None:
    aboard = sum(seated.values())
    proven = Row("passed", 2, 20.0, START, None, PROVEN)
    trip = replace(FULL, commander=aboard, body=0, seated=seated, rows={item: proven, "seats_fixed": proven})
    after = evolve(trip, envelope(ev.Started("1", 1, same_boot, "test")))
    assert after.rows[item] == (proven if kept else Row("expired", 11, 200.0, LATER, "restart"))
    assert after.rows["seats_fixed"] is proven, "a person's word needs no sensor"
    assert is_kept_with_people(trip, item) is (kept or (not same_boot and bool(aboard)))


@pytest.mark.parametrize(
    ("status", "good"),
    [
        *((bad, False) for bad in ("pending", "running", "failed", "expired")),
        *((good, True) for good in ("passed", "manual_fallback")),
    ],
)
def test_a_row_is_good_when_it_passed_or_somebody_answers_for_it(status: str, good: bool) -> None:
    assert Row(status).is_good is good


@pytest.mark.parametrize(
    ("stage", "is_received", "reached"),
    [
        ("recorded", False, "recorded"),
        ("at_broker", False, "at_broker"),
        ("told_by_radio", False, "told_by_radio"),
        ("told_by_radio", True, "received"),
        ("received", True, "received"),
        ("acknowledged", True, "acknowledged"),
    ],
)
def test_H16_a_call_by_radio_does_not_undo_what_the_unit_has(stage: str, is_received: bool, reached: str) -> None:
    notice = replace(NOTICES[0], stage=stage, is_received=is_received)
    assert (notice.reached, notice.id) == (reached, "n-1")


@pytest.mark.parametrize(
    ("phase", "commander", "body", "unloaded", "aboard"),
    [
        ("boarding", 2, 1, 0, 2),
        ("boarding", 1, 3, 0, 3),
        ("arrived", 1, 3, 0, 3),
        ("unloading", 2, 3, 0, 2),
        ("unloading", 3, 2, 1, 2),
        ("closed", 2, 3, 2, 0),
    ],
)
def test_H40_nobody_is_forgotten_because_one_of_two_forgot_him(
    phase: str, commander: int, body: int, unloaded: int, aboard: int
) -> None:
    assert Trip(phase=phase, commander=commander, body=body, unloaded=unloaded).aboard == aboard


@pytest.mark.parametrize(
    ("is_active", "is_acknowledged", "state"),
    [(True, False, "unacknowledged"), (True, True, "acknowledged"), (False, False, "returned")],
)
def test_an_alarm_says_whether_it_is_there_and_seen(is_active: bool, is_acknowledged: bool, state: str) -> None:
    assert replace(ALARMS[1], is_active=is_active, is_acknowledged=is_acknowledged).state == state


def test_H01_what_was_never_read_is_neither_working_nor_locked_nor_known() -> None:
    live = Live()
    assert (live.is_read, live.is_working("radio"), live.level("cell_1")) == (False, False, None)
    assert not live.is_locked("cell_1", "cell_lock_1")
    assert Live(at_s=5.0).is_read


@pytest.mark.parametrize("level", ["locked", "bolt_open", None])
@pytest.mark.parametrize("status", ["working", "fault", "unknown"])
def test_H01_a_lock_is_locked_when_its_loop_says_so_and_works(level: str | None, status: str) -> None:
    live = Live(levels={"cell_1": Level(level)}, equipment={"cell_lock_1": Status(status)})
    assert live.level("cell_1") == level
    assert live.is_locked("cell_1", "cell_lock_1") is (level == "locked" and status == "working")
