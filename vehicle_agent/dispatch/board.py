"""What vehicles last said of themselves, with honest ages: a stale value must never look fresh.

A retained or queued message is as old as the event in it, not as its arrival; where the vehicle's clock cannot be
trusted its age is unknown, never small.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.model import Report

Row = dict[str, Any]

STATE_STALE_S = 100.0  # the vehicle repeats its state every 30 s while connected; two may be lost
POSITION_STALE_MOVING_S = 60.0  # under way a fix comes every 10 s
POSITION_STALE_PARKED_S = 660.0  # parked, every 5 minutes
CLOCK_AHEAD_MAX_S = 60.0  # a vehicle's clock further ahead of ours than this says nothing about age
EARLIEST_PLAUSIBLE = datetime(2026, 1, 1, tzinfo=UTC)  # a computer without a clock wakes up long before this


@dataclass(frozen=True, slots=True)
class Said:
    """One part of what a vehicle said. `lag_s`: how old it was when it came; None when nobody knows."""

    data: Mapping[str, Any]
    time: str
    received_at: str
    lag_s: float | None
    at_s: float | None  # None: received by an earlier run of this program

    def age_s(self, now_s: float, now_utc: datetime) -> float | None:
        """Seconds since the vehicle said it, or None when unknown."""
        if self.lag_s is None:
            return None
        if self.at_s is not None:
            return max(0.0, now_s - self.at_s) + self.lag_s
        received = clock.from_text(self.received_at)
        return None if received is None else max(0.0, (now_utc - received).total_seconds()) + self.lag_s


def lag_s(report: Report, received_utc: datetime) -> float | None:
    """How old a report was when it arrived. A live one of a vehicle without a clock counts as new."""
    moment = clock.from_text(report.time)
    clock_source = report.data.get("clock", {})
    has_clock = not (isinstance(clock_source, Mapping) and clock_source.get("source") == "none")
    if moment is not None and has_clock and moment >= EARLIEST_PLAUSIBLE:
        ahead_s = (moment - received_utc).total_seconds()
        if ahead_s <= CLOCK_AHEAD_MAX_S:
            return max(0.0, -ahead_s)
    return None if report.retain else 0.0


class Board:
    """The newest state, session and position of every vehicle that this desk knows; for any thread."""

    def __init__(self, vehicles: frozenset[str], stored: Iterable[Row]) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, dict[str, Said]] = {vehicle: {} for vehicle in sorted(vehicles)}
        for row in stored:
            if row["vehicle"] in self._said:
                said = Said(row["data"], row["time"], row["received_at"], row["lag_s"], None)
                self._said[row["vehicle"]][row["part"]] = said

    def put(self, report: Report, received_at: str, lag: float | None) -> None:
        """Take a report that is on disk."""
        with self._lock:
            said = Said(report.data, report.time, received_at, lag, report.at_s)
            self._said[report.vehicle][report.part] = said

    def rows(self, only: Iterable[str] | None = None) -> list[Row]:
        """Every vehicle, or those named, as the page and the API show them now."""
        now_s, now_utc = clock.mono_s(), clock.now_utc()
        with self._lock:
            said = {name: dict(self._said[name]) for name in (self._said if only is None else only)}
        return [_row(vehicle, parts, now_s, now_utc) for vehicle, parts in said.items()]


def _row(vehicle: str, parts: Mapping[str, Said], now_s: float, now_utc: datetime) -> Row:
    state, session, position = (parts.get(name) for name in ("state", "session", "position"))
    ages = {name: said.age_s(now_s, now_utc) for name, said in parts.items()}
    told: Mapping[str, Any] = state.data if state else {}
    phase = told.get("phase")
    fix_limit_s = POSITION_STALE_MOVING_S if phase == "under_way" else POSITION_STALE_PARKED_S
    return {
        "vehicle": vehicle,
        "online": session.data.get("online") if session else None,
        "offline_reason": session.data.get("reason") if session else None,
        "software": session.data.get("software") if session else None,
        "phase": phase,
        "boarding": told.get("boarding"),
        "equipment": told.get("equipment", {}),
        "alarms": told.get("alarms", []),
        "alarms_total": told.get("alarms_total", 0),
        "clock": told.get("clock"),
        "uplink": told.get("uplink"),
        "state_at": state.time if state else None,
        "state_age_s": ages.get("state"),
        "is_state_stale": _is_stale(state, ages.get("state"), STATE_STALE_S),
        "position": position.data if position else None,
        "position_at": position.time if position else None,
        "position_age_s": ages.get("position"),
        "is_position_stale": _is_stale(position, ages.get("position"), fix_limit_s),
        "state_stale_after_s": STATE_STALE_S,
        "position_stale_after_s": fix_limit_s,
        "session_age_s": ages.get("session"),
    }


def _is_stale(said: Said | None, age_s: float | None, limit_s: float) -> bool | None:
    return None if said is None else age_s is None or age_s > limit_s
