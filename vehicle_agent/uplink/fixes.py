"""Fixes on their way out (contract.md, MQTT): live on `position`, or kept for `track` when there is no way now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vehicle_agent.uplink import projection
from vehicle_agent.uplink.positions import WINDOW, PositionRate
from vehicle_agent.uplink.track import Batch, Kept, Track

RETRY_S = 5.0  # after a batch that the broker refused

# Channel, payload, and what it was made of; False: it could not go.
Send = Callable[[str, bytes, Kept | Batch], bool]


class Fixes:
    """`send` is None while there is no link."""

    def __init__(self, vehicle: str, rate: PositionRate) -> None:
        self._vehicle = vehicle
        self._rate = rate
        self._track = Track()
        self._live: dict[int, Kept] = {}
        self._track_due_s = 0.0

    def take(self, fix: Mapping[str, Any], trip: str | None, now_s: float, send: Send | None) -> None:
        """A new fix from control; MessageError if it fits no message."""
        if not self._rate.is_due(fix, now_s):
            return
        kept = Kept(trip, float(fix["mono_s"]), projection.track_point(fix))
        payload = projection.position_event(self._vehicle, fix, trip).to_bytes()
        if send is not None and len(self._live) < WINDOW and send("position", payload, kept):
            self._live[id(kept)] = kept
        else:
            self._track.keep(kept)
        self._rate.sent(fix, now_s)

    def send_track(self, now_s: float, send: Send) -> None:
        """The batches of older fixes that are due."""
        while now_s >= self._track_due_s and (fixes := self._track.batch()):
            event = projection.track_event(self._vehicle, fixes)
            batch = Batch(fixes, now_s)
            if not send("track", event.to_bytes(), batch):
                return
            self._track.sent(batch)

    def live_answered(self, kept: Kept) -> None:
        """The broker's word on a live fix; a refused one is not worth a second try."""
        self._live.pop(id(kept), None)

    def track_answered(self, batch: Batch, now_s: float, *, is_ok: bool) -> None:
        """The broker's word on a batch."""
        self._track.answered(batch, now_s, is_ok=is_ok)
        self._track_due_s = now_s if is_ok else now_s + RETRY_S

    def connected(self) -> None:
        """A new connection: the next fix goes at once."""
        self._rate.connected()
        self._track_due_s = 0.0

    def connection_lost(self) -> None:
        """What went out live and was not answered may be lost: it is told again as track."""
        unanswered: Iterable[Kept] = tuple(self._live.values())
        self._live.clear()
        self._track.connection_lost(unanswered)

    @property
    def waiting(self) -> int:
        """Fixes that the broker does not have yet."""
        return len(self._live) + len(self._track)

    @property
    def oldest_s(self) -> float | None:
        """Monotonic seconds of the oldest of them."""
        ages = [one.mono_s for one in self._live.values()]
        if self._track.oldest_s is not None:
            ages.append(self._track.oldest_s)
        return min(ages, default=None)
