"""One trip out of the journal: its plan, its people by cell, its times, its checks and its notices (Rules 13 to 19).

Nothing is stored for it: the report is a fold over the rows, as the trip itself is, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from vehicle_agent.control.chain import COLUMNS, to_row
from vehicle_agent.control.past import Past, Values
from vehicle_agent.control.replay import to_envelope
from vehicle_agent.core import events as ev
from vehicle_agent.core import notices
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.state import Notice, Trip
from vehicle_agent.core.state import Row as ItemRow

TRIP, TYPE = COLUMNS.index("trip"), COLUMNS.index("type")
# The moments that a report names, by the type of their row.
MOMENTS = (
    "trip_opened",
    "driver_reported",
    "boarding_opened",
    "boarding_closed",
    "boarding_finished",
    "trip_secured",
    "departed",
    "halt_logged",
    "halt_ended",
    "arrived",
    "unloading_opened",
    "trip_closed",
    "trip_cancelled",
)
UNSECURED = "unsecured"  # the reason of a departure before the securing check was done


class NoTripError(Exception):
    """There is no such trip in the journal, or none at all. The text says which there are."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `type` is the row's; `uncertainty_s` is None when nobody can tell how wrong `at` is."""

    type: str
    at: datetime
    uncertainty_s: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known of one trip. `cells` is the cell of each person, in the order of boarding."""

    trip: str
    plan: ev.TripOpened
    cells: tuple[int, ...] = ()
    is_order_certain: bool = True  # False: somebody was taken out of a cell where others stayed
    moments: tuple[Moment, ...] = ()
    boarding: Mapping[str, ItemRow] = field(default_factory=dict)  # the rows as boarding was last opened
    departing: Mapping[str, ItemRow] = field(default_factory=dict)  # the rows as the vehicle left
    closing: Mapping[str, ItemRow] = field(default_factory=dict)  # the rows at the end, or now
    notices: tuple[Notice, ...] = ()
    alarms: tuple[tuple[datetime, ev.AlarmRaised], ...] = ()
    commander: int = 0
    body: int = 0
    unloaded: int = 0
    phase: str = "no_trip"
    problem: str | None = None  # why the rows after some point are not in it


def compose(stored: Iterable[Values], trip_id: str | None = None) -> Report:
    """The report of a trip, the newest when none is named; `stored` are the journal's rows, in order.

    Rows that cannot be read end it: what was told before them is reported, with the `problem`. Raises NoTripError.
    """
    rows, known, problem = _concerned(stored, trip_id)
    trip, report = Trip(), None
    try:
        for values in rows:
            envelope = to_envelope(to_row(values))
            trip = evolve(trip, envelope)
            event = envelope.event
            if isinstance(event, ev.TripOpened) and envelope.trip is not None:
                report = Report(envelope.trip, event)
            if report is not None:
                report = _told(report, envelope, trip)
    except Exception as error:  # noqa: BLE001  a journal that is not whole may say anything
        problem = problem or f"{type(error).__name__}: {error}"
    if report is None or trip_id not in (None, report.trip):
        there = f"There are: {', '.join(known)}" if known else "A trip begins when the commander opens it"
        raise NoTripError(f"there is no trip {trip_id or ''} in this journal. {there}. {problem or ''}".strip())
    return replace(report, problem=problem)


def _concerned(stored: Iterable[Values], trip_id: str | None) -> tuple[list[Values], list[str], str | None]:
    """The rows to fold for one trip, the trips there are, and why reading ended early."""
    past, late, known, is_over = Past(), list[Values](), list[str](), False
    try:
        for values in stored:
            if values[TYPE] == "trip_opened":
                is_over = is_over or (trip_id is not None and trip_id in known)
                known.append(str(values[TRIP]))
            if not is_over:
                past.add(values)
            elif str(values[TYPE]).startswith("notice_"):
                late.append(values)  # a unit may confirm when the next trip has long begun
    except Exception as error:  # noqa: BLE001  as above
        return [*past.rows(), *late], known, f"{type(error).__name__}: {error}"
    return [*past.rows(), *late], known, None


def _told(report: Report, envelope: ev.Envelope, trip: Trip) -> Report:
    """The report after one more row; `trip` is what that row made of it."""
    event = envelope.event
    if isinstance(event, ev.NoticeRecorded | ev.NoticeFirstSent | ev.NoticeStage):
        notice = notices.find(trip, event.notice)
        return report if notice is None or notice.trip != report.trip else _with_notice(report, notice)
    if envelope.trip != report.trip or report.phase == "closed":
        return report  # of what comes after its end only the units' answers belong to it
    report = replace(
        report,
        is_order_certain=report.is_order_certain and not _is_ambiguous(report.cells, event),
        cells=_seated(report.cells, event),
        commander=trip.commander,
        body=trip.body,
        unloaded=trip.unloaded,
        phase=trip.phase,
        closing=trip.rows,
    )
    if event.type in MOMENTS:
        is_unsecured = isinstance(event, ev.Departed) and not event.secured
        reason = UNSECURED if is_unsecured else getattr(event, "reason", None)
        moment = Moment(event.type, envelope.at_utc, envelope.uncertainty_s, reason)
        report = replace(report, moments=(*report.moments, moment))
    if isinstance(event, ev.BoardingOpened):
        report = replace(report, boarding=trip.rows)
    if isinstance(event, ev.Departed):
        report = replace(report, departing=trip.rows)
    if isinstance(event, ev.AlarmRaised):
        report = replace(report, alarms=(*report.alarms, (envelope.at_utc, event)))
    return report


def _seated(cells: tuple[int, ...], event: ev.Event) -> tuple[int, ...]:
    """Who is taken back was the last that went into that cell, as far as anybody has said."""
    if isinstance(event, ev.PersonBoarded):
        return (*cells, event.cell)
    if isinstance(event, ev.PersonUnboarded) and event.cell in cells:
        last = len(cells) - 1 - cells[::-1].index(event.cell)
        return cells[:last] + cells[last + 1 :]
    return cells


def _is_ambiguous(cells: tuple[int, ...], event: ev.Event) -> bool:
    """Whether it matters which one of a cell was taken back: others have boarded between them."""
    if not isinstance(event, ev.PersonUnboarded) or cells.count(event.cell) < 2:
        return False
    return any(cell != event.cell for cell in cells[cells.index(event.cell) :])


def _with_notice(report: Report, notice: Notice) -> Report:
    kept = {known.id: known for known in report.notices}
    return replace(report, notices=tuple({**kept, notice.id: notice}.values()))
