"""Moving a journal that is not whole out of the way, so that a power cut at any moment loses nothing of it (H19).

Three files belong together: the database, its write-ahead log, and the log's index. Were the log moved alone, the next
start would find a database that is whole, and shorter. So a note is written first, saying what is to be moved and why;
a start that finds one finishes the move before it opens anything. The note stays until the new journal has a first row,
which names the old one.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

SIDE_FILES = ("-shm", "-wal")
REASON_CHARACTERS_MAX = 500
NUMBERS_UNREAD = 1000  # more notices than a part that cannot be read has ever held
NUMBERS_A_JOURNAL = 1_000_000  # more than a vehicle makes in its life
NOTHING = "-"  # what was moved where there was nothing left to move


@dataclass(frozen=True, slots=True)
class MovedAside:
    """What became of a journal that was not proven at start."""

    moved_to: str
    last_hash: str | None
    reason: str
    sequence_floor: int  # notices may have had numbers up to this one


def move_aside(path: Path, last_hash: str | None, highest: int | None, reason: str) -> MovedAside:
    """Move the journal at `path` and its side files to the next free name beside it. Raises OSError; then try again.

    `highest` is the highest number of a notice that can still be read in it.
    """
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    floor = number * NUMBERS_A_JOURNAL if highest is None else highest + NUMBERS_UNREAD
    moved = MovedAside(target.name, last_hash, reason[:REASON_CHARACTERS_MAX], floor)
    _write_note(path, moved)
    _move(path, target)
    return moved


def note_loss(path: Path, reason: str) -> MovedAside:
    """The journal is gone without anybody having moved it: the next one shall say so all the same. Raises OSError."""
    moved = MovedAside(NOTHING, None, reason, NUMBERS_A_JOURNAL)
    _write_note(path, moved)
    return moved


def resume(path: Path) -> MovedAside | None:
    """Finish a move that was cut off; what was moved, while no row of a new journal tells of it. Raises OSError."""
    try:
        moved = MovedAside(**json.loads(_note(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # the note itself was torn: then nothing had been moved yet
        return None
    if moved.moved_to != NOTHING and not (target := path.with_name(moved.moved_to)).exists():
        _move(path, target)
    return moved


def forget(path: Path) -> None:
    """A row of the new journal tells of the move."""
    with contextlib.suppress(FileNotFoundError):
        _note(path).unlink()


def flush_directory(directory: Path) -> None:
    """Names in it are on the disk when this returns. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.moving")


def _write_note(path: Path, moved: MovedAside) -> None:
    note = _note(path)
    fresh = note.with_name(f"{note.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(asdict(moved), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(note)
    flush_directory(path.parent)


def _move(path: Path, target: Path) -> None:
    """The database last: while it has its name, the move is not over."""
    for suffix in SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{target}{suffix}")
    flush_directory(path.parent)
    with contextlib.suppress(FileNotFoundError):
        path.rename(target)
    flush_directory(path.parent)
