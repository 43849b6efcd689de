"""Alarms: which causes are there, and an alarm's life from raised to returned and acknowledged.

An alarm is one cause on one item; it is never silenced by time, and a returned one stays until a person has seen it.
However often a cause comes and goes, it has one alarm; one that does so all the time is told as unsteady instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import care, notices
from .alarm_table import DEFINITIONS
from .events import AlarmRaised, AlarmReturned, AlarmUnshelved, Event
from .inputs import Now
from .levels import is_chattering
from .motion import is_inside, position
from .selftest import DOOR_OPEN, UNLOCKED
from .settings import Settings
from .state import Live, Trip

Cause = tuple[str, str | None]
EVERY_S = 0.1  # causes are looked at this often
UNSTEADY_COMINGS = 3  # more than this within a minute is one alarm that stays, and one about the signal (hmi.md A2)
UNSTEADY_WITHIN_S = 60.0
UNSTEADY_OFF_S = 20.0  # so calm for so long before it returns, it cannot come more than three times a minute


_LOST = {
    "airflow_lost": "ventilation",
    "lighting_lost": "lighting",
    "intercom_lost": "intercom",
    "radio_lost": "radio",
    "power_lost": "power",
}
_ON_THE_ROAD = ("secured", "under_way", "arrived")


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
    found.update(care.causes(trip, live, now, settings))
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
    """Which causes have been there, which raised ones gone, since when; and when each came in the last minute."""

    conditions: Mapping[Cause, float]
    clear: Mapping[Cause, float]
    came: Mapping[Cause, tuple[float, ...]]
    events: tuple[Event, ...]


def advance(trip: Trip, live: Live, now: Now, stuck: frozenset[str], settings: Settings) -> Watch:
    """Raise what has lasted, return what has been gone long enough, bring back what was put aside."""
    at_s = now.mono_s
    known = {(a.code, a.item): a for a in trip.alarms}
    came = _of_the_last_minute(live.came, at_s)
    found = causes(trip, live, now, stuck, settings)
    found |= {("chattering", cause[1] or cause[0]) for cause in came if _is_unsteady(cause, came)}
    active = {cause for cause, alarm in known.items() if alarm.is_active}
    codes = {code for code, _ in found}
    # What a graver trouble explains is not told beside it; it has to last anew when that has gone.
    found = {cause for cause in found if cause in active or DEFINITIONS[cause[0]].hidden_by not in codes}
    conditions = {cause: live.conditions.get(cause, at_s) for cause in found}
    clear: dict[Cause, float] = {}
    events: list[Event] = []
    for cause in sorted(found - active, key=str):
        if at_s - conditions[cause] >= DEFINITIONS[cause[0]].on_s:
            alarm = known.get(cause)
            number = alarm.id if alarm is not None else now.new_id()
            events.append(AlarmRaised(number, cause[0], DEFINITIONS[cause[0]].priority, cause[1]))
            came[cause] = (*came.get(cause, ()), at_s)
    for cause in sorted(active, key=str):
        alarm = known[cause]
        if cause in found:
            if cause in live.clear:  # it had gone, and is there again before its alarm has returned
                came[cause] = (*came.get(cause, ()), at_s)
        else:
            clear[cause] = live.clear.get(cause, at_s)
            off_s = UNSTEADY_OFF_S if _is_unsteady(cause, came) else DEFINITIONS[cause[0]].off_s
            if at_s - clear[cause] >= off_s:
                events.append(AlarmReturned(alarm.id))
                continue
        shelf = alarm.shelf
        if shelf is not None and (shelf.boot_id != now.boot_id or at_s >= shelf.until_s):
            events.append(AlarmUnshelved(alarm.id))
    return Watch(conditions, clear, came, tuple(events))


def _of_the_last_minute(came: Mapping[Cause, tuple[float, ...]], at_s: float) -> dict[Cause, tuple[float, ...]]:
    kept = {cause: tuple(t for t in times if at_s - t < UNSTEADY_WITHIN_S) for cause, times in came.items()}
    return {cause: times for cause, times in kept.items() if times}


def _is_unsteady(cause: Cause, came: Mapping[Cause, tuple[float, ...]]) -> bool:
    """A person who calls again and again is no bad contact."""
    if DEFINITIONS[cause[0]].is_call or cause[0] == "chattering":
        return False
    return len(came.get(cause, ())) > UNSTEADY_COMINGS
