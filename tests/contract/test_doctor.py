"""The doctor finds what is broken on a real bench, with control running and without, and says what to do about it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.contract.config_files import changed, tree, write
from tests.integration.control_rig import ControlRig, control_rig, until
from vehicle_agent.config import load_config
from vehicle_agent.doctor_files import check_clock, check_disk, check_journal, check_keys
from vehicle_agent.doctor_result import Check, Status


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlRig]:
    with control_rig(tmp_path_factory.mktemp("doctor")) as running:
        for name in ("journal", "uplink"):
            (running.root / name).mkdir()
        yield running


def doctor(rig: ControlRig) -> tuple[int, dict[str, Check]]:
    """The doctor as a person runs it, in a process of its own; its exit code and its findings by name."""
    bench = {"GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(rig.places.bench)}
    command = [sys.executable, "-m", "vehicle_agent.cli", "doctor", "--json", "--config", str(rig.places.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **bench}, check=False)
    assert done.stderr == "", done.stderr
    answer = json.loads(done.stdout)
    checks = {entry.pop("name"): entry for entry in answer["checks"]}
    found = {
        name: Check(name, _status(entry["status"]), entry["found"], entry["advice"]) for name, entry in checks.items()
    }
    assert answer["ok"] is (done.returncode == 0)
    return done.returncode, found


def _status(word: str) -> Status:
    return next(status for status in Status if status.lower() == word)


def failed(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if check.status is Status.FAIL}


def test_without_control_the_doctor_reads_every_wire_itself(rig: ControlRig) -> None:
    code, checks = doctor(rig)
    wiring = load_config(rig.places.config).vehicle.wiring
    assert set(wiring.inputs) | {"cell_1", "cell_2", "body_door", "ADC"} <= set(checks)
    assert checks["cell_1"].found == "locked"
    assert checks["handbrake"].found == "closed"
    assert checks["gnss port"].status is Status.OK, checks["gnss port"]
    assert checks["radio port"].status is Status.OK, checks["radio port"]
    assert checks["control"].status is Status.WARN
    # Nothing but the broker, which this bench has not, is wrong.
    assert (failed(checks), code) == ({"broker"}, 1)


@pytest.mark.parametrize(("word", "found"), [("cut", "cut"), ("short", "short"), ("leak", "implausible")])
def test_H02_without_control_a_broken_loop_is_named(rig: ControlRig, word: str, found: str) -> None:
    rig.set_wire("cell_2", word)
    try:
        _, checks = doctor(rig)
    finally:
        rig.set_wire("cell_2", "auto")
    assert failed(checks) == {"broker", "cell_2"}
    assert checks["cell_2"].found == found
    assert "cell_2" in checks["cell_2"].advice


def test_H22_without_control_a_port_that_is_gone_or_silent_is_named(rig: ControlRig) -> None:
    rig.bench("PUT", "gnss", {"mode": "unplug"})
    rig.bench("PUT", "radio", {"mode": "silent"})
    try:
        _, checks = doctor(rig)
    finally:
        rig.bench("PUT", "gnss", {"mode": "parked", "latitude_deg": 43.25, "longitude_deg": 76.92})
        rig.bench("PUT", "radio", {"mode": "registered", "rssi_dbm": -84})
    assert {"gnss port", "radio port"} <= failed(checks)
    assert "by-id" in checks["gnss port"].advice
    assert "silent" in checks["radio port"].found


def test_with_control_the_doctor_asks_it_and_takes_no_wire_away(rig: ControlRig) -> None:
    wire = rig.start()
    try:
        until(lambda: _is_settled(wire.ask("snapshot")[1]["equipment"]), "all equipment shows its state", 15)
        _, checks = doctor(rig)
        assert failed(checks) == {"broker"}
        assert checks["control"].found.startswith("answers, phase no_trip")
        assert checks["commissioning"].status is Status.WARN
        assert "vehicle-agent commission" in checks["commissioning"].advice
        assert checks["journal"].found == "healthy"
        rig.set_wire("cell_2", "cut")
        until(lambda: wire.ask("snapshot")[1]["equipment"]["cell_lock_2"]["status"] == "fault", "control sees the cut")
        _, checks = doctor(rig)
        assert failed(checks) == {"broker", "cell_lock_2"}
        assert "cut" in checks["cell_lock_2"].found
    finally:
        rig.set_wire("cell_2", "auto")
        rig.end()


def _is_settled(equipment: dict[str, dict[str, str]]) -> bool:
    return all(state["status"] == "working" for state in equipment.values())


def test_commission_is_recorded_by_control(rig: ControlRig) -> None:
    rig.start()
    try:
        command = [sys.executable, "-m", "vehicle_agent.cli", "commission", "--by", "technician 2"]
        command += ["--config", str(rig.places.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "commissioned in journal row" in done.stdout
        assert "never seen to change" in done.stdout, "nothing was exercised here, and it says so"
    finally:
        rig.end()


def test_H06_outputs_off_releases_what_a_killed_control_left_on(rig: ControlRig) -> None:
    """Some kernels keep the level of a line whose process died; the unit's ExecStopPost runs this command."""
    wire = rig.start()
    wire.ask("snapshot")
    until(lambda: _driven(rig), "the red lamp is on")
    rig.end(signal.SIGKILL)
    assert _driven(rig), "the bench keeps what the dead process drove"
    bench = {"GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(rig.places.bench)}
    command = [sys.executable, "-m", "vehicle_agent.cli", "outputs-off", "--config", str(rig.places.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **bench}, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _driven(rig) == set()


def _driven(rig: ControlRig) -> set[str]:
    wires = rig.bench("GET", "wires")["wires"]
    return {name for name, wire in wires.items() if wire["direction"] == "output" and wire["level"] is True}


def test_the_table_for_people_has_a_line_of_advice_for_each_failure(rig: ControlRig) -> None:
    command = [sys.executable, "-m", "vehicle_agent.cli", "doctor", "--config", str(rig.places.config)]
    clean = {name: value for name, value in os.environ.items() if name != "GPIOZERO_PIN_FACTORY"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean, check=False)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("FAIL"):
            assert lines[number + 1].strip().startswith("->"), line
    assert "FAIL" in lines[-1]


def _key(path: Path, mode: int = 0o400) -> None:
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(mode)


@pytest.mark.parametrize(
    ("mode", "content", "status", "said"),
    [
        (0o400, None, Status.OK, "mode 0400"),
        (0o640, None, Status.FAIL, "chmod 0400"),
        (0o400, b"no key", Status.FAIL, "is no private key"),
        (None, None, Status.FAIL, "No such file"),
    ],
)
def test_H32_a_signing_key_that_others_can_read_is_named(
    tmp_path: Path, mode: int | None, content: bytes | None, status: Status, said: str
) -> None:
    key = tmp_path / "signing.pem"
    if mode is not None:
        _key(key)
        key.chmod(0o600)
        if content is not None:
            key.write_bytes(content)
        key.chmod(mode)
    files = changed("uplink.signing.key", str(key))
    files["vehicle"]["paths"] = {"uplink_dir": str(tmp_path)}
    check = next(iter(check_keys(load_config(write(tmp_path, files)))))
    assert check.status is status
    assert said in check.found + check.advice


@pytest.mark.parametrize(
    ("name", "from_days", "to_days", "status", "said"),
    [
        ("kz-mp-017", -10, 80, Status.OK, "valid until"),
        ("kz-mp-017", -70, 20, Status.WARN, "signed now"),
        ("kz-mp-017", -91, -1, Status.FAIL, "expired"),
        ("kz-mp-017", 1, 90, Status.FAIL, "clock right"),
        ("kz-mp-018", -1, 80, Status.FAIL, "not kz-mp-017"),
    ],
)
def test_a_certificate_that_does_not_fit_is_named(
    tmp_path: Path, name: str, from_days: int, to_days: int, status: Status, said: str
) -> None:
    path = tmp_path / "vehicle.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now + timedelta(days=from_days))
    made = builder.not_valid_after(now + timedelta(days=to_days)).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(Encoding.PEM))
    config = load_config(write(tmp_path, changed("uplink.broker.certificate", str(path))))
    check = next(check for check in check_keys(config) if check.name == "TLS certificate")
    assert (check.status, said in check.found + check.advice) == (status, True), check


def test_H18_a_missing_state_directory_is_named(tmp_path: Path) -> None:
    files = tree()
    files["vehicle"]["paths"] = {"state_dir": str(tmp_path / "none"), "uplink_dir": str(tmp_path)}
    journal, uplink = check_disk(load_config(write(tmp_path, files)))
    assert (journal.status, uplink.status) == (Status.FAIL, Status.OK)
    assert "MiB and" in uplink.found


def test_H19_a_damaged_journal_is_named(tmp_path: Path) -> None:
    files = tree()
    files["vehicle"]["paths"] = {"state_dir": str(tmp_path)}
    config = load_config(write(tmp_path, files))
    assert [check.status for check in check_journal(config, None)] == [Status.WARN]
    (tmp_path / "journal.db").write_bytes(b"not a database" * 100)
    assert [check.status for check in check_journal(config, None)] == [Status.FAIL]


def test_H11_the_clock_is_named_with_its_source() -> None:
    (check,) = check_clock(None)
    assert check.status in (Status.OK, Status.WARN)
    assert "synchronised" in check.found
