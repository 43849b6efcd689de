"""The journal when the disk fills or fails, or its process is killed: what was told durable is there (H08, H18)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.journal_kit import durable, envelope, opened, wait
from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.store import open_proven
from vehicle_agent.core.events import HaltLogged

KILLS = 12
BALLAST_BYTES = 4 * 1024 * 1024


def writer(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.journal_writer", str(directory), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_H08_what_was_told_durable_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    seed = 8
    print("seed", seed)
    random_ = random.Random(seed)
    told: dict[int, str] = {}
    for _ in range(KILLS):
        process = writer(tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == f"open {len(told)}\n" or told  # rows that were never told may be there too
        deadline_s = time.monotonic() + random_.uniform(0.0, 0.15)
        while time.monotonic() < deadline_s:
            word, seq, hash_ = process.stdout.readline().split()
            assert word == "durable"
            told[int(seq)] = hash_
        process.send_signal(signal.SIGKILL)
        for line in process.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                told[int(line.split()[1])] = line.split()[2]
        process.wait()
        process.stdout.close()
    store, opening = open_proven(tmp_path)
    rows = list(store.rows_after(0, 1_000_000))
    kept = {row["seq"]: row["hash"] for row in rows}
    store.close()
    scans = Counter(row["data"]["reason"] for row in rows if row["type"] == "halt_logged")
    torn = {scan: count for scan, count in scans.items() if count != int(scan.split()[-1])}
    assert opening.moved is None
    assert len(told) > 100
    assert told.items() <= kept.items()
    assert sorted(kept) == list(range(1, len(kept) + 1))
    assert not torn, f"of one scan only a part is on the disk: {torn}"


def test_H18_a_file_that_may_not_grow_refuses_with_a_reason_and_loses_nothing(tmp_path: Path) -> None:
    process = writer(tmp_path, "1400000")
    assert process.stdout is not None
    told: dict[int, str] = {}
    problem = ""
    deadline_s = time.monotonic() + 20.0
    while not problem and time.monotonic() < deadline_s:
        line = process.stdout.readline().strip()
        assert process.poll() is None
        if line.startswith("durable"):
            told[int(line.split()[1])] = line.split()[2]
        elif line.startswith("problem "):
            problem = line
    process.kill()
    process.communicate()
    assert "cannot be written" in problem
    store, opening = open_proven(tmp_path)
    kept = {row["seq"]: row["hash"] for row in store.rows_after(0, 1_000_000)}
    store.close()
    assert opening.moved is None
    assert told.items() <= kept.items()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 16 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(disk)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("making a small file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    hog = disk / "hog"
    descriptor = os.open(hog, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)
    return hog


def test_H18_on_a_full_disk_the_space_kept_back_takes_the_rows(small_disk: Path) -> None:
    journal = Journal(small_disk, ballast=Ballast(small_disk, BALLAST_BYTES))
    journal.start()
    wait(lambda: journal.opening is not None)
    assert (small_disk / "ballast").stat().st_size == BALLAST_BYTES
    fill(small_disk)
    for number in range(4000):
        journal.append(envelope(HaltLogged(f"row {number} " + "x" * 100)))
        journal.add_position({"at": "2026-11-22T00:00:00.000Z", "boot_id": "b", "mono_s": 1.0})
    assert len(durable(journal, 4000, within_s=10.0)) == 4000
    assert not (small_disk / "ballast").exists()
    wait(lambda: journal.problem() is None)
    assert journal.stop()


def test_H18_without_any_space_everything_waits_and_is_written_when_there_is_some(small_disk: Path) -> None:
    journal = Journal(small_disk, ballast=Ballast(small_disk, 4096))
    journal.start()
    wait(lambda: journal.opening is not None)
    hog = fill(small_disk)
    count = 6000
    for number in range(count):
        journal.append(envelope(HaltLogged(f"row {number} " + "x" * 300)))
    wait(lambda: journal.problem() is not None, 10.0)
    assert "full" in (journal.problem() or "")
    assert journal.is_alive()
    told = journal.drain()
    hog.unlink()
    rest = durable(journal, count - len(told), within_s=10.0)
    assert [item.ordinal for item in (*told, *rest)] == list(range(1, count + 1))
    wait(lambda: journal.problem() is None)
    assert journal.stop()
    store, opening = open_proven(small_disk)
    store.close()
    assert (opening.head.seq, opening.moved) == (count, None)


def test_a_state_directory_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    directory = tmp_path / "later"
    journal = Journal(directory, ballast=Ballast(directory, 4096))
    journal.start()
    wait(lambda: "cannot be opened" in (journal.problem() or ""))
    assert journal.is_alive()
    directory.mkdir()
    wait(lambda: journal.opening is not None)
    wait(lambda: journal.problem() is None)
    assert journal.stop()


def test_another_program_that_locks_the_file_is_waited_for(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.append(envelope())
        wait(lambda: "locked" in (journal.problem() or ""))
        other.execute("ROLLBACK")
    assert [item.row["seq"] for item in durable(journal, 1)] == [1]
    wait(lambda: journal.problem() is None)
    assert journal.stop()


def test_a_row_that_another_program_wrote_stops_the_journal_rather_than_forking_it(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(envelope())
    durable(journal, 1)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute(
            "INSERT INTO events SELECT seq + 1, 'x', at, time_source, 0.1, boot_id, mono_s, trip, type, data, hash, 'y'"
            " FROM events"
        )
    journal.append(envelope())
    wait(lambda: "changed by another program" in (journal.problem() or ""))
    assert journal.drain() == []
    journal.stop(0.1)


def test_H06_a_hanging_disk_is_a_reason_to_refuse_and_none_to_be_killed(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    gate = os.eventfd(0)

    def hang(_: object) -> None:
        os.read(gate, 8)

    journal.ask(hang, lambda _: None)
    wait(lambda: journal.problem() == "the disk does not answer", 5.0)
    assert journal.is_alive()
    os.eventfd_write(gate, 1)
    wait(lambda: journal.problem() is None)
    os.close(gate)
    assert journal.stop()
    assert not journal.is_alive()
