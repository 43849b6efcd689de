"""One trip out of the journal: its plan, its people by cell, its times, its checks and its notices (Rules 13 to 19).

Nothing is stored for it: the report is a fold over the rows, as the trip itself is, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from vehicle_agent.control.chain import Row
from vehicle_agent.control.replay import ReplayError, to_envelope
from vehicle_agent.core import events as ev
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.state import Departure, Notice, Trip
from vehicle_agent.core.state import Row as ItemRow

# The moments that a report names, by the type of their row.
MOMENTS = (
    "trip_opened",
    "driver_reported",
    "boarding_opened",
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


class NoTripError(Exception):
    """There is no such trip in the journal, or none at all. The text says which there are."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `type` is the row's; `uncertainty_s` is None when nobody can tell how wrong `at` is."""

    type: str
    at: datetime
    source: str
    uncertainty_s: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known of one trip. `cells` is the cell of each person, in the order of boarding."""

    trip: str
    plan: ev.TripOpened
    cells: tuple[int, ...] = ()
    moments: tuple[Moment, ...] = ()
    boarding: Mapping[str, ItemRow] = field(default_factory=dict)  # the rows as boarding was last opened
    departing: Mapping[str, ItemRow] = field(default_factory=dict)  # the rows as the vehicle left
    closing: Mapping[str, ItemRow] = field(default_factory=dict)  # the rows at the end, or now
    departure: Departure | None = None
    notices: tuple[Notice, ...] = ()
    alarms: tuple[tuple[datetime, ev.AlarmRaised], ...] = ()
    commander: int = 0
    body: int = 0
    unloaded: int = 0
    phase: str = "no_trip"
    row: int = 0  # the newest of its rows, by sequence


def compose(rows: Iterable[Row], trip_id: str | None = None) -> Report:
    """The report of a trip, the newest when none is named. Raises NoTripError, and ReplayError as a start does."""
    trip, reports = Trip(), dict[str, Report]()
    for row in rows:
        envelope = to_envelope(row)
        try:
            trip = evolve(trip, envelope)
        except Exception as error:
            raise ReplayError(f"row {row['seq']} of type {row['type']} cannot be folded: {error}") from error
        event = envelope.event
        if isinstance(event, ev.TripOpened) and envelope.trip is not None:
            reports[envelope.trip] = Report(envelope.trip, event)
        if envelope.trip in reports and envelope.trip == trip.id:
            reports[envelope.trip] = _told(reports[envelope.trip], envelope, trip, row["seq"])
        if isinstance(event, ev.NoticeRecorded | ev.NoticeFirstSent | ev.NoticeStage):
            # Of any trip: a unit may confirm when the next one has long begun.
            for notice in trip.notices:
                if notice.trip in reports:
                    reports[notice.trip] = _with_notice(reports[notice.trip], notice)
    if trip_id is None and reports:
        return next(reversed(reports.values()))
    if not reports:
        raise NoTripError("there is no trip in this journal yet; a trip begins when the commander opens it")
    if trip_id not in reports:
        raise NoTripError(f"there is no trip {trip_id} in this journal. There are: {', '.join(reports)}")
    return reports[trip_id]


def _told(report: Report, envelope: ev.Envelope, trip: Trip, row: int) -> Report:
    """The report after one more row of its trip; `trip` is what that row made of it."""
    event = envelope.event
    report = replace(
        report,
        row=row,
        cells=_seated(report.cells, event),
        commander=trip.commander,
        body=trip.body,
        unloaded=trip.unloaded,
        phase=trip.phase,
        closing=trip.rows,
        departure=trip.departure,
    )
    if event.type in MOMENTS:
        reason = getattr(event, "reason", None)
        moment = Moment(event.type, envelope.at_utc, envelope.source, envelope.uncertainty_s, reason)
        report = replace(report, moments=(*report.moments, moment))
    if isinstance(event, ev.BoardingOpened):
        report = replace(report, boarding=trip.rows)
    if isinstance(event, ev.Departed):
        report = replace(report, departing=trip.rows)
    if isinstance(event, ev.AlarmRaised):
        report = replace(report, alarms=(*report.alarms, (envelope.at_utc, event)))
    return report


def _seated(cells: tuple[int, ...], event: ev.Event) -> tuple[int, ...]:
    """Who is taken back was the last that went into that cell."""
    if isinstance(event, ev.PersonBoarded):
        return (*cells, event.cell)
    if isinstance(event, ev.PersonUnboarded) and event.cell in cells:
        last = len(cells) - 1 - cells[::-1].index(event.cell)
        return cells[:last] + cells[last + 1 :]
    return cells


def _with_notice(report: Report, notice: Notice) -> Report:
    kept = {known.id: known for known in report.notices}
    if kept.get(notice.id) is notice:
        return report
    return replace(report, notices=tuple({**kept, notice.id: notice}.values()))
