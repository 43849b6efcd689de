"""The journal's file: SQLite in WAL mode with every commit flushed, opened only by control's writer thread.

Three tables: `events` (the hash chain, the truth about the trip), `positions` (`ring.py`), `cursors` (how far the
uplink has come: `events` with the rows, `track` with the positions). A file that is not wholly proven at start is moved
aside (`aside.py`), never deleted, and a new chain begins that names it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlite_utils

from vehicle_agent.control import wal
from vehicle_agent.control.aside import MovedAside, flush_directory, forget, move_aside, note_loss, resume
from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.chain import COLUMNS, ChainError, Head, Row, to_row, walk
from vehicle_agent.control.past import Past
from vehicle_agent.control.ring import Ring, Told, is_damage

FILE_NAME = "journal.db"
SCHEMA = 2  # 1: positions did not say which trip they belong to
WAL_PAGES = 256  # 1 MiB: a WAL that need not grow is flushed without touching the file system's own journal
CACHE_KIB = 2000
ROWS_A_READ = 200

_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": WAL_PAGES, "foreign_keys": 1}
_COLUMN_LIST = ", ".join(COLUMNS)
_PUT_CURSOR = "INSERT INTO cursors (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def _twin(name: str) -> str:
    return f"{name}, negated"


class StoreError(Exception):
    """The journal's file cannot be used as it is, and moving it aside would be wrong. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a start needs to know of the past: rows to fold, in order, and where things stood."""

    head: Head
    rows: tuple[Row, ...]  # what outlives earlier trips, then everything from the last trip_opened on
    last: Row | None
    last_pin: Row | None  # newest of session_opened, pin_wrong, pin_locked
    last_trusted_at: str | None  # newest time that came from gnss or ntp
    cursor: int
    moved: MovedAside | None


