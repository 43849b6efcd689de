"""Manual fallback: a person answers for a broken sensor until the trip ends (hazard H35). Never for a lock.

A sensor is in doubt when its equipment is not working or its test failed. What the crew itself switched off is no
broken sensor: it is answered by switching it on.
"""

from __future__ import annotations

from .rules import SENSED_EQUIPMENT
from .settings import Settings
from .state import Row, Status

_CREWS_OWN = frozenset({"switched_off", "switched_on"})


def is_allowed(item: str, settings: Settings) -> bool:
    """Whether this vehicle lets a person answer for this row at all: never for a lock, a count or a door."""
    return item in settings.manual_fallback and item in SENSED_EQUIPMENT


def is_sensor_in_doubt(row: Row, status: Status | None) -> bool:
    """Whether there is something to answer for."""
    if status is None or status.status != "working":
        return status is None or status.reason not in _CREWS_OWN
    return row.status == "failed" and row.reason not in _CREWS_OWN


def is_answered_for(item: str, row: Row | None) -> bool:
    """A person answers for this row until the trip ends; never for a lock, whatever its row says."""
    return row is not None and row.status == "manual_fallback" and item in SENSED_EQUIPMENT


def covers(item: str, row: Row | None, status: Status | None) -> bool:
    """Whether the person's word stands in for this equipment now: never for what the crew has switched off."""
    return is_answered_for(item, row) and (status is None or status.reason not in _CREWS_OWN)
