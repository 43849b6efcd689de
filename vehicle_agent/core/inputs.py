"""What comes into the core: one scan's readings, and what people and recipients said since the scan before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Fix:
    """The receiver's newest epoch; `mode` as in gpsd (1 none, 2 2D, 3 3D). `at_s`: monotonic, of its last byte."""

    at_s: float
    mode: int
    valid: bool
    trusted: bool
    time_utc: datetime | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    satellites: int | None = None
    hdop: float | None = None


@dataclass(frozen=True, slots=True)
class Radio:
    """What the radio station last answered; `at_s` is monotonic, of its last answer."""

    at_s: float
    answered: bool
    registered: bool | None = None
    rssi_dbm: int | None = None
    mode: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """All levels of one scan. Loops carry `hw.loops` words or None (not readable); contacts are True for closed.

    Calls carry `hw.care` words, temperatures are in °C; None where a line or sensor cannot be read.
    """

    at_s: float
    loops: Mapping[str, str | None]
    contacts: Mapping[str, bool | None]
    supply_ok: bool | None = None
    adc_ok: bool = True
    fix: Fix | None = None
    radio: Radio | None = None
    stuck: frozenset[str] = frozenset()
    journal_ok: bool = True
    is_enabled: bool = False  # what `permit_enable` was last told, to be compared with its read-back
    calls: Mapping[str, str | None] = field(default_factory=dict)  # "cell_call_1" -> idle, pressed, cut, short …
    temperatures_c: Mapping[str, float | None] = field(default_factory=dict)  # "cell_temperature_1" -> °C


@dataclass(frozen=True, slots=True)
class Now:
    """This scan's time: monotonic seconds for durations, wall time with its source, and the maker of identifiers."""

    mono_s: float
    utc: datetime
    source: str
    uncertainty_s: float | None
    boot_id: str
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Command:
    """One order of the escort commander, already checked for its form. `by` names who opened the session."""

    name: str
    args: Mapping[str, object]
    by: str = "commander"


@dataclass(frozen=True, slots=True)
class Press:
    """A button of the panel, pressed and released."""

    button: str
    hold_s: float


@dataclass(frozen=True, slots=True)
class NoticeSending:
    """The uplink is about to send a notice for the first time; the lateness that it states is kept for every resend."""

    notice: str
    late_by_s: float


@dataclass(frozen=True, slots=True)
class AtBroker:
    """The broker has taken the notice. That is no receipt."""

    notice: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A unit's own signed receipt, verified by the uplink."""

    notice: str
    stage: str
    by: str | None
    post: str | None
    at: str
    sha256: str
    unit: str


Input = Command | Press | NoticeSending | AtBroker | Receipt
