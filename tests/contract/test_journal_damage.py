"""A journal whose bytes were changed (H19): it is noticed, or did no harm; never is a wrong or missing row passed on.

Damage is drawn: a bit, a page of noise, a sector of zeros, in the database and in its write-ahead log, as a killed
control leaves them. The one thing that cannot be told from a power cut is damage to the log's last two commits.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.journal_kit import durable, envelope, filled, opened, wait
from vehicle_agent import journal_cli
from vehicle_agent.control.aside import NUMBERS_A_JOURNAL, NUMBERS_UNREAD
from vehicle_agent.control.store import FILE_NAME, open_proven
from vehicle_agent.core.events import HaltLogged

SEED = "DAMAGE_SEED"  # environment variable: the same damage again
DAMAGES, DAMAGES_LONG = 120, 1000
ROWS_CLOSED, ROWS_IN_LOG = 120, 40
LAST_COMMITS = 2  # what a power cut may take, and nobody can tell apart from it
PAGE, SECTOR = 4096, 512

Tell = Callable[[str, int], None]
Files = dict[str, bytes]


def killed(directory: Path) -> tuple[Files, dict[int, str]]:
    """The files of a journal whose control was killed, each row a commit of its own, the newest in the log alone."""
    filled(directory, ROWS_CLOSED)
    journal = opened(directory)
    for number in range(ROWS_IN_LOG):
        journal.append(envelope(HaltLogged(f"in the log {number}")))
        durable(journal, 1)
    done: list[object] = []
    journal.ask(lambda store: store.set_cursor("events", 100), done.append)
    wait(lambda: bool(done))
    files = {name: (directory / name).read_bytes() for name in (FILE_NAME, f"{FILE_NAME}-wal")}
    assert journal.stop()
    store, _ = open_proven(directory)
    rows = {row["seq"]: row["hash"] for row in store.rows_after(0, 10**6)}
    store.close()
    assert len(rows) == ROWS_CLOSED + ROWS_IN_LOG
    return files, rows


def damaged(files: Files, draw: random.Random) -> tuple[Files, str]:
    name = draw.choice(sorted(files))
    content = bytearray(files[name])
    # Most of a log that was grown in advance is empty: what is struck lies where rows are, as often as not.
    length = len(content) if draw.random() < 0.5 else min(len(content), 3 * ROWS_IN_LOG * PAGE)
    match draw.randrange(3):
        case 0:
            place = draw.randrange(length)
            content[place] ^= 1 << draw.randrange(8)
            what = f"bit of byte {place}"
        case 1:
            place = draw.randrange(length // PAGE) * PAGE
            content[place : place + PAGE] = draw.randbytes(PAGE)
            what = f"page at {place}"
        case _:
            place = draw.randrange(length // SECTOR) * SECTOR
            content[place : place + SECTOR] = bytes(SECTOR)
            what = f"sector at {place}"
    return {**files, name: bytes(content)}, f"{name}, {what}"


def judge(files: Files, rows: dict[int, str], directory: Path) -> str:
    """What became of damaged files: found, harmless, as a power cut; anything else is a sentence."""
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    try:
        verdict = journal_cli.verify(directory / FILE_NAME).problem
    except journal_cli.UnreadableError as error:
        verdict = str(error)
    store, opening = open_proven(directory)
    try:
        kept = {row["seq"]: row["hash"] for row in store.rows_after(0, 10**6)}
        cursor = store.cursor("events")
    finally:
        store.close()
    if opening.moved is not None:
        if verdict is None:
            return f"moved aside ({opening.moved.reason}), and `journal verify` finds nothing wrong"
        return "found" if not kept else "a new journal with old rows"
    if verdict is not None:
        return f"opened, and `journal verify` says {verdict}"
    if any(rows.get(seq) != hash_ for seq, hash_ in kept.items()):
        return "a wrong row was passed on"
    if cursor not in (0, 100):
        return f"a wrong cursor was passed on: {cursor}"
    missing = len(rows) - len(kept)
    if not missing:
        return "harmless"
    return "as a power cut" if missing <= LAST_COMMITS else f"{missing} rows are missing and nobody says so"


def strike(count: int, seed: int, directory: Path, tell: Tell) -> None:
    print(f"{SEED}={seed}")
    draw = random.Random(seed)
    source = directory / "source"
    source.mkdir()
    files, rows = killed(source)
    ends: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        broken, what = damaged(files, draw)
        end = judge(broken, rows, directory / str(number))
        ends[end] += 1
        if end not in ("found", "harmless", "as a power cut"):
            wrong.append(f"{what}: {end}")
    print(dict(ends))
    for end in ("found", "harmless", "as a power cut"):
        tell(f"damage: {end}", ends[end])
    tell("damage: passed on", len(wrong))
    assert not wrong, "\n".join(wrong[:20])
    assert ends["found"] > count / 4
    assert ends["as a power cut"] < count / 10


def test_H19_damage_is_found_or_harmless(tmp_path: Path, tell: Tell) -> None:
    strike(DAMAGES, 19, tmp_path, tell)


@pytest.mark.campaign("loss")
@pytest.mark.parametrize("part", range(2))
def test_H19_two_thousand_damages(part: int, tmp_path: Path, tell: Tell) -> None:
    strike(DAMAGES_LONG, int(os.environ.get(SEED) or random.SystemRandom().randrange(2**31) + part), tmp_path, tell)


def test_H19_a_database_without_its_bytes_is_missed_as_long_as_its_log_or_its_ballast_is_there(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    (tmp_path / FILE_NAME).write_bytes(b"")
    store, opening = open_proven(tmp_path)
    store.close()
    assert opening.moved is not None
    assert "gone" in opening.moved.reason
    assert opening.moved.sequence_floor == NUMBERS_A_JOURNAL
    again, opening = open_proven(tmp_path)
    again.close()
    assert opening.moved is not None, "no row tells of it yet"


def test_H19_numbers_go_on_above_those_of_a_journal_that_was_moved_aside(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    place = content.rindex(b"row 4")
    content[place] ^= 1
    path.write_bytes(content)
    store, opening = open_proven(tmp_path)
    store.close()
    assert opening.moved is not None
    assert opening.moved.sequence_floor == NUMBERS_UNREAD, "four rows could be read, and none of them was a notice"


def test_H19_a_page_of_nonsense_over_the_logs_header_and_first_frame_is_found(tmp_path: Path) -> None:
    files, rows = killed(tmp_path)
    log = f"{FILE_NAME}-wal"
    broken = random.Random(1).randbytes(PAGE) + files[log][PAGE:]
    assert judge({**files, log: broken}, rows, tmp_path / "broken") == "found"


def test_H19_a_text_that_became_bytes_is_found_and_no_riddle_for_ever(tmp_path: Path) -> None:
    """One bit of a row's header says so; no hash can be computed of it."""
    filled(tmp_path, ROWS_CLOSED)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema = on")
        file.execute("UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'events'")
        file.execute("PRAGMA writable_schema = reset")
        file.execute("UPDATE events SET boot_id = CAST(boot_id AS BLOB) WHERE seq = 40")
    files = {FILE_NAME: (tmp_path / FILE_NAME).read_bytes()}
    assert judge(files, {}, tmp_path / "broken") == "found"
