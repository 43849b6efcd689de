"""Control's Unix socket: newline-delimited JSON both ways, in a thread of its own that can never slow the scan.

Every buffer is bounded: a line that is too long is skipped and answered with an error, a client that does not read is
disconnected. Other threads hand their messages over with `call`, `answer` and `push`, which return at once.
"""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vehicle_agent.control.chain import plain

LINE_BYTES_MAX = 64 * 1024
UNSENT_BYTES_MAX = 1024 * 1024
READ_BYTES = 16 * 1024  # one turn of one client, so that a flood from one leaves room for the others
CLIENTS_MAX = 32  # the display and the uplink use three; the rest are doctors and tests
IDLE_S = 0.5

Handler = Callable[["Client", dict[str, Any]], None]

log = logging.getLogger("socket")


class Client:
    """One connection. Belongs to the server's thread."""

    def __init__(self, number: int, connection: socket.socket) -> None:
        self.number = number
        self.connection = connection
        self.is_watching = False
        self.feed_from: int | None = None  # the next row that this uplink is to get
        self.owed: dict[str, dict[str, Any]] = {}  # notices that it is to hear of before any row
        self.is_reading_rows = False
        self.asked = 0  # requests that were handed to the scan and are not answered yet
        self._received = bytearray()
        self._is_skipping = False
        self._unsent = bytearray()

    @property
    def unsent_bytes(self) -> int:
        """What the client has not read yet."""
        return len(self._unsent)

    def lines(self, data: bytes) -> Iterator[bytes | None]:
        """The whole lines that `data` completes; None for one that was too long and is lost."""
        self._received += data
        while (end := self._received.find(b"\n")) >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            if self._is_skipping:
                self._is_skipping = False
            else:
                yield line if len(line) <= LINE_BYTES_MAX else None
        if len(self._received) > LINE_BYTES_MAX:
            if not self._is_skipping:
                yield None
            self._is_skipping = True
            self._received.clear()

    def queue(self, data: bytes) -> bool:
        """Add to what is unsent. False when the client has not read for too long."""
        self._unsent += data
        return len(self._unsent) <= UNSENT_BYTES_MAX

    def flush(self) -> None:
        """Send what the connection takes now. Raises OSError when it is lost."""
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                sent = self.connection.send(self._unsent)
                del self._unsent[:sent]


