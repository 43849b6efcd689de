"""`vehicle-agent journal`: says whether the journal is whole, and where not; never changes the file."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path

import pytest

from tests.contract.journal_kit import durable, envelope, filled, opened
from vehicle_agent import journal_cli
from vehicle_agent.control.chain import GENESIS, digest_of_export


def test_verify_names_rows_span_and_head(tmp_path: Path) -> None:
    rows = filled(tmp_path, 5)
    found = journal_cli.verify(tmp_path / "journal.db")
    assert (found.rows, found.problem, found.head.hash) == (5, None, rows[-1].row["hash"])
    assert found.first_at == found.last_at == "2026-11-22T13:00:05.123Z"


def test_verify_says_what_is_wrong_and_where_and_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 9)
    path = tmp_path / "journal.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE seq = 4")
    before = path.read_bytes()
    found = journal_cli.verify(path)
    assert found.problem is not None
    assert "row 5 follows row 3" in found.problem
    assert path.read_bytes() == before


def test_verify_of_a_damaged_database_says_so(tmp_path: Path) -> None:
    filled(tmp_path, 300)
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 6 * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    problem = journal_cli.verify(path).problem
    assert problem is not None
    assert "damaged" in problem or "row" in problem


def test_export_can_be_checked_by_a_stranger(tmp_path: Path) -> None:
    filled(tmp_path, 4)
    out, errors = io.StringIO(), io.StringIO()
    assert journal_cli.export(tmp_path / "journal.db", out, errors) == 0
    prev = GENESIS
    for number, line in enumerate(out.getvalue().splitlines(), start=1):
        row = json.loads(line)
        assert (row["seq"], row["prev"], row["hash"]) == (number, prev, digest_of_export(row))
        prev = row["hash"]
    assert number == 4


def test_show_is_one_line_a_row_and_a_break_is_an_error(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    path = tmp_path / "journal.db"
    out, errors = io.StringIO(), io.StringIO()
    assert journal_cli.show(path, out, errors) == 0
    assert [line.split()[3:] for line in out.getvalue().splitlines()][1] == ["halt_logged", "reason=row", "1"]
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE events SET type = 'halt_ended' WHERE seq = 2")
    assert journal_cli.show(path, out, errors) == 1
    assert "row 2" in errors.getvalue()


def test_reads_while_control_writes_and_after_it_was_killed(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(envelope())
    durable(journal, 1)
    assert journal_cli.verify(tmp_path / "journal.db").rows == 1
    copy = tmp_path / "killed"
    copy.mkdir()
    for name in ("journal.db", "journal.db-wal"):  # as a SIGKILL leaves them: the row is in the WAL alone
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    assert journal_cli.verify(copy / "journal.db").rows == 1
    journal.append(envelope())
    durable(journal, 1)
    assert journal.problem() is None
    journal.stop()


@pytest.mark.parametrize("content", [None, b"no database at all" * 300])
def test_without_a_journal_it_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(journal_cli.UnreadableError, match="control"):
        journal_cli.verify(path)
