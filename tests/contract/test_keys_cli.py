"""`vehicle-agent keys`: made on the vehicle, readable by one user, never overwritten."""

from __future__ import annotations

import hashlib
import io
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from vehicle_agent import keys_cli
from vehicle_agent.messages import jws

REFERENCE = Path(__file__).resolve().parents[2] / "config" / "vehicle"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The reference configuration, with its keys in a directory that does not exist yet."""
    for name in ("vehicle.toml", "units.toml", "uplink.toml"):
        text = (REFERENCE / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(
            text.replace("/var/lib/vehicle-agent-uplink", f"{tmp_path}/keys"), encoding="utf-8"
        )
    return tmp_path


def test_new_makes_both_keys_and_a_request_for_this_vehicle(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys_cli.main("new", directory) == 0
    for name in ("signing.pem", "tls.key"):
        assert stat.S_IMODE((directory / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((directory / "keys").stat().st_mode) == 0o700
    request = x509.load_pem_x509_csr((directory / "keys" / "tls.csr").read_bytes())
    assert request.is_signature_valid
    assert [one.value for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["kz-mp-017"]
    public = request.public_key()
    assert isinstance(public, EllipticCurvePublicKey)
    assert isinstance(public.curve, SECP256R1)
    signer = jws.FileSigner.load(directory / "keys" / "signing.pem", "kz-mp-017/1")
    assert jws.verify(jws.sign(b"x", signer), jws.public_keys({"kz-mp-017/1": signer.public_key}), "kz-mp-017")
    said = capsys.readouterr().out
    assert "PRIVATE" not in said
    assert f"public key: {signer.public_key}" in said


def test_an_existing_key_is_never_overwritten(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys_cli.main("new", directory)
    before = {path.name: path.read_bytes() for path in (directory / "keys").iterdir()}
    (directory / "keys" / "tls.csr").unlink()
    assert keys_cli.main("new", directory) == 0
    after = {path.name: path.read_bytes() for path in (directory / "keys").iterdir()}
    assert {name: after[name] for name in ("signing.pem", "tls.key")} == {
        name: before[name] for name in ("signing.pem", "tls.key")
    }
    assert "tls.csr" in after
    assert "was kept" in capsys.readouterr().out


def test_show_prints_what_the_desk_needs_and_changes_nothing(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys_cli.main("new", directory)
    before = {path: path.stat().st_mtime_ns for path in (directory / "keys").iterdir()}
    capsys.readouterr()
    assert keys_cli.main("show", directory) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["kid"] == "kz-mp-017/1"
    raw = jws.decode_base64url(lines["public key"])
    assert lines["fingerprint"].replace(" ", "") == hashlib.sha256(raw).hexdigest()
    request = x509.load_pem_x509_csr((directory / "keys" / "tls.csr").read_bytes())
    der = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert lines["TLS key fingerprint"].replace(" ", "") == hashlib.sha256(der).hexdigest()
    assert {path: path.stat().st_mtime_ns for path in (directory / "keys").iterdir()} == before


def test_show_without_a_key_says_how_to_make_one(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys_cli.main("show", directory) == 1
    assert "keys new" in capsys.readouterr().err


def test_a_file_that_is_no_key_is_named_and_kept(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "keys").mkdir()
    (directory / "keys" / "signing.pem").write_text("junk")
    assert keys_cli.main("new", directory) == 1
    assert "signing.pem" in capsys.readouterr().err
    assert (directory / "keys" / "signing.pem").read_text() == "junk"


def test_a_key_is_not_written_through_a_link(directory: Path) -> None:
    (directory / "keys").mkdir()
    (directory / "keys" / "signing.pem").symlink_to(directory / "elsewhere")
    keys_cli.main("new", directory)
    assert not (directory / "elsewhere").exists()


def test_pin_prints_a_hash_that_only_this_pin_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vehicle_agent.control.pin import parse_pin_hash

    monkeypatch.setattr("sys.stdin", io.StringIO("2468\n"))
    assert keys_cli.main("pin", tmp_path) == 0
    found = parse_pin_hash(capsys.readouterr().out.strip())
    assert found.matches("2468")
    assert not found.matches("2469")


@pytest.mark.parametrize("pin", ["", "123", "12a4", "१२३४", "1" * 65])
def test_a_pin_that_the_key_pad_cannot_give_is_refused(
    pin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(pin + "\n"))
    assert keys_cli.main("pin", tmp_path) == 1
    assert "digits" in capsys.readouterr().err
