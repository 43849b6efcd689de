"""The bench's end of `pins.sock`: one thread that grants lines, takes edges in order, and lets time pass."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from pathlib import Path

from simulators.bench.electrics import Electrics
from simulators.bench.messages import BUSY, GRANTED, SIZE_MAX, Verb, unpack

TICK_S = 0.01

logger = logging.getLogger(__name__)


class PinServer:
    def __init__(self, path: Path, electrics: Electrics) -> None:
        self._path = path
        self._electrics = electrics
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._selector = selectors.DefaultSelector()
        self._claims: dict[socket.socket, set[int]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pins", daemon=True)

    def start(self) -> None:
        # Whoever starts this holds the directory's lock, so a socket that is there belongs to nobody.
        self._path.unlink(missing_ok=True)
        self._listener.bind(str(self._path))
        self._path.chmod(0o660)
        self._listener.listen()
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for connection in (*self._claims, self._listener):
            connection.close()
        self._selector.close()
        self._path.unlink(missing_ok=True)

    @property
    def claimed(self) -> frozenset[int]:
        return frozenset().union(*list(self._claims.values()))

    def _run(self) -> None:
        # Steps of equal distance: noise and lags do not run faster while edges pour in.
        next_step_s = time.monotonic()
        while not self._stopping.is_set():
            self._selector.select(max(0.0, next_step_s - time.monotonic()))
            # Asked again, so that every edge sent before this moment is taken before the relay is looked at.
            drained_ns = time.monotonic_ns()
            for key, _ in self._selector.select(0):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._drain(key.fileobj)
            if time.monotonic() < next_step_s:
                continue
            next_step_s = max(next_step_s + TICK_S, time.monotonic())
            self._electrics.step(drained_ns)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._claims[connection] = set()
        self._selector.register(connection, selectors.EVENT_READ)

    def _drain(self, connection: socket.socket) -> None:
        while True:
            try:
                packet = connection.recv(SIZE_MAX + 1)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                # Outputs keep their last level: that is what a real header does when its user dies.
                self._selector.unregister(connection)
                del self._claims[connection]
                connection.close()
                return
            self._handle(connection, packet)

    def _handle(self, connection: socket.socket, packet: bytes) -> None:
        try:
            verb, number, level, at_ns = unpack(packet)
        except ValueError as error:
            logger.warning("pins.sock: %s", error)
            return
        mine = self._claims[connection]
        if verb is Verb.CLAIM:
            busy = any(number in lines for lines in self._claims.values())
            if not busy:
                mine.add(number)
                # The new user has it as an input first: outside, the pull-down takes an output low.
                self._electrics.drive(number, False, at_ns)
            with contextlib.suppress(OSError):
                connection.send(BUSY if busy else GRANTED)
        elif number in mine:
            self._electrics.drive(number, level and verb is Verb.DRIVE, at_ns)
