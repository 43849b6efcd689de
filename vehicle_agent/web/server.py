"""uvicorn as the cab display and the desk run it: ended by an event, open streams first, and no patience with clients
that open a connection and say nothing (H29).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_S = 10.0  # uvicorn itself waits for the rest of a request's head for ever
GRACE_S = 1  # streams are ended first, so that requests only need the time of one answer


class PatientProtocol(H11Protocol):
    """Closes a connection that has not brought a whole request within `HEAD_TIMEOUT_S`; answers are not timed here."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None:
            self.cycle.disconnected = True  # what is still being answered goes nowhere: the connection ends here
        super().send_400_response(msg)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._close_unless_answering)

    def _close_unless_answering(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class Server(uvicorn.Server):
    """Serves until `stopping` is set (uvicorn itself wakes ten times a second); `begin` is called once it listens."""

    def __init__(self, app: ASGIApp, end_streams: Callable[[], None], begin: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=PatientProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self.stopping = asyncio.Event()
        self._end_streams = end_streams
        self._begin = begin

    async def main_loop(self) -> None:
        self._begin()
        await self.stopping.wait()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # the event loop handles the signals; the exit code stays ours
