"""The kinds of words that a scenario's lines are made of: durations, cells, wires, units, stages.

Each parser turns one word into a value, or raises ValueError with what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from typing import Any

from simulators.scenario.errors import nearest
from simulators.stack import variants

BUTTONS = ("driver_ready", "driver_stop", "body_count", "alarm_button")
CELLS_MAX = 32
INPUT_WIRES = (*variants.INPUTS, "body_door")
OUTPUT_WIRES = tuple(variants.OUTPUTS)
PROCESSES = ("control", "uplink", "display", "broker", "desk")
PHASES = ("no_trip", "checking", "boarding", "securing", "secured", "under_way", "arrived", "unloading", "closed")
STAGES = ("recorded", "at_broker", "received", "acknowledged", "told_by_radio")
NOTICE_KINDS = ("departure", "arrival", "correction")
STATUSES = ("working", "fault", "stale", "unknown")
ROW_STATUSES = ("pending", "running", "passed", "failed", "expired", "manual_fallback")
TRIP_KINDS = ("within_settlement", "outside_settlement", "medical")
ALMATY = timezone(timedelta(hours=5))  # the Order's day ends at 24:00 of Kazakhstan's time

# Named routes; each begins where the bench's vehicle stands at the start. Way-points are latitude and longitude.
PARKED = (43.238949, 76.889709)
ROUTES: dict[str, tuple[tuple[float, float], ...]] = {
    "short": (PARKED, (43.241649, 76.889709)),  # 300 m straight north
    "kilometre": (PARKED, (43.242549, 76.889709), (43.242549, 76.897109)),  # 400 m north, 600 m east
}

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0}
_SPEED = re.compile(r"(\d+(?:\.\d+)?)(km/h|mps)")
_POINT = re.compile(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)")
_CELL = re.compile(r"(?:cell_)?(\d+)")
_CELL_WIRE = re.compile(r"cell_(call_|temperature_)?\d+")
_CALL = re.compile(r"cell_call_\d+")
_CELSIUS = re.compile(r"(-?\d+(?:\.\d+)?)C")
_CELL_PLAN = re.compile(r"(?:cell_)?(\d+):(\d+)(!?)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CLOCK = re.compile(r"(?:(\d+):)?(\d\d):(\d\d(?:\.\d+)?)")


def duration_s(word: str) -> float:
    match = _DURATION.fullmatch(word)
    if not match:
        raise ValueError("a duration such as 300ms, 10s or 2min")
    return float(match[1]) * _UNITS_S[match[2]]


def clock_s(word: str) -> float:
    match = _CLOCK.fullmatch(word)
    if not match:
        raise ValueError("a time since the scenario's start such as 00:02 or 01:30.5")
    return int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3])


def speed_mps(word: str) -> float:
    match = _SPEED.fullmatch(word)
    if not match:
        raise ValueError("a speed such as 50km/h or 14mps")
    return float(match[1]) / (3.6 if match[2] == "km/h" else 1.0)


def point(word: str) -> tuple[float, float]:
    match = _POINT.fullmatch(word)
    if not match:
        raise ValueError("a place such as 43.2500,76.9200 (latitude, longitude)")
    return float(match[1]), float(match[2])


def route(word: str) -> tuple[tuple[float, float], ...]:
    """A named route or one way-point; a list of way-points is a list of these."""
    if word in ROUTES:
        return ROUTES[word]
    try:
        return (point(word),)
    except ValueError:
        raise ValueError(
            f"a route ({', '.join(ROUTES)}) or way-points such as 43.2500,76.9200{nearest(word, ROUTES)}"
        ) from None


def cell(word: str) -> int:
    match = _CELL.fullmatch(word)
    if not match:
        raise ValueError("a cell such as cell_2")
    return int(match[1])


def cell_plan(word: str) -> dict[str, Any]:
    match = _CELL_PLAN.fullmatch(word)
    if not match:
        raise ValueError("a cell's plan such as cell_2:1, or cell_2:1! for enhanced supervision")
    return {"cell": int(match[1]), "planned": int(match[2]), "supervision": bool(match[3])}


def celsius(word: str) -> float:
    match = _CELSIUS.fullmatch(word)
    if not match:
        raise ValueError("a temperature such as 45C or -5.5C")
    return float(match[1])


def number(word: str) -> int:
    if not word.isdecimal():
        raise ValueError("a number")
    return int(word)


def name(word: str) -> str:
    if not _NAME.fullmatch(word):
        raise ValueError("a name in small letters such as cell_lock_2")
    return word


def day(word: str) -> str:
    """`today`, `yesterday`, `tomorrow` or a date, as a date of the Order's time zone."""
    today = datetime.now(ALMATY).date()
    near = {"yesterday": -1, "today": 0, "tomorrow": 1}
    if word in near:
        return str(today + timedelta(days=near[word]))
    try:
        return str(date.fromisoformat(word))
    except ValueError:
        raise ValueError("yesterday, today, tomorrow or a date such as 2026-12-01") from None


def text(word: str) -> str:
    return word


def one_of(what: str, known: Iterable[str]) -> Callable[[str], str]:
    """A word of a closed list; capitals are allowed, the value is in small letters."""
    allowed = tuple(known)

    def parse(word: str) -> str:
        if word.lower() not in allowed:
            raise ValueError(f"{what} ({', '.join(allowed)}){nearest(word, allowed)}")
        return word.lower()

    return parse


def _input_wire(word: str) -> str:
    if _CELL_WIRE.fullmatch(word) or word in INPUT_WIRES:
        return word
    known = ("cell_1", "cell_call_1", "cell_temperature_1", *INPUT_WIRES)
    raise ValueError(f"an input wire (cell_1, cell_2 …, {', '.join(INPUT_WIRES)}){nearest(word, known)}")


def _button(word: str) -> str:
    return word if _CALL.fullmatch(word) else one_of("a button", (*BUTTONS, "cell_call_1"))(word)


def _any_wire(word: str) -> str:
    return word if word in OUTPUT_WIRES or word == "permit_relay" else _input_wire(word)


KINDS: dict[str, Callable[[str], Any]] = {
    "button": _button,
    "input": _input_wire,
    "wire": _any_wire,
    "process": one_of("a process", PROCESSES),
    "phase": one_of("a phase", PHASES),
    "stage": one_of("a stage", STAGES),
    "notice_kind": one_of("a kind of notice", NOTICE_KINDS),
    "status": one_of("a status", STATUSES),
    "row_status": one_of("a row's status", ROW_STATUSES),
    "unit": one_of("a unit", variants.UNITS),
    "trip_kind": one_of("a kind of trip", TRIP_KINDS),
    "page": one_of("a page", ("display", "bench", "desk")),
    "duration": duration_s,
    "speed": speed_mps,
    "point": point,
    "route": route,
    "cell": cell,
    "cell_plan": cell_plan,
    "number": number,
    "celsius": celsius,
    "name": name,
    "day": day,
    "text": text,
}
