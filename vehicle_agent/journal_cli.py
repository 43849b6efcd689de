"""`vehicle-agent journal verify|show|export`: the journal for people and for strangers who want to check it.

The file is only ever read: what is evidence must not change because somebody looked. It may be read while control runs.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from vehicle_agent.control import wal
from vehicle_agent.control.chain import COLUMNS, ChainError, Head, to_row, walk
from vehicle_agent.journal_witness import WitnessError, hear, read

FILE_NAME = "journal.db"
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq"  # noqa: S608 (constant)


class UnreadableError(Exception):
    """There is no journal, or no database in its place. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found; `problem` says what is wrong and where, None when the journal is whole."""

    rows: int
    head: Head
    first_at: str | None
    last_at: str | None
    problem: str | None


def main(action: str, config_dir: Path, witnesses: Sequence[Path] = ()) -> int:
    """Run one action on the configured vehicle's journal. 0 whole, 1 damaged, absent, or a register holds more.

    `witnesses`: registers that desks have exported, for `verify`.
    """
    from vehicle_agent.config import load_config  # the functions below need no configuration

    vehicle = load_config(config_dir).vehicle
    path = vehicle.paths.state_dir / FILE_NAME
    try:
        match action:
            case "verify":
                return max(_report(path, sys.stdout), _hear(path, witnesses, vehicle.vehicle.id, sys.stdout))
            case "show":
                return show(path, sys.stdout, sys.stderr)
            case _:
                return export(path, sys.stdout, sys.stderr)
    except (UnreadableError, WitnessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def verify(path: Path) -> Verdict:
    """Check the database and the whole chain. Raises UnreadableError when there is nothing to check."""
    head = Head()
    first_at: str | None = None
    last_at: str | None = None
    problem = wal.damage(Path(f"{path}-wal"))
    with _opened(path) as connection:
        try:
            for values in walk(connection.execute(_SELECT)):
                head, last_at = Head(values[0], values[11]), values[2]
                first_at = first_at or last_at
            faults = [line for (line,) in connection.execute("PRAGMA integrity_check(3)") if line != "ok"]
            if faults:
                problem = f"the database is damaged: {'; '.join(faults)}"
        except ChainError as error:
            problem = str(error)
        except sqlite3.DatabaseError as error:
            problem = f"the database is damaged after row {head.seq}: {error}"
    return Verdict(head.seq, head, first_at, last_at, problem)


def stored(path: Path) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, as it is stored, also after a break in the chain. Raises UnreadableError."""
    with _opened(path) as connection:
        try:
            yield from connection.execute(_SELECT)
        except sqlite3.DatabaseError as error:
            raise UnreadableError(f"{path}: the rest cannot be read: {error}") from error


def show(path: Path, out: TextIO, errors: TextIO) -> int:
    """One line a row, for people."""

    def line(row: dict[str, Any]) -> str:
        data = " ".join(f"{key}={_short(value)}" for key, value in row["data"].items() if value not in (None, [], {}))
        return f"{row['seq']:>7}  {row['at']}  {row['time_source']:<4}  {row['type']:<22} {data}".rstrip()

    return _write(path, line, out, errors)


def export(path: Path, out: TextIO, errors: TextIO) -> int:
    """JSON Lines, one row each, with everything that a stranger needs to check the chain."""
    return _write(path, lambda row: json.dumps(row, ensure_ascii=False, sort_keys=True), out, errors)


def _report(path: Path, out: TextIO) -> int:
    found = verify(path)
    if found.problem is None:
        span = f", {found.first_at} to {found.last_at}" if found.rows else ""
        out.write(f"{path}: whole, {found.rows} rows{span}\nhead: row {found.head.seq} {found.head.hash}\n")
    else:
        out.write(f"{path}: NOT WHOLE: {found.problem}\n")
        out.write(f"proven up to row {found.head.seq}: {found.head.hash}\n")
        out.write("Keep this file. Control moves it aside at its next start and begins a new one that names it;\n")
        out.write("every recipient of a notice holds the sequence and hash of that time: compare with --witness.\n")
    for kept in _aside(path):
        out.write(f"earlier damaged journal kept: {kept}\n")
    return 0 if found.problem is None else 1


def _hear(path: Path, witnesses: Sequence[Path], vehicle: str, out: TextIO) -> int:
    """Hold the desks' registers against the journal, which is read once for all of them."""
    if not witnesses:
        return 0
    journal, aside = _hashes(path), [_hashes(kept) for kept in _aside(path)]
    is_missing = False
    for witness in witnesses:
        found = hear(read(witness, vehicle), journal, aside)
        out.write(f"{witness}: {found.agreed} notices of {vehicle} agree, {len(found.missing)} do not\n")
        out.writelines(f"  {line}\n" for line in found.missing)
        is_missing |= bool(found.missing)
    return int(is_missing)


def _aside(path: Path) -> list[Path]:
    return sorted(entry for entry in path.parent.glob(f"{FILE_NAME}.damaged-*") if entry.suffix[-1].isdigit())


def _hashes(path: Path) -> dict[int, str]:
    """Every row's hash that can be read; `verify` proves the chain."""
    found = {}
    with contextlib.suppress(sqlite3.DatabaseError, UnreadableError), _opened(path) as connection:
        for seq, digest in connection.execute("SELECT seq, hash FROM events ORDER BY seq"):
            found[int(seq)] = str(digest)
    return found


def _write(path: Path, line: Any, out: TextIO, errors: TextIO) -> int:
    """Write every row that can be read, also after a break in the chain; say at the end if there was one."""
    try:
        out.writelines(f"{line(to_row(values))}\n" for values in stored(path))
    except (UnreadableError, ValueError) as error:
        errors.write(f"{path}: {error}\n")
        return 1
    problem = verify(path).problem
    if problem is not None:
        errors.write(f"{path}: NOT WHOLE: {problem}\n")
    return 0 if problem is None else 1


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write."""
    if not path.exists():
        raise UnreadableError(f"{path}: there is no journal; control makes it when it first starts")
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(contextlib.closing(_connect(path)))
        except sqlite3.OperationalError:
            # A killed control leaves a WAL behind, and a reader that may not write cannot recover it in place.
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="journal-")))
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(f"{path}{suffix}", f"{directory / path.name}{suffix}")
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(directory / path.name)))
        except sqlite3.DatabaseError as error:
            raise UnreadableError(
                f"{path}: {error}. Keep the file; control moves it aside at its next start"
            ) from error
        yield connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
