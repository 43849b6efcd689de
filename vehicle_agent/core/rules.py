"""The Order (No. 354) as data: what is checked, confirmed and told, each with the number of its rule.

Nothing here can be switched off by configuration; a vehicle only says how many cells it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta, timezone

# The Republic has one time since 1 March 2024, so an order's last day ends at the same moment everywhere.
LOCAL_TIME = timezone(timedelta(hours=5))

BEFORE_BOARDING = "before_boarding"
BEFORE_DEPARTURE = "before_departure"
BEFORE_CLOSE = "before_close"


@dataclass(frozen=True, slots=True)
class ItemRule:
    """One row of the checklist: who proves it (`sensed`, `computed`, `attested`) and which rule asks for it."""

    item: str
    rule: str
    stage: str
    kind: str


def _rows(stage: str, kind: str, *pairs: tuple[str, str]) -> tuple[ItemRule, ...]:
    return tuple(ItemRule(item, rule, stage, kind) for item, rule in pairs)


SENSED_EQUIPMENT = ("radio", "beacon", "intercom", "ventilation", "lighting")

_BEFORE_LOCKS = _rows(
    BEFORE_BOARDING,
    "sensed",
    ("radio", "15"),
    ("beacon", "3"),
    ("intercom", "15"),
    ("ventilation", "15"),
    ("lighting", "15"),
)
_AFTER_LOCKS = (
    *_rows(BEFORE_BOARDING, "computed", ("order_valid", "12.1")),
    *_rows(
        BEFORE_BOARDING,
        "attested",
        ("body_condition", "15"),
        ("seats_fixed", "15"),
        ("objects_removed", "15"),
        ("intercom_speech", "15"),
        ("documents", "App. 1"),
        ("acceptance", "14"),
        ("at_door", "16"),
    ),
)
_WOMEN = _rows(BEFORE_BOARDING, "attested", ("servicewoman_in_escort", "4"))
_SECURING = (
    *_rows(BEFORE_DEPARTURE, "sensed", ("cell_locks_locked", "17"), ("body_door_closed", "16"), ("counts_agree", "16")),
    *_rows(
        BEFORE_DEPARTURE,
        "attested",
        ("isolation", "17"),
        ("escort_placed", "17"),
        ("keys_with_commander", "17"),
        ("commander_in_cab", "17"),
    ),
)
_CLOSING = _rows(BEFORE_CLOSE, "sensed", ("cells_seen_open", "18"), ("vehicle_empty", "18"))


def checklist(cell_locks: Iterable[str], *, women_on_board: bool) -> tuple[ItemRule, ...]:
    """Every row of a trip, in the order in which the display shows them."""
    locks = _rows(BEFORE_BOARDING, "sensed", *((name, "15") for name in cell_locks))
    return (*_BEFORE_LOCKS, *locks, *_AFTER_LOCKS, *(_WOMEN if women_on_board else ()), *_SECURING, *_CLOSING)


ACCEPTANCE_PARTS = ("papers", "fit", "pregnant_certificate", "food_clothing", "infection")  # Rule 14.1-14.5

_DOCUMENTS = {
    "within_settlement": ("list", "files"),
    "outside_settlement": (
        "list_3",
        "files",
        "order",
        "travel_documents",
        "route_sheet",
        "travel_journal",
        "food_certificate",
    ),
    "medical": ("referral", "order", "certificate", "route_sheet", "travel_journal"),
}


def documents(kind: str, *, takeover: bool, to_court: bool) -> tuple[str, ...]:
    """Appendix 1: the documents handed to the commander for this kind of trip."""
    parts = ("list",) if kind == "within_settlement" and to_court else _DOCUMENTS[kind]
    if takeover:  # outside the settlement the food certificate is on the list already
        parts = (*parts, "accompanying_list_3", "convict_files")
    return parts


def parts_of(item: str, kind: str, *, takeover: bool, to_court: bool) -> tuple[str, ...]:
    """The parts that a row is confirmed by; empty for a row that is confirmed at once."""
    if item == "documents":
        return documents(kind, takeover=takeover, to_court=to_court)
    return ACCEPTANCE_PARTS if item == "acceptance" else ()


# Which rule stands behind a refusal that is not about one row; None where the Order does not speak.
REFUSAL_RULES: dict[str, str | None] = {
    "order_expired": "12.1",
    "driver_not_ready": "16",
    "driver_report_outdated": "16",
    "vehicle_moving": "16",
    "motion_unknown": "16",
    "reopen_needed": "16",
    "counts_disagree": "16",
    "cell_full": "12.2",
    "cell_empty": "16",
    "lock_open": "17",
    "body_door_open": "16",
    "securing_incomplete": "17",
    "persons_aboard": "18",
    "persons_out": "4",
    "not_confirmed_empty": "18",
    "unknown_unit": "19",
}

EQUIPMENT_RULES = {
    "radio": "3",
    "beacon": "3",
    "intercom": "3",
    "ventilation": "15",
    "lighting": "15",
    "body_door": "16",
}


def equipment_rule(name: str) -> str | None:
    """The rule that asks for this equipment; None for what only the computer needs."""
    return "15" if name.startswith("cell_lock_") else EQUIPMENT_RULES.get(name)
