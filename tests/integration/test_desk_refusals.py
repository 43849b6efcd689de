"""What the desk refuses, by reason: counted, shown, and never a crash (H13, H14, H30)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.brokers import Broker, mosquitto
from tests.integration.desk_rig import VEHICLES, DeskProcess, Keys, TestVehicle, new_id, now, running_desk, state, until
from vehicle_agent.messages import jws
from vehicle_agent.messages.events import CloudEvent
from vehicle_agent.messages.limits import encode_json

TOPIC = "stv/v1/units/astana-mp/notices/kz-mp-017"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    # A broker without the limit, so that the desk's own is what is tested.
    with mosquitto(tmp_path_factory.mktemp("broker"), lines=["message_size_limit 1000000"]) as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def desk(keys: Keys, broker: Broker) -> Iterator[DeskProcess]:
    with running_desk(keys, broker.port) as running:
        yield running


@pytest.fixture(scope="module")
def vehicle(keys: Keys, broker: Broker, desk: DeskProcess) -> Iterator[TestVehicle]:
    running = TestVehicle(keys, broker.port)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def nothing_is_accepted(desk: DeskProcess, vehicle: TestVehicle) -> Iterator[None]:
    """Whatever a test here sends, no notice enters the register and no receipt leaves."""
    yield
    assert desk.notices() == []
    assert vehicle.received.empty()


def refused(desk: DeskProcess, reason: str, before: int, more: int = 1) -> None:
    until(lambda: desk.refused(reason) >= before + more, what=f"{more} refused as {reason}")
    assert desk.refused(reason) == before + more


def test_H14_a_notice_with_the_retain_flag(desk: DeskProcess, vehicle: TestVehicle) -> None:
    before = desk.refused("retained")
    vehicle.send(vehicle.notice("astana-mp", 1), retain=True)
    refused(desk, "retained", before)
    vehicle.publish(TOPIC, b"", retain=True)  # take it away again
    refused(desk, "retained", before, 2)


def test_H30_oversize(desk: DeskProcess, vehicle: TestVehicle) -> None:
    before = desk.refused("oversize")
    vehicle.publish(TOPIC, b"x" * 8193)
    vehicle.publish(TOPIC, b"x" * 200_000)
    refused(desk, "oversize", before, 2)


def test_H13_every_kind_of_wrong_signature(desk: DeskProcess, keys: Keys, vehicle: TestVehicle) -> None:
    before = desk.refused("bad_signature")
    good = json.loads(vehicle.notice("astana-mp", 1).message)
    other = json.loads(vehicle.notice("astana-mp", 2).message)
    vehicle.publish(TOPIC, encode_json({**good, "signature": other["signature"]}))
    vehicle.publish(TOPIC, encode_json({**good, "payload": other["payload"]}))
    impostor = _NamedLike(keys.signers[VEHICLES[1]], "kz-mp-017/1")
    vehicle.publish(TOPIC, vehicle.notice("astana-mp", 1, _signer=impostor).message)
    unknown = _NamedLike(keys.signers[VEHICLES[0]], "kz-mp-017/2")
    vehicle.publish(TOPIC, vehicle.notice("astana-mp", 1, _signer=unknown).message)
    refused(desk, "bad_signature", before, 4)


def test_H13_flipped_bits_of_a_genuine_notice(desk: DeskProcess, vehicle: TestVehicle) -> None:
    def total() -> int:
        return sum(row["count"] for row in desk.get("/api/v1/warnings"))

    before = total()
    message = vehicle.notice("astana-mp", 1).message
    chosen = random.Random(354).sample(range(len(message) * 8), 200)
    for batch in range(0, 200, 50):  # not more at once than the topic's quota
        for bit in chosen[batch : batch + 50]:
            flipped = bytearray(message)
            flipped[bit // 8] ^= 1 << bit % 8
            vehicle.publish(TOPIC, bytes(flipped))
        until(lambda batch=batch: total() >= before + batch + 50, what="all refused")  # type: ignore[misc]
    assert total() == before + 200


def test_H13_vehicle_key_topic_and_contents_must_agree(desk: DeskProcess, keys: Keys, vehicle: TestVehicle) -> None:
    before = desk.refused("mismatch")
    sent = vehicle.notice("astana-mp", 1)
    vehicle.send(sent, topic="stv/v1/units/astana-mp/notices/kz-mp-018")  # another vehicle's topic
    vehicle.send(sent, topic="stv/v1/units/almaty-mp/notices/kz-mp-017")  # another unit's topic
    vehicle.send(vehicle.notice("astana-mp", 1, vehicle="kz-mp-018"))
    vehicle.send(vehicle.notice("astana-mp", 1, _source="/stv/vehicles/kz-mp-018"))
    vehicle.send(vehicle.notice("astana-mp", 1, _signer=keys.signers["kz-mp-018"]))
    refused(desk, "mismatch", before, 5)


def test_unknown_vehicles_are_counted_together(desk: DeskProcess, vehicle: TestVehicle) -> None:
    before = desk.refused("unknown_vehicle")
    message = vehicle.notice("astana-mp", 1).message
    for number in range(20):
        vehicle.publish(f"stv/v1/units/astana-mp/notices/ghost-{number:03}", message)
    refused(desk, "unknown_vehicle", before, 20)
    assert len([row for row in desk.warnings("unknown_vehicle") if row["unit"] == "astana-mp"]) == 1


DEEP = b'{"payload":' + b"[" * 3000 + b"]" * 3000 + b"}"
GARBAGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe\x00",
    b"NaN",
    b'{"payload":NaN,"protected":"x","signature":"y"}',
    b'{"payload":"a","payload":"b","protected":"x","signature":"y"}',
    b'{"payload":1,"protected":2,"signature":3}',
    DEEP,
    b"<script>alert(1)</script>",
    b'{"payload":"e30","protected":"e30","signature":"e30"}',
    b'{"a":' + b"9" * 8000 + b"}",
]


def test_H30_garbage_of_many_kinds(desk: DeskProcess, vehicle: TestVehicle) -> None:
    before = desk.refused("malformed")
    for payload in GARBAGE:
        vehicle.publish(TOPIC, payload)
        vehicle.publish("stv/v1/vehicles/kz-mp-017/events", payload)
    refused(desk, "malformed", before, 2 * len(GARBAGE))
    assert desk.get("/healthz")["status"] == "ok"


SIGNED_NONSENSE: list[Any] = [
    [],
    {},
    {"type": "kz.mp.stv.departure.v1"},
    {"type": "kz.mp.stv.receipt.v1", "data": {}},
    {"type": ["kz.mp.stv.departure.v1"]},
    "text",
]


def test_H30_genuine_signatures_over_nonsense(desk: DeskProcess, keys: Keys, vehicle: TestVehicle) -> None:
    before = desk.refused("malformed")
    genuine = json.loads(vehicle.notice("astana-mp", 1).payload)
    cases = [
        *SIGNED_NONSENSE,
        {**genuine, "data": {**genuine["data"], "recipient_sequence": 0}},
        {**genuine, "data": {**genuine["data"], "recipient_sequence": True}},
        {**genuine, "data": {**genuine["data"], "late_by_s": "1"}},
        {**genuine, "id": "not-a-uuid"},
    ]
    for case in cases:
        vehicle.publish(TOPIC, jws.sign(encode_json(case), keys.signers[VEHICLES[0]]))
    vehicle.publish(TOPIC, jws.sign(b"\xff\x00", keys.signers[VEHICLES[0]]))
    refused(desk, "malformed", before, len(cases) + 1)


def test_a_report_must_come_from_its_own_vehicle_and_belong_on_its_topic(
    desk: DeskProcess, vehicle: TestVehicle
) -> None:
    mismatched, malformed = desk.refused("mismatch"), desk.refused("malformed")
    vehicle.report("state", state(phase="boarding"), retain=False)
    until(lambda: desk.vehicle("kz-mp-017")["phase"] == "boarding")
    event = json.loads(vehicle.notice("astana-mp", 1).payload)
    vehicle.publish("stv/v1/vehicles/kz-mp-017/state", encode_json(event))
    foreign = CloudEvent(new_id(), "state", "/stv/vehicles/kz-mp-018", state(phase="closed"), now(), subject="t")
    until(lambda: desk.refused("malformed") == malformed + 1, what="a notice on the state topic")
    vehicle.publish("stv/v1/vehicles/kz-mp-017/state", foreign.to_bytes())
    until(lambda: desk.refused("mismatch") == mismatched + 1, what="another vehicle's state")
    assert desk.vehicle("kz-mp-017")["phase"] == "boarding"


class _NamedLike:
    """A signer that claims another key's name."""

    def __init__(self, signer: jws.FileSigner, kid: str) -> None:
        self._signer = signer
        self.kid = kid

    def sign(self, data: bytes) -> bytes:
        return self._signer.sign(data)
