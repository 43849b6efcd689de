"""The only way a trip changes: `evolve(trip, envelope)` folds one journal row. A restart is this fold over the rows.

It never refuses: what happened, happened. Whether it may happen is decided in `decide` and `commands`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from . import events as ev
from . import rules
from .alarm_table import DEFINITIONS
from .notices import RANK
from .state import EMPTY, Alarm, Departure, Halt, Notice, Report, Row, Shelf, Trip

# Events that do not move `rev`, which follows phase, trip, checklist, driver and counts.
_SILENT = frozenset(
    {
        ev.EquipmentChanged,
        ev.AlarmRaised,
        ev.AlarmReturned,
        ev.AlarmAcknowledged,
        ev.AlarmShelved,
        ev.AlarmUnshelved,
        ev.WelfareChecked,
        ev.NoticeRecorded,
        ev.NoticeFirstSent,
        ev.NoticeStage,
        ev.SessionOpened,
        ev.PinWrong,
        ev.PinLocked,
        ev.ClockChanged,
        ev.JournalRestarted,
    }
)
_BEFORE_DEPARTURE = tuple(
    i.item for i in rules.checklist((), women_on_board=False) if i.stage == rules.BEFORE_DEPARTURE
)


def evolve(trip: Trip, envelope: ev.Envelope) -> Trip:
    """The trip after one more event."""
    kind = type(envelope.event)
    order = trip.order + 1
    trip = replace(trip, order=order, view=trip.view if kind in _SILENT else order)
    fold = _FOLDS.get(kind)
    return trip if fold is None else fold(trip, envelope, envelope.event)


def _started(trip: Trip, at: ev.Envelope, event: ev.Started) -> Trip:
    """A restart: no permit, no report, and only the proofs that nobody could give again with people aboard."""
    rows = dict(trip.rows)
    for item, row in trip.rows.items():
        if not _is_proof(item):
            continue
        if row.status == "running":
            rows[item] = _row(trip, row, at, "pending")
        elif row.is_good and not (event.same_boot and is_kept_with_people(trip, item)):
            rows[item] = _row(trip, row, at, "expired", reason="restart")
    return replace(trip, rows=rows, report=None, is_open=False, fallback=None, boot_id=at.boot_id)


def _is_proof(item: str) -> bool:
    return item in rules.SENSED_EQUIPMENT or item.startswith("cell_lock_")


def is_kept_with_people(trip: Trip, item: str) -> bool:
    """Proofs that outlive a restart and age: nobody is let out, no light or fan interrupted, to give them again."""
    if trip.aboard <= 0:
        return False
    if item in ("lighting", "ventilation"):
        return True
    return item.startswith("cell_lock_") and trip.seated.get(int(item.removeprefix("cell_lock_")), 0) > 0


def _trip_opened(trip: Trip, at: ev.Envelope, event: ev.TripOpened) -> Trip:
    """A new trip keeps of the last one what nobody has seen yet: notices without an acknowledgement, and alarms."""
    return Trip(
        order=trip.order,
        view=trip.view,
        id=at.trip,
        phase="checking",
        plan=event,
        notices=tuple(n for n in trip.notices if n.stage != "acknowledged"),
        sequences=trip.sequences,
        sequence_floor=trip.sequence_floor,
        alarms=trip.alarms,
        commissioned=trip.commissioned,
        boot_id=at.boot_id,
    )


def _journal_restarted(trip: Trip, _: ev.Envelope, event: ev.JournalRestarted) -> Trip:
    return replace(trip, sequence_floor=event.sequence_floor)


def _tests_started(trip: Trip, at: ev.Envelope, _: ev.TestsStarted) -> Trip:
    return replace(trip, tests=trip.order)


def _row(trip: Trip, row: Row, at: ev.Envelope, status: str, reason: str | None = None, **kept: Any) -> Row:
    is_same = status == row.status
    return Row(
        status=status,
        order=row.order if is_same else trip.order,
        at_s=at.at_s,
        since_utc=row.since_utc if is_same else at.at_utc,
        reason=reason,
        evidence=kept.get("evidence", EMPTY),
        parts=kept.get("parts", frozenset()),
    )


def _with_row(trip: Trip, item: str, row: Row) -> Trip:
    return replace(trip, rows={**trip.rows, item: row})


def _row_changed(trip: Trip, at: ev.Envelope, event: ev.RowChanged) -> Trip:
    old = trip.rows.get(event.item, Row())
    parts = old.parts if event.status == "passed" else frozenset()
    row = _row(trip, old, at, event.status, event.reason, evidence=event.evidence, parts=parts)
    trip = _with_row(trip, event.item, row)
    return replace(trip, fallback=None) if event.status == "manual_fallback" else trip


def _part_confirmed(trip: Trip, at: ev.Envelope, event: ev.PartConfirmed) -> Trip:
    old = trip.rows.get(event.item, Row())
    return _with_row(trip, event.item, replace(old, parts=old.parts | {event.part}))


def _fallback_requested(trip: Trip, at: ev.Envelope, event: ev.FallbackRequested) -> Trip:
    return replace(trip, fallback=(event.item, at.at_s, at.boot_id))


def _driver_reported(trip: Trip, at: ev.Envelope, _: ev.DriverReported) -> Trip:
    return replace(trip, report=Report(trip.order, at.at_s, at.at_utc))


def _driver_report_dropped(trip: Trip, at: ev.Envelope, _: ev.DriverReportDropped) -> Trip:
    return replace(trip, report=None)


def _boarding_opened(trip: Trip, at: ev.Envelope, _: ev.BoardingOpened) -> Trip:
    rows = {item: row for item, row in trip.rows.items() if item not in _BEFORE_DEPARTURE}
    return replace(trip, phase="boarding", is_open=True, opening=trip.order, rows=rows)


def _boarding_closed(trip: Trip, at: ev.Envelope, _: ev.BoardingClosed) -> Trip:
    return replace(trip, is_open=False)


def _add(counts: Mapping[int, int], cell: int, n: int) -> dict[int, int]:
    return {**counts, cell: counts.get(cell, 0) + n}


def _person_boarded(trip: Trip, at: ev.Envelope, event: ev.PersonBoarded) -> Trip:
    seated = _add(trip.seated, event.cell, 1)
    return replace(
        trip,
        commander=trip.commander + 1,
        seated=seated,
        used=trip.used | {event.cell},
        checked=_checked_from_the_first_on(trip, at),
    )


def _checked_from_the_first_on(trip: Trip, at: ev.Envelope) -> tuple[float, str] | None:
    """The welfare timer runs from the moment when the first person is aboard."""
    return trip.checked if trip.aboard > 0 else (at.at_s, at.boot_id)


def _person_unboarded(trip: Trip, at: ev.Envelope, event: ev.PersonUnboarded) -> Trip:
    commander = trip.commander - 1
    body = trip.body - (trip.body > commander)  # he whom both had counted leaves both counts
    return replace(trip, commander=commander, body=body, seated=_add(trip.seated, event.cell, -1))


def _body_counted(trip: Trip, at: ev.Envelope, event: ev.BodyCounted) -> Trip:
    return replace(trip, body=trip.body + event.delta, checked=_checked_from_the_first_on(trip, at))


def _boarding_finished(trip: Trip, at: ev.Envelope, _: ev.BoardingFinished) -> Trip:
    return replace(trip, phase="securing", is_open=False)


def _trip_secured(trip: Trip, at: ev.Envelope, _: ev.TripSecured) -> Trip:
    return replace(trip, phase="secured", report=None)  # used up: nobody boards after this


def _departed(trip: Trip, at: ev.Envelope, event: ev.Departed) -> Trip:
    left = Departure(
        at.at_s, at.at_utc, at.source, at.uncertainty_s, at.boot_id, event.secured, event.checks, event.position
    )
    return replace(trip, phase="under_way", is_open=False, report=None, departure=left)


def _halt_logged(trip: Trip, at: ev.Envelope, event: ev.HaltLogged) -> Trip:
    return replace(trip, halt=Halt(event.reason, at.at_utc))


def _halt_out(trip: Trip, at: ev.Envelope, event: ev.HaltOut) -> Trip:
    assert trip.halt is not None
    return replace(trip, halt=replace(trip.halt, out=_add(trip.halt.out, event.cell, 1)))


def _halt_in(trip: Trip, at: ev.Envelope, event: ev.HaltIn) -> Trip:
    assert trip.halt is not None
    return replace(trip, halt=replace(trip.halt, out=_add(trip.halt.out, event.cell, -1)))


def _halt_ended(trip: Trip, at: ev.Envelope, _: ev.HaltEnded) -> Trip:
    return replace(trip, halt=None)


def _arrived(trip: Trip, at: ev.Envelope, _: ev.Arrived) -> Trip:
    return replace(trip, phase="arrived", halt=None)


def _unloading_opened(trip: Trip, at: ev.Envelope, _: ev.UnloadingOpened) -> Trip:
    return replace(trip, phase="unloading")


def _person_unloaded(trip: Trip, at: ev.Envelope, event: ev.PersonUnloaded) -> Trip:
    return replace(trip, unloaded=trip.unloaded + 1, seated=_add(trip.seated, event.cell, -1))


def _closed(trip: Trip, at: ev.Envelope, _: ev.Event) -> Trip:
    return replace(trip, phase="closed", is_open=False, report=None, fallback=None, halt=None)


def _commissioned(trip: Trip, at: ev.Envelope, event: ev.Commissioned) -> Trip:
    return replace(trip, commissioned=event.wiring_sha256)


def _notice_recorded(trip: Trip, at: ev.Envelope, event: ev.NoticeRecorded) -> Trip:
    notice = Notice(event, at.trip, at.at_utc, at.at_s, at.boot_id)
    sequences = {**trip.sequences, event.recipient: event.recipient_sequence}
    corrected = trip.corrected or (event.kind == "correction" and at.trip == trip.id)
    return replace(trip, notices=(*trip.notices, notice), sequences=sequences, corrected=corrected)


def _with_notice(trip: Trip, notice: str, change: Callable[[Notice], Notice]) -> Trip:
    for place in reversed(range(len(trip.notices))):  # mostly it is one of the newest
        if trip.notices[place].id == notice:
            changed = change(trip.notices[place])
            return replace(trip, notices=(*trip.notices[:place], changed, *trip.notices[place + 1 :]))
    return trip


def _notice_first_sent(trip: Trip, at: ev.Envelope, event: ev.NoticeFirstSent) -> Trip:
    return _with_notice(trip, event.notice, lambda n: replace(n, late_by_s=event.late_by_s))


def _notice_stage(trip: Trip, at: ev.Envelope, event: ev.NoticeStage) -> Trip:
    def change(notice: Notice) -> Notice:
        if event.stage == "told_by_radio":
            notice = replace(notice, told_by=event.by or "commander")
            is_news = notice.stage != "acknowledged"  # a call after the unit's receipt is news, and no step back
        else:
            is_news = RANK[event.stage] > RANK[notice.reached]
            notice = replace(notice, is_received=notice.is_received or RANK[event.stage] >= RANK["received"])
        if not is_news:
            return notice
        return replace(notice, stage=event.stage, at=event.at, by=event.by, post=event.post)

    return _with_notice(trip, event.notice, change)


def _alarm_raised(trip: Trip, at: ev.Envelope, event: ev.AlarmRaised) -> Trip:
    if event.code not in DEFINITIONS:
        return trip  # told by another version, under a name that this one does not have: the journal alone keeps it
    others = tuple(a for a in trip.alarms if a.id != event.alarm)
    return replace(trip, alarms=(*others, Alarm(event.alarm, event.code, event.priority, event.item, at.at_utc)))


def _alarm_returned(trip: Trip, at: ev.Envelope, event: ev.AlarmReturned) -> Trip:
    kept = (a for a in trip.alarms if not (a.id == event.alarm and a.is_acknowledged))
    gone = (replace(a, is_active=False, shelf=None) if a.id == event.alarm else a for a in kept)
    return replace(trip, alarms=tuple(gone))


def _alarm_acknowledged(trip: Trip, at: ev.Envelope, event: ev.AlarmAcknowledged) -> Trip:
    kept = (a for a in trip.alarms if not (a.id == event.alarm and not a.is_active))
    seen = (replace(a, is_acknowledged=True, acknowledged_by=event.by) if a.id == event.alarm else a for a in kept)
    return replace(trip, alarms=tuple(seen))


def _alarm_shelved(trip: Trip, at: ev.Envelope, event: ev.AlarmShelved) -> Trip:
    until_utc = at.at_utc + timedelta(seconds=event.for_s)
    shelf = Shelf(at.at_s + event.for_s, until_utc, at.boot_id, event.reason, event.by)
    return replace(trip, alarms=tuple(replace(a, shelf=shelf) if a.id == event.alarm else a for a in trip.alarms))


def _alarm_unshelved(trip: Trip, at: ev.Envelope, event: ev.AlarmUnshelved) -> Trip:
    """It is there again as if it had just been raised: somebody has to see it once more."""
    back = (
        replace(a, shelf=None, is_acknowledged=False, acknowledged_by=None) if a.id == event.alarm else a
        for a in trip.alarms
    )
    return replace(trip, alarms=tuple(back))


def _welfare_checked(trip: Trip, at: ev.Envelope, _: ev.WelfareChecked) -> Trip:
    return replace(trip, checked=(at.at_s, at.boot_id))


_FOLDS: dict[type[ev.Event], Callable[[Trip, ev.Envelope, Any], Trip]] = {
    ev.Started: _started,
    ev.TripOpened: _trip_opened,
    ev.JournalRestarted: _journal_restarted,
    ev.TestsStarted: _tests_started,
    ev.RowChanged: _row_changed,
    ev.PartConfirmed: _part_confirmed,
    ev.FallbackRequested: _fallback_requested,
    ev.DriverReported: _driver_reported,
    ev.DriverReportDropped: _driver_report_dropped,
    ev.BoardingOpened: _boarding_opened,
    ev.BoardingClosed: _boarding_closed,
    ev.PersonBoarded: _person_boarded,
    ev.PersonUnboarded: _person_unboarded,
    ev.BodyCounted: _body_counted,
    ev.BoardingFinished: _boarding_finished,
    ev.TripSecured: _trip_secured,
    ev.Departed: _departed,
    ev.HaltLogged: _halt_logged,
    ev.HaltOut: _halt_out,
    ev.HaltIn: _halt_in,
    ev.HaltEnded: _halt_ended,
    ev.Arrived: _arrived,
    ev.UnloadingOpened: _unloading_opened,
    ev.PersonUnloaded: _person_unloaded,
    ev.TripClosed: _closed,
    ev.TripCancelled: _closed,
    ev.Commissioned: _commissioned,
    ev.NoticeRecorded: _notice_recorded,
    ev.NoticeFirstSent: _notice_first_sent,
    ev.NoticeStage: _notice_stage,
    ev.AlarmRaised: _alarm_raised,
    ev.AlarmReturned: _alarm_returned,
    ev.AlarmAcknowledged: _alarm_acknowledged,
    ev.AlarmShelved: _alarm_shelved,
    ev.AlarmUnshelved: _alarm_unshelved,
    ev.WelfareChecked: _welfare_checked,
}
