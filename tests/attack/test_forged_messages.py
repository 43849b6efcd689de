"""Nothing that was touched on its way is taken for a notice or a receipt (Rule 19; H13, H14, H15, H30)."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests import resources
from tests.attack.mutations import spoil_signed
from tests.attack.seeds import drawn_seed
from tests.integration.desk_rig import new_id, now
from tests.integration.uplink_control import VEHICLE, notice_data
from tests.integration.uplink_rig import FILES
from vehicle_agent.dispatch.intake import Keyring, judge_notice, judge_report
from vehicle_agent.dispatch.model import Delivery, Notice, Refusal, Report
from vehicle_agent.messages import jws, notices, receipts, topics
from vehicle_agent.messages.limits import MessageError
from vehicle_agent.messages.schema import load
from vehicle_agent.uplink.intake import Intake, Known
from vehicle_agent.uplink.link import Arrived
from vehicle_agent.uplink.outbox import Outbox

Tell = Callable[[str, int], None]
UNIT = "astana-mp"
PARTIES = (VEHICLE, "kz-mp-018", UNIT, "taraz-mp")
GROWTH_MIB_MAX = 8.0


@dataclass
class Parties:
    """Everybody's key, one notice on its way, and both ends that judge."""

    signers: dict[str, jws.FileSigner]
    notice: bytes
    receipt: bytes
    keyring: Keyring
    outbox: Outbox
    intake: Intake

    def desk(self, raw: bytes, vehicle: str = VEHICLE, unit: str = UNIT) -> Notice | Refusal:
        return judge_notice(Delivery(topics.notice_topic(unit, vehicle), raw, False, 0.0), self.keyring)

    def vehicle(self, raw: bytes, unit: str = UNIT, *, retained: bool = False) -> receipts.Receipt | None:
        return self.intake.take(Arrived(topics.receipt_topic(VEHICLE, unit), raw, retained), 0.0)


@pytest.fixture(scope="module")
def parties() -> Parties:
    signers = {}
    for party in PARTIES:
        signers[party] = jws.FileSigner(Ed25519PrivateKey.generate(), f"{party}/1")
    keys = {party: jws.public_keys({one.kid: one.public_key}) for party, one in signers.items()}
    outbox = Outbox(signers[VEHICLE], 5.0, 60.0)
    notice = new_id()
    row: dict[str, Any] = {
        "seq": 7, "id": notice, "at": now(), "boot_id": "b", "mono_s": 1.0, "trip": new_id(), "type": "notice_recorded",
        "data": notice_data(notice, UNIT, 1), "hash": "ab" * 32,
    }  # fmt: skip
    outbox.add(row, 0.0)
    outbox.set_lateness(notice, 1.0)
    (owed,) = outbox.due(0.0)
    vehicles = {party: keys[party] for party in PARTIES[:2]}
    opened = notices.open_notice(topics.notice_topic(UNIT, VEHICLE), owed.message, retained=False, keys=vehicles)
    receipt = receipts.build_receipt(
        opened, "received", by=None, post=None, at=now(), event_id=new_id(), signer=signers[UNIT]
    )
    intake = Intake(VEHICLE, {party: keys[party] for party in PARTIES[2:]}, outbox, Known())
    return Parties(signers, owed.message, receipt, Keyring(vehicles), outbox, intake)


def bits(raw: bytes) -> list[bytes]:
    """The message with each single bit flipped."""
    found = []
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        found.append(bytes(flipped))
    return found


def test_H13_a_notice_with_any_one_bit_flipped_is_refused(parties: Parties, tell: Tell) -> None:
    assert isinstance(parties.desk(parties.notice), Notice)
    flipped = bits(parties.notice)
    assert all(isinstance(parties.desk(raw), Refusal) for raw in flipped)
    tell("attack: single bits flipped", len(flipped))


