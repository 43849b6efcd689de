"""The journal's file: how it is kept, what a start learns from it; a damaged one is moved aside, never used."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.journal_kit import durable, envelope, filled, opened, wait
from vehicle_agent.control import replay
from vehicle_agent.control.clock import Wall, parse_utc
from vehicle_agent.control.journal import POSITIONS_HELD_S, TOLD_HELD_S, Journal, seal
from vehicle_agent.control.ring import POSITIONS_A_READ, POSITIONS_MAX, POSITIONS_SPARE, Told
from vehicle_agent.control.store import Store, StoreError, open_proven
from vehicle_agent.core.events import (
    Commissioned,
    Envelope,
    Event,
    HaltLogged,
    NoticeStage,
    PersonBoarded,
    PinLocked,
    PinWrong,
    SessionOpened,
    Started,
    TripOpened,
)

TRIP = TripOpened("medical", False, False, False, "1", "2099-01-01", None, "astana-mp", None, (), None, ())


def keep(directory: Path, *events: Event | Envelope) -> None:
    """A closed journal with these rows added."""
    journal = opened(directory)
    for event in events:
        journal.append(event if isinstance(event, Envelope) else envelope(event))
    durable(journal, len(events))
    assert journal.stop()


def types(directory: Path) -> list[str]:
    store, opening = open_proven(directory)
    store.close()
    return [row["type"] for row in opening.rows]


def test_every_commit_is_flushed_and_the_file_is_strict(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    pragmas = {name: store._conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    strict = store._conn.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    assert dict(strict) == {"events": 1, "positions": 1, "cursors": 1, "sqlite_schema": 0}
    with pytest.raises(sqlite3.IntegrityError):
        store._conn.execute("INSERT INTO cursors VALUES ('events', 'many')")
    store.close()


def test_wal_does_not_grow_in_use(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    before = (tmp_path / "journal.db-wal").stat().st_size
    assert before > 1_000_000
    for _ in range(30):
        for _ in range(100):
            journal.append(envelope())
        durable(journal, 100)
    assert (tmp_path / "journal.db-wal").stat().st_size < before * 1.1
    journal.stop()


def test_rows_become_durable_in_order_and_survive_a_start(tmp_path: Path) -> None:
    rows = filled(tmp_path, 700)
    assert [item.ordinal for item in rows] == [item.row["seq"] for item in rows] == list(range(1, 701))
    journal = opened(tmp_path)
    assert journal.opening is not None
    assert journal.opening.head.seq == 700
    assert journal.head.hash == rows[-1].row["hash"]
    journal.append(envelope())
    assert durable(journal, 1)[0].row["prev"] == rows[-1].row["hash"]
    journal.stop()


def test_a_start_folds_the_open_trip_and_what_outlives_trips(tmp_path: Path) -> None:
    keep(
        tmp_path,
        Commissioned(("cell_1",), "abc", "technician"),
        HaltLogged("before any trip"),
        NoticeStage("n0", "at_broker"),
        TRIP,
        PersonBoarded(1),
        NoticeStage("n1", "at_broker"),
        TRIP,
        SessionOpened(),
        PersonBoarded(2),
    )
    assert types(tmp_path) == [  # a stage of a notice that is not owed tells a start nothing
        "commissioned",
        "trip_opened",
        "session_opened",
        "person_boarded",
    ]
    store, opening = open_proven(tmp_path)
    store.close()
    trip = replay.fold(opening.rows)
    assert (trip.phase, trip.commander, trip.seated, trip.commissioned) == ("checking", 1, {2: 1}, "abc")


def test_a_row_of_other_software_is_no_reason_to_guess(tmp_path: Path) -> None:
    keep(tmp_path, TRIP)
    store, opening = open_proven(tmp_path)
    store.close()
    with pytest.raises(replay.ReplayError, match="row 1 of type later_type"):
        replay.fold(({**opening.rows[0], "type": "later_type"},))


def test_newer_schema_is_refused_and_the_file_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema 99"):
        open_proven(tmp_path)
    assert [entry.name for entry in tmp_path.glob("journal.db*")] == ["journal.db"]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, bytes(4096)])
def test_H19_a_file_that_is_no_database_is_moved_aside_and_a_new_one_named_after_it(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    store, opening = open_proven(tmp_path)
    store.close()
    if content.strip(b"\0"):
        assert opening.moved is not None
        assert (tmp_path / opening.moved.moved_to).read_bytes() == content
    assert opening.head.seq == 0


def test_H19_a_broken_chain_is_moved_aside_with_its_last_good_hash(tmp_path: Path) -> None:
    rows = filled(tmp_path, 20)
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute('UPDATE events SET data = \'{"reason":"forged"}\' WHERE seq = 12')
    store, opening = open_proven(tmp_path)
    store.close()
    assert opening.moved is not None
    assert opening.moved.last_hash == rows[10].row["hash"]
    assert "row 12" in opening.moved.reason
    assert (tmp_path / opening.moved.moved_to).exists()
    again, second = open_proven(tmp_path)
    assert second.moved == opening.moved, "no row tells of it yet"
    again.write([seal(envelope(), again.head())], [])
    again.close()
    third, last = open_proven(tmp_path)
    third.close()
    assert last.moved is None


def test_H19_random_damage_is_found_or_harmless_never_a_wrong_row(tmp_path: Path) -> None:
    seed = 20261122
    print("seed", seed)
    random_ = random.Random(seed)
    source = tmp_path / "source"
    source.mkdir()
    good = {item.row["seq"]: item.row["hash"] for item in filled(source, 150)}
    content = (source / "journal.db").read_bytes()
    found = 0
    for round_ in range(60):
        directory = tmp_path / str(round_)
        directory.mkdir()
        damaged = bytearray(content)
        if round_ % 2:
            damaged[random_.randrange(len(damaged))] ^= 1 << random_.randrange(8)
        else:
            start = random_.randrange(len(damaged) // 4096) * 4096
            damaged[start : start + 4096] = random_.randbytes(4096)
        (directory / "journal.db").write_bytes(damaged)
        store, opening = open_proven(directory)
        rows = {row["seq"]: row["hash"] for row in store.rows_after(0, 1000)}
        store.close()
        assert all(good[seq] == hash_ for seq, hash_ in rows.items())
        assert opening.moved is not None or len(rows) == len(good)
        found += opening.moved is not None
    assert found > 30


def test_positions_are_a_ring_outside_the_chain(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    store.write([], [{"n": 1, "mono_s": 1.0}])
    store.write([], [{"n": POSITIONS_MAX + POSITIONS_SPARE + 2, "mono_s": 2.0}])
    assert store._conn.execute("SELECT count(*) FROM positions").fetchone() == (1,)
    assert store.head().seq == 0
    store.close()


def test_positions_are_read_after_the_moment_up_to_which_they_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")

    def add(boot: str, *moments: float) -> None:
        store.write([], [{"boot_id": boot, "mono_s": mono_s} for mono_s in moments])

    def after(told: Told | None) -> list[tuple[str, float]]:
        store.write([], [], told)
        return [row[1:3] for row in store.positions_after(None)]

    add("a", 1.0, 2.0, 3.0)
    add("b", 1.5, 2.5)
    assert after(None) == [("a", 1.0), ("a", 2.0), ("a", 3.0), ("b", 1.5), ("b", 2.5)]
    assert after(Told("a", 0.5)) == after(None), "nothing is told yet"
    assert after(Told("a", 2.9)) == [("a", 3.0), ("b", 1.5), ("b", 2.5)]
    assert after(Told("c", 9.0)) == after(None), "a boot that the ring knows nothing of"
    assert after(Told("b", 1.5)) == [("b", 2.5)], "what is of earlier boots was told before"
    assert after(Told("a", 1.0)) == [("b", 2.5)], "never back"
    assert after(Told("b", 9.0)) == []
    assert [row[0] for row in store.positions_after(3)] == [4, 5]
    assert len(store.positions_after(0)) == 5
    store.close()


def test_positions_that_cannot_be_read_end_and_nothing_else_does(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    store.write([], [{"boot_id": "a", "mono_s": float(number)} for number in range(3 * POSITIONS_A_READ)])
    assert len(store.positions_after(None)) == POSITIONS_A_READ
    store._conn.execute("UPDATE positions SET at = CAST(x'ff' AS TEXT) WHERE n = 1")
    assert store.positions_after(None) == []
    assert len(store.positions_after(1)) == POSITIONS_A_READ
    store._conn.execute("DROP TABLE positions")
    with pytest.raises(sqlite3.OperationalError):
        store.write([], [{"boot_id": "a", "mono_s": 1.0}])
    store.close()


def asked(journal: Journal, question: Callable[[Store], Any]) -> Any:
    answers: list[Any] = []
    journal.ask(question, answers.append)
    wait(lambda: bool(answers))
    return answers[0]


def test_the_mark_of_the_positions_told_costs_no_flush_of_its_own(tmp_path: Path) -> None:
    now_s = [0.0]
    journal = Journal(tmp_path, mono=lambda: now_s[0])
    journal.start()
    wait(lambda: journal.opening is not None)
    journal.add_position({"boot_id": "a", "mono_s": 1.0})
    journal.positions_told(Told("a", 1.0))
    assert asked(journal, lambda store: (store.cursor("track"), len(store.positions_after(0)))) == (0, 0)
    now_s[0] += POSITIONS_HELD_S
    wait(lambda: asked(journal, lambda store: len(store.positions_after(0))) == 1)
    assert asked(journal, lambda store: store.cursor("track")) == 0, "every fix would cost the card a page more"
    now_s[0] += TOLD_HELD_S - POSITIONS_HELD_S
    assert asked(journal, lambda store: store.cursor("track")) == 0, "it waits for the next position"
    journal.add_position({"boot_id": "a", "mono_s": 1.5})
    now_s[0] += POSITIONS_HELD_S
    wait(lambda: asked(journal, lambda store: store.cursor("track")) == 1)
    journal.positions_told(Told("a", 0.5))  # alone, without another position
    journal.add_position({"boot_id": "a", "mono_s": 2.0})
    found: list[Any] = []
    journal.ask(lambda store: store.positions_after(None), found.append, is_of_positions=True)
    wait(lambda: bool(found))
    assert [row[2] for row in found[0]] == [1.5, 2.0], "a question of them has what waits written first"
    journal.positions_told(Told("a", 2.0))
    assert asked(journal, lambda store: len(store.positions_after(None))) == 2
    now_s[0] += TOLD_HELD_S + POSITIONS_HELD_S
    wait(lambda: asked(journal, lambda store: store.positions_after(None)) == [])
    assert journal.stop()


def test_a_cursor_never_goes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    assert [store.set_cursor("events", value) for value in (5, 3, 8)] == [5, 5, 8]
    store.close()


def test_one_transaction_for_a_group_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    row = seal(envelope(), store.head())
    with pytest.raises(sqlite3.IntegrityError):
        store.write([row, row], [])
    assert store.head().seq == 0
    store.write([row], [])
    assert store.head().seq == 1
    store.close()


def test_questions_of_others_are_answered_by_the_writer_thread(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(envelope())
    durable(journal, 1)
    answers: list[object] = []
    journal.ask(lambda store: len(store.rows_after(0)), answers.append)
    journal.ask(lambda store: 1 / 0, answers.append)
    wait(lambda: len(answers) == 2)
    assert answers[0] == 1
    assert isinstance(answers[1], ZeroDivisionError)
    assert journal.is_alive()
    journal.stop()


NOW = Wall(parse_utc("2026-11-22T13:02:05.123Z"), "gnss", 0.5)


@pytest.mark.parametrize(
    ("event", "boot_id", "source", "mono_s", "left"),
    [
        (SessionOpened(), "boot-1", "gnss", 20.0, (0, 0.0)),
        (PinWrong(3), "boot-1", "gnss", 20.0, (3, 0.0)),
        (PinLocked(300.0), "boot-1", "gnss", 112.346, (0, 200.0)),
        (PinLocked(300.0), "boot-1", "gnss", 1000.0, (0, 0.0)),
        (PinLocked(300.0), "boot-0", "gnss", 5.0, (0, 180.0)),  # another boot: two minutes by trusted wall time
        (PinLocked(300.0), "boot-0", "rtc", 5.0, (0, 300.0)),  # nobody can tell: the lockout begins anew
        (Started("1", 1, True, "restart"), "boot-1", "gnss", 20.0, (0, 0.0)),
    ],
)
def test_a_lockout_survives_a_restart(
    tmp_path: Path, event: Event, boot_id: str, source: str, mono_s: float, left: tuple[int, float]
) -> None:
    keep(tmp_path, envelope(event, boot_id=boot_id, source=source), HaltLogged("later"))
    store, opening = open_proven(tmp_path)
    store.close()
    found = replay.pin_state(opening.last_pin, "boot-1", mono_s, NOW, 300.0)
    assert (found.wrong, found.locked_for_s) == pytest.approx(left)
