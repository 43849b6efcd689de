"""The bench's link between uplink and broker: a TCP proxy that can be cut, half open or slow (Rule 19's notices must
survive it)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any

MODES = ("up", "down", "half_open", "slow")
SLOW_BYTES_PER_S = 1000
CHUNK_BYTES = 16_384
SLOW_CHUNK_BYTES = 100  # a tenth of a second's worth, so that the pace is even
CONNECT_S_MAX = 5.0


class BrokerLink:
    """One listening port, also while the link is down.

    `down` refuses, and cuts what is connected. `half_open` takes connections, carries nothing and says nothing; what
    was sent meanwhile arrives once the link is up again, as after a tunnel.
    """

    def __init__(self, upstream_host: str, upstream_port: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self.upstream = (upstream_host, upstream_port)
        self.host = host
        self.port = port
        self._mode = "up"
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._flowing = asyncio.Event()
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._connections = 0
        self._bytes_to_broker = 0
        self._bytes_from_broker = 0

    def start(self) -> None:
        """Listens when it returns; runs in its own thread."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker-link", daemon=True)
        self._thread.start()
        self._do(self._apply("up"))

    def stop(self) -> None:
        """Cuts every connection and frees the port."""
        if self._thread is None:
            return
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = None
        self._loop.close()

    def set(self, body: dict[str, Any] | str) -> dict[str, Any]:
        """The body of `PUT broker`, or the mode alone. ValueError says what is allowed; nothing has changed then."""
        wanted = {"mode": body} if isinstance(body, str) else dict(body)
        mode = wanted.get("mode")
        if mode not in MODES or set(wanted) != {"mode"}:
            raise ValueError(f"{wanted!r}: allowed is mode, one of {', '.join(MODES)}")
        self._do(self._apply(mode))
        return self.state()

    def state(self) -> dict[str, Any]:
        return {
            "mode": self._mode,
            "port": self.port,
            "connections": self._connections,
            "bytes_to_broker": self._bytes_to_broker,
            "bytes_from_broker": self._bytes_from_broker,
        }

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10.0)

    async def _apply(self, mode: str) -> None:
        self._mode = mode
        if mode in ("up", "slow"):
            self._flowing.set()
        else:
            self._flowing.clear()
        if mode == "down":
            await self._close()
            self._socket = self._bound()  # bound but not listening: refuses, and nobody else takes the port
        elif self._accepting is None:
            listener = self._socket or self._bound()
            self._socket = listener
            listener.listen()
            self._accepting = asyncio.ensure_future(self._accept(listener))

    def _bound(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((self.host, self.port))
        self.port = bound.getsockname()[1]
        return bound

    async def _close(self) -> None:
        tasks = [*self._tasks]
        if self._accepting is not None:
            tasks.append(self._accepting)
            self._accepting = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        # Aborted transports free their sockets in the loop's next turn.
        await asyncio.sleep(0)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            near, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.ensure_future(self._carry(near))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, near: socket.socket) -> None:
        self._connections += 1
        transports: list[asyncio.WriteTransport] = []
        try:
            reader, writer = await asyncio.open_connection(sock=near)
            transports.append(writer.transport)
            await self._flowing.wait()
            async with asyncio.timeout(CONNECT_S_MAX):
                far_reader, far_writer = await asyncio.open_connection(*self.upstream)
            transports.append(far_writer.transport)
            await self._both_ways(reader, writer, far_reader, far_writer)
        except (OSError, TimeoutError):
            return
        finally:
            self._connections -= 1
            for transport in transports:
                transport.abort()

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        """Until one side ends; the other is then closed after it has got everything."""
        pumps = [
            asyncio.ensure_future(self._pump(reader, far_writer, to_broker=True)),
            asyncio.ensure_future(self._pump(far_reader, writer, to_broker=False)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for each in (writer, far_writer):
                each.close()
                with contextlib.suppress(OSError, TimeoutError):
                    await asyncio.wait_for(each.wait_closed(), 1.0)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_broker: bool) -> None:
        while True:
            await self._flowing.wait()
            data = await reader.read(SLOW_CHUNK_BYTES if self._mode == "slow" else CHUNK_BYTES)
            # The link may have gone quiet while we waited; neither bytes nor the end get through then.
            await self._flowing.wait()
            if not data:
                return
            writer.write(data)
            await writer.drain()
            if to_broker:
                self._bytes_to_broker += len(data)
            else:
                self._bytes_from_broker += len(data)
            if self._mode == "slow":
                await asyncio.sleep(len(data) / SLOW_BYTES_PER_S)
