"""Rows that change by themselves: expiry, the order's date, and what the sensors say of securing and unloading."""

from __future__ import annotations

from . import events as ev
from .commands import Scene
from .evolve import is_kept_with_people
from .interlock import before_boarding, is_order_valid
from .selftest import DOOR_OPEN
from .state import Row


def sensed_rows(scene: Scene) -> list[ev.Event]:
    """The row changes that this scan's readings bring."""
    phase = scene.trip.phase
    found: list[ev.Event] = []
    if phase in ("checking", "boarding", "securing"):
        found += _order(scene)
        found += _expiries(scene)
    if phase in ("securing", "secured"):
        found += _securing(scene)
    elif phase == "unloading":
        found += _unloading(scene)
    return found


def _change(scene: Scene, item: str, status: str, reason: str | None = None) -> list[ev.Event]:
    row = scene.trip.rows.get(item, Row())
    return [] if row.status == status else [ev.RowChanged(item, status, reason)]


def _order(scene: Scene) -> list[ev.Event]:
    """Rule 12.1. Without a clock the commander confirms the date; a clock that comes later has the last word.

    What a clock said holds while there is one: a computer that wakes up without the time cannot know what day it is.
    """
    trip, now = scene.trip, scene.now
    assert trip.plan is not None
    row = trip.rows.get("order_valid", Row())
    if now.source == "none":
        is_by_clock = row.status == "failed" or (row.status == "passed" and "clock" in row.evidence)
        return [ev.RowChanged("order_valid", "pending", "no_clock")] if is_by_clock else []
    is_valid = is_order_valid(trip.plan.order_valid_until, now.utc)
    if row.status == ("passed" if is_valid else "failed"):
        return []
    if is_valid:
        return [ev.RowChanged("order_valid", "passed", None, {"clock": now.source})]
    return [ev.RowChanged("order_valid", "failed", "order_expired")]


def _expiries(scene: Scene) -> list[ev.Event]:
    trip, live = scene.trip, scene.live
    is_rolling = live.motion == "moving" and trip.phase in ("checking", "boarding") and trip.aboard <= 0
    found: list[ev.Event] = []
    for rule in before_boarding(trip, scene.settings):
        row = trip.rows.get(rule.item)
        if row is None:
            continue
        if rule.kind == "sensed":
            reason = _why_expired(rule.item, row, scene, is_rolling=is_rolling)
            if reason is not None:
                found.append(ev.RowChanged(rule.item, "expired", reason))
        elif rule.item == "at_door" and is_rolling and row.is_good:
            found.append(ev.RowChanged("at_door", "expired", "moved"))
    if is_rolling and trip.report is not None:
        found.append(ev.DriverReportDropped("moved"))
    return found


def _why_expired(item: str, row: Row, scene: Scene, *, is_rolling: bool) -> str | None:
    if is_rolling and row.status in ("passed", "running"):
        return "moved"
    if row.status != "passed":
        return None
    status = scene.live.equipment.get(item)
    # "Unknown since the start" is not yet a loss: it refuses, and the first reading decides.
    if status is not None and status.status != "working" and status.was_known:
        return status.reason or status.status
    if scene.trip.is_open or is_kept_with_people(scene.trip, item):
        return None
    is_old = scene.now.mono_s - row.at_s > scene.settings.checklist_valid_s
    return "too_old" if is_old else None


def _securing(scene: Scene) -> list[ev.Event]:
    trip, live = scene.trip, scene.live
    is_locked = all(live.is_locked(f"cell_{cell}", f"cell_lock_{cell}") for cell in scene.settings.cells)
    is_shut = live.is_locked("body_door", "body_door")
    is_counted = trip.commander == trip.body >= 1
    pairs = (("cell_locks_locked", is_locked), ("body_door_closed", is_shut), ("counts_agree", is_counted))
    return [event for item, is_good in pairs for event in _change(scene, item, "passed" if is_good else "failed")]


def _unloading(scene: Scene) -> list[ev.Event]:
    """Rule 18: every cell that was used is seen open; the row's evidence is the list of those seen so far."""
    trip, live = scene.trip, scene.live
    row = trip.rows.get("cells_seen_open", Row())
    if row.status == "passed":
        return []
    seen = set(row.evidence.get("cells", ()))
    now_open = {cell for cell in trip.used if live.level(f"cell_{cell}") in DOOR_OPEN}
    if row.status == "running" and now_open <= seen:
        return []
    seen |= now_open
    status = "passed" if trip.used <= seen else "running"
    return [ev.RowChanged("cells_seen_open", status, None, {"cells": sorted(seen)})]
