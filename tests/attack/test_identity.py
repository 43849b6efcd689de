"""Who may do what at the reference broker, with certificates of the shipped signer (H13, H30, H31, H32).

`config/broker/README.md` is followed as it is written; the matrix of rights is written here anew, from the contract.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fleet import BROKER, PASSPHRASE, Fleet, Member, fleet_ca, request, running_fleet

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]

VEHICLES, UNITS = ("kz-mp-017", "kz-mp-018"), ("almaty-mp", "taraz-mp", "astana-mp")
CHANNELS = ("session", "state", "position", "track", "events")
SILENCE_S = 0.6
NOT_AUTHORISED = 0x87


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet"), *VEHICLES, *UNITS) as running:
        yield running


def topics() -> list[tuple[str, str, str | None]]:
    """Every kind of topic: itself, who alone may write it, and who may read it (beside the sending unit)."""
    found: list[tuple[str, str, str | None]] = []
    for vehicle in VEHICLES:
        found += [(f"stv/v1/vehicles/{vehicle}/{channel}", vehicle, None) for channel in CHANNELS]
        for unit in UNITS:
            found.append((f"stv/v1/units/{unit}/notices/{vehicle}", vehicle, unit))
            found.append((f"stv/v1/vehicles/{vehicle}/receipts/{unit}", unit, vehicle))
    return found


def test_H13_nobody_writes_what_is_anothers(fleet: Fleet, tell: Tell) -> None:
    nobodys = [
        "stv",
        "stv/v1",
        "$SYS/broker/uptime",
        "stv/v2/vehicles/kz-mp-017/state",
        "other",
        "stv/v1/units/astana-mp",
    ]
    tried = 0
    for name in (*VEHICLES, *UNITS):
        member = fleet.client(name)
        for topic, writer, _ in topics():
            verdict = member.publish(topic, retain=topic.endswith("state"))
            own = topic.startswith(f"stv/v1/vehicles/{name}/")  # its whole branch, receipts to itself included
            assert (verdict != NOT_AUTHORISED) is (name == writer or own), f"{name} on {topic}: {verdict:#x}"
            tried += 1
        for topic in nobodys:
            assert member.publish(topic) == NOT_AUTHORISED, f"{name} on {topic}"
            tried += 1
        member.close()
    tell("attack: publications at the reference broker", tried)


FILTERS = (
    "#",
    "stv/#",
    "+/+/+/+/+",
    "+/+/+/+/+/+",
    "stv/v1/vehicles/+/receipts/+",
    "stv/v1/units/+/notices/+",
    "$SYS/#",
)


@pytest.mark.parametrize("name", ["kz-mp-018", "taraz-mp", "astana-mp"])
def test_H13_whatever_somebody_subscribes_to_he_gets_his_own(fleet: Fleet, name: str, tell: Tell) -> None:
    """Also by a shared subscription. What is retained for others is not shown either."""
    spy = fleet.client(name)
    for topic in (*FILTERS, "$share/g/stv/#", "$share/g/#"):
        spy.subscribe(topic)
    writers = {writer: fleet.client(writer) for writer in (*VEHICLES, *UNITS) if writer != name}
    may_read = set()
    for topic, writer, reader in topics():
        if writer in writers:
            writers[writer].publish(topic, retain=topic.endswith("session"))
            if reader == name:
                may_read.add(topic)
    got = set()
    while (told := spy.received(SILENCE_S)) is not None:
        got.add(told)
    assert may_read <= got
    assert got <= may_read, f"{name} read {got - may_read}"
    for member in (spy, *writers.values()):
        member.close()
    tell("attack: subscriptions at the reference broker", len(FILTERS) + 2)


def test_H31_a_will_on_somebody_elses_topic_is_never_spoken(fleet: Fleet) -> None:
    almaty = fleet.client("almaty-mp")
    almaty.subscribe("stv/v1/vehicles/kz-mp-017/#")
    while almaty.received(SILENCE_S) is not None:
        pass  # what is retained there
    thief = Member(fleet, "kz-mp-018", "kz-mp-018", will=("stv/v1/vehicles/kz-mp-017/session", b'{"forged": true}'))
    thief.is_let_in()
    channel = thief.client.socket()
    if isinstance(channel, socket.socket):
        channel.shutdown(socket.SHUT_RDWR)
    assert almaty.received(1.5) is None
    thief.close()
    almaty.close()


def test_H31_sixty_takeovers_throw_nobody_out(fleet: Fleet, tell: Tell) -> None:
    """A unit that dials under the vehicle's identifier as often as it can."""
    vehicle, tries = fleet.client("kz-mp-017"), 0
    for _ in range(60):
        thief = Member(fleet, "astana-mp", "kz-mp-017")
        thief.is_let_in()
        tries += 1
        assert vehicle.publish("stv/v1/vehicles/kz-mp-017/position") != NOT_AUTHORISED
        thief.close()
    assert not vehicle.is_lost()
    vehicle.close()
    tell("attack: takeovers of a client identifier", tries)


