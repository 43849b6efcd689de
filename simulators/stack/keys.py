"""Fresh Ed25519 keys for the demo's vehicle and units: made anew for each run, worth nothing afterwards."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    path: Path
    public: str  # base64url of the 32 raw bytes, without padding


def new_key(directory: Path, owner: str) -> SigningKey:
    """Write `<owner>.pem` (PKCS#8, readable by its owner only) and return its name and public half."""
    private = Ed25519PrivateKey.generate()
    path = directory / f"{owner}.pem"
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return SigningKey(f"{owner}/1", path, b64url(private.public_key().public_bytes_raw()))


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
