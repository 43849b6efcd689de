"""The uplink's way through mutual TLS: who may come in, and under which name (hazard H31)."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.brokers import free_port, mosquitto
from tests.integration.uplink_control import VEHICLE, until
from tests.integration.uplink_rig import uplink_rig


class Authority:
    """A certificate authority of one test."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(self._sign(self._name, self._key, is_ca=True))

    def issue(self, name: str, file: str, days: tuple[float, float] = (-0.1, 0.1)) -> tuple[Path, Path]:
        """Certificate and key for `name`, also valid for 127.0.0.1, from and to so many days from now."""
        key = generate_private_key(SECP256R1())
        certificate, private = self.directory / f"{file}.pem", self.directory / f"{file}.key"
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate.write_bytes(self._sign(subject, key, is_ca=False, days=days))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def _sign(
        self,
        subject: x509.Name,
        key: EllipticCurvePrivateKey,
        *,
        is_ca: bool,
        days: tuple[float, float] = (-1000, 1000),
    ) -> bytes:
        today = datetime.datetime.now(datetime.UTC)
        first, last = (today + datetime.timedelta(days=day) for day in days)
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(first).not_valid_after(last)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        if is_ca:
            usage = x509.KeyUsage(
                digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            )  # fmt: skip
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)


def broker_lines(authority: Authority, acl: Path, days: tuple[float, float] = (-0.1, 0.1)) -> list[str]:
    """As the reference broker: identity from the certificate, and only one's own topics."""
    certificate, key = authority.issue("broker", "broker", days)
    acl.write_text(
        "pattern write stv/v1/vehicles/%u/#\npattern write stv/v1/units/+/notices/%u\n"
        "pattern read stv/v1/vehicles/%u/receipts/#\n"
    )
    return [
        f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}", "require_certificate true",
        "use_identity_as_username true", "use_username_as_clientid true", f"acl_file {acl}",
    ]  # fmt: skip


def use_tls(directory: Path, ca: Path, certificate: Path, key: Path) -> None:
    file = directory / "uplink.toml"
    lines = f'tls = true\nca = "{ca}"\ncertificate = "{certificate}"\nkey = "{key}"'
    file.write_text(file.read_text().replace("tls = false", lines))


def test_H31_with_its_own_certificate_it_may_write_its_own_topics(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(VEHICLE, "vehicle")
    with (
        mosquitto(tmp_path, lines=broker_lines(authority, tmp_path / "acl")) as broker,
        uplink_rig(tmp_path, broker.port) as rig,
    ):
        use_tls(tmp_path, authority.file, certificate, key)
        rig.start()
        row = rig.control.record_notice("astana-mp")
        until(lambda: rig.control.stages[row["id"]] == "at_broker")
        assert rig.stop() == 0


@pytest.mark.parametrize("who", ["a stranger's certificate", "a stranger's broker", "no key file"])
def test_H31_a_wrong_certificate_gets_no_session_and_says_why(tmp_path: Path, who: str) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = (stranger if "certificate" in who else authority).issue(VEHICLE, "vehicle")
    ca = stranger.file if "broker" in who else authority.file
    if "key file" in who:
        key.unlink()
    with (
        mosquitto(tmp_path, lines=broker_lines(authority, tmp_path / "acl"), port=free_port()) as broker,
        uplink_rig(tmp_path, broker.port) as rig,
    ):
        use_tls(tmp_path, ca, certificate, key)
        rig.start()
        row = rig.control.record_notice("astana-mp")
        until(lambda: "Error" in rig.log or "lost" in rig.log or "disconnected" in rig.log)
        assert rig.control.stages[row["id"]] == "recorded"
        assert "Traceback" not in rig.log
        assert rig.stop() == 0


DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("source", "says", "broker_days", "is_taken"),
    [
        ("none", datetime.timedelta(0), (1, 90), True),  # this computer thinks that it is before the certificate's time
        ("rtc", datetime.timedelta(0), (-90, -1), True),  # or after it; nobody vouches for either
        ("gnss", datetime.timedelta(0), (1, 90), False),
        ("gnss", datetime.timedelta(0), (-90, -1), False),
        ("ntp", datetime.timedelta(0), (-1, 90), True),
        ("gnss", 5 * DAY, (1, 90), True),  # the receiver says that the system's clock is five days behind
        ("gnss", 200 * DAY, (-1, 90), False),
        ("gnss", -20_000 * DAY, (-1, 90), False),
    ],
)
def test_H11_H31_the_brokers_certificate_is_judged_by_a_time_that_somebody_vouches_for(
    tmp_path: Path, source: str, says: datetime.timedelta, broker_days: tuple[float, float], is_taken: bool
) -> None:
    """Moved certificates instead of a moved system clock: the difference is what counts."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue(VEHICLE, "vehicle")
    with (
        mosquitto(tmp_path, lines=broker_lines(authority, tmp_path / "acl", broker_days), port=free_port()) as broker,
        uplink_rig(tmp_path, broker.port) as rig,
    ):
        use_tls(tmp_path, authority.file, certificate, key)
        rig.control.time_off = says
        rig.control.snapshot["clock"] = {"source": source, "uncertainty_s": None}
        rig.start()
        row = rig.control.record_notice("astana-mp")
        if is_taken:
            until(lambda: rig.control.stages[row["id"]] == "at_broker")
        else:
            until(lambda: "certificate" in rig.log)
            assert rig.control.stages[row["id"]] == "recorded"
        assert ("are not looked at" in rig.log) is (source in ("none", "rtc"))
        assert "Traceback" not in rig.log
        assert rig.stop() == 0


def test_H31_without_a_trusted_time_a_strangers_broker_is_still_refused(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = authority.issue(VEHICLE, "vehicle")
    with (
        mosquitto(tmp_path, lines=broker_lines(authority, tmp_path / "acl"), port=free_port()) as broker,
        uplink_rig(tmp_path, broker.port) as rig,
    ):
        use_tls(tmp_path, stranger.file, certificate, key)
        rig.control.snapshot["clock"] = {"source": "none", "uncertainty_s": None}
        rig.start()
        row = rig.control.record_notice("astana-mp")
        until(lambda: "certificate verify failed" in rig.log)
        assert rig.control.stages[row["id"]] == "recorded"
        assert rig.stop() == 0
