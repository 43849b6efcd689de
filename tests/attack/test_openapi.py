"""Both HTTP interfaces against their own OpenAPI documents, by schemathesis with every check that it has (H29, H30).

What the document allows is taken, what it forbids is refused, every answer is one that it names, and nothing is a 500.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests import resources
from tests.attack.seeds import drawn_seed
from tests.brokers import mosquitto
from tests.integration.control_rig import PIN, control_rig
from tests.integration.desk_rig import Keys, TestVehicle, running_desk
from tests.integration.display_rig import DisplayProcess, spawn, wait_for

pytestmark = pytest.mark.slow
Tell = Callable[[str, int], None]
Cab = tuple[str, str]  # where the display is, and the cookie of a commander

QUICK = ("--phases", "fuzzing", "--max-examples", "6")
# Each run must fit its campaign; a document has some thirty operations.
LONG = ("--max-examples", "60")
OPEN_TRIP = "/api/v1/commands/open_trip"
DISPLAY_MIB_MAX = 90.0
DESK_MIB_MAX = 130.0


def attack(url: str, directory: Path, *options: str) -> int:
    """Run it; how many cases it made. Its own words are the failure's."""
    seed = drawn_seed()
    program = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--checks", "all", "--no-color"]
    # A stream never ends, so it is none of the tool's.
    program += ["--exclude-path", "/api/v1/stream", "--request-timeout", "10", "--seed", str(seed), *options]
    found = subprocess.run(program, capture_output=True, text=True, timeout=1500, check=False, cwd=directory)
    said = found.stdout + found.stderr
    assert found.returncode == 0, said[-6000:]
    cases = re.search(r"([\d,]+) generated", said)
    assert cases, said
    return int(cases[1].replace(",", ""))


@pytest.fixture
def cab(tmp_path: Path) -> Iterator[Cab]:
    """The display in front of a real control on a bench, and a commander who has given his PIN."""
    with control_rig(tmp_path) as rig:
        file = rig.places.config / "vehicle.toml"
        file.write_text(re.sub(r"(?s)(\[display\].*?\nport = )\d+", r"\g<1>0", file.read_text()))
        rig.start()
        process = spawn(rig.places.config, tmp_path / "display.log")
        display = DisplayProcess(process, tmp_path / "display.log")
        try:
            url = display.url
            wait_for(lambda: httpx.get(f"{url}/healthz").json()["control"] == "connected", "control connected")
            cookie = httpx.post(f"{url}/api/v1/session", json={"pin": PIN}).cookies["commander"]
            yield url, f"Cookie: commander={cookie}"
            assert "Traceback" not in display.said(), display.said()[-3000:]
            assert "Traceback" not in rig.log, rig.log[-3000:]
            assert resources.peak_mib(process.pid) < DISPLAY_MIB_MAX
        finally:
            display.stop()


@pytest.mark.parametrize(
    "effort", [QUICK, pytest.param(LONG, marks=pytest.mark.campaign("attack"))], ids=["quick", "long"]
)
def test_H29_H30_the_display_keeps_to_its_document(
    cab: Cab, tmp_path: Path, effort: tuple[str, ...], tell: Tell
) -> None:
    url, cookie = cab
    cases = attack(url, tmp_path, "-H", cookie, "--exclude-path", OPEN_TRIP, *effort)
    # That no cell is listed twice is a rule which JSON Schema cannot say.
    cases += attack(
        url,
        tmp_path,
        "-H",
        cookie,
        "--include-path",
        OPEN_TRIP,
        "--exclude-checks",
        "positive_data_acceptance",
        *effort,
    )
    cases += attack(url, tmp_path, "--exclude-checks", "positive_data_acceptance", *effort)  # and without a session
    tell("attack: HTTP requests of schemathesis", cases)


@pytest.mark.parametrize(
    "effort", [QUICK, pytest.param(LONG, marks=pytest.mark.campaign("attack"))], ids=["quick", "long"]
)
def test_H29_H30_the_desk_keeps_to_its_document(tmp_path: Path, effort: tuple[str, ...], tell: Tell) -> None:
    keys = Keys(tmp_path)
    with mosquitto(tmp_path) as broker, running_desk(keys, broker.port) as desk:
        vehicle = TestVehicle(keys, broker.port)
        sent = vehicle.notice("astana-mp", 1)
        vehicle.send(sent)
        vehicle.next_receipt()
        vehicle.close()
        cases = attack(desk.url, tmp_path, *effort)
        assert [row["stage"] for row in desk.notices()] == ["received"], (
            "somebody acknowledged without knowing the notice"
        )
        assert "Traceback" not in desk.log.read_text()
        assert resources.peak_mib(desk.pid) < DESK_MIB_MAX
    tell("attack: HTTP requests of schemathesis", cases)
