"""The reference broker configuration, run by a real mosquitto: everyone speaks for himself alone (H13, H30, H31)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fleet import Fleet, fleet_ca, running_fleet
from vehicle_agent.doctor_broker import try_broker
from vehicle_agent.doctor_result import Status

pytestmark = pytest.mark.slow
SILENCE_S = 0.5  # long enough for a delivery on loopback that must not come


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    names = ("kz-mp-017", "kz-mp-018", "kz-mp-099", "almaty-mp", "astana-mp", "taraz-mp")
    with running_fleet(tmp_path_factory.mktemp("broker"), *names) as running:
        fleet_ca("revoke", running.directory, "kz-mp-099")
        running.stop()
        running.start()
        yield running


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
        ({"ca": "kz-mp-017.crt"}, "certificate is refused"),
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
