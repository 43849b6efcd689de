"""One vehicle: the real control and the real uplink, on simulated wires, socket, clock and line.

Control's scan runs when something happens and once a second otherwise; its journal is the real one on a real file, and
a kill loses what was not yet committed.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from hw.rig import Rig
from tests.core.world import World
from tests.delivery.control_parts import StepJournal, Wires
from tests.delivery.network import Broker
from tests.delivery.sockets import LoopClient, LoopServer, QuietIntake
from tests.delivery.uplink_parts import KEEPALIVE_S, VEHICLE, LoopLink, LoopUplink
from vehicle_agent.control.clock import Clock
from vehicle_agent.control.devices import Devices
from vehicle_agent.control.intake import Request
from vehicle_agent.control.loop import Control
from vehicle_agent.control.pin import PinHash
from vehicle_agent.control.sessions import Sessions
from vehicle_agent.core.state import Trip
from vehicle_agent.messages import jws
from vehicle_agent.uplink.link import Address
from vehicle_agent.uplink.options import Options
from vehicle_agent.uplink.positions import PositionRate

RESEND_FIRST_S, RESEND_MAX_S = 5.0, 60.0  # the shipped configuration
SCAN_SLOW_S, SCAN_FAST_S = 1.0, 0.02


class Vehicle:
    """Control and uplink, each of which may be killed and started at any time."""

    def __init__(
        self,
        directory: Path,
        template: Path,
        world: World,
        broker: Broker,
        random_: random.Random,
        signer: jws.Signer,
        units: dict[str, dict[str, str]],
    ) -> None:
        self.directory, self.broker, self.world = directory, broker, world
        shutil.copytree(template, directory)
        self._random = random_
        self._loop = asyncio.get_running_loop()
        self._signer = signer
        self._unit_keys = {unit: jws.public_keys(keys) for unit, keys in units.items()}
        self.true_utc_at_start = world.utc - timedelta(seconds=self._loop.time() - world.mono_s)
        self.wall_error_s = 0.0
        self.boot_id = world.boot_id
        self.scan_slow_s = SCAN_SLOW_S
        self.fast_until_s = 0.0
        self.control: Control | None = None
        self.server: LoopServer | None = None
        self.journal: StepJournal | None = None
        self.link: LoopLink | None = None
        self.on_publish: Callable[[LoopLink, str, bytes], None] = lambda *_: None
        self._wake = asyncio.Event()  # something waits for the next scan
        self._scanning: asyncio.Task[None] | None = None
        self.uplink: asyncio.Task[None] | None = None
        self.uplink_itself: LoopUplink | None = None
        self._client: LoopClient | None = None
        self.failures: list[BaseException] = []

    def mono(self) -> float:
        return self._loop.time()

    def true_utc(self) -> datetime:
        """What a good clock would show."""
        return self.true_utc_at_start + timedelta(seconds=self.mono())

    def start_control(self) -> None:
        """As systemd would, from whatever lies in the state directory."""
        wall_s = lambda: max(0.0, self.true_utc().timestamp() + self.wall_error_s)  # noqa: E731 (said where it is used)
        clock = Clock(mono=self.mono, wall=wall_s, synchronisation=lambda: None)
        sessions = Sessions(cast("PinHash", None), session_s=1.0, wrong_max=5, lockout_s=300.0, mono=self.mono)
        self.journal = StepJournal(self.directory, self._random, self._wake.set)
        intake = QuietIntake(sessions, self.journal)
        self.server = LoopServer(intake, self._random, self._wake.set)
        self._intake = intake
        wires = Wires(self.world, self.mono)
        self.control = Control(
            rig=cast("Rig", wires),
            settings=self.world.settings,
            clock=clock,
            boot_id=self.boot_id,
            software="simulated",
            supply_range=(1000, 3000),
            lockout_s=300.0,
            journal=self.journal,
            devices=cast("Devices", wires),
            sessions=sessions,
            intake=intake,
            server=self.server,
        )
        self._scanning = asyncio.create_task(self._scan(self.control, self.journal))

    def kill_control(self) -> None:
        """SIGKILL: connections end, and rows that were not on the disk never were."""
        if self.control is None:
            return
        assert self.journal is not None and self.server is not None and self._scanning is not None
        self._scanning.cancel()
        self.journal.kill()
        self.server.kill()
        self.control = self.server = self.journal = None

    def start_uplink(self) -> None:
        options = Options(
            vehicle=VEHICLE,
            software="simulated",
            address=Address("broker", 1, VEHICLE, int(KEEPALIVE_S), is_tls=False),
            unit_keys=self._unit_keys,
            resend_first_s=RESEND_FIRST_S,
            resend_max_s=RESEND_MAX_S,
            rate=PositionRate(moving_s=10.0, parked_s=300.0, turn_deg=30.0, speed_change_mps=5.0),
        )
        self._client = LoopClient(lambda: self.server if self.server is not None and self.server.is_serving else None)
        uplink = LoopUplink(options, self._signer, self._client)
        uplink.vehicle = self
        self.uplink_itself = uplink
        self.uplink = asyncio.create_task(uplink.run(asyncio.Event()))
        self.uplink.add_done_callback(self._uplink_ended)

    def kill_uplink(self) -> None:
        """SIGKILL: its connections end, what it held in memory is gone."""
        if self.uplink is None or self._client is None:
            return
        self._client.is_dead = True
        self._client.drop()
        self.uplink.cancel()
        self.uplink = self._client = None
        if self.link is not None:
            self.broker.hang_up(self.link.peer)
            self.link = None

    @property
    def trip(self) -> Trip | None:
        """The trip as far as it is on the disk."""
        return self.control.durable if self.control is not None and self.control.is_live else None

    async def order(self, name: str, **arguments: Any) -> None:
        """The commander's order, repeated until control has accepted it."""
        while True:
            control, server = self.control, self.server
            if control is not None and server is not None and server.is_serving:
                answer: asyncio.Future[int] = self._loop.create_future()

                def hear(message: dict[str, Any], told: asyncio.Future[int] = answer) -> None:
                    if not told.done():
                        told.set_result(message["status"])

                def lose(told: asyncio.Future[int] = answer) -> None:
                    if not told.done():
                        told.set_result(0)

                client = server.connect(hear, lose)
                client.asked += 1
                fields = {"name": name, "rev": control.view.rev, "args": dict(arguments), "by": "commander"}
                self._intake.requests.put(Request(client, 1, "command", fields))
                self._wake.set()
                self.fast_until_s = self.mono() + 0.1
                status = await answer
                if server.is_serving:
                    server.disconnect(client)
                if status == 200:
                    return
            await asyncio.sleep(0.5)

    async def _scan(self, control: Control, journal: StepJournal) -> None:
        try:
            control._scan(self.mono())
            journal.start()
            while True:
                await self._pause()
                self.world.utc = self.true_utc()
                control._scan(self.mono())
        except Exception as error:
            self.failures.append(error)

    async def _pause(self) -> None:
        """Until the next scan: soon when something waits for it, else in a second."""
        is_fast = self.mono() < self.fast_until_s
        try:
            async with asyncio.timeout(0.0 if is_fast else self.scan_slow_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        await asyncio.sleep(SCAN_FAST_S)

    def _uplink_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)
