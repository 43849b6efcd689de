"""The command line: every command is there, known errors are one clear line, and the exit code tells their kind."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.contract.config_files import DESK, REFERENCE, changed, write
from vehicle_agent import cli

COMMANDS = (
    *("run", "uplink", "display", "check-config", "doctor", "gnss", "commission", "outputs-off"),
    *("journal verify", "journal show", "journal export", "keys new", "keys show", "keys pin"),
)


def agent(*arguments: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vehicle_agent.cli", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, input=text, timeout=60, check=False)


def is_one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_contract_is_there(command: str) -> None:
    arguments = [*command.split(), *(["/dev/null"] if command == "gnss" else ["--config", "/nowhere"])]
    assert callable(cli.build_parser().parse_args(arguments).command)


def test_the_default_directory_is_the_contracts() -> None:
    assert cli.build_parser().parse_args(["run"]).config == Path("/etc/vehicle-agent")


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["journal", "rewrite"], ["gnss"], ["gnss", "port", "--baud", "fast"]]
)
def test_wrong_usage_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split()[0] == "vehicle-agent"


@pytest.mark.parametrize("place", [REFERENCE, DESK], ids=["vehicle", "desk"])
def test_the_reference_configuration_passes(place: Path) -> None:
    done = agent("check-config", "--config", place)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_config_prints_every_setting_and_no_secret() -> None:
    done = agent("check-config", "--config", REFERENCE)
    vehicle = tomllib.loads((REFERENCE / "vehicle.toml").read_text(encoding="utf-8"))
    assert vehicle["commander"]["pin_hash"] not in done.stdout
    for line in (
        'vehicle.id = "kz-mp-017"',
        'wiring.inputs.handbrake = "^!GPIO25"',
        'wiring.cells#6.loop = "ADC0.5"',
        "# limits.checklist_valid_s = 1800.0  (built in)",
        'limits.manual_fallback = ["ventilation", "lighting"]',
        'signing.kid = "kz-mp-017/1"',
        'commander.pin_hash = "…"',
    ):
        assert line in done.stdout.splitlines(), line


@pytest.mark.parametrize(
    "command", ["check-config", "doctor", "commission", "outputs-off", "journal verify", "keys show"]
)
def test_H34_a_bad_configuration_is_exit_2_with_every_problem(tmp_path: Path, command: str) -> None:
    files = changed("vehicle.display.prot", 1)
    files["uplink"]["broker"]["port"] = -1
    done = agent(*command.split(), "--config", write(tmp_path, files))
    assert done.returncode == 2
    assert "did you mean port?" in done.stderr
    assert "broker.port" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["run", "uplink", "display"])
def test_H34_no_process_starts_on_a_bad_configuration(tmp_path: Path, command: str) -> None:
    done = agent(command, "--config", write(tmp_path, changed("vehicle.wiring.outputs.buzzer", "GPIO26")))
    assert done.returncode == 2
    assert "GPIO26 is already wiring.outputs.permit_enable" in done.stderr
    assert "Traceback" not in done.stderr


def test_commission_without_control_says_what_to_do(tmp_path: Path) -> None:
    files = changed("vehicle.paths.runtime_dir", str(tmp_path))
    done = agent("commission", "--config", write(tmp_path, files))
    assert done.returncode == 1
    assert is_one_line(done.stderr)
    assert "control does not answer" in done.stderr


def test_outputs_off_without_wires_says_what_to_do() -> None:
    done = agent("outputs-off", "--config", REFERENCE)
    assert done.returncode == 1
    assert is_one_line(done.stderr)


def test_journal_verify_without_a_journal_says_so(tmp_path: Path) -> None:
    files = changed("vehicle.paths.state_dir", str(tmp_path / "none"))
    done = agent("journal", "verify", "--config", write(tmp_path, files))
    assert done.returncode == 1
    assert is_one_line(done.stderr)


def test_gnss_reads_a_recording(tmp_path: Path) -> None:
    log = tmp_path / "log.nmea"
    log.write_bytes(b"$GNRMC,104427.00,A,4315.00000,N,07655.00000,E,0.1,,221126,,,A,V*17\r\n")
    done = agent("gnss", log)
    assert done.returncode == 0
    assert {"time", "latitude_deg", "valid", "trusted", "reasons"} <= set(json.loads(done.stdout.splitlines()[0]))


def test_gnss_without_a_port_is_exit_2(tmp_path: Path) -> None:
    done = agent("gnss", tmp_path / "none")
    assert done.returncode == 2
    assert is_one_line(done.stderr)


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    command = f"{sys.executable} -m vehicle_agent.cli check-config --config {REFERENCE} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("# ")
    assert "Traceback" not in done.stderr


def test_the_command_line_is_quick_to_start() -> None:
    """`check-config` loads none of the heavy libraries of the processes."""
    code = (
        "import sys; from vehicle_agent import cli; cli.main(['check-config', '--config', sys.argv[1]]);"
        "heavy = {'fastapi', 'uvicorn', 'paho', 'gpiozero', 'sqlite_utils', 'cryptography'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(REFERENCE)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
