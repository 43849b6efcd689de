"""The desk's register on disk: notices, receipts, what vehicles last said, refusals (Rule 19's record).

One thread writes, and only inside `transaction()`; whoever reads opens its own connection (`register.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlite_utils import Database

from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.model import Head, Notice, Reason, Receipt, Refusal, Report, Stage

SCHEMA_VERSION = 1
EVENTS_KEPT = 5000  # a week of a garrison's events; the record of a trip itself is the vehicle's journal
FORKS_APART_MAX = 50  # conflicts of one vehicle that are listed one by one; a rogue key must not fill the disk

SCHEMA = """
create table notices (
    row integer primary key autoincrement,
    id text not null unique,
    unit text not null, vehicle text not null, sequence integer not null, kind text not null,
    trip text not null, sha256 text not null, payload blob not null, envelope blob not null,
    received_at text not null, stage text not null, by text, post text, acknowledged_at text,
    unique (vehicle, unit, sequence)
) strict;
create index notices_of_trip on notices (trip);
create index notices_open on notices (stage) where stage = 'received';
create table receipts (
    notice text not null, stage text not null, unit text not null, vehicle text not null,
    message blob not null, made_at text not null, owed_since text,
    primary key (notice, stage)
) strict;
create index receipts_owed on receipts (owed_since) where owed_since is not null;
create table reports (
    vehicle text not null, part text not null, kind text not null, time text not null,
    received_at text not null, lag_s real, data text not null,
    primary key (vehicle, part)
) strict;
create table events (
    row integer primary key autoincrement,
    id text not null unique, vehicle text not null, kind text not null, trip text not null, time text not null,
    received_at text not null, data text not null
) strict;
create index events_of_trip on events (trip, kind);
create table refusals (
    key text primary key, reason text not null, vehicle text not null, unit text not null, detail text not null,
    count integer not null, first_at text not null, last_at text not null
) strict;
create table seen (
    key text primary key, count integer not null, by text not null, post text, at text not null
) strict;
"""


class StoreError(Exception):
    """The register cannot be used; the message says which file and what to do."""


def _connect(file: Path) -> Database:
    # isolation_level None: transactions begin where we write BEGIN IMMEDIATE, and nowhere else.
    db = Database(sqlite3.connect(file, isolation_level=None, check_same_thread=False))
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    settings = (db.execute("pragma journal_mode").fetchone()[0], db.execute("pragma synchronous").fetchone()[0])
    if settings != ("wal", 2):
        raise StoreError(f"{file}: SQLite runs with {settings} instead of WAL and FULL; put the file on a local disk")
    return db


class Store:
    """The one writer. Raises StoreError at the start and sqlite3.Error when a write fails."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.moved_aside: Path | None = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{file}: {error.strerror}; give the desk's user write access to the directory") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreError(f"{file}: another desk already runs on this register; stop it first") from error
        try:
            self._db = self._open()
        except StoreError:
            os.close(self._lock)
            raise

    def _open(self) -> Database:
        if self._file.exists() and not _is_sound(self._file):
            self.moved_aside = _move_aside(self._file)
        db = _connect(self._file)
        version = db.execute("pragma user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(f"{self._file}: written by a newer desk (schema {version}); install that version")
        if version == 0:
            db.conn.executescript(f"begin immediate; {SCHEMA} pragma user_version = {SCHEMA_VERSION}; commit;")
        self._file.chmod(0o600)
        return db

    def close(self) -> None:
        """Close the file and let another desk have it."""
        self._db.close()
        os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are on disk when this ends, or none is."""
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.conn.in_transaction:
                self._db.execute("rollback")
            raise

    def known_payload(self, notice: str) -> bytes | None:
        """The exact signed bytes stored under this id."""
        found = self._db.execute("select payload from notices where id = ?", (notice,)).fetchone()
        return bytes(found[0]) if found else None

    def notices_of_trip(self, vehicle: str, trip: str) -> list[str]:
        """The ids of what this desk got about one trip."""
        rows = self._db.execute("select id from notices where trip = ? and vehicle = ?", (trip, vehicle))
        return [str(row[0]) for row in rows]

    def is_sequence_taken(self, vehicle: str, unit: str, sequence: int) -> bool:
        """Whether a notice with this number from this vehicle to this unit is in the register."""
        sql = "select 1 from notices where vehicle = ? and unit = ? and sequence = ?"
        return self._db.execute(sql, (vehicle, unit, sequence)).fetchone() is not None

    def add_notice(self, notice: Notice, envelope: bytes, received_at: str) -> None:
        """A new row of the register, in stage `received`."""
        self._db.table("notices").insert(
            {
                "id": notice.id,
                "unit": notice.unit,
                "vehicle": notice.vehicle,
                "sequence": notice.sequence,
                "kind": notice.kind,
                "trip": notice.trip,
                "sha256": notice.sha256,
                "payload": notice.payload,
                "envelope": envelope,
                "received_at": received_at,
                "stage": Stage.RECEIVED.value,
            }
        )

    def acknowledge(self, notice: str, by: str, post: str | None, at: str) -> None:
        """Enter the first person who acknowledged; later ones change nothing."""
        self._db.execute(
            "update notices set stage = 'acknowledged', by = ?, post = ?, acknowledged_at = ? "
            "where id = ? and stage = 'received'",
            (by, post, at, notice),
        )

    def notice_head(self, notice: str) -> Head | None:
        """What a receipt for this notice needs, or None if it is not in the register."""
        sql = "select unit, vehicle, trip, sha256, stage from notices where id = ?"
        found = self._db.execute(sql, (notice,)).fetchone()
        return Head(found[0], found[1], found[2], found[3], Stage(found[4])) if found else None

    def add_receipt(self, receipt: Receipt, made_at: str) -> None:
        """Store a receipt; from now on it is owed until the broker has it."""
        self._db.table("receipts").insert(
            {
                "notice": receipt.notice,
                "stage": receipt.stage,
                "unit": receipt.unit,
                "vehicle": receipt.vehicle,
                "message": receipt.message,
                "made_at": made_at,
                "owed_since": made_at,
            },
            ignore=True,
        )

    def owe_receipts(self, notice: str, now: str) -> None:
        """The vehicle asked again: every stored receipt of this notice is owed once more."""
        self._db.execute("update receipts set owed_since = ? where notice = ?", (now, notice))

    def owe_receipts_of(self, vehicle: str, made_after: str, now: str) -> None:
        """A vehicle came back: what it may have missed while away is owed once more."""
        sql = "update receipts set owed_since = ? where vehicle = ? and made_at >= ?"
        self._db.execute(sql, (now, vehicle, made_after))

    def receipts_owed(self, owed_after: str, limit: int) -> list[Receipt]:
        """The oldest receipts that the broker does not have; what nobody fetched for long waits to be asked for."""
        sql = (
            "select notice, stage, unit, vehicle, message from receipts "
            "where owed_since >= ? order by owed_since, rowid limit ?"
        )
        return [
            Receipt(row[0], row[1], row[2], row[3], bytes(row[4])) for row in self._db.execute(sql, (owed_after, limit))
        ]

    def receipt_at_broker(self, notice: str, stage: str) -> None:
        """The broker took this receipt for the vehicle."""
        self._db.execute("update receipts set owed_since = null where notice = ? and stage = ?", (notice, stage))

    def put_report(self, report: Report, received_at: str, lag_s: float | None) -> None:
        """What a vehicle says of itself: the newest of each part is kept, events are kept as a bounded list."""
        data = json.dumps(report.data, ensure_ascii=False, separators=(",", ":"))
        if report.part == "events":
            self._db.execute(
                "insert or ignore into events (id, vehicle, kind, trip, time, received_at, data) "
                "values (?, ?, ?, ?, ?, ?, ?)",
                (report.id, report.vehicle, report.kind, report.trip, report.time, received_at, data),
            )
            self._db.execute("delete from events where row <= (select max(row) from events) - ?", (EVENTS_KEPT,))
            return
        self._db.execute(
            "insert into reports (vehicle, part, kind, time, received_at, lag_s, data) values (?, ?, ?, ?, ?, ?, ?) "
            "on conflict (vehicle, part) do update set kind = excluded.kind, time = excluded.time, "
            "received_at = excluded.received_at, lag_s = excluded.lag_s, data = excluded.data",
            (report.vehicle, report.part, report.kind, report.time, received_at, lag_s, data),
        )

    def add_refusal(self, refusal: Refusal, at: str) -> None:
        """Count a refusal; the newest detail is shown."""
        if refusal.reason is Reason.FORK and self._forks(refusal.vehicle, refusal.unit) >= FORKS_APART_MAX:
            refusal = replace(refusal, fingerprint="more")
        self._db.execute(
            "insert into refusals (key, reason, vehicle, unit, detail, count, first_at, last_at) "
            "values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (key) do update set "
            "count = count + excluded.count, last_at = excluded.last_at, detail = excluded.detail",
            (refusal.key, refusal.reason, refusal.vehicle, refusal.unit, refusal.detail, refusal.count, at, at),
        )

    def mark_seen(self, key: str, count: int, by: str, post: str | None, at: str) -> None:
        """A named person has seen this warning as it stands; one more occurrence raises it again."""
        row = {"key": key, "count": count, "by": by, "post": post, "at": at}
        self._db.table("seen").upsert(row, pk="key")

    def _forks(self, vehicle: str, unit: str) -> int:
        sql = "select count(*) from refusals where reason = 'fork' and vehicle = ? and unit = ?"
        return int(self._db.execute(sql, (vehicle, unit)).fetchone()[0])


def _is_sound(file: Path) -> bool:
    """Whether SQLite can read the whole file; an empty one counts as sound."""
    try:
        probe = sqlite3.connect(file)
        try:
            return bool(probe.execute("pragma integrity_check(1)").fetchone()[0] == "ok")
        finally:
            probe.close()
    except sqlite3.DatabaseError:
        return False


def _move_aside(file: Path) -> Path:
    """Keep a damaged register for the experts and make room for a fresh one."""
    aside = file.with_name(f"{file.name}.damaged-{clock.now_utc().strftime('%Y%m%dT%H%M%SZ')}")
    for ending in ("", "-wal", "-shm"):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
