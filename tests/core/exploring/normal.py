"""The normal form of a quiet vehicle: everything that its future depends on, and nothing else; and the way back.

A `Node` holds no time, no identifier and no order of events, so a search over nodes is finite. Nothing is merged by
hope: the search goes on from the state that `state_of` makes of a node, and that is a state of its own right.
Why the future of both is the same:

- Quiet means that no wire is being debounced and no test, tone, flash or read-back delay is under way; what remains
  of a time is whether it is past its limit, and each kind of time is compared with one limit only.
- `order` numbers events and is only ever compared: is the report newer than the rows, is the opening the durable one.
- Alarms and notices are written by everything and read by nothing that decides on a row, a phase, a count or the
  permit; both would grow for ever. The claims see those that a scan makes.
- Reasons, evidence, wall times and identifiers are shown and told, and decide nothing, but for the cells seen open.
- From the departure on no way leads back to boarding, so the rows that boarding and securing asked for are over.
- A closed trip leaves nothing to the next one but its commissioning and its notices.

`test_exploration.py` tries this: histories with and without going through the normal form answer alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.core.exploring.vehicle import START, START_S, Wires
from vehicle_agent.core.equipment import FLASH_GAP_S
from vehicle_agent.core.events import TripOpened
from vehicle_agent.core.interlock import last_change
from vehicle_agent.core.notices import GOOD_SOURCES
from vehicle_agent.core.rules import SENSED_EQUIPMENT
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.state import Departure, Halt, Level, Live, Report, Row, Status, Test, Tone, Trip

FALLBACK_WITHIN_S = 30.0  # contract.md; the code's own number is what is being tried
LONG_S = 2048.0  # longer ago than every limit of the core, and a whole number
TOGETHER = frozenset({"moved", "restart", "too_old"})  # what takes several rows at once; anything else takes one


AFTER_DEPARTURE = ("under_way", "arrived", "unloading")


class RowKey(NamedTuple):
    item: str
    status: str
    is_old: bool = False
    is_lost_alone: bool = False
    parts: frozenset[str] = frozenset()
    cells: tuple[int, ...] = ()  # seen open in unloading


class TripKey(NamedTuple):
    """A trip; `report` is none, outdated, old or fresh, `fallback` the item and whether its 30 s are over."""

    phase: str
    is_commissioned: bool
    is_open: bool = False
    opening: bool = False  # of a durable trip that is behind: whether its opening is the newest one
    rows: tuple[RowKey, ...] = ()
    report: str = "none"
    commander: int = 0
    body: int = 0
    unloaded: int = 0
    seated: tuple[tuple[int, int], ...] = ()
    used: frozenset[int] = frozenset()
    fallback: tuple[str, bool] | None = None
    halted: tuple[tuple[int, int], ...] | None = None
    left: tuple[bool, str, bool] | None = None  # secured, the clock's source, in this boot
    is_corrected: bool = False


class LiveKey(NamedTuple):
    levels: tuple[tuple[str, Any], ...]
    equipment: tuple[tuple[str, str, str | None], ...]
    tests: tuple[tuple[str, str], ...]
    tone: bool | None
    is_lit: bool
    is_enabled: bool
    motion: str
    motion_reason: str | None
    is_fast: bool


class Node(NamedTuple):
    """`durable` is what the disk has while it hangs, `lag` how many orders it is behind."""

    wires: Wires
    trip: TripKey
    live: LiveKey
    durable: TripKey | None = None
    lag: int = 0


@dataclass(slots=True)
class State:
    """The real thing: what `scan` and `outputs` get."""

    wires: Wires
    trip: Trip
    live: Live
    durable: Trip
    lag: int = 0


def node_of(state: State, at_s: float, settings: Settings) -> Node:
    """The normal form of a quiet state at monotonic time `at_s`."""
    trip, durable = state.trip, None
    if state.durable is not trip:
        durable = trip_key(state.durable, at_s, settings)._replace(opening=state.durable.opening == trip.opening)
    live = _live_key(state.live)
    if trip.phase in ("closed", *AFTER_DEPARTURE):
        live = live._replace(tests=())
    return Node(state.wires, trip_key(trip, at_s, settings), live, durable, state.lag if durable else 0)


def trip_key(trip: Trip, at_s: float, settings: Settings) -> TripKey:
    """What a trip's future depends on."""
    is_commissioned = trip.commissioned == settings.wiring_sha256
    if trip.phase in ("no_trip", "closed"):
        return TripKey(trip.phase, is_commissioned)
    left = trip.departure
    return TripKey(
        trip.phase,
        is_commissioned,
        trip.is_open,
        False,
        _rows(trip, at_s, settings),
        _report(trip, at_s, settings),
        trip.commander,
        trip.body,
        trip.unloaded,
        tuple(sorted((cell, n) for cell, n in trip.seated.items() if n)),
        trip.used,
        None if trip.fallback is None else (trip.fallback[0], at_s - trip.fallback[1] > FALLBACK_WITHIN_S),
        None if trip.halt is None else tuple(sorted((cell, n) for cell, n in trip.halt.out.items() if n)),
        None if left is None else _left(left, trip),
        trip.corrected,
    )


