"""After every call of a traced writer: the disk as a kill or a power cut may leave it, opened by the real code."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.power_cut.disk import Disk
from tests.faults.power_cut.trace import Call
from vehicle_agent.control.aside import NOTHING
from vehicle_agent.control.store import open_proven

# Shares of what was not flushed: how much is kept, how much of that is torn. Kill and nothing-kept come besides.
CUTS = ((0.5, 0.0), (0.5, 0.5), (0.9, 0.3))
UNKNOWN = "unknown"


@dataclass(slots=True)
class Found:
    """What the replay saw."""

    states: int = 0
    distinct: int = 0
    rows_promised: int = 0
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Before:
    """The directory at the start of the trace, and the rows that were promised then."""

    files: dict[str, bytes]
    promised: dict[int, str]
    is_damaged: bool = False


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is looked at: after each `every`-th call, in so many of `CUTS`; until something that was
    promised is wrong, or all."""

    every: int = 1
    cuts: int = len(CUTS)
    is_first_enough: bool = False


def replay(
    calls: list[Call], root: str, before: Before, directory: Path, seed: int, effort: Effort | None = None
) -> Found:
    """Judge every state; `directory` is emptied for each."""
    effort = effort or Effort()
    choose, found, seen = random.Random(seed), Found(), set[bytes]()
    disk = Disk(root)
    for name, content in before.files.items():
        disk.do(Call("open", f"{root}/{name}", creates=True))
        disk.do(Call("write", f"{root}/{name}", content))
        disk.do(Call("flush", f"{root}/{name}"))
    disk.do(Call("flush", root))
    promised = dict(before.promised)
    for number, call in enumerate(calls):
        if call.path == "stdout":
            for line in call.data.decode().splitlines():
                word, seq, hash_ = line.split()
                if word == "durable":
                    promised[int(seq)] = hash_
            continue
        disk.do(call)
        if found.wrong and effort.is_first_enough:
            break
        if number % effort.every or (effort.is_first_enough and not promised):
            continue
        for kind, files in _states(disk, choose, effort.cuts):
            found.states += 1
            found.kinds[kind] += 1
            key = _digest(files, len(promised))
            if key in seen:
                continue
            seen.add(key)
            found.distinct += 1
            problem = judge(files, promised, before, directory)
            if problem is not None:
                found.wrong.append(f"{kind} after call {number} ({call.name} {Path(call.path).name}): {problem}")
    found.rows_promised = len(promised)
    return found


def judge(files: dict[str, bytes], promised: dict[int, str], before: Before, directory: Path) -> str | None:
    """Why the journal that opens from these files breaks a promise; None when it keeps all."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    store, opening = open_proven(directory)
    try:
        rows = {row["seq"]: row for row in store.rows_after(0, 10**6)}
        sound = store._conn.execute("PRAGMA integrity_check").fetchone()[0]
        cursor = store.cursor("events")
    finally:
        store.close()
    if sound != "ok":
        return f"the opened journal is damaged: {sound}"
    if cursor > len(rows):
        return f"the cursor is at {cursor}, the last row is {len(rows)}"
    if before.is_damaged:
        if (
            problem := _evidence(opening.moved.moved_to if opening.moved else None, rows, before, directory)
        ) is not None:
            return problem
        new = {seq: hash_ for seq, hash_ in promised.items() if before.promised.get(seq) != hash_}
    else:
        if opening.moved is not None:
            return f"a journal that was whole was moved aside: {opening.moved.reason}"
        new = promised
    lost = [seq for seq, hash_ in new.items() if seq not in rows or hash_ not in (rows[seq]["hash"], UNKNOWN)]
    if lost:
        return f"promised rows are lost: {lost[:5]}"
    return _torn(rows)


def _evidence(moved_to: str | None, rows: dict[int, dict[str, object]], before: Before, directory: Path) -> str | None:
    """A damaged journal: it lies aside with every row that could be read, and the new one names it."""
    if moved_to is None:
        first = rows.get(1)
        if first is None or first["type"] != "journal_restarted":
            return "the new journal does not say that there was another"
        data = first["data"]
        assert isinstance(data, dict)
        moved_to = str(data["moved_to"])
    if moved_to == NOTHING or not (directory / moved_to).exists():
        return f"the old journal is not where the new one says: {moved_to}"
    try:
        with closing(sqlite3.connect(directory / moved_to)) as old:
            kept = dict(old.execute("SELECT seq, hash FROM events"))
    except sqlite3.DatabaseError as error:
        return f"the old journal cannot be read any more: {error}"
    gone = [seq for seq, hash_ in before.promised.items() if kept.get(seq) != hash_]
    return f"rows of the old journal are gone: {gone[:5]}" if gone else None


def _torn(rows: dict[int, dict[str, object]]) -> str | None:
    """Of a scan all rows are there, or none."""
    scans: Counter[str] = Counter()
    for row in rows.values():
        data = row["data"]
        if row["type"] == "halt_logged" and isinstance(data, dict):
            scans[" ".join(str(data["reason"]).split()[:5])] += 1
    torn = {scan: count for scan, count in scans.items() if count != int(scan.split()[4])}
    return f"of a scan only a part is there: {torn}" if torn else None


def _states(disk: Disk, choose: random.Random, cuts: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    yield "kill", _without_index(disk.as_it_is())
    if disk.is_settled:
        return
    yield "all lost", _without_index(disk.after_power_cut(choose, 0.0, 0.0))
    for keep, tear in CUTS[:cuts]:
        kind = "torn" if tear else "some lost"
        yield kind, _without_index(disk.after_power_cut(choose, keep, tear))


def _without_index(files: dict[str, bytes]) -> dict[str, bytes]:
    """The log's index is shared memory, which no power cut leaves behind; SQLite makes it anew."""
    return {name: content for name, content in files.items() if not name.endswith("-shm")}


def _digest(files: dict[str, bytes], promised: int) -> bytes:
    digest = hashlib.blake2b(str(promised).encode(), digest_size=16)
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.digest()
