"""Receipts on their way to the broker (Rule 19): the register is the queue, the MQTT library holds only a window of it.

The broker's PUBACK ends a sending only when somebody was there to take the receipt; a vehicle that was away gets it
when it comes back, asks again, or at the next try.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.model import Receipt
from vehicle_agent.messages.topics import receipt_topic

log = logging.getLogger(__name__)

IN_FLIGHT_MAX = 20  # what the library may hold at once
PUBACK_WITHIN_S = 20.0  # a broker that answers pings but no message has lost it
RETRY_FIRST_S = 5.0
RETRY_MAX_S = 300.0
PUBACK_SUCCESS = 0x00
PUBACK_FAILURES = 0x80  # MQTT 5: this and above are refusals; 0x10 between says that nobody listens

Publish = Callable[[str, bytes], int | None]


@dataclass(slots=True)
class _Try:
    attempts: int = 0
    next_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Flight:
    receipt: Receipt
    lost_after_s: float


@dataclass(slots=True)
class Outbox:
    """Belongs to the desk's thread. `publish` returns the message's number, or None when it was not taken."""

    publish: Publish
    _in_flight: dict[int, _Flight] = field(default_factory=dict)
    _tries: dict[tuple[str, str, str], _Try] = field(default_factory=dict)
    sent_total: int = 0
    refused_total: int = 0

    def connection_changed(self) -> None:
        """What was in flight may be lost, and every wait is over."""
        self._in_flight.clear()
        self._tries.clear()

    def retry_now(self, vehicle: str) -> None:
        """Waits of this vehicle's receipts are over: it asked, or came back."""
        for key in [key for key in self._tries if key[0] == vehicle]:
            del self._tries[key]

    def send(self, owed: list[Receipt]) -> None:
        """Hand over what is owed, due and not in flight, as far as the window goes."""
        now_s = clock.mono_s()
        self._in_flight = {number: one for number, one in self._in_flight.items() if one.lost_after_s > now_s}
        flying = {_key(one.receipt) for one in self._in_flight.values()}
        for receipt in owed:
            key = _key(receipt)
            attempt = self._tries.get(key)
            if len(self._in_flight) >= IN_FLIGHT_MAX:
                return
            if key in flying or (attempt and attempt.next_s > now_s):
                continue
            number = self.publish(receipt_topic(receipt.vehicle, receipt.unit), receipt.message)
            if number is None:
                return
            self._in_flight[number] = _Flight(receipt, now_s + PUBACK_WITHIN_S)
            self.sent_total += 1

    def acknowledged(self, number: int, code: int) -> Receipt | None:
        """The broker answered for a message: the receipt that is done with, or None if it must be tried again."""
        flight = self._in_flight.pop(number, None)
        if flight is None:
            return None
        receipt = flight.receipt
        key = _key(receipt)
        if code == PUBACK_SUCCESS:
            self._tries.pop(key, None)
            return receipt
        attempt = self._tries.setdefault(key, _Try())
        attempt.next_s = clock.mono_s() + min(RETRY_MAX_S, RETRY_FIRST_S * 2**attempt.attempts)
        attempt.attempts = min(attempt.attempts + 1, 16)
        if code >= PUBACK_FAILURES:
            self.refused_total += 1
            log.error("the broker refused a receipt to %s (reason %#x); check its access rules", receipt.vehicle, code)
        return None


def _key(receipt: Receipt) -> tuple[str, str, str]:
    return (receipt.vehicle, receipt.notice, receipt.stage)
