"""One watch on control, fanned out to every open page (H20: a page must never look alive when control is not).

The hub invents nothing: a tick is passed on only when control sent one. A slow page gets the newest snapshot and the
newest tick, never a queue of old ones.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from vehicle_agent.control_client import Body, ControlClient

log = logging.getLogger(__name__)

# Control ticks at 2 Hz; three missing ticks mean that it, or this process, was stopped. What then lies in the socket
# is old, so the watch is made anew instead of being read.
SILENCE_S_MAX = 1.5
STREAMS_MAX = 256  # pages on one vehicle are counted on one hand; a leak must not eat the memory


class Hub:
    """Holds the newest snapshot while control is connected, and wakes the streams."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._streams: set[_Stream] = set()
        self._snapshot: str | None = None
        self._closed = False
        self.ticks_total = 0

    @property
    def is_connected(self) -> bool:
        """True between an answered `watch` and the loss of its connection."""
        return self._snapshot is not None

    @property
    def stream_count(self) -> int:
        return len(self._streams)

    @property
    def is_full(self) -> bool:
        """No further stream is to be opened."""
        return len(self._streams) >= STREAMS_MAX

    async def run(self) -> None:
        """Watch control until cancelled."""
        async for push in self._client.subscribe("watch", silence_s_max=SILENCE_S_MAX):
            if push.kind == "gone":
                if self.is_connected:
                    log.warning("control is gone: no ticks until it is back")
                self._snapshot = None
            elif push.kind == "snapshot" or (push.kind == "opened" and push.status == 200):
                if push.kind == "opened":
                    log.info("control is connected")
                self._snapshot = compact(push.body)
                self._publish("snapshot", self._snapshot)
            elif push.kind == "tick" and self.is_connected:
                self.ticks_total += 1
                self._publish("tick", compact(push.body))

    async def stream(self) -> AsyncIterator[dict[str, str]]:
        """Server-sent events of one page: the snapshot at once, then changes and ticks, until the hub closes."""
        stream = _Stream()
        self._streams.add(stream)
        if self._snapshot is not None:
            stream.put("snapshot", self._snapshot)
        if self._closed:
            stream.close()
        try:
            while (events := await stream.take()) is not None:
                for event, data in events:
                    yield {"event": event, "data": data}
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End every stream, so that the process can stop at once."""
        self._closed = True
        for stream in self._streams:
            stream.close()

    def _publish(self, event: str, data: str) -> None:
        for stream in self._streams:
            stream.put(event, data)


class _Stream:
    """What one page has not been sent yet: at most one snapshot and one tick."""

    def __init__(self) -> None:
        self._pending: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: str, data: str) -> None:
        self._pending[event] = data
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    async def take(self) -> list[tuple[str, str]] | None:
        """What is pending, the snapshot before the tick that vouches for it; None once closed."""
        await self._wake.wait()
        self._wake.clear()
        if self._closed:
            return None
        events = sorted(self._pending.items())  # "snapshot" < "tick"
        self._pending = {}
        return events


def compact(body: Body) -> str:
    """JSON on one line, as server-sent events need it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
