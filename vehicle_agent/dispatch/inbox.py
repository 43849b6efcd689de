"""The only door between the broker's thread and the desk: bounded, judging nothing but address, size, flag and quota.

Each topic has its own quota, so a vehicle that floods cannot push another vehicle's notice out. Of a notice one copy
waits, of state, session and position only the newest per vehicle. What finds no room is counted; a vehicle sends its
notice again anyway.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.model import Delivery, Reason, Refusal
from vehicle_agent.messages import topics
from vehicle_agent.messages.limits import PAYLOAD_BYTES_MAX

WAITING_PER_TOPIC = 64  # a trip makes a handful of notices; more at once is a flood
EVENTS_WAITING_MAX = 4000  # 100 vehicles coming back at once; at most 32 MiB
LINGER_S = 0.25  # one commit for all reports that come within this; a notice waits for nobody


@dataclass(slots=True)
class Batch:
    """What waited, in the order of arrival within each kind."""

    notices: list[Delivery] = field(default_factory=list)
    reports: list[Delivery] = field(default_factory=list)
    calls: list[Callable[[], None]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Inbox:
    """`put_message` and `call` are for any thread, `take` is for the desk's own."""

    def __init__(self, units: frozenset[str], vehicles: frozenset[str]) -> None:
        self._units = units
        self._vehicles = vehicles
        self._ready = threading.Condition()
        self._notices: deque[Delivery] = deque()
        self._waiting: dict[str, set[bytes]] = {}  # what waits of each topic, byte for byte
        self._newest: dict[str, Delivery] = {}
        self._events: deque[Delivery] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._refused: dict[str, Refusal] = {}
        self._lazy_since_s: float | None = None

    def put_message(self, topic: str, payload: bytes, retain: bool) -> None:
        """Take one message from the broker's thread."""
        delivery = Delivery(topic, payload, retain, clock.mono_s())
        with self._ready:
            refusal = self._put(delivery)
            if refusal:
                earlier = self._refused.get(refusal.key)
                count = earlier.count + 1 if earlier else 1
                self._refused[refusal.key] = replace(refusal, count=count)
                self._wake_later(delivery.at_s)

    def call(self, do: Callable[[], None]) -> None:
        """Have `do` called on the desk's thread, before the next notices."""
        with self._ready:
            self._calls.append(do)
            self._ready.notify()

    def take(self, timeout_s: float, notices_max: int) -> Batch:
        """Wait for work, at most `timeout_s`; an empty batch means that there was none."""
        deadline_s = clock.mono_s() + timeout_s
        with self._ready:
            while True:
                now_s = clock.mono_s()
                lazy_due_s = deadline_s if self._lazy_since_s is None else self._lazy_since_s + LINGER_S
                wait_s = min(deadline_s, lazy_due_s) - now_s
                if self._notices or self._calls or wait_s <= 0:
                    return self._drain(notices_max, is_lazy_due=lazy_due_s <= now_s)
                self._ready.wait(wait_s)

    def _put(self, delivery: Delivery) -> Refusal | None:
        notice = topics.parse_notice_topic(delivery.topic)
        report = topics.parse_vehicle_topic(delivery.topic)
        if notice and notice[0] in self._units:
            unit, vehicle = notice
        elif report and report[1] != "track":
            unit, vehicle = "", report[0]
        else:
            return Refusal(Reason.UNKNOWN_TOPIC)
        if vehicle not in self._vehicles:
            # Whose it is can only be told in the detail: a key of free text would let a sender fill the register.
            return Refusal(Reason.UNKNOWN_VEHICLE, unit=unit, detail=vehicle)
        if len(delivery.payload) > PAYLOAD_BYTES_MAX:
            return Refusal(Reason.OVERSIZE, vehicle, unit, f"{len(delivery.payload)} bytes")
        if notice:
            return self._put_notice(delivery, vehicle, unit)
        return self._put_report(delivery, vehicle, is_event=delivery.topic.endswith("/events"))

    def _put_notice(self, delivery: Delivery, vehicle: str, unit: str) -> Refusal | None:
        if delivery.retain:
            return Refusal(Reason.RETAINED, vehicle, unit)
        waiting = self._waiting.setdefault(delivery.topic, set())
        if delivery.payload in waiting:
            return None  # after an absence the broker has every copy that was sent meanwhile; one is enough to answer
        if len(waiting) >= WAITING_PER_TOPIC:
            return Refusal(Reason.OVERLOAD, vehicle, unit)
        waiting.add(delivery.payload)
        self._notices.append(delivery)
        self._ready.notify()
        return None

    def _put_report(self, delivery: Delivery, vehicle: str, is_event: bool) -> Refusal | None:
        if not is_event:
            self._newest[delivery.topic] = delivery
        elif delivery.retain:
            return Refusal(Reason.RETAINED, vehicle)
        elif len(self._events) >= EVENTS_WAITING_MAX:
            return Refusal(Reason.OVERLOAD, vehicle)
        else:
            self._events.append(delivery)
        self._wake_later(delivery.at_s)
        return None

    def _wake_later(self, now_s: float) -> None:
        if self._lazy_since_s is None:
            self._lazy_since_s = now_s
            self._ready.notify()

    def _drain(self, notices_max: int, is_lazy_due: bool) -> Batch:
        batch = Batch(calls=list(self._calls))
        self._calls.clear()
        while self._notices and len(batch.notices) < notices_max:
            delivery = self._notices.popleft()
            self._waiting[delivery.topic].discard(delivery.payload)
            if not self._waiting[delivery.topic]:
                del self._waiting[delivery.topic]
            batch.notices.append(delivery)
        if is_lazy_due:
            batch.reports = [*self._newest.values(), *self._events]
            batch.refusals = list(self._refused.values())
            self._newest.clear()
            self._events.clear()
            self._refused.clear()
            self._lazy_since_s = None
        return batch
