"""When the retained `state` is worth sending: on a change, at most once a second, and as a sign of life (contract.md,
MQTT).

A retained message looks the same whether the vehicle is well or its control died an hour ago. So an unchanged state is
repeated, but only while control answers: its age tells a desk whether to believe it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vehicle_agent.messages.events import CloudEvent
from vehicle_agent.uplink import projection

INTERVAL_S = 1.0
HEARTBEAT_S = 30.0
_SOURCES = ("phase", "boarding", "equipment", "alarms", "clock")  # parts of the snapshot that the state is made of


class StateBoard:
    """Remembers what the broker was last given."""

    def __init__(self, vehicle: str) -> None:
        self._vehicle = vehicle
        self._key: Mapping[str, Any] | None = None
        self._seen: tuple[object, ...] | None = None  # what the last look was made of
        self._sent_s = float("-inf")

    def connected(self) -> None:
        """A new connection: the state goes at once, whatever the broker still has."""
        self._key, self._seen, self._sent_s = None, None, float("-inf")

    def due(
        self, snapshot: Mapping[str, Any], figures: Mapping[str, Any], at: str, now_s: float, *, is_control_alive: bool
    ) -> CloudEvent | None:
        """The event to send now, which then counts as sent."""
        age_s = now_s - self._sent_s
        if age_s < INTERVAL_S:
            return None
        is_sign_of_life_due = age_s >= HEARTBEAT_S and is_control_alive
        # Making an event only to find it unchanged costs a hundred times more than this comparison of its sources.
        seen = (*(snapshot[name] for name in _SOURCES), projection.trip_of(snapshot), figures["pending_notices"])
        if seen == self._seen and not is_sign_of_life_due:
            return None
        self._seen = seen
        event = projection.state_event(self._vehicle, snapshot, figures, at)
        # `rev`, ages and numbers of positions move all the time and are no reason to send.
        key = {**event.data, "rev": None, "uplink": figures["pending_notices"], "subject": event.subject}
        if key == self._key and not is_sign_of_life_due:
            return None
        self._key, self._sent_s = key, now_s
        return event
