"""One seeded world: a vehicle, a broker, three duty rooms, everything that can go wrong, and the claims that must hold.

For five minutes faults strike; then they stop, and within ten more everything must have come to rest.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.core.world import World
from tests.delivery.claims import Claims
from tests.delivery.desks import DutyRoom, vehicle_keyring
from tests.delivery.faults import FAULTS, YEARS_20_S
from tests.delivery.network import Broker, Weather
from tests.delivery.uplink_parts import VEHICLE
from tests.delivery.vehicle import Vehicle
from tests.delivery.virtual_time import VirtualLoop
from vehicle_agent.dispatch import clock as desk_clock
from vehicle_agent.messages import jws
from vehicle_agent.uplink import service

UNITS = ("almaty-mp", "karaganda-mp", "astana-mp")  # where it comes from, on the way, where it goes
FAULTS_S = 300.0
REST_S = 900.0

Kind = TypeVar("Kind", bound="Delivery")


@dataclass(slots=True)
class Outcome:
    """What became of a world."""

    seed: int
    wrong: list[str]
    notices: int
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    rested_after_s: float = 0.0

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}: {dict(self.faults)}", *self.wrong[:12]])


def play(seed: int, directory: Path, template: Path, prepared: World) -> Outcome:
    """Run the world of this seed in `directory`, which is made; the same seed plays the same world again."""
    return play_as(Delivery, seed, directory, template, prepared)[0]


def play_as(
    kind: type[Kind], seed: int, directory: Path, template: Path, prepared: World, **traits: Any
) -> tuple[Outcome, Kind]:
    """The same of another kind of world, with these attributes; and the world as it is at its end."""
    random.seed(seed)  # the dialler draws its waits from it
    loop = VirtualLoop()
    try:
        with ExitStack() as stack:
            stack.enter_context(patch.object(service, "time", SimpleNamespace(monotonic=loop.time)))
            stack.enter_context(patch.object(desk_clock, "mono_s", loop.time))
            world = kind(seed, directory, template, prepared, stack)
            vars(world).update(traits)
            return loop.run_until_complete(world.run()), world
    finally:
        loop.close()


class Delivery:
    """Everything of one world; `run` lets it happen."""

    def __init__(self, seed: int, directory: Path, template: Path, prepared: World, stack: ExitStack) -> None:
        self.seed, self.random = seed, random.Random(seed)
        directory.mkdir()
        self.directory, self.template, self.prepared, self._stack = directory, template, prepared, stack
        self.faults: Counter[str] = Counter()
        self.desk_error_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> Outcome:
        random_ = self.random
        self.build(
            Weather(
                lost=random_.choice((0.0, 0.1, 0.4)),
                doubled=random_.choice((0.0, 0.3)),
                held=random_.choice((0.0, 0.2)),
                refused=random_.choice((0.0, 0.05)),
                way_max_s=random_.choice((0.02, 0.2, 1.5)),
            )
        )
        if random_.random() < 0.25:  # nobody knows the time until the sky is seen
            self.vehicle.world.has_gnss = False
            self.vehicle.wall_error_s = -YEARS_20_S
            self.loop.call_later(random_.uniform(20.0, 250.0), self._see_the_sky)
        self.vehicle.start_control()
        for start in (self.vehicle.start_uplink, *(room.start for room in self.rooms.values())):
            self.loop.call_later(random_.uniform(0.0, 5.0), start)
        self.spawn(self.journey())
        self.spawn(self.officers())
        for at_s in sorted(random_.uniform(6.0, FAULTS_S) for _ in range(random_.randint(2, 14))):
            self.loop.call_later(at_s, self._strike)
        await asyncio.sleep(FAULTS_S)
        self._heal()
        began_s = self.loop.time()
        while self.loop.time() - began_s < REST_S and not (self.is_over and self.claims.is_settled()):
            await asyncio.sleep(5.0)
        rested_s = self.loop.time() - began_s
        return self.end(rested_s)

    def build(self, weather: Weather) -> None:
        """Vehicle, broker, duty rooms and the claims upon them."""
        self.loop = asyncio.get_running_loop()
        self.weather = weather
        keys = {unit: _signer(unit) for unit in UNITS}
        mine = _signer(VEHICLE)
        self.broker = Broker(self.random, self.weather)
        units = {unit: {one.kid: one.public_key} for unit, one in keys.items()}
        world = World()
        vars(world).update({name: _copied(value) for name, value in vars(self.prepared).items()})
        self.vehicle = Vehicle(self.directory / "state", self.template, world, self.broker, self.random, mine, units)
        self.rooms = {
            unit: DutyRoom(
                unit,
                self.directory,
                self.broker,
                self.random,
                keys[unit],
                vehicle_keyring(mine),
                is_origin=unit == UNITS[0],
            )
            for unit in UNITS
        }
        self._stack.enter_context(patch.object(desk_clock, "now_utc", self._desk_utc))
        self.claims = Claims(self.directory / "state", self.rooms)
        self.vehicle.on_publish = self.claims.published
        for room in self.rooms.values():
            room.on_change = self.claims.register_changed

    def _desk_utc(self) -> datetime:
        return self.vehicle.true_utc() + timedelta(seconds=self.desk_error_s)

    def _see_the_sky(self) -> None:
        self.vehicle.world.has_gnss = True

    # People.

    async def journey(self) -> None:
        """Away, and some minutes later arrived."""
        world, vehicle = self.vehicle.world, self.vehicle
        await asyncio.sleep(self.random.uniform(8.0, 30.0))
        world.contacts["handbrake"], world.speed_mps = False, 10.0
        while vehicle.trip is None or vehicle.trip.phase != "under_way":
            vehicle.fast_until_s = vehicle.mono() + 0.5
            await asyncio.sleep(0.5)
        await asyncio.sleep(self.random.uniform(5.0, 200.0))
        world.contacts["handbrake"], world.speed_mps = True, 0.0
        await asyncio.sleep(3.0)
        while vehicle.trip is None or vehicle.trip.phase != "arrived":
            await vehicle.order("arrive")
            await asyncio.sleep(1.0)

    @property
    def is_over(self) -> bool:
        """Whether the arrival is on the disk."""
        return self.vehicle.trip is not None and self.vehicle.trip.phase == "arrived"

    async def officers(self) -> None:
        """Sooner or later every notice on the desk is acknowledged by somebody."""
        while True:
            await asyncio.sleep(self.random.uniform(3.0, 15.0))
            for unit, room in self.rooms.items():
                if room.desk is None:
                    continue
                for row in room.register.notices():
                    if row["stage"] == "received" and self.random.random() < 0.5:
                        room.acknowledge(row["id"], f"officer {self.random.randint(1, 9)} of {unit}")
            if self.vehicle.control is not None:
                self.claims.journal_changed()

    def _strike(self) -> None:
        kind = self.random.choice(sorted(FAULTS))
        self.faults[kind] += 1
        FAULTS[kind](self)

    def _heal(self) -> None:
        """The weather clears. Everybody connects once more, as after every loss that a broker could cause."""
        self.weather.lost = self.weather.held = self.weather.refused = 0.0
        for name in self.broker.names():
            line = self.broker.line_of(name)
            if line is not None:
                line.cut("the last cut")

    # The end.

    def end(self, rested_s: float) -> Outcome:
        """Judge what has come to rest, and stop everything."""
        claims, vehicle = self.claims, self.vehicle
        claims.at_rest()
        claims.wrong += [f"{type(error).__name__}: {error}" for error in vehicle.failures]
        for room in self.rooms.values():
            claims.wrong += [f"{room.unit}: {error!r}" for error in room.failures]
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                claims.wrong.append(f"the world itself failed: {task.exception()!r}")
            task.cancel()
        loop = self.loop
        assert isinstance(loop, VirtualLoop)
        claims.wrong += loop.problems
        counts = Counter(
            {
                "sendings": claims.sendings,
                "messages": self.broker.messages,
                "lost": self.broker.lost_count,
                "doubled": self.broker.doubled_count,
                "held back": self.broker.held_count,
            }
        )
        outcome = Outcome(self.seed, claims.wrong, len(claims.recorded()), self.faults, counts, rested_s)
        vehicle.kill_uplink()
        vehicle.kill_control()
        for room in self.rooms.values():
            room.kill()
        claims.close()
        return outcome

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """People and vehicles act beside each other."""
        self._tasks.append(asyncio.create_task(work))


def _signer(party: str) -> jws.FileSigner:
    return jws.FileSigner(Ed25519PrivateKey.generate(), f"{party}/1")


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, dict | list) else value
