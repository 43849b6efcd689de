"""`vehicle-agent gnss PORT`, run as a process on a file, a FIFO and a pty (Rule 19's date, time and place)."""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from simulators.bench.pty_port import PtyPort
from tests.contract.wires import LOGS, lines, wait_for

RMC = "GNRMC,120000.00,A,4314.33694,N,07653.38254,E,0.040,77.5,221126,,,A,V"
GGA = "GNGGA,120000.00,4314.33694,N,07653.38254,E,1,12,0.80,812.4,M,-40.6,M,,"
LATER = [body.replace("120000", "120001") for body in (RMC, GGA)]
COMMAND = [
    sys.executable,
    "-c",
    "import sys; from vehicle_agent.gnss_cli import main; sys.exit(main(sys.argv[1], 9600))",
]
ROOT = Path(__file__).parents[2]


def run(port: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, str(port)], capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)


def fixes(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_file_gives_one_line_per_epoch_and_exit_0(tmp_path: Path) -> None:
    log = tmp_path / "drive.log"
    quoted = lines(RMC.replace("120000", "110000"))
    log.write_bytes(b"# Name: a comment, which quotes " + quoted + b"# " + quoted + lines(RMC, GGA, *LATER))
    done = run(log)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = fixes(done.stdout)
    assert first == {
        "time": "2026-11-22T12:00:00.000Z",
        "latitude_deg": 43.238949,
        "longitude_deg": 76.889709,
        "altitude_m": 812.4,
        "speed_mps": 0.021,
        "course_deg": 77.5,
        "mode": 3,
        "satellites": 12,
        "hdop": 0.8,
        "valid": True,
        "trusted": True,
        "reasons": [],
    }
    assert second["time"] == "2026-11-22T12:00:01.000Z"


def test_the_real_recordings_come_out_of_the_command_as_out_of_the_reader() -> None:
    log = LOGS / "bn-9015.log"
    if not log.exists():
        pytest.skip(f"NO RECORDINGS AT {LOGS}")
    done = run(log)
    assert (done.returncode, done.stderr) == (0, "")
    assert [fix["mode"] for fix in fixes(done.stdout)] == [1] * 4 + [3] * 6


def test_an_empty_file_is_no_line_and_exit_0(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()
    done = run(tmp_path / "empty.log")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_fifo_ends_with_its_writer(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen([*COMMAND, str(fifo)], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        with fifo.open("wb") as writer:
            writer.write(lines(RMC, GGA, *LATER))
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert len(fixes(output)) == 2


def until_heard(port: PtyPort, output: IO[str]) -> None:
    """Who opens a port empties it a little later, and what came in between is lost: so talk of an hour ago at first."""
    seconds = itertools.count()

    def is_heard() -> bool:
        minute, second = divmod(next(seconds), 60)
        port.write(lines(*(body.replace("120000", f"11{minute:02}{second:02}") for body in (RMC, GGA))))
        return bool(select.select([output], [], [], 0.05)[0])

    wait_for(is_heard, within_s=20.0)


def test_the_loss_of_the_port_is_the_end_of_input(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "gnss")
    port.plug()
    with subprocess.Popen(
        [*COMMAND, str(port.link)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        until_heard(port, process.stdout)
        port.write(lines(RMC, GGA, *LATER))
        said = map(json.loads, iter(process.stdout.readline, ""))
        assert next(fix for fix in said if (fix["time"] or "") >= "2026-11-22T12")["mode"] == 3
        # The second epoch ended with the sentence that closed the first: nothing more needs to come.
        assert next(said)["time"] == "2026-11-22T12:00:01.000Z"
        port.write(lines(RMC.replace("120000", "120002")))
        wait_for(lambda: not port.read(0.0))
        port.unplug()
        output, problems = process.communicate(timeout=20)
    assert (process.returncode, problems) == (0, "")
    assert len(fixes(output)) in (0, 1)


@pytest.mark.parametrize(("name", "says"), [("nowhere", "No such file"), (".", "directory")])
def test_a_port_that_cannot_be_opened_is_said_plainly_with_exit_2(tmp_path: Path, name: str, says: str) -> None:
    done = run(tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    log = tmp_path / "drive.log"
    log.write_bytes(b"".join(lines(RMC.replace("120000", f"12{n // 60:02d}{n % 60:02d}")) for n in range(3000)))
    with subprocess.Popen(
        [*COMMAND, str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=20) == 0
