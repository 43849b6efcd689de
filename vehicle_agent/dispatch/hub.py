"""What changed, fanned out to every open page as server-sent events (H20: no page may look alive when the desk is not).

A tick is sent only while the desk's thread is at work. A slow page gets the newest value of each row, never a queue of
old ones; a page that comes back gets everything anew.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from vehicle_agent.dispatch.board import Board
from vehicle_agent.dispatch.desk import Changes
from vehicle_agent.dispatch.register import Register

log = logging.getLogger(__name__)

Row = dict[str, Any]

TICK_S = 0.5
STREAMS_MAX = 256  # pages of one duty room are counted on one hand; a leak must not eat the memory
NOTICES_SHOWN = 200  # acknowledged ones beyond this are in the register, one click away
EVENTS_SHOWN = 200


class TooManyStreamsError(Exception):
    """The limit of open streams is reached."""


class Hub:
    """Lives on the web server's loop; `changed` may be called from any thread once `run` has begun."""

    def __init__(self, register: Register, board: Board, health: Callable[[], Row | None]) -> None:
        self._register = register
        self._board = board
        self._health = health
        self._streams: set[_Stream] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changes: list[Changes] = []
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether another page would be refused."""
        return self._closed or len(self._streams) >= STREAMS_MAX

    @property
    def stream_count(self) -> int:
        return len(self._streams)

    def changed(self, changes: Changes) -> None:
        """Rows that are on disk and should be shown. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._take, changes)

    async def run(self) -> None:
        """Tick, and pass changes on, until cancelled."""
        self._loop = asyncio.get_running_loop()
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                changes, self._changes = self._changes, []
                if self._streams:
                    try:
                        await self._pass_on(changes)
                    except Exception:
                        # The page would show an old value: it is sent away and comes back for everything anew.
                        log.exception("changes could not be read; every page connects anew")
                        self._send_away()
        finally:
            ticking.cancel()

    def close(self) -> None:
        """End every stream, so that the process can stop at once."""
        self._closed = True
        self._send_away()

    async def stream(self) -> AsyncIterator[dict[str, str]]:
        """Server-sent events of one page: everything at once, then changes and ticks."""
        if self.is_full:
            raise TooManyStreamsError
        stream = _Stream()
        self._streams.add(stream)
        try:
            for event, rows in (await asyncio.to_thread(self._everything)).items():
                stream.begin(event, rows)
            while (events := await stream.take()) is not None:
                for event, data in events:
                    yield {"event": event, "data": data}
        finally:
            self._streams.discard(stream)

    def _take(self, changes: Changes) -> None:
        self._changes.append(changes)
        self._wake.set()

    def _send_away(self) -> None:
        for stream in self._streams:
            stream.close()

    async def _tick(self) -> None:
        while True:
            health = self._health()
            if health is not None:
                for stream in self._streams:
                    stream.tick(compact(health))
            await asyncio.sleep(TICK_S)

    async def _pass_on(self, changes: list[Changes]) -> None:
        notices = set().union(*(change.notices for change in changes))
        vehicles = set().union(*(change.vehicles for change in changes))
        has_warnings = any(change.warnings for change in changes)
        has_events = any(change.events for change in changes)
        rows = await asyncio.to_thread(lambda: [self._register.notice(notice) for notice in sorted(notices)])
        warnings = await asyncio.to_thread(self._register.warnings) if has_warnings else None
        events = await asyncio.to_thread(self._register.events_apart, EVENTS_SHOWN) if has_events else None
        cars = self._board.rows(sorted(vehicles))
        for stream in self._streams:
            stream.put("notices", {row["id"]: row for row in rows if row})
            stream.put("vehicles", {row["vehicle"]: row for row in cars})
            if warnings is not None:
                stream.reset("warnings", {row["key"]: row for row in warnings})
            if events is not None:
                stream.reset("events", dict(enumerate(events)))

    def _everything(self) -> dict[str, dict[Any, Row]]:
        return {
            "notices": {row["id"]: row for row in reversed(self._register.notices(NOTICES_SHOWN))},
            "vehicles": {row["vehicle"]: row for row in self._board.rows()},
            "warnings": {row["key"]: row for row in self._register.warnings()},
            "events": dict(enumerate(self._register.events_apart(EVENTS_SHOWN))),
        }


class _Stream:
    """What one page has not been sent yet: the newest of each row, and the newest tick."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Any, Row]] = {}
        self._anew: set[str] = set()
        self._tick: str | None = None
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: str, rows: dict[Any, Row]) -> None:
        if rows:
            self._rows.setdefault(event, {}).update(rows)
            self._wake.set()

    def begin(self, event: str, rows: dict[Any, Row]) -> None:
        """The first rows of a new page; what came while they were read is newer and stays."""
        if event not in self._anew:
            self.reset(event, {**rows, **self._rows.get(event, {})})

    def reset(self, event: str, rows: dict[Any, Row]) -> None:
        """These rows are all there are."""
        self._rows[event] = rows
        self._anew.add(event)
        self._wake.set()

    def tick(self, data: str) -> None:
        self._tick = data
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    async def take(self) -> list[tuple[str, str]] | None:
        """What is pending, the rows before the tick that vouches for them; None once closed."""
        await self._wake.wait()
        self._wake.clear()
        if self._closed:
            return None
        sent = [(event, _rows(rows.values(), event in self._anew)) for event, rows in self._rows.items()]
        if self._tick is not None:
            sent.append(("tick", self._tick))
        self._rows, self._anew, self._tick = {}, set(), None
        return sent


def _rows(rows: Iterable[Row], is_anew: bool) -> str:
    return compact({"reset": is_anew, "rows": list(rows)})


def compact(value: object) -> str:
    """JSON on one line, as server-sent events need it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