def test_H15_a_receipt_with_any_one_bit_flipped_is_refused(parties: Parties, tell: Tell) -> None:
    assert parties.vehicle(parties.receipt) is not None
    flipped = bits(parties.receipt)
    assert all(parties.vehicle(raw) is None for raw in flipped)
    tell("attack: single bits flipped", len(flipped))


def test_H13_H15_cut_anywhere_or_with_anything_behind_it_is_refused(parties: Parties, tell: Tell) -> None:
    ways: list[tuple[bytes, Callable[[bytes], bool]]] = [
        (parties.notice, lambda raw: isinstance(parties.desk(raw), Notice)),
        (parties.receipt, lambda raw: parties.vehicle(raw) is not None),
    ]
    for raw, is_taken in ways:
        assert not any(is_taken(raw[:end]) for end in range(len(raw)))
        assert not any(is_taken(raw + bytes([byte])) for byte in range(256) if byte not in b" \t\r\n")
        tell("attack: cut or lengthened", len(raw) + 252)


def test_H13_H15_a_genuine_message_counts_for_nobody_else(parties: Parties, tell: Tell) -> None:
    tried = 0
    for vehicle in PARTIES[:2]:
        for unit in PARTIES[2:]:
            found = parties.desk(parties.notice, vehicle, unit)
            assert isinstance(found, Notice) is ((vehicle, unit) == (VEHICLE, UNIT))
            tried += 1
    for unit in (*PARTIES[2:], "nowhere-mp"):
        assert (parties.vehicle(parties.receipt, unit) is not None) is (unit == UNIT)
        tried += 1
    assert parties.vehicle(parties.receipt, retained=True) is None
    tell("attack: genuine, to somebody else", tried)


def _open(schema: Any) -> Any:
    """The schema without its bans on unknown members: a later version of this software may add some (contract)."""
    if isinstance(schema, dict):
        return {key: _open(inner) for key, inner in schema.items() if not key.endswith("Properties")}
    return [_open(inner) for inner in schema] if isinstance(schema, list) else schema


OPEN: Registry[Any] = Registry().with_resources(
    (name, DRAFT202012.create_resource(_open(load(name)))) for name in FILES
)
SCHEMAS = {
    kind: Draft202012Validator({"$ref": f"{kind}.v1.json"}, registry=OPEN)
    for kind in (*notices.NOTICE_KINDS, "receipt")
}


def is_really_a_notice(parties: Parties, raw: bytes) -> bool:
    """An independent reading: signed by this vehicle, valid by the shipped schema, from it, to this unit."""
    members = json.loads(raw)
    header = json.loads(jws.decode_base64url(members["protected"]))
    key = parties.keyring.keys[VEHICLE][f"{VEHICLE}/1"]
    signed = f"{members['protected']}.{members['payload']}".encode()
    key.verify(jws.decode_base64url(members["signature"]), signed)
    event = json.loads(jws.decode_base64url(members["payload"]))
    kind = event["type"].split(".")[3]
    return (
        header == {"alg": "EdDSA", "kid": f"{VEHICLE}/1"}
        and SCHEMAS[kind].is_valid(event)
        and (event["source"], event["data"]["vehicle"]) == (f"/stv/vehicles/{VEHICLE}", VEHICLE)
        and event["data"]["recipient"] == UNIT
    )


@pytest.mark.parametrize("count", [6000, pytest.param(150_000, marks=pytest.mark.campaign("attack"))])
def test_H13_H30_of_messages_spoilt_at_will_the_desk_takes_only_what_the_vehicle_signed(
    parties: Parties, count: int, tell: Tell
) -> None:
    """A vehicle that signs nonsense itself gets as far as the schema lets it, and no further."""
    seed = drawn_seed()
    rng = random.Random(seed)
    strangers = [signer for party, signer in parties.signers.items() if party != VEHICLE]
    outcomes: Counter[str] = Counter()
    before = 0.0
    for number in range(count):
        is_insider = rng.random() < 0.2
        raw = spoil_signed(parties.notice, [parties.signers[VEHICLE]] if is_insider else list(strangers), rng)
        found = parties.desk(raw)
        if isinstance(found, Notice):
            assert is_really_a_notice(parties, raw), f"seed {seed}, number {number}: {raw!r}"
            assert is_insider, f"seed {seed}, number {number}"
        outcomes[type(found).__name__ if isinstance(found, Notice) else str(found.reason.value)] += 1
        if number == count // 10:
            before = resources.rss_mib()
    assert resources.rss_mib() - before < GROWTH_MIB_MAX
    assert outcomes["bad_signature"] > count // 20 and outcomes["malformed"] > count // 20
    tell("attack: spoilt notices", count)
    tell("attack: spoilt notices that the vehicle itself had signed and that are valid", outcomes["Notice"])


