"""The gate: `refusals()` says every reason why nobody may board now. Empty means permitted (Rules 15, 16).

Start conditions hold before boarding opens, running conditions while it is open. Unknown never permits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from . import fallback, rules
from .settings import Settings
from .state import Live, Row, Trip


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason: its code, the rule behind it (None where the Order does not speak) and the row, wire or unit."""

    code: str
    rule: str | None = None
    item: str | None = None


def refusal(code: str, item: str | None = None, rule: str | None = None) -> Refusal:
    return Refusal(code, rule or rules.REFUSAL_RULES.get(code), item)


_ROW_CODES = {"failed": "item_failed", "expired": "item_expired"}
_EQUIPMENT_CODES = {"fault": "equipment_fault", "stale": "equipment_stale", "unknown": "equipment_unknown"}


def refusals(trip: Trip, live: Live, at_s: float, settings: Settings) -> tuple[Refusal, ...]:
    """Every reason against boarding at monotonic time `at_s`; what revokes it while it is open.

    `wrong_phase` is only an answer to a command: once secured or departed the driver's report is used up, so that
    there is always `driver_not_ready`.
    """
    if trip.phase in ("no_trip", "closed"):
        return (refusal("no_trip"),)
    found = [*_start(trip, at_s, settings)] if not trip.is_open else []
    found.extend(_running(trip, live, settings))
    return tuple(found)


def _start(trip: Trip, at_s: float, settings: Settings) -> list[Refusal]:
    found = []
    for item in before_boarding(trip, settings):
        row = trip.rows.get(item.item, Row())
        if row.status == "passed" or fallback.is_answered_for(item.item, row):
            continue
        if item.item == "order_valid" and row.status == "failed":
            found.append(refusal("order_expired", "order_valid"))
        else:
            found.append(refusal(_ROW_CODES.get(row.status, "item_not_proven"), item.item, item.rule))
    if trip.commissioned is None or trip.commissioned != settings.wiring_sha256:
        found.append(refusal("not_commissioned"))
    if trip.report is None:
        found.append(refusal("driver_not_ready"))
    elif not has_valid_report(trip, at_s, settings):
        found.append(refusal("driver_report_outdated"))
    return found


def _running(trip: Trip, live: Live, settings: Settings) -> list[Refusal]:
    found = []
    for name in (*rules.SENSED_EQUIPMENT, *settings.cell_locks(), "body_door"):
        status = live.equipment.get(name)
        if status is not None and status.status == "working":
            continue
        if fallback.covers(name, trip.rows.get(name), status):
            continue
        code = _EQUIPMENT_CODES[status.status if status is not None else "unknown"]
        found.append(refusal(code, name, rules.equipment_rule(name)))
    if live.motion_reason is not None:
        found.append(refusal(live.motion_reason))
    if not live.is_working("permit_output"):
        found.append(refusal("permit_readback", "permit_output"))
    if not live.journal_ok:
        found.append(refusal("journal_unavailable"))
    return found


def before_boarding(trip: Trip, settings: Settings) -> tuple[rules.ItemRule, ...]:
    """The rows that must be good before boarding opens."""
    return tuple(item for item in checklist(trip, settings) if item.stage == rules.BEFORE_BOARDING)


def checklist(trip: Trip, settings: Settings) -> tuple[rules.ItemRule, ...]:
    """Every row of this trip; none without one."""
    if trip.plan is None:
        return ()
    return _checklist(settings.cell_locks(), women_on_board=trip.plan.women_on_board)


_known: dict[tuple[tuple[str, ...], bool], tuple[rules.ItemRule, ...]] = {}


def _checklist(locks: tuple[str, ...], *, women_on_board: bool) -> tuple[rules.ItemRule, ...]:
    key = (locks, women_on_board)  # asked at every scan, the answer never changes
    if key not in _known:
        _known[key] = rules.checklist(locks, women_on_board=women_on_board)
    return _known[key]


def last_change(trip: Trip, settings: Settings) -> int:
    """The event that last changed a row which the driver's report has to be newer than."""
    return max((trip.rows[i.item].order for i in before_boarding(trip, settings) if i.item in trip.rows), default=0)


def has_valid_report(trip: Trip, at_s: float, settings: Settings) -> bool:
    """Rule 16: reported after the last change, and not long ago; its age counts only until boarding opens."""
    if trip.report is None or trip.report.order < last_change(trip, settings):
        return False
    return trip.is_open or at_s - trip.report.at_s <= settings.driver_report_valid_s


def is_order_valid(valid_until: str, now_utc: datetime) -> bool:
    """Rule 12.1: the order holds to the end of its last day, by the Republic's time. Raises ValueError for no date."""
    last_day = datetime.combine(datetime.fromisoformat(valid_until).date(), time.min, rules.LOCAL_TIME)
    return now_utc - timedelta(days=1) < last_day  # the last day may be the calendar's last
