"""The display's stream and its life: ticks only while control lives (H20), stopping, systemd, loopback (H28)."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.display_scenes import scene
from tests.integration.display_control import ControlStandIn
from tests.integration.display_rig import DisplayProcess, configuration, running, spawn, wait_for

PSS_MIB_MAX = 50  # benchmarks.md
STOP_S_MAX = 3.0


class Reader:
    """An open stream, read by a thread: what came, and when."""

    def __init__(self, url: str) -> None:
        self.events: list[tuple[float, str, Any]] = []
        self._response = httpx.stream("GET", f"{url}/api/v1/stream", timeout=None)
        self._stream = self._response.__enter__()
        self.status = self._stream.status_code
        self.is_ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self._stream.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.events.append((time.monotonic(), name, json.loads(line.removeprefix("data: "))))
        except httpx.HTTPError:
            pass
        self.is_ended = True

    def named(self, name: str, after: int = 0) -> list[Any]:
        return [body for _, kind, body in self.events[after:] if kind == name]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlStandIn]:
    with ControlStandIn(tmp_path / "control.sock", scene("checking")) as control:
        yield control


@pytest.fixture
def display(tmp_path: Path, control: ControlStandIn) -> Iterator[DisplayProcess]:
    with running(tmp_path) as display:
        wait_for(lambda: httpx.get(f"{display.url}/healthz").json()["control"] == "connected", "control connected")
        yield display


def test_stream_begins_with_the_snapshot_and_ticks_at_2_hz(display: DisplayProcess, control: ControlStandIn) -> None:
    reader = Reader(display.url)
    wait_for(lambda: len(reader.named("tick")) >= 5, "five ticks")
    assert reader.events[0][1:] == ("snapshot", control.snapshot)
    times = [at for at, name, _ in reader.events if name == "tick"]
    assert 0.4 < (times[-1] - times[0]) / (len(times) - 1) < 0.6


def test_a_change_reaches_every_stream_at_once(display: DisplayProcess, control: ControlStandIn) -> None:
    readers = [Reader(display.url) for _ in range(20)]
    wait_for(lambda: all(reader.named("snapshot") for reader in readers), "all streams open")
    rev = control.set(phase="boarding")
    wait_for(lambda: all(reader.named("snapshot")[-1]["rev"] == rev for reader in readers), "all have it", 1.0)


def test_H20_no_tick_is_invented_when_control_is_gone(display: DisplayProcess, control: ControlStandIn) -> None:
    reader = Reader(display.url)
    wait_for(lambda: bool(reader.named("tick")), "a tick")
    control.stop()
    wait_for(lambda: httpx.get(f"{display.url}/healthz").json()["control"] == "gone", "control gone")
    seen = len(reader.events)
    assert httpx.get(f"{display.url}/api/v1/snapshot").status_code == 503
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline:
        assert len(reader.events) == seen
        time.sleep(0.05)
    control.start()
    wait_for(
        lambda: len(reader.named("snapshot", seen)) == 1 and bool(reader.named("tick", seen)), "the same stream lives"
    )


def test_H20_a_hanging_control_gives_no_ticks_and_is_asked_anew(
    display: DisplayProcess, control: ControlStandIn
) -> None:
    reader = Reader(display.url)
    wait_for(lambda: bool(reader.named("tick")), "a tick")
    control.ticking = False
    wait_for(lambda: httpx.get(f"{display.url}/healthz").json()["control"] == "gone", "control counts as gone")
    control.ticking = True
    seen = len(reader.events)
    wait_for(lambda: bool(reader.named("tick", seen)), "ticks again")
    watches = [request for request in control.requests if request["op"] == "watch"]
    assert len(watches) >= 2


def test_H20_what_waited_while_the_display_was_stopped_is_not_shown(
    display: DisplayProcess, control: ControlStandIn
) -> None:
    reader = Reader(display.url)
    wait_for(lambda: bool(reader.named("tick")), "a tick")
    display.signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    wait_for(lambda: time.monotonic() - stopped_s > 2.0, "four ticks and a change pile up in the socket")
    rev = control.set(phase="boarding")
    seen = len(reader.events)
    display.signal(signal.SIGCONT)
    wait_for(lambda: bool(reader.named("tick", seen)), "ticks again")
    assert reader.named("snapshot", seen)[0]["rev"] == rev


def test_stops_within_3_s_with_streams_open(display: DisplayProcess) -> None:
    readers = [Reader(display.url) for _ in range(5)]
    wait_for(lambda: all(reader.events for reader in readers), "streams open")
    started = time.monotonic()
    assert display.stop() == 0
    assert time.monotonic() - started < STOP_S_MAX
    wait_for(lambda: all(reader.is_ended for reader in readers), "streams ended")
    assert "Traceback" not in display.said()


def test_stops_within_3_s_while_control_does_not_answer(display: DisplayProcess, control: ControlStandIn) -> None:
    control.handlers["snapshot"] = lambda _: None
    asking = threading.Thread(target=lambda: _try_get(f"{display.url}/api/v1/snapshot"), daemon=True)
    asking.start()
    wait_for(lambda: any(request["op"] == "snapshot" for request in control.requests), "the question is out")
    started = time.monotonic()
    assert display.stop() == 0
    assert time.monotonic() - started < STOP_S_MAX


def test_many_questions_are_few_for_control(display: DisplayProcess, control: ControlStandIn) -> None:
    """Pages that ask at the same time share one question, so that they cannot load the process that holds the gate."""

    def answer_slowly(_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        threading.Event().wait(0.1)  # a scan that is busy
        return 200, control.snapshot

    control.handlers["snapshot"] = answer_slowly
    threads = [threading.Thread(target=_try_get, args=(f"{display.url}/api/v1/snapshot",)) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert 1 <= len([request for request in control.requests if request["op"] == "snapshot"]) <= 20


def test_memory_stays_under_the_budget(display: DisplayProcess) -> None:
    readers = [Reader(display.url) for _ in range(3)]
    wait_for(lambda: all(reader.named("tick") for reader in readers), "streams open")
    httpx.get(f"{display.url}/static/main.js")
    assert display.pss_mib() <= PSS_MIB_MAX


def test_tells_systemd_ready_and_alive(tmp_path: Path, control: ControlStandIn) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)
        with running(tmp_path, notify_socket=str(tmp_path / "notify")) as display:
            heard = {manager.recv(64) for _ in range(3)}
            assert {b"READY=1", b"WATCHDOG=1"} <= heard
            display.stop()
        manager.setblocking(False)
        assert b"STOPPING=1" in _drain(manager)


def test_H28_only_loopback_is_served(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.1"):
        folder = tmp_path / host
        folder.mkdir()
        process = spawn(configuration(folder, f'host = "{host}"\nport = 0'), folder / "log")
        assert process.wait(15) != 0
        assert host in (folder / "log").read_text()


def test_H28_nothing_else_listens(display: DisplayProcess) -> None:
    inodes = {link.readlink().name for link in Path(f"/proc/{display.process.pid}/fd").iterdir() if link.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{display.process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1])
    assert listening == [f"0100007F:{display.port:04X}"]


def test_a_taken_port_ends_with_a_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = spawn(configuration(tmp_path, f"port = {taken.getsockname()[1]}"), tmp_path / "log")
        assert process.wait(15) == 1
    said = (tmp_path / "log").read_text()
    assert "another display" in said
    assert "Traceback" not in said


def _try_get(url: str) -> None:
    try:
        httpx.get(url, timeout=10)
    except httpx.HTTPError:
        return


def _drain(manager: socket.socket) -> list[bytes]:
    heard = []
    try:
        while True:
            heard.append(manager.recv(64))
    except BlockingIOError:
        return heard