class Store:
    """One open journal file. Every method belongs to the thread that opened it."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and prove its settings. Raises sqlite3.Error, StoreError."""
        self._db = sqlite_utils.Database(path)
        self._conn = self._db.conn
        self._ring = Ring(self._db)
        try:
            self._conn.execute("PRAGMA busy_timeout = 1000")
            _apply_pragmas(self._conn)
            self._make_tables()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; the database library checkpoints the WAL."""
        with contextlib.suppress(sqlite3.Error):
            self._conn.close()

    def head(self) -> Head:
        """The newest row on disk."""
        found = self._conn.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(*found) if found else Head()

    def id_at(self, seq: int) -> str | None:
        """The identifier of a row, if it is there."""
        found = self._conn.execute("SELECT id FROM events WHERE seq = ?", (seq,)).fetchone()
        return found[0] if found else None

    def write(
        self, rows: Sequence[dict[str, Any]], positions: Sequence[dict[str, Any]], told: Told | None = None
    ) -> None:
        """One transaction for everything given, flushed to the disk when this returns. `data` is canonical text."""
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            if rows:
                self._db.table("events").insert_all(rows)
            if positions:
                self._ring.add(positions)
            if told is not None:
                self._put_cursor("track", self._ring.number_at(told, self.cursor("track")))
            self._conn.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._conn.rollback()
            raise

    def set_cursor(self, name: str, value: int) -> int:
        """Move a cursor forward, never back, and say where it stands."""
        with self._db.atomic():
            return self._put_cursor(name, value)

    def _put_cursor(self, name: str, value: int) -> int:
        value = max(value, self.cursor(name))
        # No chain proves a cursor, so it is written twice: a changed bit makes the two differ.
        self._conn.executemany(_PUT_CURSOR, ((name, value), (_twin(name), -value)))
        return value

    def cursor(self, name: str) -> int:
        """How far a reader has come; 0 at first, and where nobody can tell: to be told twice does no harm."""
        found = dict(self._conn.execute("SELECT name, value FROM cursors WHERE name IN (?, ?)", (name, _twin(name))))
        value = int(found.get(name, 0))
        return value if 0 <= value == -int(found.get(_twin(name), 0)) else 0

    def rows_after(self, seq: int, limit: int = ROWS_A_READ) -> list[Row]:
        """The next rows after `seq`, oldest first."""
        sql = f"SELECT {_COLUMN_LIST} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 (constant)
        return [to_row(values) for values in self._conn.execute(sql, (seq, limit))]

    def positions_after(self, n: int | None) -> list[tuple[Any, ...]]:
        """The next positions of the ring after number `n`, None: after the cursor `track`."""
        return self._ring.after(self.cursor("track") if n is None else n)

    def notice_rows(self, notices: Sequence[str]) -> list[Row]:
        """The rows of type notice_recorded with these identifiers, oldest first."""
        sql = f"SELECT {_COLUMN_LIST} FROM events WHERE type = 'notice_recorded' AND id = ?"  # noqa: S608 (constant)
        found = [self._conn.execute(sql, (notice,)).fetchone() for notice in notices]
        return sorted((to_row(values) for values in found if values), key=lambda row: int(row["seq"]))

    def prove(self) -> Opening:
        """Check file and chain. Raises ChainError, sqlite3.Error; `moved` of the result is None."""
        problems = [line for (line,) in self._conn.execute("PRAGMA integrity_check(3)") if line != "ok"]
        past = Past()
        for values in walk(self._all()):
            past.add(values)
        if problems:
            raise ChainError(f"the database is damaged: {'; '.join(problems)}", _head_of(past.last))
        return Opening(
            head=_head_of(past.last),
            rows=tuple(to_row(values) for values in past.rows()),
            last=to_row(past.last) if past.last else None,
            last_pin=to_row(past.last_pin) if past.last_pin else None,
            last_trusted_at=past.last_trusted_at,
            cursor=self.cursor("events"),
            moved=None,
        )

    def _all(self) -> Iterator[tuple[Any, ...]]:
        return self._conn.execute(f"SELECT {_COLUMN_LIST} FROM events ORDER BY seq")  # noqa: S608 (constant)

    def _make_tables(self) -> None:
        version = self._conn.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise StoreError(
                f"the journal has schema {version}, this software knows {SCHEMA}: install the newer software again"
            )
        if version != 0:  # an older one is brought up to date once it is proven: until then it is evidence
            return
        text, number, real = str, int, float
        with self._db.atomic():
            self._db.table("events").create(
                {
                    "seq": number, "id": text, "at": text, "time_source": text, "time_uncertainty_s": real,
                    "boot_id": text, "mono_s": real, "trip": text, "type": text, "data": text, "prev": text,
                    "hash": text,
                },
                pk="seq", strict=True, if_not_exists=True,
                not_null=set(COLUMNS) - {"time_uncertainty_s", "trip", "seq"},
            )  # fmt: skip
            # Only notices are ever looked up by identifier; an index over all rows would double what is flushed.
            self._db.execute("CREATE INDEX IF NOT EXISTS notices ON events (id) WHERE type = 'notice_recorded'")
            self._ring.make()
            self._db.table("cursors").create(
                {"name": text, "value": number}, pk="name", strict=True, if_not_exists=True, not_null={"value"}
            )
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def upgrade(self) -> None:
        """Give a journal of an older schema what it lacks. What was kept before is not told as new."""
        if self._conn.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:
            return
        with self._db.atomic():
            self._db.execute("ALTER TABLE positions ADD COLUMN trip TEXT")
            self._put_cursor("track", self._ring.newest())
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def grow_wal(self) -> None:
        """Make the WAL as long as it will ever be, by a transaction that spills into it and is rolled back."""
        self._conn.execute("PRAGMA cache_size = 10")
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            self._conn.execute("CREATE TABLE wal_ballast (b BLOB)")
            self._conn.executemany("INSERT INTO wal_ballast VALUES (zeroblob(4000))", ((),) * WAL_PAGES)
        finally:
            self._conn.rollback()
            self._conn.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


def open_proven(directory: Path) -> tuple[Store, Opening]:
    """Open the journal of a state directory; move a file that is not proven aside and begin anew.

    Raises sqlite3.OperationalError or OSError while the disk does not answer (try again), StoreError for good.
    """
    path = directory / FILE_NAME
    moved = resume(path)
    if moved is None and (gone := _why_gone(path)):
        moved = move_aside(path, None, None, gone) if _has_log(path) else note_loss(path, gone)
    is_new = not path.exists()
    if (lost := wal.damage(_log(path))) is not None:
        return _begin_anew(path, lost)
    try:
        store = Store(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return _begin_anew(path, str(error))
    try:
        opening = store.prove()
    except (ChainError, sqlite3.DatabaseError) as error:
        store.close()
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise
        return _begin_anew(path, str(error))
    # Not before: what is not whole is evidence.
    try:
        store.upgrade()
    except BaseException:
        store.close()
        raise
    # On a full disk it grows as far as it is needed, or not at all.
    with contextlib.suppress(sqlite3.OperationalError):
        store.grow_wal()
    if is_new:
        flush_directory(directory)
    if moved is None or opening.head.seq:
        forget(path)
        return store, opening
    return store, replace(opening, moved=moved)


def _begin_anew(path: Path, reason: str) -> tuple[Store, Opening]:
    head, highest = _salvage(path)
    moved = move_aside(path, head.hash if head.seq else None, highest, reason)
    store = Store(path)
    with contextlib.suppress(sqlite3.OperationalError):
        store.grow_wal()
    flush_directory(path.parent)
    return store, Opening(Head(), (), None, None, None, 0, moved)


def _why_gone(path: Path) -> str | None:
    """Why there must have been a journal where there is none, or an empty file."""
    if path.exists() and path.stat().st_size:
        return None
    if _has_log(path):
        return "the database is gone, its write-ahead log is here"
    if Ballast(path.parent).is_held:
        return "the journal is gone: there was one, for the space kept back for it is here"
    return None


def _log(path: Path) -> Path:
    return Path(f"{path}-wal")


def _has_log(path: Path) -> bool:
    return _log(path).exists() and _log(path).stat().st_size > 0


def _salvage(path: Path) -> tuple[Head, int | None]:
    """The last row that can be proven, and the highest number of a notice: from a copy, the original is evidence."""
    head = Head()
    highest: int | None = None
    with (
        contextlib.suppress(OSError, sqlite3.Error, StoreError),
        tempfile.TemporaryDirectory(prefix="journal-") as copy,
    ):
        for file in (path, _log(path)):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(file, copy)
        store = Store(Path(copy) / path.name)
        try:
            for values in walk(store._all()):
                head = Head(values[0], values[11])
                if values[8] == "notice_recorded":
                    highest = max(highest or 0, int(json.loads(values[9])["recipient_sequence"]))
        except (sqlite3.Error, ChainError):
            pass  # up to here
        finally:
            store.close()
        highest = highest or 0
    return head, highest


def _apply_pragmas(conn: sqlite3.Connection) -> None:
    """Set what durability rests on and read it back: a pragma that did not take effect says nothing by itself."""
    for name, wanted in _PRAGMAS.items():
        conn.execute(f"PRAGMA {name} = {wanted}")
        actual = conn.execute(f"PRAGMA {name}").fetchone()[0]
        if actual != wanted:
            raise StoreError(f"the database refuses PRAGMA {name} = {wanted} (it is {actual}): check the disk's format")


def _head_of(values: tuple[Any, ...] | None) -> Head:
    return Head(values[0], values[11]) if values else Head()
