"""The shared codec: strict JSON, base64url, JWS, ids, times and topics (contract.md, MQTT)."""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from vehicle_agent.messages import events, jws, topics
from vehicle_agent.messages.limits import DEPTH_MAX, PAYLOAD_BYTES_MAX, MessageError, decode_json, encode_json

SIGNER = jws.FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "kz-mp-017/1")
KEYS = jws.public_keys({"kz-mp-017/1": SIGNER.public_key})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: object, signed: bytes = b"{}", /, **members: object) -> bytes:
    """A flattened JWS with any header, honestly signed by the vehicle's key."""
    protected = b64(header if isinstance(header, bytes) else json.dumps(header).encode())
    signature = SIGNER.sign(f"{protected}.{b64(signed)}".encode())
    return json.dumps({"payload": b64(signed), "protected": protected, "signature": b64(signature)} | members).encode()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b" " * (PAYLOAD_BYTES_MAX + 1), "oversize"),
        (b'{"a":"\xff"}', "encoding"),
        (b"\xef\xbb\xbf{}", "json"),
        (b"", "json"),
        (b"{", "json"),
        (b"{} {}", "json"),
        (b'{"a":1,"a":1}', "json"),
        (b'{"a":{"b":1,"b":2}}', "json"),
        (b'{"a":NaN}', "json"),
        (b'{"a":-Infinity}', "json"),
        (b'{"a":1e999}', "json"),
        (b'{"a":9007199254740993}', "json"),
        (b'{"a":' + b"9" * 5000 + b"}", "json"),
        (b'{"a":"\\ud800"}', "json"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "json"),
        (b"[" * 8000, "json"),
        (b'{"a":"\n"}', "json"),
    ],
)
def test_H30_json_that_two_readers_could_read_differently_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_json(raw)
    assert caught.value.code == code


def test_json_brackets_inside_text_are_no_nesting() -> None:
    assert decode_json(b'{"a":"[[[[[[[[[[[[\\"[[[["}') == {"a": '[[[[[[[[[[[["[[[['}


@given(st.binary(max_size=400))
def test_H30_any_bytes_give_a_value_or_the_one_error(raw: bytes) -> None:
    with contextlib.suppress(MessageError):
        decode_json(raw)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_what_is_written_is_read_back_the_same(value: object) -> None:
    try:
        read = decode_json(encode_json(value))
    except MessageError as error:
        assert "nested" in error.detail
    else:
        assert read == value


def test_signature_is_deterministic_and_names_its_signer() -> None:
    raw = jws.sign(b"exact bytes \xff", SIGNER)
    assert raw == jws.sign(b"exact bytes \xff", SIGNER)
    found = jws.verify(raw, KEYS, "kz-mp-017")
    assert (found.payload, found.kid, found.party) == (b"exact bytes \xff", "kz-mp-017/1", "kz-mp-017")


def test_signature_is_rfc_8037_by_an_independent_computation() -> None:
    members = json.loads(jws.sign(b"hello", SIGNER))
    header = json.loads(base64.urlsafe_b64decode(members["protected"] + "=="))
    assert header == {"alg": "EdDSA", "kid": "kz-mp-017/1"}
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    signature = base64.urlsafe_b64decode(members["signature"] + "==")
    key.verify(signature, f"{members['protected']}.{members['payload']}".encode())


HEADER = {"alg": "EdDSA", "kid": "kz-mp-017/1"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (forged(HEADER | {"alg": "none"}), "jws"),
        (forged(HEADER | {"alg": "HS256"}), "jws"),
        (forged(HEADER | {"alg": "ES256"}), "jws"),
        (forged({"kid": "kz-mp-017/1"}), "jws"),
        (forged({"alg": "EdDSA"}), "jws"),
        (forged(HEADER | {"crit": ["exp"], "exp": 1}), "jws"),
        (forged(HEADER | {"b64": False, "crit": ["b64"]}), "jws"),
        (forged(HEADER | {"jwk": {}}), "jws"),
        (forged(HEADER | {"kid": "kz-mp-017/2"}), "kid"),
        (forged(HEADER | {"kid": "kz-mp-018/1"}), "party"),
        (forged(HEADER | {"kid": "kz-mp-017/1/1"}), "kid"),
        (forged(HEADER | {"kid": "kz-mp-017/01"}), "kid"),
        (forged(HEADER | {"kid": "../keys"}), "kid"),
        (forged(HEADER | {"kid": 1}), "jws"),
        (forged([]), "jws"),
        (forged(b'{"alg":"EdDSA","alg":"EdDSA","kid":"kz-mp-017/1"}'), "json"),
        (forged(b"\xff"), "encoding"),
        (forged(HEADER, header={"alg": "none"}), "jws"),
        (forged(HEADER, signature=""), "signature"),
        (forged(HEADER, signature=b64(bytes(64))), "signature"),
        (forged(HEADER, signature=None), "jws"),
        (forged(HEADER, payload="e30="), "jws"),
        (forged(HEADER, payload="e31"), "jws"),
        (forged(HEADER, payload="e 30"), "jws"),
        (forged(HEADER, payload="é30"), "jws"),
        (forged(HEADER, payload=b64(b"{ }")), "signature"),
        (b"[]", "jws"),
        (b"null", "jws"),
        (b'{"payload":"e30","protected":"e30"}', "jws"),
    ],
)
def test_H13_anything_but_the_one_agreed_form_of_signature_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        jws.verify(raw, KEYS, "kz-mp-017")
    assert caught.value.code == code


