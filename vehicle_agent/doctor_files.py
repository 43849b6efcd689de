"""The doctor's look at disk, clock, journal, keys and certificates (hazards H11, H18, H19, H32)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vehicle_agent.config import Config
from vehicle_agent.doctor_result import Check, Status
from vehicle_agent.doctor_wires import Control

FREE_BYTES_MIN = 256 * 1024 * 1024  # a year of shifts at 60 MiB of writes keeps far less than this
FREE_INODES_MIN = 1000
RENEW_BEFORE = timedelta(days=30)  # certificates run for 90 days and are renewed at day 60


def check_disk(config: Config) -> Iterator[Check]:
    for name, path in (
        ("journal disk", config.vehicle.paths.state_dir),
        ("uplink disk", config.vehicle.paths.uplink_dir),
    ):
        advice = f"Make {path} on a disk that can be written; install.sh does it."
        try:
            usage = os.statvfs(path)
        except OSError as error:
            yield Check(name, Status.FAIL, f"{path}: {error.strerror}", advice)
            continue
        free = usage.f_bavail * usage.f_frsize
        found = f"{path}: {free // 1024 // 1024} MiB and {usage.f_favail} inodes free"
        if usage.f_flag & os.ST_RDONLY:
            yield Check(name, Status.FAIL, f"{path} is read only", advice)
        # A file system that counts no inodes, as btrfs, says 0 of 0.
        elif free < FREE_BYTES_MIN or (usage.f_files and usage.f_favail < FREE_INODES_MIN):
            yield Check(name, Status.FAIL, found, "Free some space: old logs and bundles first; never the journal.")
        else:
            yield Check(name, Status.OK, found)


def check_clock(control: Control | None) -> Iterator[Check]:
    advice = (
        "Wait for a satellite fix or the network, or set it: timedatectl set-time. Fit a clock chip with a battery."
    )
    if control is not None:
        clock = control.snapshot.get("clock") or {}
        source = clock.get("source")
        found = f"source {source}, uncertainty {clock.get('uncertainty_s')} s"
        yield Check("clock", Status.WARN if source in (None, "none") else Status.OK, found, advice)
        return
    from vehicle_agent.control.clock import system_synchronisation

    uncertainty_s = system_synchronisation()
    if uncertainty_s is not None:
        yield Check("clock", Status.OK, f"synchronised, uncertainty {uncertainty_s:g} s")
    else:
        has_chip = Path("/dev/rtc0").exists()
        yield Check(
            "clock", Status.WARN, "not synchronised, " + ("clock chip fitted" if has_chip else "no clock chip"), advice
        )


def check_journal(config: Config, control: Control | None) -> Iterator[Check]:
    from vehicle_agent.journal_cli import FILE_NAME, UnreadableError, verify

    advice = "Keep the file, look at `vehicle-agent journal verify`, and change the card if it repeats."
    if control is not None:
        state = str(control.health.get("journal"))
        yield Check("journal", Status.OK if state == "healthy" else Status.FAIL, state, advice)
    path = config.vehicle.paths.state_dir / FILE_NAME
    if control is None and not path.exists():
        yield Check("journal chain", Status.WARN, f"{path}: none yet", "Control makes it when it first starts.")
        return
    try:
        verdict = verify(path)
    except (UnreadableError, OSError) as error:
        yield Check("journal chain", Status.FAIL, str(error), f"{advice} Run the doctor as root.")
        return
    whole = f"{verdict.rows} rows, whole"
    yield Check("journal chain", Status.FAIL if verdict.problem else Status.OK, verdict.problem or whole, advice)


def check_keys(config: Config) -> Iterator[Check]:
    uplink = config.uplink
    yield _private_key("signing key", uplink.signing.key, config)
    broker = uplink.broker
    if broker.tls and broker.key and broker.certificate and broker.ca:  # with TLS the configuration demands all three
        yield _private_key("TLS key", broker.key, config)
        yield _certificate("TLS certificate", broker.certificate, config.vehicle.vehicle.id)
        yield _certificate("broker's CA", broker.ca, None)


def _private_key(name: str, path: Path, config: Config) -> Check:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    make = "Make it on the vehicle, as the uplink's user: runuser -u stv-uplink -- vehicle-agent keys new"
    try:
        about = path.stat()
        load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        return Check(name, Status.FAIL, f"{path}: {error.strerror}", f"{make}. Run the doctor as root.")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return Check(name, Status.FAIL, f"{path} is no private key: {error}", f"Move it aside. {make}")
    mode = stat.S_IMODE(about.st_mode)
    if mode & 0o077:
        return Check(name, Status.FAIL, f"{path} has mode {mode:04o}", f"Others may read it: chmod 0400 {path}")
    directory = config.vehicle.paths.uplink_dir
    if directory.exists() and about.st_uid != directory.stat().st_uid:
        found = f"{path} does not belong to the owner of {directory}"
        return Check(name, Status.FAIL, found, f"The uplink cannot read it: chown --reference={directory} {path}")
    return Check(name, Status.OK, f"{path}, mode {mode:04o}")


def _certificate(name: str, path: Path, common_name: str | None) -> Check:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        return Check(
            name, Status.FAIL, f"{path}: {error.strerror}", "Put the signed certificate there. Run the doctor as root."
        )
    except ValueError as error:
        return Check(
            name, Status.FAIL, f"{path} is no certificate: {error}", "Put the signed certificate there, as PEM."
        )
    names = [str(entry.value) for entry in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if common_name is not None and names != [common_name]:
        return Check(
            name,
            Status.FAIL,
            f"{path} is for {names}, not {common_name}",
            "The broker takes the name from it: have it signed anew.",
        )
    now, until = datetime.now(UTC), certificate.not_valid_after_utc
    found = f"valid until {until:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        return Check(
            name,
            Status.FAIL,
            f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d}",
            "Is this computer's clock right?",
        )
    if now > until:
        return Check(
            name, Status.FAIL, f"expired on {until:%Y-%m-%d}", "Have a new one signed: vehicle-agent keys show"
        )
    if until - now < RENEW_BEFORE:
        return Check(name, Status.WARN, found, "Have a new one signed now: vehicle-agent keys show")
    return Check(name, Status.OK, found)
