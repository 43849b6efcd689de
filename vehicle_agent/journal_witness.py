"""A desk's register held against the journal: every notice names the journal's row that it is, with its hash.

What a lost tail or a journal written anew hides from the vehicle itself, each unit that was ever notified can show: the
copies are outside, and signed (hazards H08, H19).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

WANTED = ("vehicle", "unit", "kind", "departed_at", "journal_seq", "journal_hash")


class WitnessError(Exception):
    """The file is no register. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """One notice that a unit has received."""

    unit: str
    what: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Hearing:
    """`agreed` notices stand in the journal or in one that was moved aside; each of `missing` is a sentence."""

    agreed: int
    missing: tuple[str, ...]


def read(path: Path, vehicle: str) -> list[Testimony]:
    """What a register's export says of this vehicle. Raises WitnessError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if lacking := [name for name in WANTED if name not in (reader.fieldnames or ())]:
                raise WitnessError(
                    f"{path}: no column {lacking[0]}: give the file that a desk's page exports as register.csv"
                )
            return [_testimony(path, reader.line_num, row) for row in reader if row["vehicle"] == vehicle]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WitnessError(f"{path}: cannot be read as a register: {error}") from error


def hear(testimonies: list[Testimony], journal: dict[int, str], aside: list[dict[int, str]]) -> Hearing:
    """Look for each row's hash in the journal, then in the damaged ones that were kept."""
    files = [journal, *aside]
    known = {(seq, digest) for rows in files for seq, digest in rows.items()}
    last = max(journal, default=0)
    missing = []
    for one in testimonies:
        if (one.seq, one.hash) in known:
            continue
        said = f"{one.unit} holds the {one.what}, row {one.seq} {one.hash}"
        if one.seq > last:
            missing.append(f"{said}; the journal ends at row {last}: what came after is lost or was taken away")
        else:
            missing.append(f"{said}; that row of the journal is another: it was not made from this journal")
    return Hearing(len(testimonies) - len(missing), tuple(missing))


def _testimony(path: Path, line: int, row: dict[str, str]) -> Testimony:
    try:
        what = f"{row['kind']} of {row['departed_at']}"
        return Testimony(row["unit"], what, int(row["journal_seq"]), row["journal_hash"])
    except (TypeError, ValueError) as error:
        raise WitnessError(f"{path}, line {line}: journal_seq is no number; export the register anew") from error
