"""Who is owed a notice of departure or arrival, and what they have confirmed (Rule 19).

A notice is an event per recipient; the sending unit, whose chief the Rule obliges, gets its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from . import rules
from .events import NoticeRecorded, NoticeStage
from .inputs import Now, Receipt
from .interlock import checklist
from .settings import Settings
from .state import Live, Notice, Row, Trip

RANK = {
    stage: rank for rank, stage in enumerate(("recorded", "at_broker", "told_by_radio", "received", "acknowledged"))
}
GOOD_SOURCES = ("gnss", "ntp")
CORRECT_FROM_S = 1.0  # a departure known to a second needs no correction


def recipients(trip: Trip, settings: Settings) -> tuple[str, ...]:
    """The destination's unit, every intermediate unit and the sending unit, each once."""
    assert trip.plan is not None
    ordered = (trip.plan.destination, *trip.plan.intermediate, settings.origin)
    return tuple(dict.fromkeys(unit for unit in ordered if unit is not None))


def departure_checks(trip: Trip, live: Live, settings: Settings) -> dict[str, object]:
    """What the notice says of the checks that stood behind the departure."""
    stages = (rules.BEFORE_BOARDING, rules.BEFORE_DEPARTURE)
    rows = {i.item: trip.rows.get(i.item, Row()) for i in checklist(trip, settings) if i.stage in stages}
    fallbacks = sorted(name for name, row in rows.items() if row.status == "manual_fallback")
    is_proven = all(_was_proven(row, trip) for row in rows.values())
    required = {*rules.SENSED_EQUIPMENT, *settings.cell_locks(), "body_door"} - {*fallbacks}
    return {"all_passed": is_proven and all(live.is_working(name) for name in required), "fallbacks": fallbacks}


def _was_proven(row: Row, trip: Trip) -> bool:
    """Good now, or good when boarding was opened and lost since to nothing but a restart or its age."""
    return row.is_good or (trip.opening > 0 and row.status == "expired" and row.reason in ("restart", "too_old"))


def owed(
    trip: Trip,
    kind: str,
    now: Now,
    settings: Settings,
    *,
    at_utc: datetime,
    where: Mapping[str, float] | None,
) -> list[NoticeRecorded]:
    """The notices of one kind for every recipient, with where it happened.

    For a correction `at_utc` is the better time of departure.
    """
    assert trip.departure is not None
    assert trip.plan is not None
    left, is_correction = trip.departure, kind == "correction"
    departed_utc = at_utc if is_correction else left.at_utc
    found = []
    for unit in recipients(trip, settings):
        corrects = _departure_id(trip, unit) if is_correction else None
        found.append(
            NoticeRecorded(
                notice=now.new_id(),
                kind=kind,
                recipient=unit,
                recipient_sequence=max(trip.sequences.get(unit, 0), trip.sequence_floor) + 1,
                departed_at=wire_time(departed_utc),
                arrived_at=wire_time(at_utc) if kind == "arrival" else None,
                time_source=now.source,  # a departure's notices are made in its own scan
                time_uncertainty_s=now.uncertainty_s,
                secured=left.is_secured,
                origin=settings.origin,
                destination=trip.plan.destination,
                destination_place=trip.plan.destination_place,
                intermediate=trip.plan.intermediate,
                vehicle=settings.vehicle,
                checks=dict(left.checks),
                position=None if where is None else dict(where),
                test=settings.is_test,
                corrects=corrects,
            )
        )
    return found


def _departure_id(trip: Trip, unit: str) -> str | None:
    mine = (n for n in trip.notices if n.trip == trip.id and n.record.recipient == unit)
    return next((n.id for n in mine if n.record.kind == "departure"), None)


def better_departure(trip: Trip, now: Now) -> datetime | None:
    """The time of departure by a clock that has become good since, or None. Durations are monotonic, so they hold."""
    left = trip.departure
    if left is None or trip.corrected or left.boot_id != now.boot_id or left.source in GOOD_SOURCES:
        return None
    if now.source not in GOOD_SOURCES or now.uncertainty_s is None or now.uncertainty_s > CORRECT_FROM_S:
        return None
    return now.utc - timedelta(seconds=now.mono_s - left.at_s)


def find(trip: Trip, notice: str) -> Notice | None:
    return next((n for n in trip.notices if n.id == notice), None)


def receipt_stage(notice: Notice, receipt: Receipt) -> NoticeStage | None:
    """What a unit's own receipt adds; None when it adds nothing, or comes from somebody else."""
    if receipt.unit != notice.record.recipient or receipt.stage not in ("received", "acknowledged"):
        return None
    if RANK[receipt.stage] <= RANK[notice.reached]:
        return None
    return NoticeStage(notice.id, receipt.stage, receipt.by, receipt.post, receipt.at, receipt.sha256)


def is_overdue(notice: Notice, now: Now, settings: Settings) -> bool:
    """Nobody there has confirmed in time: tell them by radio. The sending unit only has to have received its own."""
    enough = "received" if notice.record.recipient == settings.origin else "acknowledged"
    if notice.told_by is not None or RANK[notice.reached] >= RANK[enough]:
        return False
    if notice.boot_id == now.boot_id:
        return now.mono_s - notice.recorded_s > settings.confirm_within_s
    return (now.utc - notice.recorded_utc).total_seconds() > settings.confirm_within_s


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