def forge(
    fleet: Fleet,
    file: str,
    *,
    name: str = "kz-mp-017",
    days: tuple[int, int] = (-1, 90),
    signed_by: str = "the fleet",
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> None:
    """A certificate that no signer of ours would make; with the fleet's own authority unless another one is given."""
    authority = x509.load_pem_x509_certificate(fleet.ca.read_bytes())
    signing = load_pem_private_key((fleet.directory / "ca.key").read_bytes(), PASSPHRASE.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signed_by == "itself" else authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    made = builder.sign(signing if signed_by == "the fleet" else key, hashes.SHA256())
    (fleet.directory / f"{file}.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (fleet.directory / f"{file}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


BAD: dict[str, dict[str, Any]] = {
    "expired": {"days": (-90, -1)},
    "not yet valid": {"days": (1, 90)},
    "signed by itself": {"signed_by": "itself"},
    "signed by a stranger under the fleet's name": {"signed_by": "a stranger"},
    "made for a server": {"usage": ExtendedKeyUsageOID.SERVER_AUTH},
    "of everybody": {"name": "+"},
    "of everything": {"name": "#"},
}


@pytest.mark.parametrize("what", BAD)
def test_H13_H31_a_certificate_that_is_not_right_opens_nothing(fleet: Fleet, what: str, tell: Tell) -> None:
    """Names with wildcards are refused by the signer; should a signer err, they get no vehicle's topic.

    A name with a slash would get a part of a branch: that the signer refuses it is all that stands there.
    """
    file = what.replace(" ", "-")
    forge(fleet, file, **BAD[what])
    stranger = Member(fleet, file, "anybody")
    if stranger.is_let_in():
        assert "name" in BAD[what], f"{what} was let in"
        for topic, _, _ in topics():
            assert stranger.publish(topic) == NOT_AUTHORISED, topic
    stranger.close()
    tell("attack: certificates", 1)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_H13_no_old_protocol_and_no_plain_one(fleet: Fleet) -> None:
    context = ssl.create_default_context(cafile=str(fleet.ca))
    context.load_cert_chain(fleet.directory / "kz-mp-017.crt", fleet.directory / "kz-mp-017.key")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    plain = socket.create_connection(("localhost", fleet.port), 5)
    with pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname="localhost")
    with socket.create_connection(("localhost", fleet.port), 5) as wire:
        wire.settimeout(5)
        wire.sendall(b"\x10\x16\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x09kz-mp-017")
        try:
            said = wire.recv(16)
        except ConnectionResetError:
            said = b""
        assert not said.startswith(b"\x20"), "an answer without TLS"


def test_the_signer_refuses_what_it_must_not_sign(tmp_path: Path) -> None:
    fleet_ca("init", tmp_path)
    good = request(tmp_path, "good", "kz-mp-017")
    fingerprint = fleet_ca("fingerprint", good).stdout.strip()

    def refused(*arguments: str | Path, passphrase: str = PASSPHRASE) -> str:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            fleet_ca(*arguments, passphrase=passphrase)
        assert not (tmp_path / "kz-mp-017.pem").exists() or "unit" not in arguments
        return str(caught.value.stderr)

    for name in ("+", "#", "kz/mp", "KZ-MP-017", "kz mp 017", "ab", "a" * 33, "кз-мп-017"):
        bad = request(tmp_path, "bad", name)
        assert "is no name" in refused("vehicle", tmp_path, bad, fleet_ca("fingerprint", bad).stdout.strip())
    assert "another fingerprint" in refused(
        "vehicle", tmp_path, good, fingerprint.replace(fingerprint[0], "0", 1) + "0"
    )
    assert "passphrase" in refused("vehicle", tmp_path, good, fingerprint, passphrase="wrong")
    (tmp_path / "torn.csr").write_text(good.read_text()[:300])
    assert "no certificate request" in refused("vehicle", tmp_path, tmp_path / "torn.csr", fingerprint)
    assert "is no host" in refused("broker", tmp_path, good, "localhost,IP:10.0.0.1")
    assert "no certificate" in refused("revoke", tmp_path, "kz-mp-017")
    assert "exists and was kept" in refused("init", tmp_path)
    key = (tmp_path / "ca.key").read_text()
    assert "ENCRYPTED" in key
    assert (tmp_path / "ca.key").stat().st_mode & 0o077 == 0
    fleet_ca("vehicle", tmp_path, good, fingerprint)
    fleet_ca("vehicle", tmp_path, good, fingerprint)  # a renewal
    fleet_ca("revoke", tmp_path, "kz-mp-017")
    revoked = x509.load_pem_x509_crl((tmp_path / "revoked.pem").read_bytes())
    assert len(list(revoked)) == 2, "every certificate of the name"


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    """Each block of config/broker/README.md, in its order, in a shell."""
    blocks = re.findall(r"(?s)```sh\n(.*?)```", (BROKER / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) == 6
    (tmp_path / "fleet-ca").symlink_to(BROKER / "fleet-ca")
    request(tmp_path, "tls", "kz-mp-017")
    fingerprint = fleet_ca("fingerprint", tmp_path / "tls.csr").stdout.strip()
    environment = {"PATH": "/usr/bin:/bin", "FLEET_CA_PASSPHRASE": PASSPHRASE, "FINGERPRINT": fingerprint}
    for block in blocks:
        found = subprocess.run(
            ["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, f"{block}: {found.stderr}"
    made = {path.name for path in (tmp_path / "fleet").glob("*.pem")}
    assert made == {"ca.pem", "broker.pem", "kz-mp-017.pem", "revoked.pem"}
    broker = x509.load_pem_x509_certificate((tmp_path / "fleet" / "broker.pem").read_bytes())
    names = broker.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_H32_a_stolen_vehicle_is_shut_out_by_a_reload_and_nobody_else_is(fleet: Fleet, tell: Tell) -> None:
    thief, other, astana = (fleet.client(name) for name in ("kz-mp-018", "kz-mp-017", "astana-mp"))
    astana.subscribe("stv/v1/units/astana-mp/notices/+")
    assert thief.publish("stv/v1/units/astana-mp/notices/kz-mp-018") != NOT_AUTHORISED
    assert astana.received() is not None
    acl = fleet.directory / "acl"
    before = acl.read_text(encoding="utf-8")
    fleet_ca("revoke", fleet.directory, "kz-mp-018")
    acl.write_text(before.replace("pattern", "user kz-mp-018\ntopic deny #\n\npattern", 1), encoding="utf-8")
    fleet.reload()
    verdicts = [thief.publish("stv/v1/units/astana-mp/notices/kz-mp-018") for _ in range(20)]
    assert verdicts[-1] == NOT_AUTHORISED, "the open connection still writes"
    thief.subscribe("stv/v1/vehicles/kz-mp-018/receipts/+")
    astana.publish("stv/v1/vehicles/kz-mp-018/receipts/astana-mp")
    assert thief.received(SILENCE_S) is None, "the open connection still reads"
    for _ in range(5):
        again = Member(fleet, "kz-mp-018", "kz-mp-018")
        assert not again.is_let_in()
        again.close()
    assert other.publish("stv/v1/units/astana-mp/notices/kz-mp-017") != NOT_AUTHORISED
    assert not other.is_lost()
    for member in (thief, other, astana):
        member.close()
    tell("attack: connections after a revocation", 5)
