"""The reference broker configuration, run by a real mosquitto: everyone speaks for himself alone (H13, H30, H31)."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import MOSQUITTO, START_S
from vehicle_agent.config import BrokerTable
from vehicle_agent.doctor_broker import try_broker
from vehicle_agent.doctor_result import Status

BROKER = Path(__file__).resolve().parents[2] / "config" / "broker"
pytestmark = pytest.mark.slow
WAIT_S = 10.0
SILENCE_S = 0.5  # long enough for a delivery on loopback that must not come


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running broker and the folder with everybody's certificate."""

    directory: Path
    port: int
    child: subprocess.Popen[bytes]

    def table(self, name: str) -> BrokerTable:
        files = self.directory
        return BrokerTable(
            host="localhost",
            port=self.port,
            ca=files / "ca.pem",
            certificate=files / f"{name}.pem",
            key=files / f"{name}.key",
        )

    def client(self, name: str, client_id: str = "") -> Member:
        return Member(self, name, client_id or name)


class Member:
    """A connected client; `publish` returns the broker's own verdict, `received` what was delivered."""

    def __init__(self, fleet: Fleet, name: str, client_id: str) -> None:
        self._connected: Queue[bool] = Queue()
        self._lost: Queue[bool] = Queue()
        self._verdicts: Queue[int] = Queue()
        self._subscribed: Queue[bool] = Queue()
        self._messages: Queue[tuple[str, bytes]] = Queue()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        table = fleet.table(name)
        client.tls_set(str(table.ca), str(table.certificate), str(table.key))
        client.on_connect = lambda *arguments: self._connected.put(not arguments[3].is_failure)
        client.on_disconnect = lambda *_: self._lost.put(True)
        client.on_publish = lambda *arguments: self._verdicts.put(arguments[3].value)
        client.on_subscribe = lambda *_: self._subscribed.put(True)
        client.on_message = lambda *arguments: self._messages.put((arguments[2].topic, arguments[2].payload))
        client.connect("localhost", fleet.port)
        client.loop_start()
        self.client = client
        assert self._connected.get(timeout=WAIT_S)

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

    def is_lost(self) -> bool:
        return not self._lost.empty()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def _certificate(directory: Path, name: str, ca: tuple[x509.Certificate, Any] | None) -> tuple[x509.Certificate, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca[0].subject if ca else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    made = builder.sign(ca[1] if ca else key, hashes.SHA256())
    (directory / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (directory / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made, key


def _revocations(directory: Path, ca: tuple[x509.Certificate, Any], *revoked: x509.Certificate) -> None:
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca[0].subject)
    builder = builder.last_update(now).next_update(now + timedelta(days=1))
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    (directory / "revoked.pem").write_bytes(builder.sign(ca[1], hashes.SHA256()).public_bytes(Encoding.PEM))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    directory = tmp_path_factory.mktemp("broker")
    ca = _certificate(directory, "ca", None)
    for name in ("broker", "kz-mp-017", "kz-mp-018", "almaty-mp", "astana-mp", "taraz-mp"):
        _certificate(directory, name, ca)
    lost, _ = _certificate(directory, "kz-mp-099", ca)
    _revocations(directory, ca, lost)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = (BROKER / "mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("listener 8883", f"listener {port} localhost\nuser root")
    text = text.replace("/etc/mosquitto/certs/", f"{directory}/").replace(
        "/etc/mosquitto/conf.d/acl", str(BROKER / "acl")
    )
    text = text.replace("/var/lib/mosquitto/", f"{directory}/")
    (directory / "mosquitto.conf").write_text(text, encoding="utf-8")
    with (directory / "log").open("wb") as log:
        child = subprocess.Popen([MOSQUITTO, "-c", str(directory / "mosquitto.conf")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while True:
            assert child.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline, "mosquitto does not listen"
            try:
                socket.create_connection(("localhost", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield Fleet(directory, port, child)
    finally:
        child.terminate()
        child.wait(START_S)


SUCCESS, NO_SUBSCRIBER, NOT_AUTHORISED = 0x00, 0x10, 0x87


def test_a_notice_reaches_its_unit_and_no_other(fleet: Fleet) -> None:
    vehicle, astana, taraz = (fleet.client(name) for name in ("kz-mp-017", "astana-mp", "taraz-mp"))
    try:
        astana.subscribe("stv/v1/units/astana-mp/notices/+")
        taraz.subscribe("stv/v1/units/+/notices/+")  # granted by the broker, but it delivers nothing of others
        assert vehicle.publish("stv/v1/units/astana-mp/notices/kz-mp-017") == SUCCESS
        assert astana.received() == "stv/v1/units/astana-mp/notices/kz-mp-017"
        assert taraz.received(SILENCE_S) is None
    finally:
        for member in (vehicle, astana, taraz):
            member.close()


@pytest.mark.parametrize(
    ("name", "topic", "verdicts"),
    [
        ("kz-mp-017", "stv/v1/vehicles/kz-mp-017/state", {SUCCESS, NO_SUBSCRIBER}),
        ("kz-mp-017", "stv/v1/units/taraz-mp/notices/kz-mp-017", {SUCCESS, NO_SUBSCRIBER}),
        ("kz-mp-017", "stv/v1/units/taraz-mp/notices/kz-mp-018", {NOT_AUTHORISED}),
        ("kz-mp-017", "stv/v1/vehicles/kz-mp-018/session", {NOT_AUTHORISED}),
        ("kz-mp-018", "stv/v1/vehicles/kz-mp-017/position", {NOT_AUTHORISED}),
        ("astana-mp", "stv/v1/vehicles/kz-mp-017/receipts/astana-mp", {SUCCESS, NO_SUBSCRIBER}),
        ("astana-mp", "stv/v1/vehicles/kz-mp-017/receipts/taraz-mp", {NOT_AUTHORISED}),
        ("astana-mp", "stv/v1/units/astana-mp/notices/kz-mp-017", {NOT_AUTHORISED}),
    ],
)
def test_H13_each_name_writes_only_what_is_its_own(fleet: Fleet, name: str, topic: str, verdicts: set[int]) -> None:
    member = fleet.client(name)
    try:
        assert member.publish(topic) in verdicts
    finally:
        member.close()


def test_the_sending_unit_sees_its_own_vehicle_and_another_unit_does_not(fleet: Fleet) -> None:
    vehicle, almaty, astana = (fleet.client(name) for name in ("kz-mp-017", "almaty-mp", "astana-mp"))
    try:
        for member in (almaty, astana):
            member.subscribe("stv/v1/vehicles/+/position")
        vehicle.publish("stv/v1/vehicles/kz-mp-017/position")
        assert almaty.received() == "stv/v1/vehicles/kz-mp-017/position"
        assert astana.received(SILENCE_S) is None
    finally:
        for member in (vehicle, almaty, astana):
            member.close()


def test_H31_a_borrowed_client_identifier_throws_nobody_out(fleet: Fleet) -> None:
    vehicle = fleet.client("kz-mp-017")
    thief = fleet.client("astana-mp", client_id="kz-mp-017")
    try:
        assert vehicle.publish("stv/v1/vehicles/kz-mp-017/state") in {SUCCESS, NO_SUBSCRIBER}
        assert not vehicle.is_lost()
    finally:
        vehicle.close()
        thief.close()


def test_H30_a_message_over_the_limit_reaches_nobody(fleet: Fleet) -> None:
    vehicle, almaty = fleet.client("kz-mp-017"), fleet.client("almaty-mp")
    try:
        almaty.subscribe("stv/v1/vehicles/kz-mp-017/events")
        vehicle.client.publish("stv/v1/vehicles/kz-mp-017/events", b"x" * 9000, qos=1)
        assert almaty.received(SILENCE_S) is None
    finally:
        vehicle.close()
        almaty.close()


def test_H13_without_a_certificate_there_is_no_session(fleet: Fleet) -> None:
    context = ssl.create_default_context(cafile=str(fleet.directory / "ca.pem"))
    plain = socket.create_connection(("localhost", fleet.port), 5)
    # In TLS 1.3 the broker's refusal comes with the first byte that is read.
    with context.wrap_socket(plain, server_hostname="localhost") as wire, pytest.raises(ssl.SSLError):
        wire.recv(4)


def test_the_doctor_is_taken_by_the_broker(fleet: Fleet) -> None:
    check = try_broker(fleet.table("kz-mp-018"), "kz-mp-018")
    assert (check.status, "takes us" in check.found) == (Status.OK, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"certificate": None, "key": None}, "refuses"),
        ({"host": "127.0.0.1"}, "certificate is refused"),
        ({"ca": "kz-mp-017.pem"}, "certificate is refused"),
        ({"tls": False}, "Does it want TLS?"),
        ({"port": 1}, "Connection refused"),
    ],
)
def test_the_doctor_says_why_a_broker_does_not_take_us(fleet: Fleet, change: dict[str, Any], said: str) -> None:
    if "ca" in change:
        change = {"ca": fleet.directory / change["ca"]}
    check = try_broker(fleet.table("kz-mp-018").model_copy(update=change), "kz-mp-018")
    assert check.status is Status.FAIL
    assert said in check.found + check.advice
    assert check.advice


def test_H32_a_revoked_vehicle_is_refused(fleet: Fleet) -> None:
    assert try_broker(fleet.table("kz-mp-099"), "kz-mp-099").status is Status.FAIL
