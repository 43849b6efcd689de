"""The ring of positions in the journal's file: one fix a second for 72 hours, outside the hash chain.

Nothing proves a position, and the trip does not depend on one: where they cannot be read any more they end.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite_utils

POSITIONS_MAX = 259_200  # 72 hours of one fix a second
POSITIONS_SPARE = 600  # the ring is cut in strokes of ten minutes, so that cutting costs no flush of its own
COLUMNS = (
    "n", "boot_id", "mono_s", "trip", "at", "latitude_deg", "longitude_deg", "speed_mps", "course_deg", "mode",
    "trusted",
)  # fmt: skip
POSITIONS_A_READ = 200
_AFTER = f"SELECT {', '.join(COLUMNS)} FROM positions WHERE n > ? ORDER BY n LIMIT ?"  # noqa: S608 (constant)

_PASSING = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
    }
)

log = logging.getLogger("journal")


@dataclass(frozen=True, slots=True)
class Told:
    """The broker has every position up to this moment of this boot, and all of the boots before."""

    boot_id: str
    mono_s: float


class Ring:
    """The table `positions` of one open file; belongs to the thread that opened it."""

    def __init__(self, db: sqlite_utils.Database) -> None:
        self._db = db
        self._conn = db.conn

    def make(self) -> None:
        """Create the table of a new file."""
        text, number, real = str, int, float
        self._db.table("positions").create(
            {
                "n": number, "at": text, "boot_id": text, "mono_s": real, "latitude_deg": real,
                "longitude_deg": real, "altitude_m": real, "speed_mps": real, "course_deg": real,
                "mode": number, "trusted": number, "hdop": real, "satellites": number, "trip": text,
            },
            pk="n", strict=True, if_not_exists=True,
        )  # fmt: skip

    def add(self, positions: Sequence[dict[str, Any]]) -> None:
        """Append within the transaction that is open, and cut what is older than 72 hours."""
        self._db.table("positions").insert_all(positions)
        oldest, newest = self._conn.execute("SELECT min(n), max(n) FROM positions").fetchone()
        if newest - oldest >= POSITIONS_MAX + POSITIONS_SPARE:
            self._conn.execute("DELETE FROM positions WHERE n <= ?", (newest - POSITIONS_MAX,))

    def newest(self) -> int:
        """The number of the newest position, 0 when there is none."""
        return self._conn.execute("SELECT max(n) FROM positions").fetchone()[0] or 0

    def number_at(self, told: Told, after: int) -> int:
        """The number of the newest position up to this moment; 0 if none after number `after` is."""
        sql = "SELECT max(n) FROM positions WHERE n > ? AND boot_id = ? AND mono_s <= ?"
        return self._conn.execute(sql, (after, told.boot_id, told.mono_s)).fetchone()[0] or 0

    def after(self, n: int) -> list[tuple[Any, ...]]:
        """The next positions after number `n`, oldest first, each with COLUMNS. Raises sqlite3.Error for a disk that
        does not answer now."""
        try:
            return self._conn.execute(_AFTER, (n, POSITIONS_A_READ)).fetchall()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            log.error("positions after number %d cannot be read and are not told: %s", n, error)
            return []


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the file that is wrong, rather than a disk that does not answer now and may answer later."""
    code = getattr(error, "sqlite_errorcode", None)  # absent when the driver itself stumbles over a value
    return code is None or (code & 0xFF) not in _PASSING
