"""Ways to spoil a message: bytes, members, signatures, addresses; each drawn from a seeded generator."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from vehicle_agent.messages import jws
from vehicle_agent.messages.limits import MessageError, encode_json

NASTY: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 - 1,
    2**53,
    10**30,
    0.0,
    -0.0,
    1e-320,
    1e308,
    91.0,
    -181.0,
    "",
    " ",
    "0",
    "null",
    "a" * 300,
    "a" * 7000,
    "\x00",
    "\u202e",
    "\u2066\u2069",
    "\ud800",
    "＜",
    "<img src=x onerror=alert(1)>",
    "=1+1",
    "'; DROP TABLE",
    "../../etc/passwd",
    "%s%n",
    "${jndi:x}",
    "kz-mp-018",
    "kz-mp-017\n",
    "astana-mp ",
    "ASTANA-MP",
    "+",
    "#",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "2026-02-30T00:00:00Z",
    "2026-11-27T00:00:00",
    "2016-12-31T23:59:60Z",
    [],
    {},
    [[]],
    {"a": {}},
    [[[[[[[[[[]]]]]]]]]],
    ["a"] * 1000,
    {"__proto__": {"x": 1}},
    {"$ref": "x"},
)
OWN = "kz-mp-017/1"
HEADERS: tuple[Any, ...] = (
    {"alg": "none"},
    {"alg": "None", "kid": OWN},
    {"alg": "HS256", "kid": OWN},
    {"alg": "RS256", "kid": OWN},
    {"alg": "EdDSA", "kid": "kz-mp-017/2"},
    {"alg": "EdDSA", "kid": "kz-mp-018/1"},
    {"alg": "EdDSA", "kid": "astana-mp/1"},
    {"alg": "EdDSA", "kid": "kz-mp-017/01"},
    {"alg": "EdDSA", "kid": "kz-mp-017/1 "},
    {"alg": "EdDSA", "kid": "../kz-mp-017/1"},
    {"alg": "EdDSA", "kid": [OWN]},
    {"alg": ["EdDSA"], "kid": OWN},
    {"alg": "EdDSA", "kid": OWN, "crit": []},
    {"alg": "EdDSA", "kid": OWN, "b64": False},
    {"alg": "EdDSA", "kid": OWN, "jku": "http://evil"},
    {"alg": "EdDSA"},
    {"kid": OWN},
    {},
    [],
    None,
    1,
    "EdDSA",
)


def spoil_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Flip, cut, double, insert, swap or truncate somewhere; never the bytes as they were."""
    while True:
        data = bytearray(raw)
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(7):
            case 0:
                for _ in range(rng.randint(1, 4)):
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to]
            case 3:
                data[at:at] = rng.randbytes(rng.randint(1, 20))
            case 4:
                del data[at:]
            case 5:
                data[at:to] = data[at:to][::-1]
            case _:
                data[at : at + 1] = rng.choice(
                    [b"\x00", b"\xff", b"{", b"}", b'"', b"\\u0000", b"\xed\xa0\x80", b"\xc0\xaf", b"[" * 500]
                )
        if data != raw:
            return bytes(data)


def spoil_members(value: Any, rng: random.Random) -> Any:
    """One value somewhere replaced, removed, doubled under another name or moved."""
    spoilt = copy.deepcopy(value)
    holders = [holder for holder in _holders(spoilt) if holder]
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match rng.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(["x", "Data", "", "__proto__", str(key).upper()])] = holder[key]
        case 2 if isinstance(holder, dict) and len(holder) > 1:
            other = rng.choice([name for name in holder if name != key])
            holder[key], holder[other] = holder[other], holder[key]
        case _:
            holder[key] = copy.deepcopy(rng.choice(NASTY))
    return spoilt


def spoil_signed(raw: bytes, signers: list[jws.Signer], rng: random.Random) -> bytes:
    """A JWS whose contents, header, signature or signer is not as it was."""
    members = json.loads(raw)
    payload = jws.decode_base64url(members["payload"])
    match rng.randrange(6):
        case 0:
            return spoil_bytes(raw, rng)
        case 1:
            return _json(spoil_members(members, rng))
        case 2:
            return _json(
                members
                | {"signature": jws.encode_base64url(spoil_bytes(jws.decode_base64url(members["signature"]), rng))}
            )
        case 3:
            return _json(members | {"payload": jws.encode_base64url(spoil_bytes(payload, rng))})
        case 4:
            return _signed(payload, rng.choice(HEADERS), rng.choice(signers))
        case _:
            return _signed(_json(spoil_members(json.loads(payload), rng)), None, rng.choice(signers))


def _signed(payload: bytes, header: Any, signer: jws.Signer) -> bytes:
    """Honestly signed with this key, whatever the header says; None: the header that belongs to the key."""
    header = {"alg": "EdDSA", "kid": signer.kid} if header is None else header
    protected, body = (jws.encode_base64url(part) for part in (_json(header), payload))
    signature = jws.encode_base64url(signer.sign(f"{protected}.{body}".encode("ascii")))
    return _json({"payload": body, "protected": protected, "signature": signature})


def _json(value: Any) -> bytes:
    try:
        return encode_json(value)
    except MessageError:  # half a surrogate pair: as an escape it can be written
        return json.dumps(value, separators=(",", ":")).encode()


def _holders(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value, *(found for inner in value.values() for found in _holders(inner))]
    if isinstance(value, list):
        return [value, *(found for inner in value for found in _holders(inner))]
    return []


Spoil = Callable[[bytes, random.Random], bytes]
