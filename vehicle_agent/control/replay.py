"""A restart is a fold over the journal: the open trip, the notices that are owed, and what wrong PINs have earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vehicle_agent.control.chain import Row
from vehicle_agent.control.clock import Wall, parse_utc
from vehicle_agent.core.events import Envelope, from_data
from vehicle_agent.core.evolve import evolve
from vehicle_agent.core.state import Trip

_TRUSTED = ("gnss", "ntp")


class ReplayError(ValueError):
    """A row that this software cannot fold; the journal is whole, but it was written by other software."""


@dataclass(frozen=True, slots=True)
class PinState:
    """What is left of wrong PINs before the start."""

    wrong: int = 0
    locked_for_s: float = 0.0


def to_envelope(row: Row) -> Envelope:
    """The event of a row, as it was appended. Raises ReplayError."""
    try:
        event = from_data(row["type"], row["data"])
    except (KeyError, TypeError) as error:
        raise ReplayError(
            f"row {row['seq']} of type {row['type']} is not known to this software ({error}): "
            "install the software that wrote it"
        ) from error
    return Envelope(
        id=row["id"],
        at_utc=_utc(row),
        at_s=row["mono_s"],
        source=row["time_source"],
        uncertainty_s=row["time_uncertainty_s"],
        boot_id=row["boot_id"],
        trip=row["trip"],
        event=event,
    )


def fold(rows: tuple[Row, ...], trip: Trip | None = None) -> Trip:
    """The trip that these rows tell. Raises ReplayError."""
    trip = trip or Trip()
    for row in rows:
        try:
            trip = evolve(trip, to_envelope(row))
        except ReplayError:
            raise
        except Exception as error:
            raise ReplayError(f"row {row['seq']} of type {row['type']} cannot be folded: {error}") from error
    return trip


def pin_state(row: Row | None, boot_id: str, mono_s: float, wall: Wall, lockout_s: float) -> PinState:
    """From the newest row about PINs. A lockout whose age nobody can tell begins anew: it never ends by a restart."""
    if row is None or row["type"] == "session_opened":
        return PinState()
    if row["type"] == "pin_wrong":
        return PinState(wrong=int(row["data"]["count"]))
    if row["boot_id"] == boot_id:
        age_s = mono_s - float(row["mono_s"])
    elif row["time_source"] in _TRUSTED and wall.source in _TRUSTED:
        age_s = (wall.utc - _utc(row)).total_seconds()
    else:
        age_s = 0.0
    return PinState(locked_for_s=max(min(float(row["data"]["lockout_s"]), lockout_s) - max(age_s, 0.0), 0.0))


def _utc(row: Row) -> datetime:
    return parse_utc(row["at"])
