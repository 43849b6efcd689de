"""What a shift of eight hours costs the card: bytes and flushes as the block device counts them.

The real journal on a fresh ext4 of its own on a loop device (data=ordered, noatime), fed with one
fix a second and the rows of trips; its clock runs ahead, the disk's work is real. Beside it the naive way: a commit for
each row on a database as it comes. Needs root for the mount.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.bench.table import Row
from tests.core.world import World
from tests.delivery.control_parts import StepJournal
from tests.delivery.virtual_time import VirtualLoop
from vehicle_agent.control.ring import Told
from vehicle_agent.core.events import Envelope

BOOT, TRIP = "0d9f4d6e-7c2b-4f0e-9a53-6d1c2f7be111", "019ab4d0-0000-7000-8000-000000000001"
TOLD_EVERY_S = 5  # the uplink's report

SHIFT_S = 8 * 3600
TRIPS = 4  # of a shift, each with the rows of a whole trip
IMAGE_MIB = 256
BYTES_MAX, FLUSHES_MAX = 60 * 2**20, 8000  # design/benchmarks.md
NAIVE_S = 3600  # of the shift, then scaled
SECTOR_BYTES = 512
WRITTEN, FLUSHED = 6, 15  # fields of /sys/block/*/stat, Documentation/block/stat.rst


@dataclass(frozen=True, slots=True)
class Cost:
    bytes: float
    flushes: float

    def __str__(self) -> str:
        return f"{self.bytes / 2**20:.1f} MiB, {self.flushes:.0f} flushes"


@contextmanager
def disk() -> Iterator[tuple[Path, str]]:
    """A mounted file system and the name of its block device."""
    with tempfile.TemporaryDirectory() as directory:
        image, place = Path(directory) / "image", Path(directory) / "disk"
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(IMAGE_MIB * 2**20)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        options = "loop,noatime,data=ordered,commit=5"
        subprocess.run(["mount", "-o", options, str(image), str(place)], check=True)
        try:
            found = subprocess.run(["findmnt", "-no", "SOURCE", str(place)], check=True, capture_output=True, text=True)
            yield place, Path(found.stdout.strip()).name
        finally:
            subprocess.run(["umount", str(place)], check=True)


def counted(device: str) -> Cost:
    fields = Path(f"/sys/block/{device}/stat").read_text(encoding="ascii").split()
    return Cost(int(fields[WRITTEN]) * SECTOR_BYTES, int(fields[FLUSHED]))


def between(before: Cost, after: Cost, factor: float = 1.0) -> Cost:
    return Cost((after.bytes - before.bytes) * factor, (after.flushes - before.flushes) * factor)


def scans_of_a_trip() -> list[list[Envelope]]:
    """The rows of a whole trip, scan by scan."""
    world = World()
    world.to_unloading()
    for cell in (1, 2):
        world.loops[f"cell_{cell}"] = "both_open"
    world.run(0.6)
    for cell in (1, 2, 2):
        world.must("unload_person", cell=cell)
    world.press("body_count")
    world.must("close_trip")
    return [list(scan) for _, scan in groupby(world.envelopes, key=lambda envelope: envelope.at_s)]


async def shift(directory: Path, seconds: int, scans: list[list[Envelope]]) -> tuple[int, int]:
    """Eight hours, or a part of them, as fast as the disk is. Returns the rows of events, and of positions."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    journal = StepJournal(directory, random.Random(1), lambda: None)
    journal.start()
    moments = sorted(random.Random(2).choices(range(seconds), k=len(scans)))
    for second in range(seconds):
        at = f"2026-11-22T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
        if second % TOLD_EVERY_S == 0:
            journal.positions_told(Told(BOOT, 1000.0 + second))
        journal.add_position(
            {
                "at": at, "boot_id": BOOT, "trip": TRIP, "mono_s": 1000.0 + second,
                "latitude_deg": 43.2 + second / 1e5, "longitude_deg": 76.9, "altitude_m": 800.0, "speed_mps": 15.0,
                "course_deg": 90.0, "mode": 3, "trusted": 1, "hdop": 1.0, "satellites": 9,
            }
        )  # fmt: skip
        while moments and moments[0] == second:
            moments.pop(0)
            journal.append(*scans.pop(0))
            await asyncio.sleep(0.1)
            head = journal.head.seq  # the uplink moves its cursor as soon as the broker has a row
            journal.ask(lambda store, head=head: store.set_cursor("events", head), lambda _: None)  # type: ignore[misc]
        await asyncio.sleep(max(0.0, began_s + second + 1.0 - loop.time()))
    rows = len(journal.drain())
    assert journal.problem() is None
    journal.kill()
    with closing(sqlite3.connect(directory / "journal.db")) as file:
        positions = file.execute("SELECT count(*) FROM positions").fetchone()[0]
    return rows, int(positions)


def naive(directory: Path) -> None:
    """A commit for each row on a database as it comes, synchronous FULL."""
    with closing(sqlite3.connect(directory / "naive.db")) as file:
        file.execute("PRAGMA journal_mode = wal")
        file.execute("PRAGMA synchronous = full")
        file.execute(
            "CREATE TABLE fixes (at TEXT, latitude REAL, longitude REAL, speed REAL, course REAL, mode INTEGER)"
        )
        for second in range(NAIVE_S):
            with file:
                file.execute("INSERT INTO fixes VALUES (?, 43.2, 76.9, 15.0, 90.0, 3)", (f"2026-11-22T{second:08d}Z",))


def measure_flash(count: int | None) -> list[Row]:
    """`count`: seconds of the shift; the whole shift by default."""
    seconds = count or SHIFT_S
    factor = SHIFT_S / seconds
    scans = [scan for _ in range(max(1, round(TRIPS / factor))) for scan in scans_of_a_trip()]
    scans_count = len(scans)
    with disk() as (place, device):
        (place / "state").mkdir()
        before = counted(device)
        loop = VirtualLoop()
        try:
            rows, positions = loop.run_until_complete(shift(place / "state", seconds, scans))
        finally:
            loop.close()
        ours = between(before, counted(device), factor)
        (place / "naive").mkdir()
        before = counted(device)
        naive(place / "naive")
        peer = between(before, counted(device), SHIFT_S / NAIVE_S)
    detail = f"{rows} rows of events in {scans_count} scans, {positions} positions, {seconds} s measured"
    return [
        Row(
            "flash a shift",
            str(ours),
            "≤ 60 MiB, ≤ 8,000 flushes",
            ours.bytes <= BYTES_MAX and ours.flushes <= FLUSHES_MAX,
            f"commit a row: {peer}",
            ours.bytes / peer.bytes,
            detail,
        )
    ]
