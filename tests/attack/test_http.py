"""Bytes, slow clients and crowds against both HTTP interfaces: no 500, no crash, honest clients are served (H29)."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import resources
from tests.attack.mutations import spoil_bytes
from tests.attack.seeds import drawn_seed
from tests.brokers import mosquitto
from tests.browser.display_scenes import scene
from tests.integration.control_rig import until
from tests.integration.desk_rig import Keys, running_desk
from tests.integration.display_control import ControlStandIn
from tests.integration.display_rig import running, wait_for
from vehicle_agent.display.hub import STREAMS_MAX
from vehicle_agent.web.server import HEAD_TIMEOUT_S

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]

ANSWER_S_MAX = 2.0  # of an honest client beside an attack: a page covers itself after so long
GROWTH_MIB_MAX = 16.0


@dataclass(frozen=True)
class Site:
    """One of the two servers."""

    port: int
    pid: int
    log: Callable[[], str]
    reading: str
    writing: str

    def ask(self) -> float:
        """An honest question; the seconds that its answer took."""
        began_s = time.monotonic()
        assert httpx.get(f"http://127.0.0.1:{self.port}{self.reading}", timeout=10).status_code == 200
        return time.monotonic() - began_s

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    @property
    def head(self) -> bytes:
        return f"Host: 127.0.0.1:{self.port}\r\n".encode()


@pytest.fixture(params=["display", "desk"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "display":
        with ControlStandIn(tmp_path / "control.sock", scene("checking")), running(tmp_path) as display:
            wait_for(lambda: httpx.get(f"{display.url}/healthz").json()["control"] == "connected", "control connected")
            yield Site(
                display.port, display.process.pid, display.said, "/api/v1/snapshot", "/api/v1/commands/start_tests"
            )
            assert display.process.poll() is None
            assert "Traceback" not in display.said(), display.said()[-3000:]
    else:
        with mosquitto(tmp_path) as broker, running_desk(Keys(tmp_path), broker.port) as desk:
            port = int(desk.url.rsplit(":", 1)[1])
            yield Site(port, desk.pid, desk.log.read_text, "/api/v1/notices", "/api/v1/warnings/seen")
            assert "Traceback" not in desk.log.read_text(), desk.log.read_text()[-3000:]


def requests(site: Site) -> list[bytes]:
    """Requests as they should not be, beside one that is."""
    body = b'{"rev": 1}'
    post = b"POST " + site.writing.encode() + b" HTTP/1.1\r\n" + site.head + b"Content-Type: application/json\r\n"
    get = b"GET " + site.reading.encode() + b" HTTP/1.1\r\n" + site.head
    chunked = post + b"Transfer-Encoding: chunked\r\n"
    return [
        get + b"\r\n",
        post + b"Content-Length: 10\r\n\r\n" + body,
        chunked + b"\r\n5\r\n" + body[:5] + b"\r\n5\r\n" + body[5:] + b"\r\n0\r\n\r\n",
        post + b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get + b"\r\n",
        post + b"Content-Length: 10\r\nContent-Length: 20\r\n\r\n" + body,
        post + b"Content-Length: -1\r\n\r\n" + body,
        post + b"Content-Length: 99999999999999999999\r\n\r\n" + body,
        post + b"Content-Length: 1e1\r\n\r\n" + body,
        chunked + b"\r\nffffffffffffffff\r\n" + body,
        chunked + b"\r\n-5\r\n" + body,
        post.replace(b" HTTP/1.1", b" HTTP/9.9") + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        get + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
        get + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        get + b"".join(b"X%d: y\r\n" % number for number in range(3000)) + b"\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + site.head + b"\r\n",
        b"GET /static/../../../etc/passwd HTTP/1.1\r\n" + site.head + b"\r\n",
        b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + site.head + b"\r\n",
        b"GET /static//etc/passwd HTTP/1.1\r\n" + site.head + b"\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\n" + site.head + b"\r\n",
        b"GET /%00%ff HTTP/1.1\r\n" + site.head + b"\r\n",
        b"TRACE / HTTP/1.1\r\n" + site.head + b"\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + site.head + b"\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + site.head + b"\r\n",
        get + b"Range: bytes=0-18446744073709551615\r\n\r\n",
        get + b"Cookie: " + b"commander=a; " * 500 + b"\r\n\r\n",
        get + b"Expect: 100-continue\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"\r\n" * 1000,
        get * 50 + b"\r\n",
        (get + b"\r\n") * 50,
    ]


def answer(site: Site, raw: bytes, within_s: float = 3.0) -> bytes:
    """Everything that comes back for some bytes, until the server closes or has nothing more to say."""
    found = b""
    with site.connect() as wire, contextlib.suppress(OSError):
        wire.sendall(raw)
        wire.shutdown(socket.SHUT_WR)
        wire.settimeout(within_s)
        while part := wire.recv(65536):
            found += part
            if len(found) > 4_000_000:
                break
    return found


def statuses(raw: bytes) -> list[int]:
    return [int(part[:3]) for part in raw.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


@pytest.mark.parametrize("count", [150, pytest.param(15_000, marks=pytest.mark.campaign("attack"))])
def test_H29_H30_no_bytes_of_any_kind_get_a_500(site: Site, count: int, tell: Tell) -> None:
    seed = drawn_seed()
    rng = random.Random(seed)
    made = requests(site)
    for _ in range(10):
        site.ask()
    before = resources.rss_mib(site.pid)
    found: Counter[int] = Counter()
    for number in range(len(made) + count):
        raw = made[number] if number < len(made) else spoil_bytes(rng.choice(made)[:4000], rng)
        said = answer(site, raw, within_s=1.0)
        found.update(statuses(said))
        assert not any(status >= 500 for status in statuses(said)), f"seed {seed}: {raw[:300]!r}\n{said[:500]!r}"
        assert b"root:" not in said
    assert found[200] and found[400] and found[404], found
    assert site.ask() < ANSWER_S_MAX
    assert resources.rss_mib(site.pid) - before < GROWTH_MIB_MAX
    tell("attack: raw HTTP requests", len(made) + count)


def test_H29_clients_that_never_finish_their_request_are_let_go_and_hold_up_nobody(site: Site, tell: Tell) -> None:
    """Nothing, half a line, half a head, half a body, and a second request that never ends: some hundred of each."""
    post = b"POST " + site.writing.encode() + b" HTTP/1.1\r\n" + site.head + b"Content-Type: application/json\r\n"
    get = b"GET " + site.reading.encode() + b" HTTP/1.1\r\n" + site.head
    halves = [b"", b"GE", get, post + b"Content-Length: 100\r\n\r\n{", get + b"\r\n" + get]
    site.ask()
    before = resources.open_sockets(site.pid)
    wires = []
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for number in range(400):
            wire = stack.enter_context(site.connect())
            wire.sendall(halves[number % len(halves)])
            wires.append(wire)
        worst_s = max(site.ask() for _ in range(20))
        assert worst_s < ANSWER_S_MAX
        for wire in wires:
            wire.setblocking(False)
            selector.register(wire, selectors.EVENT_READ)
        left, deadline_s = len(wires), time.monotonic() + 2 * HEAD_TIMEOUT_S + 5.0
        while left and time.monotonic() < deadline_s:
            for key, _ in selector.select(0.5):
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError):
                    if key.fileobj.recv(65536):
                        continue
                selector.unregister(key.fileobj)
                left -= 1
            worst_s = max(worst_s, site.ask())
        assert left == 0, f"{left} connections are still held"
        assert worst_s < ANSWER_S_MAX
    until(lambda: resources.open_sockets(site.pid) <= before + 2, "their descriptors are given back", 5.0)
    tell("attack: slow clients", len(wires))


def test_H29_two_hundred_streams_are_served_and_the_rest_are_told(site: Site, tell: Tell) -> None:
    """Half of them read nothing at all. The page that a person looks at gets its ticks all the while."""
    question = b"GET /api/v1/stream HTTP/1.1\r\n" + site.head + b"\r\n"
    site.ask()
    before = resources.rss_mib(site.pid), resources.open_sockets(site.pid)
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(200):
            wire = stack.enter_context(site.connect())
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.sendall(question)
            wires.append(wire)
        readers = wires[::2]
        ticks = _ticks(readers, 6.0)  # two a second on a quiet machine; a page covers itself after two without
        assert min(ticks) >= 3, f"fewer than three ticks in six seconds: {min(ticks)}"
        assert max(site.ask() for _ in range(20)) < ANSWER_S_MAX
        assert resources.rss_mib(site.pid) - before[0] < 2 * GROWTH_MIB_MAX
        for _ in range(STREAMS_MAX):
            wire = stack.enter_context(site.connect())
            wire.sendall(question)
            wires.append(wire)
        until(lambda: b" 503 " in _first_line(site, question), "one more is told that there are too many", 8.0)
        assert site.ask() < ANSWER_S_MAX
    until(lambda: resources.open_sockets(site.pid) <= before[1] + 2, "their descriptors are given back", 15.0)
    tell("attack: streams opened", len(wires))


def _first_line(site: Site, question: bytes) -> bytes:
    with site.connect() as wire:
        wire.sendall(question)
        wire.settimeout(5)
        return wire.recv(4096).split(b"\r\n")[0]


def _ticks(wires: list[socket.socket], for_s: float) -> list[int]:
    """How many ticks each connection brings in so many seconds."""
    found = dict.fromkeys(wires, 0)
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            wire.setblocking(False)
            selector.register(wire, selectors.EVENT_READ)
        deadline_s = time.monotonic() + for_s
        while time.monotonic() < deadline_s:
            for key, _ in selector.select(0.2):
                assert isinstance(key.fileobj, socket.socket)
                found[key.fileobj] += key.fileobj.recv(65536).count(b"event: tick")
    return list(found.values())
