"""What people, wires, time and power cuts can do to the vehicle: the alphabet of the search.

An action is possible in a node or not; whether an order is *allowed* is never asked here, so every order is given
everywhere. Orders that always come together (a list of documents) are one action and one scan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.core.exploring.normal import Node
from tests.core.exploring.vehicle import Wires
from tests.core.world import ACCEPTANCE, ATTESTED, DOCUMENTS, PLAN, SECURING, SETTINGS
from vehicle_agent.core.inputs import Command, Input, Press
from vehicle_agent.core.settings import Settings

HASTY = ("release the handbrake", "press body_count")  # in the scan after the tests began
WITHDRAWN = "seats_fixed"  # stands for every attested row that a person takes back


@dataclass(frozen=True, slots=True)
class Action:
    """`kind`: order, press, haste (two things at once), repair, wire, time, restart or commission.

    `inputs` come in one scan, `wires` says what the wires become.
    """

    name: str
    kind: str
    inputs: tuple[Input, ...] = ()
    wires: Callable[[Wires], Wires] | None = None
    is_possible: Callable[[Node], bool] = lambda node: True
    least: int = 1  # scans before the vehicle may be called quiet
    back: Callable[[Wires], Wires] | None = None  # what the wires do three scans later: a button that is let go
    then: Action | None = None  # what happens in the next scan, while fan and light are interrupted

    @property
    def is_of_people(self) -> bool:
        return self.kind in ("order", "press", "haste")

    @property
    def brings_an_end(self) -> bool:
        """What people can do to finish a trip: orders, presses, repairs, shutting doors, stopping."""
        return self.kind in ("order", "press", "repair")


@dataclass(frozen=True, slots=True)
class Instance:
    """One search: how many cells, which faults, how many of them at a time, and which of the other dangers."""

    name: str
    planned: tuple[int, ...]  # persons for each cell
    faults: tuple[str, ...]
    at_a_time: int
    doors: tuple[str, ...] = ()  # what the body door does, beside being locked
    is_commissioned: bool = True
    asks_freely: bool = True  # whether people also try to answer for a sensor that works
    counts_beyond: int = 1  # how many more than planned the body escort counts at the most
    left_out: frozenset[str] = frozenset()  # actions that a smaller search does without

    @property
    def cells(self) -> tuple[int, ...]:
        return tuple(range(1, len(self.planned) + 1))

    @property
    def settings(self) -> Settings:
        """The tests' usual vehicle with these cells, where people may answer for the light's sensor."""
        return replace(SETTINGS, cells=self.cells, manual_fallback=frozenset({"lighting"}))

    @property
    def plan(self) -> dict[str, Any]:
        cells = [{"cell": n, "planned": count, "supervision": False} for n, count in enumerate(self.planned, 1)]
        return PLAN | {"cells": cells}


def orders(name: str, *commands: Command) -> Action:
    return Action(name, "order", commands)


def _order(name: str, **args: Any) -> Action:
    shown = " ".join([name, *(str(value) for value in args.values())])
    return orders(shown, Command(name, args))


def _confirm(*items: str) -> tuple[Command, ...]:
    parts = {"documents": DOCUMENTS, "acceptance": ACCEPTANCE}
    return tuple(
        Command("confirm", {"item": item} | ({} if part is None else {"part": part}))
        for item in items
        for part in parts.get(item, (None,))
    )


def _people(instance: Instance) -> list[Action]:
    most = sum(instance.planned) + instance.counts_beyond
    rest = tuple(item for item in ATTESTED if item != "at_door")
    found = [
        orders("open_trip", Command("open_trip", instance.plan)),
        _order("start_tests"),
        orders("confirm all but at_door", *_confirm(*rest, "documents", "acceptance")),
        *(_order("confirm", item=item) for item in ("at_door", "order_valid", "radio")),
        _order("withdraw", item=WITHDRAWN),
        Action(
            "ask to answer for lighting",
            "order",
            (_with_pin("lighting"),),
            is_possible=lambda node: instance.asks_freely or bool(node.wires.broken),
        ),
        orders("ask to answer for cell_lock_1", _with_pin("cell_lock_1")),
        orders("ask to answer for lighting without the PIN", Command("confirm", {"item": "lighting"})),
        *(_order(name) for name in ("open_boarding", "suspend_boarding", "finish_boarding", "secure", "depart")),
        orders("confirm all of securing", *_confirm(*SECURING)),
        _order("withdraw", item="isolation"),
        _order("log_halt", reason="x"),
        *(_order(name) for name in ("end_halt", "arrive", "open_unloading", "close_trip")),
        _order("cancel_trip", reason="x"),
        Action("press driver_ready", "press", (Press("driver_ready", 0.5),)),
        Action("hold body_count", "press", (Press("body_count", 4.0),)),
        Action(
            "press body_count",
            "press",
            (Press("body_count", 0.5),),
            # In boarding it counts, and nobody counts on for ever; in unloading it says that the body is empty.
            is_possible=lambda node: node.trip.phase != "boarding" or node.trip.body < most,
        ),
    ]
    in_cells = ("board_person", "unboard_person", "halt_out", "halt_in", "unload_person")
    return found + [_order(name, cell=cell) for cell in instance.cells for name in in_cells]


def _hasty(instance: Instance) -> list[Action]:
    """What must not meet an interrupted fan: the vehicle rolls, or somebody is counted in."""
    second = [a for a in (*_people(instance), *_wires(instance)) if a.name in HASTY]
    first = (Command("start_tests", {}),)
    return [Action(f"start_tests, and {a.name}", "haste", first, None, a.is_possible, then=a) for a in second]


def _with_pin(item: str) -> Command:
    return Command("confirm", {"item": item, "pin_is_right": True})


def _wires(instance: Instance) -> list[Action]:
    found = [
        _wire("release the handbrake", "wire", lambda w: w._replace(is_braked=False)),
        _wire("apply the handbrake", "repair", lambda w: w._replace(is_braked=True)),
        replace(
            _wire("press STOP", "wire", lambda w: w._replace(is_stopped=True)),
            back=lambda w: w._replace(is_stopped=False),
            is_possible=lambda node: node.trip.report != "none" or node.trip.is_open,  # it has nothing else to stop
        ),
        *(_wire(f"the body door: {loop}", "repair", _door(loop)) for loop in ("locked", *instance.doors)),
    ]
    loops = itertools.product(instance.cells, ("locked", "both_open"))
    return found + [_wire(f"cell {cell}: {loop}", "repair", _loop(cell, loop)) for cell, loop in loops]


def _wire(name: str, kind: str, change: Callable[[Wires], Wires]) -> Action:
    return Action(name, kind, (), change, lambda node: change(node.wires) != node.wires)


def _door(loop: str) -> Callable[[Wires], Wires]:
    return lambda w: w._replace(door=loop)


def _loop(cell: int, loop: str) -> Callable[[Wires], Wires]:
    return lambda w: w._replace(cells=(*w.cells[: cell - 1], loop, *w.cells[cell:]))


def _faults(instance: Instance) -> list[Action]:
    found = []
    for fault in instance.faults:
        begin, end = _holding(fault, is_there=True), _holding(fault, is_there=False)
        # Two pilot tones show what the intercom hears; every other fault shows in its samples, as long as they count.
        least = 30 if fault == "tone_lost" else 1
        found.append(Action(f"fault: {fault}", "wire", (), begin, _may_break(fault, instance), least))
        found.append(Action(f"repair: {fault}", "repair", (), end, _is_broken(fault), least))
    return found


def _holding(fault: str, *, is_there: bool) -> Callable[[Wires], Wires]:
    return lambda wires: wires.holding(fault, is_there=is_there)


def _is_broken(fault: str) -> Callable[[Node], bool]:
    return lambda node: fault in node.wires.broken


def _may_break(fault: str, instance: Instance) -> Callable[[Node], bool]:
    """So many faults at a time; a row that one of them took and nobody has proven again counts on."""

    def is_possible(node: Node) -> bool:
        if fault in node.wires.broken:
            return False
        if fault == "disk_hangs" and not (node.trip.phase == "boarding" or node.trip.report == "fresh"):
            return False  # elsewhere a hanging disk changes nothing that is put out
        lost = sum(row.is_lost_alone for row in node.trip.rows)
        return len(node.wires.broken) + lost + (not node.trip.is_commissioned) < instance.at_a_time

    return is_possible


def _can_grow_old(node: Node) -> bool:
    return any(row.status == "passed" and not row.is_old for row in node.trip.rows)


def _can_be_late(node: Node) -> bool:
    return node.trip.fallback is not None and not node.trip.fallback[1]


def _events(instance: Instance) -> list[Action]:
    return [
        Action("the report is too old", "time", is_possible=lambda node: node.trip.report == "fresh"),
        Action("the checks are too old", "time", is_possible=_can_grow_old),
        Action("half a minute passes", "time", is_possible=_can_be_late),
        Action("restart", "restart"),
        Action("power cut", "restart"),
        Action("commission", "commission", is_possible=lambda node: not node.trip.is_commissioned),
    ]


def alphabet(instance: Instance) -> tuple[Action, ...]:
    """Everything that can happen in this instance."""
    every = (*_people(instance), *_hasty(instance), *_wires(instance), *_faults(instance), *_events(instance))
    unknown = instance.left_out - {action.name for action in every}
    assert not unknown, unknown
    return tuple(action for action in every if action.name not in instance.left_out)