@given(st.binary(max_size=200))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = jws.encode_base64url(data)
    assert jws.decode_base64url(text) == data
    for other in (text + "=", text + " ", " " + text, text + "\n"):
        with pytest.raises(MessageError):
            jws.decode_base64url(other)


@pytest.mark.parametrize("bad", [{"kz-mp-017": "x"}, {"kz-mp-017/1": "AAAA"}, {"kz-mp-017/1": "not base64!"}])
def test_bad_configured_keys_are_named(bad: dict[str, str]) -> None:
    with pytest.raises(MessageError) as caught:
        jws.public_keys(bad)
    assert caught.value.code in ("key", "kid")


def test_key_file_problems_are_one_error(tmp_path: Any) -> None:
    (tmp_path / "junk.pem").write_text("junk")
    for name in ("absent.pem", "junk.pem"):
        with pytest.raises(MessageError, match=name):
            jws.FileSigner.load(tmp_path / name, "kz-mp-017/1")


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=40))
def test_ids_are_uuid7_with_their_time(unix_ms: int, entropy: bytes) -> None:
    text = events.uuid7(unix_ms, entropy)
    found = uuid.UUID(text)
    assert (found.version, found.variant, found.int >> 80) == (7, uuid.RFC_4122, unix_ms)
    assert text == str(found) == events.uuid7(unix_ms, entropy)


def test_times_are_utc_with_z_and_milliseconds() -> None:
    text = events.format_time(events.parse_time("2026-11-22T18:00:05.1239+05:00"))
    assert text == "2026-11-22T13:00:05.123Z"
    assert events.unix_ms(events.parse_time(text)) == 1795352405123
    for bad in ("2026-11-22", "2026-11-22T13:00:05", "yesterday"):
        with pytest.raises(MessageError):
            events.parse_time(bad)


def test_topics_are_those_of_the_contract_and_parse_back() -> None:
    assert topics.notice_topic("astana-mp", "kz-mp-017") == "stv/v1/units/astana-mp/notices/kz-mp-017"
    assert topics.receipt_topic("kz-mp-017", "astana-mp") == "stv/v1/vehicles/kz-mp-017/receipts/astana-mp"
    assert topics.vehicle_topic("kz-mp-017", "state") == "stv/v1/vehicles/kz-mp-017/state"
    assert topics.parse_notice_topic("stv/v1/units/astana-mp/notices/kz-mp-017") == ("astana-mp", "kz-mp-017")
    assert topics.parse_receipt_topic("stv/v1/vehicles/kz-mp-017/receipts/astana-mp") == ("kz-mp-017", "astana-mp")
    assert topics.parse_vehicle_topic("stv/v1/vehicles/kz-mp-017/events") == ("kz-mp-017", "events")
    assert topics.receipt_filter("kz-mp-017") == "stv/v1/vehicles/kz-mp-017/receipts/+"
    assert topics.notice_filter("astana-mp") == "stv/v1/units/astana-mp/notices/+"
    assert topics.vehicle_filter("state") == "stv/v1/vehicles/+/state"


@pytest.mark.parametrize("name", ["+", "#", "a/b", "ab", "a" * 33, "KZ-MP", "kz mp", "kz-mp\n", "", "қаз"])
def test_a_topic_never_takes_a_name_that_is_none(name: str) -> None:
    with pytest.raises(MessageError):
        topics.notice_topic(name, "kz-mp-017")
    with pytest.raises(MessageError):
        topics.vehicle_topic(name, "state")
    assert topics.parse_notice_topic(f"stv/v1/units/{name}/notices/kz-mp-017") is None
    assert topics.parse_receipt_topic(f"stv/v1/vehicles/kz-mp-017/receipts/{name}") is None
    assert topics.parse_vehicle_topic(f"stv/v1/vehicles/{name}/state") is None
