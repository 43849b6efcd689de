"""When boarding may open and may stay open, as the contract's "Start conditions" and "Running conditions" say it.

Written from contract and Order, not from the gate, and in words of its own: what is asked of the product is a plain set
of names here. Each function returns every reason against; an empty set is a permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

# Rule 3: radio, beacon, intercom. Rule 15: intercom, communications, lighting, ventilation, cell doors and locks.
SENSED = ("radio", "beacon", "intercom", "ventilation", "lighting")
# Rules 15, App. 1, 14 and 16: what a person looks at; Rule 12.1: the order's date.
BY_HAND = (
    "body_condition",
    "seats_fixed",
    "objects_removed",
    "intercom_speech",
    "documents",
    "acceptance",
    "at_door",
)
DATE = "order_valid"


@cache
def locks(cells: int) -> tuple[str, ...]:
    return tuple(f"cell_lock_{cell}" for cell in range(1, cells + 1))


@cache
def rows(cells: int) -> tuple[str, ...]:
    """Every row of stage `before_boarding`; none with women travelling, which adds one more of the same kind."""
    return (*SENSED, *locks(cells), DATE, *BY_HAND)


@cache
def equipment(cells: int) -> tuple[str, ...]:
    """Rules 3 and 15, and the body door's loop."""
    return (*SENSED, *locks(cells), "body_door")


@dataclass(slots=True)
class Facts:
    """One vehicle, as the conditions see it. Statuses and phases are the contract's words."""

    phase: str
    is_open: bool
    rows: Mapping[str, str]
    equipment: Mapping[str, str]
    report: str  # none; outdated (a row has changed since); old (over driver_report_valid_s); fresh
    motion: str  # standing; moving; contradicted (handbrake on, but a lasting fast fix); unknown
    is_commissioned: bool
    readback: str  # the status of `permit_output`
    has_journal: bool


# What each circumstance is called when it stands against boarding (contract.md, refusal codes).
_REPORT = {"none": "driver_not_ready", "outdated": "driver_report_outdated", "old": "driver_report_outdated"}
_MOTION = {"moving": "vehicle_moving", "contradicted": "motion_unknown", "unknown": "motion_unknown"}


def against_start(facts: Facts, cells: int) -> set[str]:
    """Start conditions: every row proven or answered for, a new and newest report; and all that must hold later."""
    known = facts.rows
    found = {item for item in rows(cells) if known.get(item) != "passed" and not _is_by_hand(item, facts)}
    if facts.report in _REPORT:
        found.add(_REPORT[facts.report])
    if not facts.is_commissioned:
        found.add("not_commissioned")
    return found | against_running(facts, cells)


def against_running(facts: Facts, cells: int) -> set[str]:
    """Running conditions. A person may answer for a broken sensor, but never for a lock and never for the door."""
    found = {
        name
        for name in equipment(cells)
        if facts.equipment.get(name) != "working" and not (name in SENSED and facts.rows.get(name) == "manual_fallback")
    }
    if facts.motion in _MOTION:
        found.add(_MOTION[facts.motion])
    if facts.readback != "working":
        found.add("permit_output")
    if not facts.has_journal:
        found.add("journal_unavailable")
    return found


def _is_by_hand(item: str, facts: Facts) -> bool:
    """Only what a sensor says can be answered for by people, and never a lock."""
    return item in SENSED and facts.rows.get(item) == "manual_fallback"


def is_phase_to_open(facts: Facts) -> bool:
    """Where the order `open_boarding` is obeyed at all; from `securing` it goes back to boarding."""
    return facts.phase in ("checking", "boarding", "securing") and not facts.is_open
