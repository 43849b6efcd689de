"""Fixes on their way out (contract.md, MQTT): live on `position`, or kept for `track` when there is no way now."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vehicle_agent.uplink import projection
from vehicle_agent.uplink.positions import WINDOW, PositionRate
from vehicle_agent.uplink.track import Batch, Kept, Track

RETRY_S = 5.0  # after a batch that the broker refused
BATCHES_A_TURN = 4  # some milliseconds: a notice that is recorded meanwhile waits for no more
MOMENT_S = 0.0005  # the ring's times are in milliseconds
MEANWHILE_MAX = 10_000  # fixes of a whole day that wait while control cannot read what it kept before

# Channel, payload, and what it was made of; False: it could not go.
Send = Callable[[str, bytes, Kept | Batch], bool]

log = logging.getLogger(__name__)


class Fixes:
    """`send` is None while there is no link. First come the fixes from before the start (`recovery.py`)."""

    def __init__(self, vehicle: str, rate: PositionRate) -> None:
        self.boot_id = ""  # of the fixes that control passes on now
        self._vehicle = vehicle
        self._rate = rate
        self._old_rate = rate.anew()
        self._old_boot_id = ""
        self._track = Track()
        self._live: dict[int, Kept] = {}
        self._meanwhile: deque[Kept] | None = deque(maxlen=MEANWHILE_MAX)  # None: all from before is in `_track`
        self._first_s: float | None = None
        self._newest: tuple[str, float] | None = None  # boot and moment of the newest fix, due or not
        self._track_due_s = 0.0
        self.told_late = 0  # fixes that went out as track

    def recover(self, fix: Mapping[str, Any]) -> None:
        """A fix from control's ring, oldest first, with its `boot_id` and `trip`."""
        mono_s = float(fix["mono_s"])
        if self._first_s is None:
            self._newest = fix["boot_id"], mono_s
        if fix["boot_id"] != self._old_boot_id:
            self._old_boot_id = fix["boot_id"]
            self._old_rate = self._rate.anew()
        is_passed_on = self._first_s is not None and mono_s >= self._first_s - MOMENT_S
        if (fix["boot_id"] == self.boot_id and is_passed_on) or not self._old_rate.is_due(fix, mono_s):
            return
        point = projection.track_point({**fix, "trusted": bool(fix["trusted"])})
        self._track.keep(Kept(fix["trip"], fix["boot_id"], mono_s, point))
        self._old_rate.sent(fix, mono_s)

    def recovered(self) -> None:
        """There are no more from before: older fixes may go out."""
        for kept in self._meanwhile or ():
            self._track.keep(kept)
        self._meanwhile = None

    def take(self, fix: Mapping[str, Any], trip: str | None, now_s: float, send: Send | None) -> None:
        """A new fix from control; MessageError if it fits no message."""
        mono_s = float(fix["mono_s"])
        self._newest = self.boot_id, mono_s
        if self._first_s is None:
            self._first_s = mono_s
        if not self._rate.is_due(fix, now_s):
            return
        kept = Kept(trip, self.boot_id, mono_s, projection.track_point(fix))
        payload = projection.position_event(self._vehicle, fix, trip).to_bytes()
        if send is not None and len(self._live) < WINDOW and send("position", payload, kept):
            self._live[id(kept)] = kept
        else:
            self._keep(kept)
        self._rate.sent(fix, now_s)

    def send_track(self, now_s: float, send: Send) -> bool:
        """Some of the batches of older fixes that are due; whether there may be more, behind whatever else is due."""
        for _ in range(BATCHES_A_TURN):
            if self._meanwhile is not None or now_s < self._track_due_s or not (fixes := self._track.batch()):
                return False
            try:
                payload = projection.track_event(self._vehicle, fixes).to_bytes()
            except (TypeError, ValueError) as error:  # nothing proves the bits of stored positions
                log.error("among %d older positions are some that fit no message: %s", len(fixes), error)
                self._track.leave_out(fixes, self._fits)
                continue
            batch = Batch(fixes, now_s)
            if not send("track", payload, batch):
                return False
            self._track.sent(batch)
        return True

    def live_answered(self, kept: Kept) -> None:
        """The broker's word on a live fix; a refused one is not worth a second try."""
        self._live.pop(id(kept), None)

    def track_answered(self, batch: Batch, now_s: float, *, is_ok: bool) -> None:
        """The broker's word on a batch."""
        self._track.answered(batch, now_s, is_ok=is_ok)
        self.told_late += len(batch.fixes) if is_ok else 0
        self._track_due_s = now_s if is_ok else now_s + RETRY_S

    def connected(self) -> None:
        """A new connection: the next fix goes at once."""
        self._rate.connected()
        self._track_due_s = 0.0

    def connection_lost(self) -> None:
        """What went out live and was not answered may be lost: it is told again as track."""
        unanswered: Iterable[Kept] = tuple(self._live.values())
        self._live.clear()
        if self._meanwhile is None:
            self._track.connection_lost(unanswered)
        else:
            in_order = sorted((*unanswered, *self._meanwhile), key=lambda one: one.mono_s)
            self._meanwhile = deque(in_order, MEANWHILE_MAX)

    @property
    def waiting(self) -> int:
        """Fixes that the broker does not have yet, as far as they are known."""
        return len(self._live) + len(self._track) + len(self._meanwhile or ())

    @property
    def oldest(self) -> Kept | None:
        """The oldest of them."""
        if (oldest := self._track.oldest) is not None and oldest.boot_id != self.boot_id:
            return oldest
        of_this_boot = [*self._live.values(), *([oldest] if oldest else ())]
        if self._meanwhile:
            of_this_boot.append(self._meanwhile[0])
        return min(of_this_boot, key=lambda one: one.mono_s, default=None)

    @property
    def told(self) -> dict[str, Any] | None:
        """The moment up to which the broker has every fix that is due; None while that cannot be said."""
        if self._meanwhile is not None:
            return None
        if (oldest := self.oldest) is not None:
            return {"boot_id": oldest.boot_id, "mono_s": oldest.mono_s - MOMENT_S}
        if self._newest is None:
            return None
        boot_id, mono_s = self._newest
        return {"boot_id": boot_id, "mono_s": mono_s + MOMENT_S}

    def _keep(self, kept: Kept) -> None:
        if self._meanwhile is None:
            self._track.keep(kept)
        else:
            self._meanwhile.append(kept)

    def _fits(self, kept: Kept) -> bool:
        try:
            projection.track_event(self._vehicle, [kept]).to_bytes()
        except (TypeError, ValueError):
            return False
        return True
