"""A disk that fills up at any point of a trip (H18): every notice is stored, nothing falls over, positions give way."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from tests.contract.journal_kit import durable, wait
from tests.core.world import World
from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.store import open_proven
from vehicle_agent.core.events import Envelope, NoticeRecorded

DISK_MIB, BALLAST_BYTES = 8, 1024 * 1024
POINTS, POINTS_LONG = 6, 50
POSITION = {"at": "2026-11-22T00:00:00.000Z", "boot_id": "boot", "mono_s": 1.0}

Tell = Callable[[str, int], None]


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A real file system that is soon full."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("making a small file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    hog = disk / "hog"
    descriptor = os.open(hog, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)
    return hog


@pytest.fixture(scope="module")
def trip() -> list[list[Envelope]]:
    """The rows of a trip up to the road, scan by scan, with the notices of its departure."""
    world = World()
    world.to_under_way()
    return [list(scan) for _, scan in groupby(world.envelopes, key=lambda envelope: envelope.at_s)]


def play(point: int, trip: list[list[Envelope]], disk: Path, *, has_ballast: bool) -> None:
    journal = Journal(disk, ballast=Ballast(disk, BALLAST_BYTES if has_ballast else 2**40))
    journal.start()
    wait(lambda: journal.opening is not None)
    expected = sum(len(scan) for scan in trip)
    told = []
    hog: Path | None = None
    for number, scan in enumerate(trip):
        if number == point:
            hog = fill(disk)
        journal.append(*scan)
        journal.add_position(POSITION)
        told += journal.drain()
    assert hog is not None
    if not has_ballast:
        journal.append(*(envelope for scan in trip[:1] * 2000 for envelope in scan))  # more than any page still holds
        expected += 2000 * len(trip[0])
        wait(lambda: "full" in (journal.problem() or ""), 10.0)
        assert journal.is_alive()
        told += journal.drain()
        hog.unlink()
    told += durable(journal, expected - len(told), within_s=20.0)
    assert [item.ordinal for item in told] == list(range(1, expected + 1))
    assert journal.problem() is None
    assert journal.stop()
    store, opening = open_proven(disk)
    kept = {row["id"] for row in store.rows_after(0, 10**6)}
    store.close()
    assert opening.moved is None
    owed = {envelope.id for scan in trip for envelope in scan if isinstance(envelope.event, NoticeRecorded)}
    assert owed
    assert owed <= kept


def points(count: int, trip: list[list[Envelope]]) -> list[int]:
    return sorted({round(number * (len(trip) - 1) / (count - 1)) for number in range(count)})


def fill_at(count: int, trip: list[list[Envelope]], directory: Path, tell: Tell) -> None:
    for has_ballast in (True, False):
        for point in points(count, trip):
            with small_disk(directory / f"{point}-{has_ballast}") as disk:
                play(point, trip, disk, has_ballast=has_ballast)
            tell("full disk: points of a trip", 1)
    tell("full disk: notices lost", 0)


def test_H18_a_disk_that_fills_up_loses_no_notice(trip: list[list[Envelope]], tmp_path: Path, tell: Tell) -> None:
    fill_at(POINTS, trip, tmp_path, tell)


@pytest.mark.campaign("loss")
def test_H18_a_disk_that_fills_up_at_each_of_fifty_points(
    trip: list[list[Envelope]], tmp_path: Path, tell: Tell
) -> None:
    fill_at(POINTS_LONG, trip, tmp_path, tell)
