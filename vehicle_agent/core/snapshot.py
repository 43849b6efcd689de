"""The state as outsiders see it (contract.md, "Snapshot"): a projection, never a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import equipment, notices, rules
from .alarm_table import rank
from .inputs import Now
from .interlock import checklist
from .notices import wire_time
from .settings import Settings
from .state import Live, Notice, Row, Status, Trip

# The newest, which are all of this trip's. A unit without a desk confirms nothing for months; the record has the rest.
NOTICES_SHOWN_MAX = 100


def snapshot(trip: Trip, live: Live, now: Now, settings: Settings) -> dict[str, Any]:
    """Everything of the contract but `rev`, `uplink` and the refusals' texts, which the control process adds."""
    return {
        "vehicle": settings.vehicle,
        "at": wire_time(now.utc),
        "clock": {"source": now.source, "uncertainty_s": now.uncertainty_s},
        "phase": trip.phase,
        "trip": _trip(trip),
        "boarding": _boarding(trip, live),
        "driver": {"ready": live.is_driver_ready, "since": _driver_since(trip, live)},
        "checklist": [_row(rule, trip) for rule in checklist(trip, settings)],
        "equipment": {name: _equipment(live, name, now) for name in equipment.names(settings)},
        "counts": {"commander": trip.commander, "body": trip.body, "unloaded": trip.unloaded},
        "notices": [_notice(n, now, settings) for n in trip.notices[-NOTICES_SHOWN_MAX:]],
        "alarms": _alarms(trip),
        "position": _position(live, now),
        "motion": live.motion,
        "panel": {"body_escort_counts": trip.body, "driver_stop": bool(live.level("driver_stop"))},
        "commissioned": trip.commissioned is not None and trip.commissioned == settings.wiring_sha256,
    }


def view_key(trip: Trip, live: Live) -> tuple[Any, ...]:
    """`rev` moves exactly when this does: phase, trip, checklist, driver, counts and refusals; never an age."""
    return trip.view, live.is_driver_ready, tuple((r.code, r.item) for r in live.refusals)


def _trip(trip: Trip) -> dict[str, Any] | None:
    plan = trip.plan
    if plan is None or trip.phase == "no_trip":
        return None
    halt = trip.halt
    return {
        "id": trip.id,
        "kind": plan.kind,
        "takeover": plan.takeover,
        "to_court": plan.to_court,
        "women_on_board": plan.women_on_board,
        "order": {"number": plan.order_number, "valid_until": plan.order_valid_until},
        "request_number": plan.request_number,
        "destination": plan.destination,
        "destination_place": plan.destination_place,
        "intermediate": list(plan.intermediate),
        "unloading_place": plan.unloading_place,
        "persons_planned": sum(cell["planned"] for cell in plan.cells),
        "cells": [
            {
                "cell": cell["cell"],
                "planned": cell["planned"],
                "seated": trip.seated.get(cell["cell"], 0),
                "supervision": cell["supervision"],
            }
            for cell in plan.cells
        ],
        "halt": None
        if halt is None
        else {
            "reason": halt.reason,
            "since": wire_time(halt.since_utc),
            "out": [{"cell": cell, "count": count} for cell, count in sorted(halt.out.items()) if count],
        },
        "departed_at": None if trip.departure is None else wire_time(trip.departure.at_utc),
    }


def _boarding(trip: Trip, live: Live) -> dict[str, Any]:
    listed = []
    for reason in live.refusals:
        since = live.refusal_since.get((reason.code, reason.item))
        since_wire = None if since is None else wire_time(since)
        listed.append({"code": reason.code, "rule": reason.rule, "item": reason.item, "since": since_wire})
    return {
        "permitted": live.is_read and not live.refusals,
        "open": trip.is_open,
        "energised": live.level("permit_readback") is True,
        "refusals": listed,
    }


def _driver_since(trip: Trip, live: Live) -> str | None:
    return wire_time(trip.report.since_utc) if trip.report is not None and live.is_driver_ready else None


def _row(rule: rules.ItemRule, trip: Trip) -> dict[str, Any]:
    row = trip.rows.get(rule.item, Row())
    shown: dict[str, Any] = {
        "item": rule.item,
        "rule": rule.rule,
        "stage": rule.stage,
        "kind": rule.kind,
        "status": row.status,
        "since": None if row.since_utc is None else wire_time(row.since_utc),
        "reason": row.reason,
        "evidence": dict(row.evidence),
    }
    assert trip.plan is not None
    parts = rules.parts_of(rule.item, trip.plan.kind, takeover=trip.plan.takeover, to_court=trip.plan.to_court)
    if parts:
        shown["parts"] = [{"part": part, "confirmed": part in row.parts} for part in parts]
    return shown


def _equipment(live: Live, name: str, now: Now) -> dict[str, Any]:
    status = live.equipment.get(name, Status())
    since = wire_time(status.since_utc or now.utc)
    detail: Mapping[str, object] = equipment.details(live, name)
    return {"status": status.status, "reason": status.reason, "since": since, "detail": dict(detail)}


def _notice(notice: Notice, now: Now, settings: Settings) -> dict[str, Any]:
    return {
        "id": notice.id,
        "kind": notice.record.kind,
        "recipient": notice.record.recipient,
        "trip": notice.trip,
        "stage": notice.stage,
        "at": notice.at or wire_time(notice.recorded_utc),
        "by": notice.by,
        "post": notice.post,
        "overdue": notices.is_overdue(notice, now, settings),
        "departed_at": notice.record.departed_at,
    }


def _alarms(trip: Trip) -> list[dict[str, Any]]:
    ordered = sorted(trip.alarms, key=lambda a: (a.shelf is not None, rank(a.priority), not a.is_active, a.since_utc))
    return [
        {
            "id": alarm.id,
            "code": alarm.code,
            "priority": alarm.priority,
            "state": alarm.state,
            "since": wire_time(alarm.since_utc),
            "item": alarm.item,
            "acknowledged_by": alarm.acknowledged_by,
            "shelved_until": None if alarm.shelf is None else wire_time(alarm.shelf.until_utc),
        }
        for alarm in ordered
    ]


def _position(live: Live, now: Now) -> dict[str, Any] | None:
    fix = live.fix
    if fix is None or not fix.valid:
        return None
    return {
        "latitude_deg": fix.latitude_deg,
        "longitude_deg": fix.longitude_deg,
        "speed_mps": fix.speed_mps,
        "course_deg": fix.course_deg,
        "mode": fix.mode,
        "age_s": round(max(0.0, now.mono_s - fix.at_s), 1),
        "trusted": fix.trusted,
    }
