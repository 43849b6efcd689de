"""The desk when things break: SIGKILL at the worst moment, broker gone, floods, a damaged register, a second desk."""

from __future__ import annotations

import os
import queue
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker, mosquitto
from tests.integration.desk_rig import (
    ROOT,
    VEHICLES,
    DeskProcess,
    Keys,
    Sent,
    TestVehicle,
    running_desk,
    session,
    state,
    until,
)

PUBLISH = 3  # MQTT control packet type, the first four bits of a packet


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path, persistence=True) as running:
        yield running


class Wire:
    """Between desk and broker: calls `on_publish` when the desk sends a PUBLISH, which then goes no further."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self.on_publish: Callable[[], None] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                desk, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
            except OSError:
                return
            threading.Thread(target=self._carry, args=(desk, broker, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(broker, desk, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_from_desk: bool) -> None:
        with source, target:
            while True:
                try:
                    data = source.recv(65536)
                    # The library sends one packet at a time, so each read from the desk begins with a packet.
                    if is_from_desk and data and data[0] >> 4 == PUBLISH and self.on_publish:
                        do, self.on_publish = self.on_publish, None
                        do()
                        return
                    if not data:
                        return
                    target.sendall(data)
                except OSError:
                    return


def test_H08_killed_between_commit_and_receipt_the_resend_gets_the_stored_receipt(keys: Keys, broker: Broker) -> None:
    wire = Wire(broker.port)
    vehicle = TestVehicle(keys, broker.port)
    with running_desk(keys, wire.port) as desk:
        wire.on_publish = lambda: os.kill(desk.pid, signal.SIGKILL)
        sent = vehicle.notice("astana-mp", 1)
        vehicle.send(sent)
        desk.wait_dead()
        with sqlite3.connect(desk.database) as stored:
            (message,) = stored.execute("select message from receipts").fetchone()
            assert stored.execute("select payload from notices").fetchone() == (sent.payload,)
        vehicle.no_receipt(0.1)
        desk.start()
        vehicle.next_receipt()  # owed since before the kill
        vehicle.send(sent)
        vehicle.next_receipt()
        assert set(vehicle.raw) == {message}
        assert len(desk.notices()) == 1
    vehicle.close()
    wire.close()


def test_H09_duplicates_and_disorder_leave_exactly_what_was_sent(keys: Keys, broker: Broker) -> None:
    vehicle = TestVehicle(keys, broker.port)
    with running_desk(keys, broker.port) as desk:
        sent = [vehicle.notice("astana-mp", number) for number in range(1, 41)]
        for number in [*range(40, 20, -1), *range(1, 21), *range(5, 40, 3)]:
            vehicle.send(sent[number - 1])
        until(lambda: len(desk.notices()) == 40, what="all 40")
        until(lambda: vehicle.received.qsize() >= 40, what="their receipts")
        assert sorted(row["id"] for row in desk.notices()) == sorted(one.id for one in sent)
        assert desk.warnings("gap") == [] and desk.warnings("fork") == []
    vehicle.close()


def test_killed_at_any_moment_nothing_answered_is_lost(keys: Keys, broker: Broker) -> None:
    vehicle = TestVehicle(keys, broker.port)
    desk = DeskProcess(keys, broker.port)
    sent = [vehicle.notice("astana-mp", number) for number in range(1, 61)]
    try:
        for part in range(0, 60, 20):
            desk.start(is_connected=part == 0)  # later the broker keeps what comes before the desk is back
            for one in sent[part : part + 20]:
                vehicle.send(one)
            vehicle.received.get(timeout=10)
            desk.kill()
        desk.start()
        kept = {row["id"] for row in desk.notices()}
        for one in sent:
            vehicle.send(one)
        until(lambda: len(desk.notices()) == 60, what="all after the resend")
        assert kept <= {one.id for one in sent}
        with sqlite3.connect(desk.database) as stored:
            assert stored.execute("select count(*) from receipts").fetchone() == (60,)
            assert stored.execute("pragma integrity_check").fetchone() == ("ok",)
    finally:
        desk.kill()
        desk.http.close()
        vehicle.close()


def test_a_broker_that_restarts_is_joined_again_and_misses_nothing(keys: Keys, broker: Broker) -> None:
    with running_desk(keys, broker.port) as desk:
        broker.kill()
        until(lambda: not desk.get("/healthz")["broker"]["connected"], what="loss noticed")
        assert desk.http.get(f"{desk.url}/healthz").status_code == 503
        broker.start()
        until(lambda: desk.get("/healthz")["broker"]["connected"], what="connected again")
        vehicle = TestVehicle(keys, broker.port)
        sent = vehicle.notice("astana-mp", 1)
        vehicle.send(sent)
        assert vehicle.next_receipt()["notice"] == sent.id
        vehicle.close()


def test_the_broker_keeps_notices_while_the_desk_is_away(keys: Keys, broker: Broker) -> None:
    vehicle = TestVehicle(keys, broker.port)
    with running_desk(keys, broker.port) as desk:
        vehicle.report("state", state(phase="secured"))
        vehicle.report("session", session())
        until(lambda: desk.vehicle(VEHICLES[0])["phase"] == "secured")
        desk.stop()
        sent = vehicle.notice("astana-mp", 1)
        vehicle.send(sent)
        desk.start()
        assert vehicle.next_receipt()["notice"] == sent.id
        row = desk.vehicle(VEHICLES[0])
        assert (row["phase"], row["online"]) == ("secured", True)
    vehicle.close()


def test_H30_a_flood_of_garbage_neither_stops_the_desk_nor_pushes_a_notice_out(keys: Keys, broker: Broker) -> None:
    flooding = TestVehicle(keys, broker.port, VEHICLES[1])
    vehicle = TestVehicle(keys, broker.port)
    stop = threading.Event()

    def flood() -> None:
        broken = flooding.notice("astana-mp", 1).message.replace(b"A", b"B")
        payloads = [b"garbage" * 20, b"{" * 4000, b"\xff" * 100, broken]
        number = 0
        while not stop.is_set():
            topic = f"stv/v1/units/astana-mp/notices/{VEHICLES[1]}"
            info = flooding.client.publish(topic, payloads[number % len(payloads)], qos=1)
            number += 1
            if number % 20 == 0:
                info.wait_for_publish(5)  # as fast as the broker takes them

    with running_desk(keys, broker.port) as desk:
        flooder = threading.Thread(target=flood)
        flooder.start()
        try:
            until(lambda: desk.refused("malformed") + desk.refused("bad_signature") > 1000, what="flooded")
            for number in range(1, 4):
                sent = vehicle.notice("astana-mp", number)
                until(lambda sent=sent: _answered(vehicle, sent), what="answered in the flood")  # type: ignore[misc]
        finally:
            stop.set()
            flooder.join(10)
        assert desk.get("/healthz")["status"] == "ok"
        assert len(desk.notices()) == 3
        assert len(desk.get("/api/v1/warnings")) < 10
        assert "Traceback" not in desk.log.read_text()
    flooding.close()
    vehicle.close()


def test_H19_a_damaged_register_is_moved_aside_and_said_so(keys: Keys, broker: Broker) -> None:
    database = keys.directory / "desk.db"
    database.write_bytes(b"this is no database" * 1000)
    with running_desk(keys, broker.port) as desk:
        assert len(desk.warnings("register_damaged")) == 1
        assert len(list(keys.directory.glob("desk.db.damaged-*"))) == 1
        assert desk.notices() == []


def test_H33_a_second_desk_on_the_same_register_refuses_to_start(keys: Keys, broker: Broker) -> None:
    with running_desk(keys, broker.port) as desk:
        second = _run(desk.file)
        assert (second.returncode, "another desk" in second.stderr) == (1, True)
        assert desk.get("/healthz")["status"] == "ok"


def test_systemd_hears_that_the_desk_is_ready_and_at_work(keys: Keys, broker: Broker, tmp_path: Path) -> None:
    desk = DeskProcess(keys, broker.port)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        try:
            desk.start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
            heard: list[bytes] = []
            while heard.count(b"WATCHDOG=1") < 2 or b"READY=1" not in heard:
                heard.append(systemd.recv(100))
            desk.stop()
            while heard[-1] != b"STOPPING=1":
                heard.append(systemd.recv(100))
        finally:
            desk.kill()
            desk.http.close()


def test_a_bad_configuration_names_file_and_key(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('[desk]\nunits = ["astana-mp"]\nprot = 8082\n', encoding="utf-8")
    answer = _run(file)
    assert answer.returncode == 2
    assert "bad.toml" in answer.stderr and "prot" in answer.stderr


def _answered(vehicle: TestVehicle, sent: Sent) -> bool:
    """Send as a vehicle does, again after a while; a broker may drop what a flooded desk cannot take."""
    vehicle.send(sent)
    try:
        return bool(vehicle.next_receipt(within_s=1)["notice"] == sent.id)
    except queue.Empty:
        return False


def _run(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vehicle_agent.dispatch.cli", "run", "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)