def _rows(trip: Trip, at_s: float, settings: Settings) -> tuple[RowKey, ...]:
    """A row that is pending and one that was never there are read alike."""
    rows = sorted(_row_key(item, row, at_s, settings) for item, row in trip.rows.items() if _counts(item, trip))
    return tuple(row for row in rows if row != RowKey(row.item, "pending"))


def _counts(item: str, trip: Trip) -> bool:
    return trip.phase not in AFTER_DEPARTURE or item in ("cells_seen_open", "vehicle_empty")


def _left(left: Departure, trip: Trip) -> tuple[bool, str, bool]:
    """A departure by a good clock, or one that was corrected, is not corrected again: its boot no longer counts."""
    is_final = left.source in GOOD_SOURCES or trip.corrected
    return left.is_secured, left.source, is_final or left.boot_id == trip.boot_id


def _row_key(item: str, row: Row, at_s: float, settings: Settings) -> RowKey:
    """Only what is sensed grows old."""
    is_sensed = item in SENSED_EQUIPMENT or item.startswith("cell_lock_")
    is_old = is_sensed and row.status == "passed" and at_s - row.at_s > settings.checklist_valid_s
    is_lost_alone = row.status in ("expired", "failed") and row.reason not in TOGETHER
    return RowKey(item, row.status, is_old, is_lost_alone, row.parts, tuple(row.evidence.get("cells", ())))


def _report(trip: Trip, at_s: float, settings: Settings) -> str:
    if trip.report is None:
        return "none"
    if trip.report.order < last_change(trip, settings):
        return "outdated"
    return "old" if at_s - trip.report.at_s > settings.driver_report_valid_s else "fresh"


def _live_key(live: Live) -> LiveKey:
    return LiveKey(
        tuple((name, entry.value) for name, entry in live.levels.items()),
        tuple((name, status.status, status.reason) for name, status in live.equipment.items()),
        tuple((item, test.stage) for item, test in live.tests.items()),
        live.tone.result,
        live.at_s - live.beacon_lit_s <= FLASH_GAP_S,
        live.enable[0],
        live.motion,
        live.motion_reason,
        live.fast_since_s is not None,
    )


def state_of(node: Node, plan: TripOpened, settings: Settings) -> State:
    """A real state with this normal form, at `START_S`: what is not past its limit has only just begun."""
    trip = _trip(node.trip, plan, settings, opening=6)
    durable = trip
    if node.durable is not None:
        durable = _trip(node.durable, plan, settings, opening=6 if node.durable.opening else 5)
    return State(node.wires, trip, _live(node, trip), durable, node.lag)


def _trip(key: TripKey, plan: TripOpened, settings: Settings, *, opening: int) -> Trip:
    """Rows have order 2, a report 1 or 3; everything that comes is newer than 10."""
    report, left = None, None
    if key.report != "none":
        at_s = START_S - LONG_S if key.report == "old" else START_S
        report = Report(1 if key.report == "outdated" else 3, at_s, START)
    if key.left is not None:
        is_secured, source, is_same_boot = key.left
        boot_id = "boot" if is_same_boot else "an earlier boot"
        left = Departure(START_S, START, source, None, boot_id, is_secured, {}, None)
    return Trip(
        order=10,
        id=None if key.phase == "no_trip" else "trip",
        phase=key.phase,
        plan=None if key.phase == "no_trip" else plan,
        rows={row.item: _row(row) for row in key.rows},
        report=report,
        is_open=key.is_open,
        opening=opening,
        commander=key.commander,
        body=key.body,
        unloaded=key.unloaded,
        seated=dict(key.seated),
        used=key.used,
        fallback=None if key.fallback is None else (key.fallback[0], START_S - LONG_S * key.fallback[1], "boot"),
        halt=None if key.halted is None else Halt("reason", START, dict(key.halted)),
        departure=left,
        corrected=key.is_corrected,
        commissioned=settings.wiring_sha256 if key.is_commissioned else None,
        boot_id="boot",
    )


def _row(key: RowKey) -> Row:
    return Row(
        key.status,
        2,
        START_S - LONG_S if key.is_old else START_S,
        START,
        "alone" if key.is_lost_alone else "moved",
        {"cells": list(key.cells)} if key.cells else {},
        key.parts,
    )


def _live(node: Node, trip: Trip) -> Live:
    key, long_ago_s = node.live, START_S - LONG_S
    return Live(
        at_s=START_S,
        levels={name: Level(value, long_ago_s, None, 0, value, long_ago_s) for name, value in key.levels},
        equipment={name: Status(status, reason, START, 0, True) for name, status, reason in key.equipment},
        tests={
            item: Test(stage, long_ago_s, None, {"unlocked": True} if stage == "locked" else {})
            for item, stage in key.tests
        },
        tests_order=trip.tests,
        tone=Tone(False, START_S - 0.5, 0, key.tone),  # between two pilot tones
        beacon_lit_s=START_S if key.is_lit else long_ago_s,
        beacon_expected=(False, long_ago_s),
        enable=(key.is_enabled, long_ago_s),
        motion=key.motion,
        motion_reason=key.motion_reason,
        fast_since_s=long_ago_s if key.is_fast else None,
        still_since_s=long_ago_s,
        journal_ok="journal_lost" not in node.wires.broken,
    )
