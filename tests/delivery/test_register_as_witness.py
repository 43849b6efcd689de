"""What a lost tail of the journal, or one written anew, hides from the vehicle: the units' registers show it (H19)."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.config_files import changed, write
from tests.core.world import World
from tests.delivery.silence import silent
from vehicle_agent.cli import main
from vehicle_agent.control.chain import COLUMNS, Head, digest, to_row
from vehicle_agent.control.store import FILE_NAME, open_proven
from vehicle_agent.dispatch.export import register_csv
from vehicle_agent.dispatch.register import Register

Trip = tuple[Path, list[str]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, prepared: tuple[Path, World]) -> Path:
    """A vehicle's state after a departure, and what each unit's desk has exported of it."""
    directory = tmp_path_factory.mktemp("told")
    outcome, world = silent("astana-mp", directory, prepared, has_desk=True)
    assert not outcome.wrong, str(outcome)
    for unit in world.rooms:
        rows = Register(world.directory / f"{unit}.db").all_notices()
        (world.directory / f"{unit}.csv").write_text("".join(register_csv(rows)), encoding="utf-8")
    return world.directory


@pytest.fixture
def trip(tmp_path: Path, told: Path) -> Trip:
    """The journal of the departure, and the command that holds each register against it."""
    here = Path(shutil.copytree(told, tmp_path / "world"))
    write(here, changed("vehicle.paths.state_dir", str(here / "state")))
    registers = [word for register in sorted(here.glob("*.csv")) for word in ("--witness", str(register))]
    return here / "state" / FILE_NAME, ["journal", "verify", "--config", str(here), *registers]


def first_notice(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        found: int = file.execute("SELECT min(seq) FROM events WHERE type = 'notice_recorded'").fetchone()[0]
    return found


def test_H19_every_register_agrees_with_the_journal_that_it_was_told_of(
    trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    _, command = trip
    assert main(command) == 0
    assert re.findall(r"(\d+) notices of kz-mp-017 agree, (\d+) do not", capsys.readouterr().out) == [("1", "0")] * 3


def test_H19_a_tail_that_is_gone_is_seen_by_its_witnesses_alone(trip: Trip, capsys: pytest.CaptureFixture[str]) -> None:
    path, command = trip
    first = first_notice(path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM events WHERE seq >= ?", (first,))
    assert main(command[:4]) == 0, "a shorter chain is a whole chain: nobody can tell from it alone"
    assert main(command) == 1
    said = capsys.readouterr().out
    assert said.count(f"the journal ends at row {first - 1}: what came after is lost or was taken away") == 3
    assert "astana-mp holds the departure of " in said


def test_H19_a_journal_that_was_written_anew_is_not_the_one_that_was_told(
    trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has the vehicle's computer can make a chain that is whole: a departure at another time, say."""
    path, command = trip
    with closing(sqlite3.connect(path)) as file, file:
        head = Head()
        for values in file.execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq").fetchall():
            row = to_row(values)
            text = values[9].replace("2026-11-22T08:02", "2026-11-22T07:02")
            row["prev"] = head.hash
            head = Head(row["seq"], digest({**row, "data": text}, text))
            change = (text, row["prev"], head.hash, row["seq"])
            file.execute("UPDATE events SET data = ?, prev = ?, hash = ? WHERE seq = ?", change)
    assert main(command[:4]) == 0
    assert main(command) == 1
    assert capsys.readouterr().out.count("it was not made from this journal") == 3


def test_H19_what_a_damaged_journal_said_before_it_was_moved_aside_still_counts(
    trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    path, command = trip
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE events SET data = '{}' WHERE seq = 3")
    store, opening = open_proven(path.parent)
    store.close()
    assert opening.moved is not None
    assert main(command) == 0
    assert capsys.readouterr().out.count("1 notices of kz-mp-017 agree, 0 do not") == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column vehicle"),
        (b"\xff\xfe\x00", "cannot be read as a register"),
        (b"a,b\n1,2\n", "give the file that a desk's page exports as register.csv"),
        (
            b"vehicle,unit,kind,departed_at,journal_seq,journal_hash\nkz-mp-017,a,departure,x,many,y\n",
            "line 2: journal_seq is no number",
        ),
        (b"vehicle,unit,kind,departed_at,journal_seq,journal_hash\nkz-mp-017,a\n", "journal_seq is no number"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_register_is_said_plainly(
    content: bytes | None, says: str, trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    _, command = trip
    if content is None:
        Path(command[-1]).unlink()
    else:
        Path(command[-1]).write_bytes(content)
    assert main(command) == 1
    assert says in capsys.readouterr().err


def test_a_witness_goes_with_verify_only(trip: Trip, capsys: pytest.CaptureFixture[str]) -> None:
    _, command = trip
    assert main(["journal", "show", *command[2:]]) == 2
    assert "--witness goes with verify" in capsys.readouterr().err