@pytest.mark.parametrize("count", [4000, pytest.param(100_000, marks=pytest.mark.campaign("attack"))])
def test_H15_H30_of_receipts_spoilt_at_will_the_vehicle_takes_only_what_the_unit_signed(
    parties: Parties, count: int, tell: Tell
) -> None:
    seed = drawn_seed()
    rng = random.Random(seed)
    strangers = [signer for party, signer in parties.signers.items() if party != UNIT]
    before, taken = 0.0, 0
    genuine = json.loads(jws.decode_base64url(json.loads(parties.receipt)["payload"]))
    for number in range(count):
        is_insider = rng.random() < 0.2
        raw = spoil_signed(parties.receipt, [parties.signers[UNIT]] if is_insider else list(strangers), rng)
        found = parties.vehicle(raw)
        if found is not None:
            taken += 1
            event = json.loads(jws.decode_base64url(json.loads(raw)["payload"]))
            assert is_insider, f"seed {seed}, number {number}: {raw!r}"
            assert SCHEMAS["receipt"].is_valid(event), f"seed {seed}, number {number}: {raw!r}"
            same = ("notice", "sha256")  # whose receipt it is was not the sender's choice
            assert [event["data"][name] for name in same] == [genuine["data"][name] for name in same]
            assert (found.unit, event["source"]) == (UNIT, f"/stv/units/{UNIT}")
        if number == count // 10:
            before = resources.rss_mib()
    assert resources.rss_mib() - before < GROWTH_MIB_MAX
    tell("attack: spoilt receipts", count)
    tell("attack: spoilt receipts that the unit itself had signed and that are valid", taken)


@pytest.mark.parametrize("count", [4000, pytest.param(100_000, marks=pytest.mark.campaign("attack"))])
def test_H30_bytes_of_any_kind_are_refused_without_an_exception(parties: Parties, count: int, tell: Tell) -> None:
    """Random bytes and random JSON, on every topic of the desk and of the vehicle."""
    seed = drawn_seed()
    rng = random.Random(seed)
    parts = ("state", "session", "position", "events")
    for _ in range(count):
        raw = random_json(rng) if rng.random() < 0.6 else rng.randbytes(rng.randrange(400))
        assert isinstance(parties.desk(raw), Refusal)
        assert parties.vehicle(raw) is None
        topic = topics.vehicle_topic(VEHICLE, rng.choice(parts))
        assert not isinstance(judge_report(Delivery(topic, raw, False, 0.0)), Report)
    tell("attack: nonsense", 3 * count)


def random_json(rng: random.Random) -> bytes:
    """Text of JSON's own pieces, in any order."""
    pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"a"',
        '"payload"',
        '"type"',
        "1",
        "-0",
        "1e999",
        "NaN",
        "null",
        '"\\ud800"',
        " ",
    ]
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(60))).encode()


def test_every_refusal_is_the_one_error(parties: Parties) -> None:
    """`verify` itself raises nothing but MessageError: its callers rely on that."""
    rng = random.Random(8)
    keys = parties.keyring.keys[VEHICLE]
    for _ in range(2000):
        raw = spoil_signed(parties.notice, list(parties.signers.values()), rng)
        try:
            jws.verify(raw, keys, VEHICLE)
        except MessageError:
            continue
