"""Signatures on notices and receipts: JWS (RFC 7515) flattened JSON, Ed25519 only (Rule 19; hazards H13, H15).

`verify` looks at nothing of the payload: it returns the signed bytes, which the caller parses afterwards. The profile
is narrower than the RFC on purpose: one algorithm, a protected header of exactly `alg` and `kid`, one spelling of each
base64url text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from vehicle_agent.messages.limits import MessageError, decode_json, encode_json

_KID = re.compile(r"([a-z0-9-]{3,32})/([1-9][0-9]{0,5})")
_SIGNATURE_BYTES = 64  # RFC 8032


class Signer(Protocol):
    """Whoever can sign: a key file today, a secure element tomorrow."""

    @property
    def kid(self) -> str: ...

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature over `data`."""
        ...


class FileSigner:
    """A signer with its private key in a PEM file (PKCS#8), as `vehicle-agent keys new` writes it."""

    def __init__(self, key: Ed25519PrivateKey, kid: str) -> None:
        party_of(kid)
        self._key = key
        self._kid = kid

    @classmethod
    def load(cls, path: Path, kid: str) -> FileSigner:
        """MessageError (`key`) if the file is not there or holds no Ed25519 key."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise MessageError("key", f"{path}: no readable private key; `vehicle-agent keys new` makes one") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise MessageError("key", f"{path}: not an Ed25519 key")
        return cls(key, kid)

    @property
    def kid(self) -> str:
        return self._kid

    @property
    def public_key(self) -> str:
        """base64url of the 32 raw bytes, as the configuration of the other side lists it."""
        return encode_base64url(self.raw_public_key)

    @property
    def raw_public_key(self) -> bytes:
        """The 32 bytes, for a fingerprint."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


@dataclass(frozen=True, slots=True)
class Verified:
    """The payload of a genuine signature, byte for byte, and who signed it."""

    kid: str
    party: str  # the part of the kid before the slash: a vehicle or a unit
    payload: bytes

    @property
    def sha256(self) -> str:
        """Hex digest of the payload: what a receipt quotes."""
        return digest(self.payload)


def digest(payload: bytes) -> str:
    """Hex SHA-256 of a JWS payload's bytes (contract: receipt data)."""
    return hashlib.sha256(payload).hexdigest()


def party_of(kid: str) -> str:
    """`kz-mp-017` of `kz-mp-017/1`; MessageError (`kid`) for anything of another shape."""
    found = _KID.fullmatch(kid)
    if not found:
        raise MessageError("kid", "a key id reads <vehicle or unit>/<number>")
    return found[1]


def public_keys(configured: Mapping[str, str]) -> dict[str, Ed25519PublicKey]:
    """Configuration's `kid -> base64url` as keys; MessageError (`key`, `kid`) names the bad one."""
    keys = {}
    for kid, text in configured.items():
        party_of(kid)
        try:
            keys[kid] = Ed25519PublicKey.from_public_bytes(decode_base64url(text))
        except (MessageError, ValueError) as error:
            raise MessageError("key", f"{kid}: not 32 bytes in base64url") from error
    return keys


def sign(payload: bytes, signer: Signer) -> bytes:
    """The flattened JWS of `payload`. Ed25519 is deterministic: the same payload and key give the same bytes."""
    protected = encode_base64url(encode_json({"alg": "EdDSA", "kid": signer.kid}))
    body = encode_base64url(payload)
    signature = signer.sign(f"{protected}.{body}".encode("ascii"))
    return encode_json({"payload": body, "protected": protected, "signature": encode_base64url(signature)})


def verify(raw: bytes, keys: Mapping[str, Ed25519PublicKey], party: str) -> Verified:
    """The signed bytes, if one of `party`'s keys signed them; otherwise MessageError and nothing else.

    Codes: oversize, encoding, json, jws (shape or header), kid (unknown), party (somebody else's key), signature.
    """
    members = decode_json(raw)
    if not isinstance(members, dict) or set(members) != {"payload", "protected", "signature"}:
        raise MessageError("jws", "not exactly payload, protected, signature")
    protected, body, signature_text = (_text(members[name]) for name in ("protected", "payload", "signature"))
    kid = _kid(decode_base64url(protected))
    if party_of(kid) != party:
        raise MessageError("party", f"signed by {kid}, expected {party}")
    key = keys.get(kid)
    if key is None:
        raise MessageError("kid", f"no key {kid}")
    signature = decode_base64url(signature_text)
    if len(signature) != _SIGNATURE_BYTES:
        raise MessageError("signature", "not 64 bytes")
    payload = decode_base64url(body)
    try:
        key.verify(signature, f"{protected}.{body}".encode("ascii"))
    except InvalidSignature as error:
        raise MessageError("signature", f"not signed by {kid}") from error
    return Verified(kid, party, payload)


def encode_base64url(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """The bytes; MessageError (`jws`) unless `text` is their only spelling: no padding, no stray bits."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise MessageError("jws", "not base64url") from error
    if encode_base64url(data) != text:
        raise MessageError("jws", "not the one spelling of its bytes")
    return data


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MessageError("jws", "a member is no text")
    return value


def _kid(header_bytes: bytes) -> str:
    header = decode_json(header_bytes)
    if not isinstance(header, dict) or set(header) != {"alg", "kid"}:
        raise MessageError("jws", "the protected header is not exactly alg and kid")
    if header["alg"] != "EdDSA":
        raise MessageError("jws", "only EdDSA is taken")
    return _text(header["kid"])
