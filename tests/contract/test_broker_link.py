"""The bench's link to the broker: carried, cut, half open and slow (Rule 19's notices must survive each)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from simulators.bench.broker_link import BrokerLink
from tests.contract.wires import open_descriptors, wait_for


class Echo:
    """A broker stand-in that sends back what it gets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def link() -> Iterator[BrokerLink]:
    echo = Echo()
    made = BrokerLink("127.0.0.1", echo.port)
    made.start()
    yield made
    made.stop()
    echo.close()


def connect(link: BrokerLink) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", link.port), timeout=3.0)
    made.settimeout(3.0)
    return made


def exchange(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = connection.recv(65536)
        if not piece:
            break
        got += piece
    return got


def test_up_carries_both_ways(link: BrokerLink) -> None:
    with connect(link) as client:
        assert exchange(client, b"hello") == b"hello"
        big = bytes(range(256)) * 4000
        sender = threading.Thread(target=client.sendall, args=(big,))
        sender.start()
        got = b""
        while len(got) < len(big):
            got += client.recv(65536)
        sender.join()
        assert got == big
    wait_for(lambda: link.state()["connections"] == 0)


def test_down_refuses_and_cuts_and_up_comes_back_on_the_same_port(link: BrokerLink) -> None:
    port = link.port
    for _ in range(5):
        with connect(link) as client:
            assert exchange(client, b"x") == b"x"
            link.set({"mode": "down"})
            with pytest.raises(OSError):
                while True:
                    client.sendall(b"y")
                    if client.recv(10) == b"":
                        raise ConnectionResetError
        with pytest.raises(ConnectionRefusedError):
            connect(link)
        link.set("up")
        assert link.state()["port"] == port
    with connect(link) as client:
        assert exchange(client, b"again") == b"again"


def test_half_open_accepts_and_carries_nothing_and_says_nothing(link: BrokerLink) -> None:
    with connect(link) as old:
        assert exchange(old, b"before") == b"before"
        link.set("half_open")
        with connect(link) as new:
            for client in (old, new):
                client.sendall(b"lost in the tunnel")
                client.settimeout(0.4)
                with pytest.raises(TimeoutError):
                    client.recv(10)
            link.set("up")
            for client in (old, new):
                client.settimeout(3.0)
                assert client.recv(100) == b"lost in the tunnel"


def test_half_open_hides_the_brokers_end(link: BrokerLink) -> None:
    with connect(link) as client:
        exchange(client, b"x")
        link.set("half_open")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_slow_is_about_a_kilobyte_a_second(link: BrokerLink) -> None:
    link.set("slow")
    with connect(link) as client:
        client.settimeout(10.0)
        began_s = time.monotonic()
        assert exchange(client, b"z" * 1500) == b"z" * 1500
        assert 1.2 < time.monotonic() - began_s < 4.0


def test_no_broker_behind_is_a_closed_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        link = BrokerLink("127.0.0.1", unused.getsockname()[1])
        link.start()
        with connect(link) as client, contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
        link.stop()


@pytest.mark.parametrize("body", ["sideways", {}, {"mode": "up", "for_s": 3}, {"mode": 1}])
def test_a_wrong_body_says_what_is_allowed(link: BrokerLink, body: Any) -> None:
    with pytest.raises(ValueError, match="up, down, half_open, slow"):
        link.set(body)
    assert link.state()["mode"] == "up"


def test_stopping_leaves_no_descriptors_and_no_threads() -> None:
    before, threads = open_descriptors(), threading.active_count()
    echo = Echo()
    for mode in ("up", "half_open", "down", "slow"):
        link = BrokerLink("127.0.0.1", echo.port)
        link.start()
        if mode != "down":
            link.set(mode)
            client = connect(link)
            client.sendall(b"x")
            client.close()
        else:
            link.set(mode)
        link.stop()
    echo.close()
    wait_for(lambda: threading.active_count() <= threads)
    wait_for(lambda: open_descriptors() <= before)
