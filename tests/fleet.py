"""The reference broker with its shipped configuration, and everybody's certificate from the shipped signer.

A real mosquitto on loopback reads `config/broker/mosquitto.conf`; only addresses, port and directories are replaced.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import MOSQUITTO, START_S, free_port
from vehicle_agent.config import BrokerTable

BROKER = Path(__file__).resolve().parents[1] / "config" / "broker"
SIGNER = BROKER / "fleet-ca"
PASSPHRASE = "a passphrase of the tests"
WAIT_S = 10.0


def fleet_ca(*arguments: str | Path, passphrase: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
    """The signer, as a person at the offline computer runs it; CalledProcessError with its words when it refuses."""
    return subprocess.run(
        [SIGNER, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FLEET_CA_PASSPHRASE": passphrase},
    )


def request(directory: Path, file: str, name: str) -> Path:
    """A key and a certificate request with openssl, as a unit or the broker's host makes them."""
    made = directory / f"{file}.csr"
    program = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"]
    program += [
        "-keyout",
        str(directory / f"{file}.key"),
        "-out",
        str(made),
        "-subj",
        "/CN=" + name.replace("/", "\\/"),
        "-utf8",
    ]
    subprocess.run(program, check=True, capture_output=True)
    return made


@dataclass
class Fleet:
    """A running broker and the folder with everybody's certificate."""

    directory: Path
    port: int
    child: subprocess.Popen[bytes] | None = None
    members: list[Member] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def enrol(self, name: str, file: str | None = None) -> None:
        """Key and certificate of a vehicle or a unit."""
        file = file or name
        made = request(self.directory, file, name)
        fingerprint = fleet_ca("fingerprint", made).stdout.strip()
        fleet_ca("vehicle", self.directory, made, fingerprint)
        (self.directory / f"{name}.pem").rename(self.directory / f"{file}.crt")

    def table(self, name: str) -> BrokerTable:
        files = self.directory
        return BrokerTable(
            host="localhost", port=self.port, ca=self.ca, certificate=files / f"{name}.crt", key=files / f"{name}.key"
        )

    def client(self, name: str, client_id: str = "", will: tuple[str, bytes] | None = None) -> Member:
        """A member who was let in."""
        member = Member(self, name, client_id or name, will)
        self.members.append(member)
        assert member.is_let_in(), f"{name} was not let in: {self.log[-1000:]}"
        return member

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [MOSQUITTO, "-c", str(self.directory / "mosquitto.conf")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while True:
            assert self.child.poll() is None, self.log[-2000:]
            assert time.monotonic() < deadline, "mosquitto does not listen"
            try:
                socket.create_connection(("localhost", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)

    def reload(self) -> None:
        """`systemctl reload mosquitto`."""
        assert self.child is not None
        self.child.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.child is not None:
            self.child.terminate()
            self.child.wait(START_S)
            self.child = None


class Member:
    """A client with a certificate; `publish` returns the broker's own verdict, `received` what was delivered."""

    def __init__(self, fleet: Fleet, name: str, client_id: str, will: tuple[str, bytes] | None = None) -> None:
        self._connected: Queue[bool] = Queue()
        self._lost: Queue[bool] = Queue()
        self._verdicts: Queue[int] = Queue()
        self._subscribed: Queue[bool] = Queue()
        self._messages: Queue[tuple[str, bytes]] = Queue()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        if will is not None:
            client.will_set(will[0], will[1], qos=1)
        table = fleet.table(name)
        client.tls_set(str(table.ca), str(table.certificate), str(table.key))
        client.on_connect = lambda *arguments: self._connected.put(not arguments[3].is_failure)
        client.on_connect_fail = lambda *_: self._connected.put(False)
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda *arguments: self._verdicts.put(arguments[3].value)
        client.on_subscribe = lambda *_: self._subscribed.put(True)
        client.on_message = lambda *arguments: self._messages.put((arguments[2].topic, arguments[2].payload))
        self.client = client
        try:
            client.connect("localhost", fleet.port)
        except OSError:
            self._connected.put(False)
        client.loop_start()

    def _on_disconnect(self, *_: object) -> None:
        self._lost.put(True)
        self._connected.put(False)

    def is_let_in(self) -> bool:
        return self._connected.get(timeout=WAIT_S)

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> int:
        self.client.publish(topic, payload, qos=1, retain=retain)
        return self._verdicts.get(timeout=WAIT_S)

    def subscribe(self, topic: str) -> None:
        self.client.subscribe(topic, qos=1)
        self._subscribed.get(timeout=WAIT_S)

    def received(self, timeout_s: float = WAIT_S) -> str | None:
        try:
            return self._messages.get(timeout=timeout_s)[0]
        except Empty:
            return None

    def is_lost(self, within_s: float = 0.0) -> bool:
        try:
            return self._lost.get(timeout=within_s) if within_s else self._lost.get_nowait()
        except Empty:
            return False

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def running_fleet(directory: Path, *names: str) -> Iterator[Fleet]:
    """The broker as it ships, with these vehicles and units enrolled."""
    fleet = Fleet(directory, free_port())
    fleet_ca("init", directory)
    fleet_ca("broker", directory, request(directory, "broker", "broker"), "localhost")
    for name in names:
        fleet.enrol(name)
    (directory / "acl").write_text((BROKER / "acl").read_text(encoding="utf-8"), encoding="utf-8")
    text = (BROKER / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("listener 8883", f"listener {fleet.port} localhost\nuser root")
    for place in ("/etc/mosquitto/certs/", "/etc/mosquitto/conf.d/", "/var/lib/mosquitto/"):
        text = text.replace(place, f"{directory}/")
    (directory / "mosquitto.conf").write_text(text, encoding="utf-8")
    fleet.start()
    try:
        yield fleet
    finally:
        for member in fleet.members:
            member.close()
        fleet.stop()
