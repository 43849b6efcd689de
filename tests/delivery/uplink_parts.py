"""The real uplink, but for its connection, which goes through the simulated broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.core.world import SETTINGS
from tests.delivery.network import Line, Peer
from vehicle_agent.messages import topics
from vehicle_agent.uplink.link import Acked, Arrived, Connected, Link, Lost, Will
from vehicle_agent.uplink.link import Event as LinkEvent
from vehicle_agent.uplink.service import Uplink

if TYPE_CHECKING:
    from tests.delivery.vehicle import Vehicle

VEHICLE = SETTINGS.vehicle
KEEPALIVE_S = 15.0


class LoopLink(Link):
    """A connection through the simulated broker."""

    def __init__(
        self, vehicle: Vehicle, will: Will, subscription: str, post: Callable[[Link, LinkEvent], None]
    ) -> None:
        self._vehicle, self._tell = vehicle, post
        self._mids = 0
        self._over = False
        self.peer = Peer(
            VEHICLE,
            (subscription,),
            KEEPALIVE_S,
            is_kept=False,
            on_up=self._up,
            on_down=self._down,
            on_acked=lambda mid, code: post(self, Acked(mid, code < 0x80, code)),
            on_message=lambda topic, payload, retain: post(self, Arrived(topic, payload, retain)),
            will=(will.topic, will.payload),
        )
        self.line: Line | None = None

    def __del__(self) -> None:
        """Nothing of the kernel's is held."""

    def start(self) -> None:
        self._vehicle.broker.dial(self.peer)

    @property
    def is_alive(self) -> bool:
        return not self._over

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        if self.line is None or not self.line.is_open or self.peer.is_gone:
            return None
        self._mids += 1
        self._vehicle.on_publish(self, topic, payload)
        self._vehicle.broker.publish(self.line, self._mids, topic, payload, retain=retain)
        return self._mids

    def taken(self) -> None:
        """There is always room for one more."""

    def drop(self, reason: str) -> None:
        if self.line is not None:
            self.line.cut(reason)

    def close(self, timeout_s: float) -> None:
        self.drop("closed")

    def _up(self) -> None:
        self.line = self._vehicle.broker.line_of(VEHICLE)
        self._tell(self, Connected())

    def _down(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self.line = None
            self._tell(self, Lost(reason))


class LoopUplink(Uplink):
    """The uplink with its link through the simulated broker; killed, it says no goodbye."""

    vehicle: Vehicle

    def _make_link(self, post: Callable[[Link, LinkEvent], None], is_v5: bool) -> Link:
        del is_v5
        will = Will(self._topic("session"), self._presence.will(self._wall.text(self.vehicle.mono())))
        self.vehicle.link = LoopLink(self.vehicle, will, topics.receipt_filter(VEHICLE), post)
        return self.vehicle.link

    async def _say_goodbye(self) -> None:
        """Only kills end it here."""
