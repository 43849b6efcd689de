"""The shortest lawful way from any phase to the trip's end: the next scenario finds an empty, working vehicle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from simulators.scenario.errors import NotMetError
from simulators.scenario.words import INPUT_WIRES, PARKED

if TYPE_CHECKING:
    from simulators.scenario.world import World

WITHIN_S = 40.0
STEP_S = 0.1


def end_trip(world: World) -> None:
    """Repair everything, then step by step what a commander would do. Raises NotMetError when it takes too long."""
    repair(world)
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        snapshot = world.commander.look()
        if snapshot is not None:
            if snapshot["phase"] in ("no_trip", "closed"):
                return
            _step(world, snapshot)
        if time.monotonic() > deadline_s:
            raise NotMetError(f"the trip could not be ended, phase {snapshot and snapshot['phase']}: {_last(world)}")
        time.sleep(STEP_S)


def repair(world: World) -> None:
    """All wires, receivers and links as at the start."""
    for wire in (*world.cells(), *world.care_wires(), *INPUT_WIRES):
        world.put_bench(f"wires/{wire}", {"set": "auto"})
    world.put_bench("gnss", {"mode": "parked", "latitude_deg": PARKED[0], "longitude_deg": PARKED[1]})
    world.put_bench("radio", {"mode": "registered"})
    world.put_bench("broker", {"mode": "up"})


def _step(world: World, snapshot: dict[str, Any]) -> None:
    """One act towards the end; refused ones are tried again by the next step."""
    seated = [cell["cell"] for cell in snapshot["trip"]["cells"] if cell["seated"] > 0]
    match snapshot["phase"]:
        case "checking":
            _try(world, "cancel_trip", reason="end of the scenario")
        case "boarding" | "securing" | "secured" if seated:
            _try(world, "unboard_person", cell=seated[0])
        case "boarding" | "securing" | "secured":
            if snapshot["counts"]["body"] > snapshot["counts"]["commander"]:
                world.press("body_count", 3.5)  # takes one back
            _try(world, "cancel_trip", reason="end of the scenario")
        case "under_way":
            halt = snapshot["trip"].get("halt")
            for out in halt["out"] if halt else ():
                _try(world, "halt_in", cell=out["cell"])
            if halt:
                _try(world, "end_halt")
            _try(world, "arrive")
        case "arrived":
            _try(world, "open_unloading")
        case "unloading":
            _unload(world, snapshot)


def _unload(world: World, snapshot: dict[str, Any]) -> None:
    for cell in snapshot["trip"]["cells"]:
        if cell["seated"] > 0 or not _row_passed(snapshot, "cells_seen_open"):
            world.put_bench(f"wires/cell_{cell['cell']}", {"set": "both_open"})
    for cell in snapshot["trip"]["cells"]:
        for _ in range(cell["seated"]):
            _try(world, "unload_person", cell=cell["cell"])
    if snapshot["counts"]["unloaded"] == snapshot["counts"]["commander"] and not _row_passed(snapshot, "vehicle_empty"):
        world.press("body_count", 0.3)
    if _try(world, "close_trip"):
        for name in world.cells():
            world.put_bench(f"wires/{name}", {"set": "auto"})


def _row_passed(snapshot: dict[str, Any], item: str) -> bool:
    return any(row["item"] == item and row["status"] == "passed" for row in snapshot["checklist"])


def _try(world: World, name: str, **arguments: object) -> bool:
    world.commander.attempt(name, dict(arguments))
    return world.commander.answers[-1].status == 200


def _last(world: World) -> str:
    return world.commander.answers[-1].text if world.commander.answers else "no command was answered"
