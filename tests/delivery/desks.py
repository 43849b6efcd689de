"""Duty rooms: each the real desk on a real register, with its line through the simulated broker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.delivery.network import Broker, Line, Peer
from tests.delivery.uplink_parts import VEHICLE
from vehicle_agent.dispatch.board import Board
from vehicle_agent.dispatch.desk import Changes, Desk
from vehicle_agent.dispatch.flood import AlarmRate
from vehicle_agent.dispatch.inbox import Inbox
from vehicle_agent.dispatch.intake import Keyring
from vehicle_agent.dispatch.link import REPORT_PARTS
from vehicle_agent.dispatch.register import Register
from vehicle_agent.dispatch.store import Store
from vehicle_agent.messages import jws
from vehicle_agent.messages.topics import notice_filter, vehicle_filter

KEEPALIVE_S = 15.0
ROUND_S = 0.5
NOTICES_PER_ROUND = 100


class DutyRoom:
    """One unit's desk, which may be killed and started, and the officer in front of it."""

    def __init__(
        self,
        unit: str,
        directory: Path,
        broker: Broker,
        random_: random.Random,
        signer: jws.Signer,
        keyring: Keyring,
        *,
        is_origin: bool,
    ) -> None:
        self.unit, self.file, self._broker, self._random = unit, directory / f"{unit}.db", broker, random_
        self._signer, self._keyring = signer, keyring
        self._parts = REPORT_PARTS if is_origin else ()
        self._loop = asyncio.get_running_loop()
        self.register = Register(self.file)
        self.on_change: Callable[[DutyRoom], None] = lambda _: None
        self.desk: Desk | None = None
        self._store: Store | None = None
        self._inbox: Inbox | None = None
        self._peer: Peer | None = None
        self._line: Line | None = None
        self._numbers = 0
        self.failures: list[BaseException] = []

    def start(self) -> None:
        """As its unit would, on the register as it lies there."""
        self._store = Store(self.file)
        assert self._store.moved_aside is None
        self._inbox = inbox = Inbox(frozenset({self.unit}), self._keyring.vehicles)
        self.desk = desk = Desk(
            store=self._store,
            inbox=inbox,
            keyring=self._keyring,
            signers={self.unit: self._signer},
            board=Board(self._keyring.vehicles, self.register.reports()),
            rate=AlarmRate(()),
            publish=self._publish,
            on_change=self._changed,
        )
        self._peer = Peer(
            f"desk-{self.unit}",
            (notice_filter(self.unit), *(vehicle_filter(part) for part in self._parts)),
            KEEPALIVE_S,
            is_kept=True,
            on_up=lambda: self._up(desk),
            on_down=lambda _: self._down(desk),
            on_acked=lambda number, code: self._then(desk, lambda: desk.puback(number, code)),
            on_message=lambda topic, payload, retain: self._then(
                desk, lambda: inbox.put_message(topic, payload, retain)
            ),
        )
        self._broker.dial(self._peer)
        self._later(desk)

    def kill(self) -> None:
        """SIGKILL: what was taken from the broker and is not on the disk is gone."""
        if self._store is None or self._peer is None:
            return
        self.desk = None
        self._broker.hang_up(self._peer)
        self._line = None
        self._store.close()
        self._store = None

    def acknowledge(self, notice: str, by: str) -> None:
        """The officer presses."""
        desk = self.desk
        if desk is not None:
            desk.acknowledge(notice, by, "duty room")
            self._then(desk, lambda: None)

    def rows(self) -> list[dict[str, Any]]:
        """The register, in the order of arrival."""
        return list(self.register.all_notices())

    def _publish(self, topic: str, payload: bytes) -> int | None:
        if self._line is None or not self._line.is_open:
            return None
        self._numbers += 1
        self._broker.publish(self._line, self._numbers, topic, payload, retain=False)
        return self._numbers

    def _up(self, desk: Desk) -> None:
        if self._peer is not None:
            self._line = self._broker.line_of(self._peer.name)
        self._then(desk, desk.link_changed)

    def _down(self, desk: Desk) -> None:
        self._line = None
        self._then(desk, desk.link_changed)
        peer = self._peer
        if peer is not None:
            self._loop.call_later(self._random.uniform(1.0, 15.0), self._dial, peer)

    def _dial(self, peer: Peer) -> None:
        if not peer.is_gone and self._line is None:
            self._broker.dial(peer)

    def _then(self, desk: Desk, do: Callable[[], None]) -> None:
        if desk is not self.desk:
            return
        do()
        self._loop.call_later(self._random.uniform(0.001, 0.05), self._round, desk)

    def _later(self, desk: Desk) -> None:
        if desk is self.desk:
            self._round(desk)
            self._loop.call_later(ROUND_S, self._later, desk)

    def _round(self, desk: Desk) -> None:
        """What the desk's thread does in a loop."""
        if desk is not self.desk or self._inbox is None:
            return
        try:
            desk._round(self._inbox.take(0.0, NOTICES_PER_ROUND))
        except Exception as error:
            self.failures.append(error)

    def _changed(self, changes: Changes) -> None:
        if changes.notices or changes.warnings:
            self.on_change(self)


def vehicle_keyring(signer: jws.FileSigner) -> Keyring:
    """What every desk knows of the one vehicle."""
    return Keyring({VEHICLE: jws.public_keys({signer.kid: signer.public_key})})
