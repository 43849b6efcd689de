"""Rules 15 and 16 as one list: every reason why nobody may board now. Empty is the permit, and nothing else is.

Each reason is a slot: what it is about, its rules, and the codes that are right for it (None: no reason). A slot with
more than one code is an "either".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.oracle import law, wires
from tests.oracle.reading import SLACK_S, Reading

ROW_CODE = {
    "pending": "item_not_proven",
    "running": "item_not_proven",
    "failed": "item_failed",
    "expired": "item_expired",
    "passed": None,
    "manual_fallback": None,
}
ROW_CODES = frozenset({"item_not_proven", "item_failed", "item_expired", "order_expired"})
EQUIPMENT_CODES = frozenset({"equipment_fault", "equipment_stale", "equipment_unknown"})
DRIVER_CODES = frozenset({"driver_not_ready", "driver_report_outdated"})
MOTION_CODES = frozenset({"vehicle_moving", "motion_unknown"})

Code = str | None


@dataclass(frozen=True)
class Slot:
    """One thing that can stand against boarding. `family` are the codes that speak about it."""

    item: Code
    family: frozenset[str]
    right: frozenset[Code]
    rules: tuple[str, ...] = ()


def against(reading: Reading) -> list[Slot]:
    """Every slot that applies now: the running conditions while boarding is open, else the start conditions as well."""
    slots = [*_equipment(reading), _motion(reading), _readback(reading), _journal(reading)]
    if not reading.is_open():
        slots += [*_rows(reading), _driver(reading), _commissioned(reading)]
    return slots


def _equipment(reading: Reading) -> Iterable[Slot]:
    """Rules 3 and 15: in working order; and the body door's loop readable (contract)."""
    rules = {duty.item: duty.rules for duty in (*law.TESTED, *map(law.lock, reading.cells))}
    for name in (*law.WORKING, *(f"cell_lock_{cell}" for cell in reading.cells), "body_door"):
        words = wires.equipment(reading.history, name, reading.since_start_s(), reading.rssi_min_dbm)
        right = frozenset(None if word == "working" else f"equipment_{word}" for word in words)
        yield Slot(name, EQUIPMENT_CODES, right, rules.get(name, ()))


def _motion(reading: Reading) -> Slot:
    """Rule 16: the vehicle stands."""
    code = {"standing": None, "moving": "vehicle_moving", "unknown": "motion_unknown"}
    words = wires.motion(reading.history, reading.since_start_s())
    return Slot(None, MOTION_CODES, frozenset(code[word] for word in words), ("16",))


def _readback(reading: Reading) -> Slot:
    """Contract: the read-back is right. It may differ for 200 ms (H05)."""
    wrong, held_s = reading.history.held("readback_wrong")
    every: frozenset[Code] = frozenset({"permit_readback", None})
    if reading.is_open():
        opened_s = reading.history.facts[reading.history.last("open_boarding")].at_s
        spans = reading.history.spans("readback_wrong", opened_s)
        longest_s = max((end - start for start, end, is_wrong in spans if is_wrong), default=0.0)
        if longest_s > 0.0:  # a relay that does not follow is released, and then it is right again
            return Slot(
                None,
                frozenset({"permit_readback"}),
                frozenset({"permit_readback"}) if longest_s > 0.2 + SLACK_S else every,
            )
    if wrong:
        right = frozenset({"permit_readback"}) if held_s > 0.2 + SLACK_S else every
    else:
        was_ever = len(reading.history.levels.get("readback_wrong", [])) > 1
        fresh = reading.since_start_s() < wires.TRUST_S  # after a start everything is unknown
        right = every if fresh or (was_ever and held_s < 1.0) else frozenset({None})
    return Slot(None, frozenset({"permit_readback"}), right)


def _journal(reading: Reading) -> Slot:
    """Contract: the journal is healthy."""
    works, held_s = reading.history.held("journal_ok")
    right: frozenset[Code] = frozenset({None}) if works else frozenset({"journal_unavailable"})
    if held_s < wires.REVOKE_S and len(reading.history.levels["journal_ok"]) > 1:
        right = frozenset({None, "journal_unavailable"})
    return Slot(None, frozenset({"journal_unavailable"}), right)


def _commissioned(reading: Reading) -> Slot:
    """H34: a vehicle whose wires were never exercised boards nobody."""
    return Slot(
        None, frozenset({"not_commissioned"}), frozenset({None if reading.is_commissioned else "not_commissioned"})
    )


def _rows(reading: Reading) -> Iterable[Slot]:
    """Rule 15: everything checked; Rules 3, 4, 12.1, 14, App. 1 likewise."""
    for duty in reading.checklist():
        words = reading.status(duty.item)
        right = frozenset(ROW_CODE[word] for word in words)
        if duty.item == "order_valid" and "passed" not in words:
            by_hand = reading.history.held("source")[0] == "none"
            right = ROW_CODES if by_hand else frozenset({"order_expired"})
        yield Slot(duty.item, ROW_CODES, right, duty.rules)


def _driver(reading: Reading) -> Slot:
    """Rule 16: after the driver's report; newer than the last change of a row, and not older than allowed."""
    word, most_s, least_s = reading.report()
    right: frozenset[Code]
    if word == "none":
        right = frozenset({"driver_not_ready"})
    elif word == "outdated" or least_s > reading.report_s + SLACK_S:
        right = frozenset({"driver_report_outdated"})
    elif most_s < reading.report_s - SLACK_S:
        right = frozenset({None})
    else:
        right = frozenset({None, "driver_report_outdated"})
    return Slot(None, DRIVER_CODES, right, ("16",))
