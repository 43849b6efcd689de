"""The two halves of the state: `Trip`, folded from events, and `Live`, folded from readings and never stored.

After a start everything in `Live` is unknown, so nothing that was true before a restart can permit anything after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from .events import NoticeRecorded, TripOpened

EMPTY: Mapping[Any, Any] = MappingProxyType({})


def _empty() -> Mapping[Any, Any]:
    return EMPTY


@dataclass(frozen=True, slots=True)
class Row:
    """One checklist row. `order` counts events, so that "newer than" needs no clock."""

    status: str = "pending"
    order: int = 0
    at_s: float = 0.0
    since_utc: datetime | None = None
    reason: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=_empty)
    parts: frozenset[str] = frozenset()

    @property
    def is_good(self) -> bool:
        """Passed, or confirmed by hand for a broken sensor."""
        return self.status in ("passed", "manual_fallback")


@dataclass(frozen=True, slots=True)
class Report:
    """The driver's report that he is ready to move (Rule 16)."""

    order: int
    at_s: float
    since_utc: datetime


@dataclass(frozen=True, slots=True)
class Departure:
    at_s: float
    at_utc: datetime
    source: str
    uncertainty_s: float | None
    boot_id: str
    is_secured: bool
    checks: Mapping[str, Any]
    position: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt under way; `out` counts the persons taken out of each cell (Rule 4)."""

    reason: str
    since_utc: datetime
    out: Mapping[int, int] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice owed to one recipient and how far its confirmation has come (Rule 19)."""

    record: NoticeRecorded
    trip: str | None
    recorded_utc: datetime
    recorded_s: float
    boot_id: str
    stage: str = "recorded"
    at: str | None = None
    by: str | None = None
    post: str | None = None
    late_by_s: float | None = None
    told_by: str | None = None
    is_received: bool = False  # the unit's own receipt is recorded, whatever was told by radio since

    @property
    def id(self) -> str:
        return self.record.notice

    @property
    def reached(self) -> str:
        """The stage by receipts: a call by radio does not undo that the unit has it."""
        return "received" if self.is_received and self.stage == "told_by_radio" else self.stage


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where an alarm lies for a while: until `until_s`, monotonic within `boot_id`."""

    until_s: float
    until_utc: datetime
    boot_id: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Alarm:
    id: str
    code: str
    priority: str
    item: str | None
    since_utc: datetime
    is_active: bool = True
    is_acknowledged: bool = False
    acknowledged_by: str | None = None
    shelf: Shelf | None = None

    @property
    def state(self) -> str:
        """`returned`: the cause has gone, and nobody has seen the alarm yet."""
        if not self.is_active:
            return "returned"
        return "acknowledged" if self.is_acknowledged else "unacknowledged"


@dataclass(frozen=True, slots=True)
class Trip:
    """Everything that is known of the trip from its events; `Trip()` is the state before the first."""

    order: int = 0  # events folded so far
    view: int = 0  # events that change what a person decides on
    id: str | None = None
    phase: str = "no_trip"
    plan: TripOpened | None = None
    rows: Mapping[str, Row] = field(default_factory=_empty)
    report: Report | None = None
    is_open: bool = False
    opening: int = 0  # the event that opened boarding, so that an old opening is never taken for a new one
    commander: int = 0
    body: int = 0
    unloaded: int = 0
    seated: Mapping[int, int] = field(default_factory=_empty)
    used: frozenset[int] = frozenset()
    tests: int = 0  # the event that started the newest tests
    fallback: tuple[str, float, str] | None = None  # item, when asked, boot: waits for the driver's button
    halt: Halt | None = None
    departure: Departure | None = None
    corrected: bool = False
    notices: tuple[Notice, ...] = ()
    sequences: Mapping[str, int] = field(default_factory=_empty)
    sequence_floor: int = 0  # an earlier journal, which is not whole, may have given out numbers up to here
    alarms: tuple[Alarm, ...] = ()
    commissioned: str | None = None  # the wiring that was exercised
    checked: tuple[float, str] | None = None  # when somebody last looked at the people aboard, and in which boot
    boot_id: str | None = None

    @property
    def aboard(self) -> int:
        """Persons aboard by the larger of the two counts: nobody is forgotten because one of them was.

        In unloading the commander's count rules (Rule 18): whom only the body counted is found by the look inside
        that `vehicle_empty` stands for, and nobody could be counted out of a cell where nobody was counted in.
        """
        counted = self.commander if self.phase in ("unloading", "closed") else max(self.commander, self.body)
        return counted - self.unloaded


@dataclass(frozen=True, slots=True)
class Status:
    """An equipment's filtered status; `streak` counts the samples that speak against it."""

    status: str = "unknown"
    reason: str | None = "not_read_yet"
    since_utc: datetime | None = None
    streak: int = 0
    was_known: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A debounced wire: its value, since when, and the sample that is about to replace it."""

    value: Any = None
    since_s: float = 0.0
    candidate: Any = None
    count: int = 0
    raw: Any = None
    raw_s: float = -1e9
    before: Any = None  # the raw value before `raw`, to see a reversal
    reversals: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Test:
    """A running test of one sensed row. `order` is that of its start."""

    __test__ = False  # not a test class, whatever a test collector thinks

    stage: str
    since_s: float
    seen_s: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class Tone:
    """The intercom's supervision: a short pilot tone at intervals, and whether the loop heard it."""

    is_on: bool = False
    since_s: float = -1e9
    heard: int = 0
    result: bool | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """What the wires say. Unknown until read; never stored."""

    at_s: float = -1e9
    levels: Mapping[str, Level] = field(default_factory=_empty)
    equipment: Mapping[str, Status] = field(default_factory=_empty)
    tests: Mapping[str, Test] = field(default_factory=_empty)
    tests_order: int = 0
    tone: Tone = field(default_factory=Tone)
    beacon_lit_s: float = -1e9
    beacon_expected: tuple[bool, float] = (False, -1e9)
    enable: tuple[bool, float] = (False, -1e9)  # what the permit output was told last, and since when
    motion: str = "unknown"  # standing, moving, unknown
    motion_reason: str | None = "motion_unknown"
    fast_since_s: float | None = None
    still_since_s: float = -1e9
    fix: Any = None
    radio: Any = None
    journal_ok: bool = False
    refusals: tuple[Any, ...] = ()
    refusal_since: Mapping[tuple[str, str | None], datetime] = field(default_factory=_empty)
    is_driver_ready: bool = False
    refused_press_s: float = -1e9
    counted_s: float = -1e9
    conditions: Mapping[tuple[str, str | None], float] = field(default_factory=_empty)  # alarm cause -> true since
    clear: Mapping[tuple[str, str | None], float] = field(default_factory=_empty)  # raised alarm -> false since
    came: Mapping[tuple[str, str | None], tuple[float, ...]] = field(default_factory=_empty)  # in the last minute
    temperatures_c: Mapping[str, float | None] = field(default_factory=_empty)  # "cell_temperature_1" -> °C
    alarms_at_s: float = -1e9

    @property
    def is_read(self) -> bool:
        """Whether there has been a scan at all; before it `refusals` says nothing."""
        return self.at_s > -1e9

    def is_working(self, name: str) -> bool:
        status = self.equipment.get(name)
        return status is not None and status.status == "working"

    def is_locked(self, wire: str, equipment: str) -> bool:
        """Proven locked now: the loop says so, and its equipment is working (Rule 17)."""
        return self.level(wire) == "locked" and self.is_working(equipment)

    def level(self, name: str) -> Any:
        """The debounced value of a wire; None while it is not known."""
        entry = self.levels.get(name)
        return None if entry is None else entry.value
