"""What happened: the journal's rows as types. `evolve` folds them into the trip; nothing else changes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Base of every row. `type` is the wire name."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Started(Event):
    type: ClassVar[str] = "started"
    software: str
    schema: int
    same_boot: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Commissioned(Event):
    type: ClassVar[str] = "commissioned"
    wires: tuple[str, ...]
    wiring_sha256: str
    by: str


@dataclass(frozen=True, slots=True)
class SessionOpened(Event):
    """`by` is the name or post that the commander gave with the PIN, None when he gave none."""

    type: ClassVar[str] = "session_opened"
    by: str | None = None


@dataclass(frozen=True, slots=True)
class PinWrong(Event):
    type: ClassVar[str] = "pin_wrong"
    count: int


@dataclass(frozen=True, slots=True)
class PinLocked(Event):
    type: ClassVar[str] = "pin_locked"
    lockout_s: float


@dataclass(frozen=True, slots=True)
class ClockChanged(Event):
    type: ClassVar[str] = "clock_changed"
    source: str
    uncertainty_s: float | None
    step_s: float


@dataclass(frozen=True, slots=True)
class JournalRestarted(Event):
    """The journal before this one is not whole. Numbers of notices go on above `sequence_floor`: one that was used
    already would be refused as a fork by every desk."""

    type: ClassVar[str] = "journal_restarted"
    moved_to: str
    last_hash: str | None
    reason: str
    sequence_floor: int = 0


@dataclass(frozen=True, slots=True)
class TripOpened(Event):
    """The plan as the commander entered it (Rule 12): counts per cell, never a name."""

    type: ClassVar[str] = "trip_opened"
    kind: str
    takeover: bool
    to_court: bool
    women_on_board: bool
    order_number: str
    order_valid_until: str
    request_number: str | None
    destination: str | None
    destination_place: str | None
    intermediate: tuple[str, ...]
    unloading_place: dict[str, float] | None
    cells: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class TestsStarted(Event):
    type: ClassVar[str] = "tests_started"


@dataclass(frozen=True, slots=True)
class RowChanged(Event):
    type: ClassVar[str] = "row_changed"
    item: str
    status: str
    reason: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartConfirmed(Event):
    type: ClassVar[str] = "part_confirmed"
    item: str
    part: str


@dataclass(frozen=True, slots=True)
class DriverReported(Event):
    type: ClassVar[str] = "driver_reported"


@dataclass(frozen=True, slots=True)
class DriverReportDropped(Event):
    type: ClassVar[str] = "driver_report_dropped"
    reason: str


@dataclass(frozen=True, slots=True)
class BoardingOpened(Event):
    type: ClassVar[str] = "boarding_opened"


@dataclass(frozen=True, slots=True)
class BoardingClosed(Event):
    """Boarding was suspended by a person or revoked; the phase stays."""

    type: ClassVar[str] = "boarding_closed"
    reason: str
    refusals: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class PersonBoarded(Event):
    type: ClassVar[str] = "person_boarded"
    cell: int


@dataclass(frozen=True, slots=True)
class PersonUnboarded(Event):
    type: ClassVar[str] = "person_unboarded"
    cell: int


@dataclass(frozen=True, slots=True)
class BodyCounted(Event):
    type: ClassVar[str] = "body_counted"
    delta: int


@dataclass(frozen=True, slots=True)
class BoardingFinished(Event):
    type: ClassVar[str] = "boarding_finished"


@dataclass(frozen=True, slots=True)
class TripSecured(Event):
    type: ClassVar[str] = "trip_secured"


@dataclass(frozen=True, slots=True)
class Departed(Event):
    type: ClassVar[str] = "departed"
    secured: bool
    cause: str
    position: dict[str, float] | None
    checks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HaltLogged(Event):
    type: ClassVar[str] = "halt_logged"
    reason: str


@dataclass(frozen=True, slots=True)
class HaltOut(Event):
    type: ClassVar[str] = "halt_out"
    cell: int


@dataclass(frozen=True, slots=True)
class HaltIn(Event):
    type: ClassVar[str] = "halt_in"
    cell: int


@dataclass(frozen=True, slots=True)
class HaltEnded(Event):
    type: ClassVar[str] = "halt_ended"


@dataclass(frozen=True, slots=True)
class Arrived(Event):
    type: ClassVar[str] = "arrived"
    position: dict[str, float] | None
    inside: bool | None


@dataclass(frozen=True, slots=True)
class UnloadingOpened(Event):
    type: ClassVar[str] = "unloading_opened"


@dataclass(frozen=True, slots=True)
class PersonUnloaded(Event):
    type: ClassVar[str] = "person_unloaded"
    cell: int


@dataclass(frozen=True, slots=True)
class TripClosed(Event):
    type: ClassVar[str] = "trip_closed"


@dataclass(frozen=True, slots=True)
class TripCancelled(Event):
    type: ClassVar[str] = "trip_cancelled"
    reason: str


@dataclass(frozen=True, slots=True)
class EquipmentChanged(Event):
    type: ClassVar[str] = "equipment_changed"
    equipment: str
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class FallbackRequested(Event):
    type: ClassVar[str] = "fallback_requested"
    item: str


@dataclass(frozen=True, slots=True)
class AlarmRaised(Event):
    type: ClassVar[str] = "alarm_raised"
    alarm: str
    code: str
    priority: str
    item: str | None


@dataclass(frozen=True, slots=True)
class AlarmReturned(Event):
    type: ClassVar[str] = "alarm_returned"
    alarm: str


@dataclass(frozen=True, slots=True)
class AlarmAcknowledged(Event):
    type: ClassVar[str] = "alarm_acknowledged"
    alarm: str
    by: str


@dataclass(frozen=True, slots=True)
class AlarmShelved(Event):
    """Put aside for a while, with the reason; it comes back by itself."""

    type: ClassVar[str] = "alarm_shelved"
    alarm: str
    by: str
    reason: str
    for_s: float


@dataclass(frozen=True, slots=True)
class AlarmUnshelved(Event):
    type: ClassVar[str] = "alarm_unshelved"
    alarm: str


@dataclass(frozen=True, slots=True)
class WelfareChecked(Event):
    """Somebody has looked at the people in the cells: the body escort by his button, or the commander by his word."""

    type: ClassVar[str] = "welfare_checked"
    by: str


@dataclass(frozen=True, slots=True)
class NoticeRecorded(Event):
    """One recipient's own notice (Rule 19). Its row's id is the notice's id."""

    type: ClassVar[str] = "notice_recorded"
    notice: str
    kind: str
    recipient: str
    recipient_sequence: int
    departed_at: str
    arrived_at: str | None
    time_source: str
    time_uncertainty_s: float | None
    secured: bool
    origin: str
    destination: str | None
    destination_place: str | None
    intermediate: tuple[str, ...]
    vehicle: str
    checks: dict[str, Any]
    position: dict[str, float] | None
    test: bool
    corrects: str | None


@dataclass(frozen=True, slots=True)
class NoticeFirstSent(Event):
    type: ClassVar[str] = "notice_sending"
    notice: str
    late_by_s: float


@dataclass(frozen=True, slots=True)
class NoticeStage(Event):
    type: ClassVar[str] = "notice_stage"
    notice: str
    stage: str
    by: str | None = None
    post: str | None = None
    at: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with its time and identity, as the journal keeps it. `at_s` is monotonic within `boot_id`."""

    id: str
    at_utc: datetime
    at_s: float
    source: str
    uncertainty_s: float | None
    boot_id: str
    trip: str | None
    event: Event


BY_TYPE: dict[str, type[Event]] = {kind.type: kind for kind in Event.__subclasses__()}


def to_data(event: Event) -> dict[str, Any]:
    """The event's fields as JSON values, without its type."""
    return {f.name: _plain(getattr(event, f.name)) for f in dataclasses.fields(event)}


def from_data(kind: str, data: dict[str, Any]) -> Event:
    """The event of a journal row. Raises KeyError for an unknown type, TypeError for missing or unknown fields."""
    return BY_TYPE[kind](**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
