"""What strikes a world: lines, broker, processes, disk and clocks; each may come at any moment and in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.delivery.network import Line

if TYPE_CHECKING:
    from tests.delivery.world import Delivery

YEARS_20_S = 20 * 365.25 * 86400.0


def _cut(world: Delivery) -> None:
    _line_of_anybody(world, lambda line: line.cut("cut"))


def _silence(world: Delivery) -> None:
    _line_of_anybody(world, lambda line: line.silence())


def _line_of_anybody(world: Delivery, do: Callable[[Line], None]) -> None:
    names = world.broker.names()
    line = world.broker.line_of(world.random.choice(names)) if names else None
    if line is not None:
        do(line)


def _broker_restarts(world: Delivery) -> None:
    _broker_away(world, world.random.uniform(0.1, 20.0), forgets=False)


def _broker_forgets(world: Delivery) -> None:
    _broker_away(world, world.random.uniform(0.1, 20.0), forgets=True)


def _outage(world: Delivery) -> None:
    _broker_away(world, world.random.uniform(30.0, 120.0), forgets=False)


def _broker_away(world: Delivery, span_s: float, *, forgets: bool) -> None:
    if world.broker.is_up:
        world.broker.stop(forgets=forgets)
        world.loop.call_later(span_s, world.broker.start)


def _control_killed(world: Delivery) -> None:
    if world.vehicle.control is not None:
        world.vehicle.kill_control()
        world.loop.call_later(world.random.uniform(0.5, 10.0), world.vehicle.start_control)


def _uplink_killed(world: Delivery) -> None:
    if world.vehicle.uplink is not None:
        world.vehicle.kill_uplink()
        world.loop.call_later(world.random.uniform(0.5, 10.0), world.vehicle.start_uplink)


def _computer_restarts(world: Delivery) -> None:
    if world.vehicle.control is not None and world.vehicle.uplink is not None:
        world.vehicle.boot_id = f"boot-{world.random.randint(2, 10**6)}"
        _control_killed(world)
        _uplink_killed(world)


def _desk_killed(world: Delivery) -> None:
    room = world.rooms[world.random.choice(sorted(world.rooms))]
    if room.desk is not None:
        room.kill()
        world.loop.call_later(world.random.uniform(0.5, 60.0), room.start)


def _disk_hangs(world: Delivery) -> None:
    if world.vehicle.journal is not None:
        world.vehicle.journal.stall_until_s = world.loop.time() + world.random.uniform(0.5, 5.0)


def _vehicle_clock_steps(world: Delivery) -> None:
    world.vehicle.wall_error_s = world.random.choice((-YEARS_20_S, -3600.0, 0.0, 2.0, 3600.0, YEARS_20_S))


def _desk_clock_steps(world: Delivery) -> None:
    world.desk_error_s = world.random.choice((-86400.0, -5.0, 0.0, 5.0, 86400.0))


FAULTS: dict[str, Callable[[Delivery], None]] = {
    "line cut": _cut,
    "line silent": _silence,
    "broker restarted": _broker_restarts,
    "broker forgot": _broker_forgets,
    "outage": _outage,
    "control killed": _control_killed,
    "uplink killed": _uplink_killed,
    "computer restarted": _computer_restarts,
    "desk killed": _desk_killed,
    "disk hung": _disk_hangs,
    "vehicle's clock stepped": _vehicle_clock_steps,
    "desk's clock stepped": _desk_clock_steps,
}
