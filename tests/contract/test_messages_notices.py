"""Notices and receipts as signed messages: what one side writes the other reads, and nothing else (Rule 19)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vehicle_agent.messages import jws, notices, receipts, schema
from vehicle_agent.messages.events import CloudEvent
from vehicle_agent.messages.limits import MessageError, encode_json

Json = dict[str, Any]
VEHICLE, UNIT = "kz-mp-017", "astana-mp"
NOTICE = "019ab4e0-1c3b-7a51-8d10-5f0e7a9c4b21"
RECEIPT_ID = "019ab4e0-1c3b-7a51-9d10-5f0e7a9c4b22"
AT = "2026-11-22T13:01:00.000Z"
TOPIC = f"stv/v1/units/{UNIT}/notices/{VEHICLE}"
RECEIPT_TOPIC = f"stv/v1/vehicles/{VEHICLE}/receipts/{UNIT}"
SIGNERS = {
    party: jws.FileSigner(Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)), f"{party}/1")
    for number, party in enumerate((VEHICLE, "kz-mp-018", UNIT, "taraz-mp"), 1)
}
KEYS = {party: jws.public_keys({signer.kid: signer.public_key}) for party, signer in SIGNERS.items()}


def row(kind: str = "departure", **changes: object) -> Json:
    data: Json = {
        "notice": NOTICE,
        "kind": kind,
        "recipient": UNIT,
        "recipient_sequence": 7,
        "departed_at": "2026-11-22T13:00:05.123Z",
        "arrived_at": None,
        "time_source": "gnss",
        "time_uncertainty_s": 0.2,
        "secured": True,
        "origin": "almaty-mp",
        "destination": UNIT,
        "destination_place": "CANARY",
        "intermediate": ["karaganda-mp"],
        "vehicle": VEHICLE,
        "checks": {"all_passed": False, "fallbacks": ["ventilation"]},
        "position": {"latitude_deg": 43, "longitude_deg": 76.92},
        "test": False,
        "corrects": None,
    }
    return {
        "seq": 142,
        "id": NOTICE,
        "at": "2026-11-22T13:00:05.123Z",
        "time_source": "gnss",
        "time_uncertainty_s": 0.2,
        "boot_id": "b",
        "mono_s": 12.5,
        "trip": "019ab4d0-0000-7000-8000-000000000001",
        "type": "notice_recorded",
        "data": data | changes,
        "prev": "0" * 64,
        "hash": "9f" * 32,
    }


def signed(payload: bytes, party: str = VEHICLE) -> bytes:
    return jws.sign(payload, SIGNERS[party])


def open_(raw: bytes, topic: str = TOPIC, *, retained: bool = False) -> notices.Notice:
    return notices.open_notice(topic, raw, retained=retained, keys=KEYS)


def genuine() -> notices.Notice:
    return open_(signed(notices.build_payload(row(), 1.4)))


def make_receipt(stage: str = "received", by: str | None = None, **changes: object) -> bytes:
    """A receipt with any content, honestly signed by the unit."""
    notice = genuine()
    data = {"notice": notice.event.id, "sha256": notice.sha256, "stage": stage, "by": by, "post": None, "at": AT}
    event = {
        "specversion": "1.0",
        "id": RECEIPT_ID,
        "source": f"/stv/units/{UNIT}",
        "type": "kz.mp.stv.receipt.v1",
        "time": AT,
        "data": data | changes,
    }
    return signed(encode_json(event), UNIT)


def open_receipt(raw: bytes, topic: str = RECEIPT_TOPIC, *, retained: bool = False) -> receipts.Receipt:
    return receipts.open_receipt(topic, raw, retained=retained, vehicle=VEHICLE, keys=KEYS)


def test_departure_carries_exactly_what_the_contract_names() -> None:
    notice = genuine()
    assert list(notice.event.data) == [
        "departed_at",
        "time_source",
        "time_uncertainty_s",
        "late_by_s",
        "secured",
        "origin",
        "destination",
        "intermediate",
        "recipient",
        "recipient_sequence",
        "vehicle",
        "journal",
        "checks",
        "position",
        "test",
    ]
    members = json.loads(notice.payload)
    assert members["id"] == NOTICE
    assert members["sequence"] == "00000000000000000142"
    assert members["source"] == "/stv/vehicles/kz-mp-017"
    assert members["data"]["journal"] == {"seq": 142, "hash": "9f" * 32}
    assert members["data"]["late_by_s"] == 1.4
    assert b"CANARY" not in notice.payload


@pytest.mark.parametrize("late_by_s", [3, 3.0, 3.0000001])
def test_bytes_do_not_depend_on_how_a_store_spells_a_number(late_by_s: float) -> None:
    assert notices.build_payload(row(), late_by_s) == notices.build_payload(row(), 3.0)


@pytest.mark.parametrize(
    "found",
    [row("arrival", arrived_at=AT), row("correction", corrects=RECEIPT_ID), row(destination=None), row(position=None)],
)
def test_every_kind_of_notice_is_read_back(found: Json) -> None:
    notice = open_(signed(notices.build_payload(found, 0)))
    assert notice.event.kind == found["data"]["kind"]
    assert notice.recipient_sequence == 7


def test_H13_every_flipped_bit_of_a_notice_is_refused() -> None:
    raw = signed(notices.build_payload(row(), 1.4))
    assert open_(raw).event.id == NOTICE
    accepted = []
    for position in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << position % 8
        try:
            open_(bytes(changed))
        except MessageError:
            continue
        accepted.append(position)
    assert accepted == []


def test_H13_every_cut_and_every_doubling_of_a_notice_is_refused() -> None:
    raw = signed(notices.build_payload(row(), 1.4))
    for length in range(len(raw)):
        with pytest.raises(MessageError):
            open_(raw[:length])
    with pytest.raises(MessageError):
        open_(raw + raw)


@pytest.mark.parametrize(
    ("topic", "changes", "party", "code"),
    [
        (TOPIC, {}, "kz-mp-018", "party"),
        (f"stv/v1/units/{UNIT}/notices/kz-mp-018", {}, VEHICLE, "party"),
        (f"stv/v1/units/{UNIT}/notices/kz-mp-099", {}, VEHICLE, "party"),
        (f"stv/v1/units/taraz-mp/notices/{VEHICLE}", {}, VEHICLE, "mismatch"),
        (TOPIC, {"vehicle": "kz-mp-018"}, VEHICLE, "mismatch"),
        (TOPIC, {"recipient": "taraz-mp"}, VEHICLE, "mismatch"),
        (TOPIC + "/x", {}, VEHICLE, "topic"),
        (f"stv/v1/vehicles/{VEHICLE}/state", {}, VEHICLE, "topic"),
    ],
)
def test_H13_topic_signature_and_content_must_name_the_same(topic: str, changes: Json, party: str, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        open_(signed(notices.build_payload(row(**changes), 0), party), topic)
    assert caught.value.code == code


def test_H13_a_genuine_vehicle_cannot_speak_in_the_name_of_another() -> None:
    raw = signed(notices.build_payload(row(vehicle=VEHICLE), 0), "kz-mp-018")
    with pytest.raises(MessageError):
        open_(raw, f"stv/v1/units/{UNIT}/notices/kz-mp-018")


def test_H14_a_retained_notice_or_receipt_is_refused() -> None:
    with pytest.raises(MessageError, match="retained"):
        open_(signed(notices.build_payload(row(), 0)), retained=True)
    with pytest.raises(MessageError, match="retained"):
        open_receipt(make_receipt(), retained=True)


def test_H30_a_signed_event_of_another_kind_or_shape_is_refused() -> None:
    departure = json.loads(notices.build_payload(row(), 0))
    changes: tuple[Json, ...] = (
        {"type": "kz.mp.stv.phase.v1"},
        {"type": "departure"},
        {"type": None},
        {"specversion": "0.3"},
        {"id": "1"},
        {"data": []},
        {"time": "2026-13-45T00:00:00Z"},
        {"time": "2026-11-22T13:00:05"},
        {"sequence": "142"},
        {"subject": "a b"},
        {"data": departure["data"] | {"recipient_sequence": 0}},
        {"data": departure["data"] | {"recipient_sequence": True}},
        {"data": departure["data"] | {"recipient_sequence": 7.0}},
        {"data": departure["data"] | {"secured": 1}},
        {"data": departure["data"] | {"position": {"latitude_deg": 91, "longitude_deg": 0}}},
        {"data": departure["data"] | {"journal": {"seq": 141, "hash": "9f" * 32}}},
        {"data": departure["data"] | {"late_by_s": -1}},
        {"data": {name: value for name, value in departure["data"].items() if name != "test"}},
    )
    for change in changes:
        with pytest.raises(MessageError):
            open_(signed(encode_json(departure | change)))
    for raw in (b"[]", b"null", b"not json", b"\xff", encode_json(departure)[:-1]):
        with pytest.raises(MessageError):
            open_(signed(raw))


def test_a_field_that_was_added_later_is_no_reason_to_refuse() -> None:
    departure = json.loads(notices.build_payload(row(), 0))
    departure["data"]["route_name"] = "x"
    departure["datacontenttype"] = "application/json"
    assert open_(signed(encode_json(departure))).event.id == NOTICE


def test_what_leaves_has_no_field_that_the_schema_does_not_name() -> None:
    event = genuine().event
    with pytest.raises(MessageError, match="not allowed"):
        replace(event, data={**event.data, "name": "x"}).to_bytes()


def test_a_message_that_would_be_too_large_does_not_leave() -> None:
    fixes = [
        ["2026-11-22T12:00:00.000000000Z", 43.123456789012, 76.123456789012, 12.123456789012, 271.1234567890, 3, True]
    ]
    event = CloudEvent(NOTICE, "track", "/stv/vehicles/kz-mp-017", {"historical": True, "fixes": fixes * 60}, AT)
    assert len(event.to_bytes()) < 8192
    data = {**schema.load("departure.v1.json")["examples"][0]["data"], "intermediate": ["a" * 32] * 32}
    data["checks"] = {"all_passed": False, "fallbacks": ["b" * 48] * 48}
    assert len(CloudEvent(NOTICE, "departure", "/stv/vehicles/kz-mp-017", data, AT, "trip", 1).to_bytes()) < 5600


def test_receipt_is_read_back_and_quotes_the_notice() -> None:
    notice = genuine()
    raw = receipts.build_receipt(
        notice, "acknowledged", by="Майор Серіков", post="кезекші", at=AT, event_id=RECEIPT_ID, signer=SIGNERS[UNIT]
    )
    found = open_receipt(raw)
    assert found == receipts.Receipt(UNIT, NOTICE, notice.sha256, "acknowledged", "Майор Серіков", "кезекші", AT)
    assert open_receipt(make_receipt()).stage == "received"


@pytest.mark.parametrize(
    "forge",
    [
        lambda: jws.sign(b"{}", SIGNERS[UNIT]),
        lambda: make_receipt(stage="told_by_radio"),
        lambda: make_receipt(stage="acknowledged", by=None),
        lambda: make_receipt(stage="acknowledged", by=""),
        lambda: make_receipt(stage="acknowledged", by="   "),
        lambda: make_receipt(stage="acknowledged", by="x\n<3>forged log line"),
        lambda: make_receipt(stage="acknowledged", by="abc\u202edef"),
        lambda: make_receipt(stage="acknowledged", by="x" * 121),
        lambda: make_receipt(sha256="00"),
        lambda: make_receipt(notice="1"),
        lambda: make_receipt(at="now"),
        lambda: signed(notices.build_payload(row(), 0), UNIT),
        lambda: b"",
    ],
)
def test_H15_a_receipt_with_false_content_is_refused(forge: Callable[[], bytes]) -> None:
    with pytest.raises(MessageError):
        open_receipt(forge())


@pytest.mark.parametrize(
    "topic",
    [
        f"stv/v1/vehicles/{VEHICLE}/receipts/taraz-mp",
        f"stv/v1/vehicles/kz-mp-018/receipts/{UNIT}",
        f"stv/v1/vehicles/{VEHICLE}/receipts/unknown-mp",
        f"stv/v1/vehicles/{VEHICLE}/receipts/",
        "stv/v1",
    ],
)
def test_H15_a_receipt_on_another_topic_is_refused(topic: str) -> None:
    with pytest.raises(MessageError):
        open_receipt(make_receipt(), topic)


def test_H15_a_unit_cannot_write_a_receipt_for_another() -> None:
    with pytest.raises(MessageError, match="does not sign"):
        receipts.build_receipt(
            genuine(), "received", by=None, post=None, at=AT, event_id=RECEIPT_ID, signer=SIGNERS["taraz-mp"]
        )


def test_H15_every_flipped_bit_of_a_receipt_is_refused() -> None:
    raw = make_receipt()
    for position in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(MessageError):
            open_receipt(bytes(changed))
