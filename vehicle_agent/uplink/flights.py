"""Messages that the broker has not answered yet."""

from __future__ import annotations

from dataclasses import dataclass

from vehicle_agent.uplink.eventlog import Entry
from vehicle_agent.uplink.link import Link
from vehicle_agent.uplink.outbox import Owed
from vehicle_agent.uplink.track import Batch, Kept

PUBACK_TIMEOUT_S = 20.0  # a broker that answers pings but no message is no broker


@dataclass(frozen=True, slots=True)
class Flight:
    """One message, and what it was made of."""

    kind: str
    since_s: float
    subject: Owed | Entry | Kept | Batch | None = None


class Flights:
    """By the number that the link gave."""

    def __init__(self) -> None:
        self._flying: dict[int, Flight] = {}

    def send(self, link: Link, flight: Flight, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Whether the link took it."""
        mid = link.publish(topic, payload, retain=retain)
        if mid is None:
            return False
        self._flying[mid] = flight
        return True

    def landed(self, mid: int) -> Flight | None:
        """The broker has answered for this one."""
        return self._flying.pop(mid, None)

    def connection_lost(self) -> None:
        """No answer will come any more."""
        self._flying.clear()

    def has(self, kind: str) -> bool:
        return any(flight.kind == kind for flight in self._flying.values())

    def is_overdue(self, now_s: float) -> bool:
        """Whether an answer should have come long ago."""
        return any(now_s - flight.since_s > PUBACK_TIMEOUT_S for flight in self._flying.values())
