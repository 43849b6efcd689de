"""A journal that older software wrote opens for ever, to the same trip, however often (an upgrade under way)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.journal_kit import envelope
from vehicle_agent import journal_cli
from vehicle_agent.control import replay
from vehicle_agent.control.journal import seal
from vehicle_agent.control.store import FILE_NAME, SCHEMA, open_proven

STORED = sorted((Path(__file__).parent / "stored").glob("journal_*.sql"))


@pytest.mark.parametrize("stored", STORED, ids=lambda path: path.stem)
def test_H19_a_stored_journal_opens_twice_to_the_same_trip(stored: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file:
        file.executescript(stored.read_text(encoding="utf-8"))
    before = journal_cli.verify(tmp_path / FILE_NAME)
    assert (before.problem, before.rows > 50) == (None, True)
    for _ in range(2):
        store, opening = open_proven(tmp_path)
        store.close()
        assert (opening.moved, opening.head) == (None, before.head)
        trip = replay.fold(opening.rows)
        assert (trip.phase, trip.commander, len(trip.notices)) == ("under_way", 3, 3)
    store, opening = open_proven(tmp_path)
    assert opening.cursor <= opening.head.seq
    store.write([seal(envelope(), opening.head)], [])
    store.close()
    after = journal_cli.verify(tmp_path / FILE_NAME)
    assert (after.problem, after.rows) == (None, before.rows + 1)


def test_there_is_one_of_each_schema() -> None:
    assert [path.stem for path in STORED] == [f"journal_{number + 1}" for number in range(SCHEMA)]


@pytest.mark.parametrize("stored", STORED, ids=lambda path: path.stem)
def test_H17_an_upgrade_tells_no_old_position_as_new_and_keeps_the_next(stored: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file:
        file.executescript(stored.read_text(encoding="utf-8"))
        has_trip = "trip" in [column[1] for column in file.execute("PRAGMA table_info(positions)")]
    store, _ = open_proven(tmp_path)
    store.write([], [{"at": "2026-11-22T09:00:00.000Z", "boot_id": "boot-2", "mono_s": 2.0, "trip": "a"}])
    found = [(row[0], row[1]) for row in store.positions_after(None)]
    store.close()
    assert found == ([(1, "boot-1"), (2, "boot-2")] if has_trip else [(2, "boot-2")])