class Server:
    """Listens from `start` on. `handle` is called in the server's thread for every request that is an object."""

    def __init__(
        self,
        path: Path,
        handle: Handler,
        *,
        prepare: Callable[[], None],
        turn: Callable[[], None],
        gone: Callable[[Client], None],
    ) -> None:
        """`prepare` runs first in the thread, `turn` after every turn of it, `gone` when a client has left."""
        self._path = path
        self._handle = handle
        self._prepare = prepare
        self._turn = turn
        self._gone = gone
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._calls: collections.deque[Callable[[], None]] = collections.deque()
        self._clients: dict[int, Client] = {}
        self._next_number = 1
        self._is_stopping = False
        self._listener: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="socket", daemon=True)
        self.watchers = 0  # read by the scan: nobody watches, nothing is built

    def start(self) -> None:
        """Open the socket, then serve. Raises OSError when the path cannot be used."""
        self._listener = _listen(self._path)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and remove the socket."""
        self._is_stopping = True
        if self._listener is None:
            return
        self.call(lambda: None)
        self._thread.join(1.0)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def is_alive(self) -> bool:
        """Whether the thread serves, for the watchdog."""
        return self._thread.is_alive()

    def call(self, action: Callable[[], None]) -> None:
        """Have the server's thread run `action`, in the order of the calls. For any thread."""
        self._calls.append(action)
        with contextlib.suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def answer(self, client: Client, number: object, status: int, body: dict[str, Any]) -> None:
        """Answer one request. For any thread; a client that has gone gets nothing."""
        self.call(lambda: self.send(client, {"id": number, "status": status, "body": body}))

    def settle(self, client: Client, number: object, status: int, body: dict[str, Any]) -> None:
        """Answer one request that was handed to the scan. For any thread."""

        def send() -> None:
            client.asked -= 1
            self.send(client, {"id": number, "status": status, "body": body})

        self.call(send)

    def push(self, kind: str, body: dict[str, Any], to: Callable[[Client], bool]) -> None:
        """Push one message to every client that `to` picks. For any thread."""
        self.call(lambda: self._push(kind, body, to))

    # What follows belongs to the server's thread.

    def clients(self) -> list[Client]:
        """Everybody who is connected."""
        return list(self._clients.values())

    def send(self, client: Client, message: dict[str, Any]) -> None:
        """Queue one message for a client and send what it takes."""
        self._send(client, _line(message))

    def count_watchers(self) -> None:
        """To be called when a client begins to watch or to be fed."""
        self.watchers = sum(client.is_watching or client.feed_from is not None for client in self._clients.values())

    def _push(self, kind: str, body: dict[str, Any], to: Callable[[Client], bool]) -> None:
        receivers = [client for client in self._clients.values() if to(client)]
        if receivers:
            line = _line({"push": kind, "body": body})  # encoded once, however many watch
            for client in receivers:
                self._send(client, line)

    def _send(self, client: Client, line: bytes) -> None:
        if client.number not in self._clients:
            return
        if not client.queue(line):
            log.warning(
                "client %d does not read: disconnected with %d bytes unsent", client.number, client.unsent_bytes
            )
            self._drop(client)
            return
        self._flush(client)

    def _flush(self, client: Client) -> None:
        try:
            client.flush()
        except OSError:
            self._drop(client)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent_bytes else 0)
        self._selector.modify(client.connection, events, client)

    def _run(self) -> None:
        try:
            self._prepare()
        except Exception:
            log.exception("what the first request needs could not be loaded")
        while not self._is_stopping:
            for key, events in self._selector.select(IDLE_S):
                try:
                    self._serve(key, events)
                except Exception:
                    log.exception("a client's request failed")
                    if isinstance(key.data, Client):
                        self._drop(key.data)
            while self._calls:
                action = self._calls.popleft()
                try:
                    action()
                except Exception:
                    log.exception("a message could not be sent")
            self._turn()
        for client in self.clients():
            with contextlib.suppress(OSError):
                client.flush()
            self._drop(client)
        if self._listener is not None:
            self._listener.close()
        self._selector.close()

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if isinstance(key.data, Client):
            if events & selectors.EVENT_WRITE:
                self._flush(key.data)
            if events & selectors.EVENT_READ and key.data.number in self._clients:
                self._receive(key.data)
        elif key.fileobj is self._listener:
            self._accept()
        else:
            with contextlib.suppress(OSError):
                os.eventfd_read(self._wake)

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101 (set by `start` before the thread runs)
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._clients) >= CLIENTS_MAX:
                connection.close()
                return
            connection.setblocking(False)
            client = Client(self._next_number, connection)
            self._next_number += 1
            self._clients[client.number] = client
            self._selector.register(connection, selectors.EVENT_READ, client)

    def _receive(self, client: Client) -> None:
        try:
            data = client.connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        for line in client.lines(data):
            if client.number not in self._clients:
                return
            self._take(client, line)

    def _take(self, client: Client, line: bytes | None) -> None:
        try:
            if line is None:
                raise ValueError(f"a line is longer than {LINE_BYTES_MAX} bytes")
            request = json.loads(line.decode(), parse_constant=_no_constant)
            if not isinstance(request, dict):
                raise ValueError("a line is no JSON object")
        except (ValueError, RecursionError) as error:
            detail = str(error) if not isinstance(error, UnicodeDecodeError) else "a line is not UTF-8"
            self.send(client, {"id": None, "status": 422, "body": {"error": "malformed", "detail": detail}})
            return
        self._handle(client, request)

    def _drop(self, client: Client) -> None:
        if self._clients.pop(client.number, None) is None:
            return
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()
        self.count_watchers()
        self._gone(client)


def _listen(path: Path) -> socket.socket:
    """The listening socket, for its owner and group only. A socket file that nobody serves is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # the lock on the state directory says that no other control lives
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    before = os.umask(0o117)  # 0660 from the first moment; other threads make no files yet that would mind
    try:
        listener.bind(str(path))
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _line(message: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        text = json.dumps(plain(message), ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
