"""Alarms: what needs somebody to act, how long it must last, and its life from raised to returned and acknowledged.

An alarm is one cause on one item; it is never silenced by time, and a returned one stays until a person has seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import notices
from .events import AlarmRaised, AlarmReturned, Event
from .inputs import Now
from .levels import is_chattering
from .motion import is_inside, position
from .selftest import DOOR_OPEN, UNLOCKED
from .settings import Settings
from .state import Live, Trip

Cause = tuple[str, str | None]
EVERY_S = 0.1  # causes are looked at this often


@dataclass(frozen=True, slots=True)
class Definition:
    """Priority, and how long the cause must be there (or gone) before the alarm is raised (or returns), in seconds."""

    priority: str
    on_s: float
    off_s: float


DEFINITIONS: Mapping[str, Definition] = {
    "airflow_lost": Definition("critical", 3.0, 5.0),  # hazards.md H36: at the cab and the desk within 10 s
    "moved_unpermitted": Definition("critical", 0.0, 5.0),
    "cell_door_open_under_way": Definition("critical", 0.3, 5.0),
    "cell_unlocked": Definition("critical", 0.5, 5.0),
    "cell_lock_fault": Definition("critical", 0.5, 5.0),
    "body_door_open": Definition("critical", 0.3, 5.0),
    "alarm_button": Definition("critical", 0.0, 1.0),
    "permit_stuck": Definition("critical", 0.0, 5.0),
    "lighting_lost": Definition("warning", 3.0, 5.0),
    "intercom_lost": Definition("warning", 3.0, 5.0),
    "radio_lost": Definition("warning", 5.0, 5.0),
    "power_lost": Definition("warning", 1.0, 5.0),
    "unscheduled_halt": Definition("warning", 0.0, 5.0),  # its own duration is in the settings
    "notice_unconfirmed": Definition("warning", 0.0, 0.0),
    "gnss_lost": Definition("advisory", 10.0, 5.0),
    "chattering": Definition("advisory", 0.0, 5.0),
    "button_stuck": Definition("advisory", 0.0, 5.0),
}

_LOST = {
    "airflow_lost": "ventilation",
    "lighting_lost": "lighting",
    "intercom_lost": "intercom",
    "radio_lost": "radio",
    "power_lost": "power",
}
_ON_THE_ROAD = ("secured", "under_way", "arrived")
_PRIORITIES = ("critical", "warning", "advisory")


def causes(trip: Trip, live: Live, now: Now, stuck: frozenset[str], settings: Settings) -> set[Cause]:
    """Every cause that is there now, before any delay."""
    found: set[Cause] = {("button_stuck", name) for name in stuck}
    status = live.equipment.get("permit_output")
    if status is not None and status.reason == "stuck_closed":
        found.add(("permit_stuck", "permit_output"))
    if live.level("alarm_button"):
        found.add(("alarm_button", None))
    found.update(
        ("chattering", name) for name, entry in live.levels.items() if entry.reversals and is_chattering(entry)
    )
    found.update(
        ("notice_unconfirmed", n.record.recipient) for n in trip.notices if notices.is_overdue(n, now, settings)
    )
    if trip.phase not in ("no_trip", "closed") and not live.is_working("gnss"):
        found.add(("gnss_lost", "gnss"))
    if trip.aboard > 0:
        found.update((code, item) for code, item in _LOST.items() if not live.is_working(item))
        found.update(_doors(trip, live, settings))
    found.update(_movement(trip, live, now, settings))
    return found


def _doors(trip: Trip, live: Live, settings: Settings) -> set[Cause]:
    if trip.phase not in _ON_THE_ROAD or trip.halt is not None:
        return set()
    found: set[Cause] = set()
    for cell in settings.cells:
        item, loop = f"cell_lock_{cell}", live.level(f"cell_{cell}")
        if not live.is_working(item):
            found.add(("cell_lock_fault", item))
        elif loop in DOOR_OPEN:
            found.add(("cell_door_open_under_way", item))
        elif loop in UNLOCKED:
            found.add(("cell_unlocked", item))
    if live.level("body_door") != "locked":
        found.add(("body_door_open", "body_door"))
    return found


def _movement(trip: Trip, live: Live, now: Now, settings: Settings) -> set[Cause]:
    is_moving = live.motion == "moving"
    if trip.phase in ("arrived", "unloading"):
        return {("moved_unpermitted", None)} if is_moving else set()
    if trip.phase != "under_way" or trip.departure is None:
        return set()
    is_out = trip.halt is not None and any(trip.halt.out.values())
    if is_moving:
        return {("moved_unpermitted", None)} if is_out or not trip.departure.is_secured else set()
    left = trip.departure
    since_s = max(live.still_since_s, left.at_s) if left.boot_id == now.boot_id else live.still_since_s
    has_stood_s = live.at_s - since_s
    if live.motion == "standing" and trip.halt is None and has_stood_s > settings.unscheduled_halt_s:
        assert trip.plan is not None
        if not is_inside(trip.plan.unloading_place, position(live.fix, live.at_s)):
            return {("unscheduled_halt", None)}
    return set()


@dataclass(frozen=True, slots=True)
class Watch:
    """Which causes have been there, and which raised ones gone, since when."""

    conditions: Mapping[Cause, float]
    clear: Mapping[Cause, float]
    events: tuple[Event, ...]


def advance(trip: Trip, live: Live, now: Now, stuck: frozenset[str], settings: Settings) -> Watch:
    """Raise what has lasted, return what has been gone long enough."""
    found = causes(trip, live, now, stuck, settings)
    at_s = now.mono_s
    conditions = {cause: live.conditions.get(cause, at_s) for cause in found}
    clear: dict[Cause, float] = {}
    events: list[Event] = []
    known = {(a.code, a.item): a for a in trip.alarms}
    for cause in sorted(found, key=str):
        alarm = known.get(cause)
        if (alarm is None or not alarm.is_active) and at_s - conditions[cause] >= DEFINITIONS[cause[0]].on_s:
            number = alarm.id if alarm is not None else now.new_id()
            events.append(AlarmRaised(number, cause[0], DEFINITIONS[cause[0]].priority, cause[1]))
    for cause, alarm in known.items():
        if not alarm.is_active or cause in found:
            continue
        clear[cause] = live.clear.get(cause, at_s)
        if at_s - clear[cause] >= DEFINITIONS[cause[0]].off_s:
            events.append(AlarmReturned(alarm.id))
    return Watch(conditions, clear, tuple(events))


def rank(priority: str) -> int:
    """0 for the gravest."""
    return _PRIORITIES.index(priority)
