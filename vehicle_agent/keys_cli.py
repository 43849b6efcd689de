"""`vehicle-agent keys new|show|pin`: the vehicle's two keys, made on the vehicle and never exported (security page,
keys and identity).

The signing key is the evidence under every notice (Rule 19), the TLS key only opens the broker's door; one can be
changed without the other. An existing key is never overwritten: notices that it signed could not be told from forgeries
any more.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_tls_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from vehicle_agent.config import Config, load_config
from vehicle_agent.control.pin import hash_pin
from vehicle_agent.messages.jws import FileSigner
from vehicle_agent.messages.limits import MessageError

PIN_LENGTH_MIN = 4
PIN_LENGTH_MAX = 64


class KeysError(Exception):
    """A key that is missing or is not of its kind; says which file and what to do."""


def main(action: str, config_dir: Path) -> int:
    """`new`, `show` or `pin`; 0, or 1 with one line on standard error. Raises ConfigError and OSError for the command
    line."""
    try:
        if action == "pin":
            print(hash_pin(ask_pin()))
            return 0
        config = load_config(config_dir)
        if action == "new":
            for line in new(config):
                print(line)
        print("\n".join(show(config)))
    except KeysError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def new(config: Config) -> list[str]:
    """Make what is missing of signing key, TLS key and certificate request; says of each file whether it was made or
    kept."""
    signing = config.uplink.signing.key
    said = [_make(signing, _private_pem(Ed25519PrivateKey.generate()), "signing key")]
    tls_key, request = tls_files(config)
    if config.uplink.broker.tls or config.uplink.broker.key is not None:
        said.append(_make(tls_key, _private_pem(generate_tls_key(SECP256R1())), "TLS key"))
        said.append(_make(request, _request_pem(tls_key, config.vehicle.vehicle.id), "certificate request"))
    return said


def show(config: Config) -> list[str]:
    """What the other side needs: key id, public key, and fingerprints to compare by voice."""
    try:
        signer = FileSigner.load(config.uplink.signing.key, config.uplink.signing.kid)
    except MessageError as error:
        raise KeysError(error.detail) from error
    raw = signer.raw_public_key
    lines = [
        f"kid: {signer.kid}",
        f"public key: {signer.public_key}",
        f"fingerprint: {fingerprint(raw)}",
        f'for desk.toml: keys = {{ "{signer.kid}" = "{signer.public_key}" }}',
    ]
    tls_key, request = tls_files(config)
    if tls_key.exists():
        public = _load_tls_key(tls_key).public_key()
        lines += [
            f"TLS key fingerprint: {fingerprint(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))}",
            f"certificate request: {request}",
        ]
    return lines


def fingerprint(data: bytes) -> str:
    """SHA-256 in groups of four, as two people read it to each other."""
    text = hashlib.sha256(data).hexdigest()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def tls_files(config: Config) -> tuple[Path, Path]:
    """The TLS key and the certificate request beside it."""
    key = config.uplink.broker.key or config.vehicle.paths.uplink_dir / "tls.key"
    return key, key.with_suffix(".csr")


def ask_pin() -> str:
    """A new PIN, twice from a person, or one line from a pipe."""
    if sys.stdin.isatty():
        pin = getpass.getpass("PIN: ")
        if getpass.getpass("again: ") != pin:
            raise KeysError("The two entries differ: start again.")
    else:
        pin = sys.stdin.readline().rstrip("\r\n")
    if not (pin.isascii() and pin.isdigit() and PIN_LENGTH_MIN <= len(pin) <= PIN_LENGTH_MAX):
        raise KeysError(f"A PIN is {PIN_LENGTH_MIN} to {PIN_LENGTH_MAX} digits: the cab's key pad has no letters.")
    return pin


def _make(path: Path, content: bytes, what: str) -> str:
    """Write a file that only its owner can read; an existing one stays as it is. Durable before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return f"{what}: {path} exists and was kept"
    try:
        os.fchmod(descriptor, 0o600)  # whatever the umask says
        if os.geteuid() == 0:
            # The uplink runs as its own user, to whom systemd gave this directory.
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(descriptor)
    except OSError:
        path.unlink()  # half a key would be kept for ever
        raise
    finally:
        os.close(descriptor)
    _sync_directory(path.parent)
    return f"{what}: {path} made"


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private_pem(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_tls_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeysError(f"{path}: not a private key. Move it away and run `vehicle-agent keys new`.") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise KeysError(f"{path}: not an ECDSA key. Move it away and run `vehicle-agent keys new`.")
    return key


def _request_pem(tls_key: Path, vehicle: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, vehicle)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(_load_tls_key(tls_key), SHA256())
    return request.public_bytes(Encoding.PEM)
