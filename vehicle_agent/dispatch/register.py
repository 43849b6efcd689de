"""Reading the register: every row is made anew from the signed bytes, so what is shown is what was signed (Rule 19).

Each reader opens its own connection; the one that writes is never made to wait.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlite_utils import Database

Row = dict[str, Any]

GAPS_SHOWN_MAX = 20  # of one vehicle and unit; more is one long outage or a register that was lost
UNCERTAIN_AFTER_S = 5.0  # a time less certain than this is marked; GNSS and NTP are far better

COLUMNS = "id, unit, vehicle, kind, sha256, payload, received_at, stage, by, post, acknowledged_at"
NEWEST = f"select {COLUMNS} from notices order by row desc limit ?"  # noqa: S608  constant text
OPEN = f"select {COLUMNS} from notices where stage = 'received' order by row desc limit ?"  # noqa: S608  constant text
ONE = f"select {COLUMNS} from notices where id = ?"  # noqa: S608  constant text
ALL = f"select {COLUMNS} from notices order by row"  # noqa: S608  constant text

FROM_NOTICE = (
    "departed_at", "arrived_at", "late_by_s", "time_source", "time_uncertainty_s", "secured", "origin", "destination",
    "intermediate", "recipient_sequence", "checks", "position", "test", "corrects", "journal",
)  # fmt: skip


class Register:
    """Short-lived read-only connections to the desk's file; for any thread."""

    def __init__(self, file: Path) -> None:
        self._uri = f"{file.absolute().as_uri()}?mode=ro"

    def _open(self) -> Database:
        return Database(sqlite3.connect(self._uri, uri=True, timeout=5.0), recursive_triggers=False)

    def notices(self, limit: int | None = None) -> list[Row]:
        """Newest first. With a limit: all that nobody acknowledged, and the newest others up to the limit."""
        with closing(self._open()) as db:
            rows = [_notice_row(db, row) for row in db.execute(NEWEST, (-1 if limit is None else limit,))]
            if limit is not None:
                shown = {row["id"] for row in rows}
                older = (_notice_row(db, row) for row in db.execute(OPEN, (-1,)))
                rows += [row for row in older if row["id"] not in shown]
            return rows

    def notice(self, notice: str) -> Row | None:
        """One row of the register."""
        with closing(self._open()) as db:
            found = db.execute(ONE, (notice,)).fetchone()
            return _notice_row(db, found) if found else None

    def all_notices(self) -> Iterator[Row]:
        """The whole register in the order of arrival, row by row, for the export."""
        with closing(self._open()) as db:
            for row in db.execute(ALL):
                yield _notice_row(db, row)

    def receipt(self, notice: str, stage: str) -> bytes | None:
        """The stored receipt, as it is sent."""
        with closing(self._open()) as db:
            sql = "select message from receipts where notice = ? and stage = ?"
            found = db.execute(sql, (notice, stage)).fetchone()
            return bytes(found[0]) if found else None

    def counts(self) -> Row:
        """How many notices lie here, how many nobody has acknowledged, how many receipts the broker does not have."""
        with closing(self._open()) as db:
            total, waiting = db.execute(
                "select count(*), count(*) filter (where stage = 'received') from notices"
            ).fetchone()
            owed = db.execute("select count(*) from receipts where owed_since is not null").fetchone()[0]
            return {"notices": total, "unacknowledged": waiting, "receipts_owed": owed}

    def reports(self) -> list[Row]:
        """What each vehicle said last, part by part."""
        with closing(self._open()) as db:
            rows = db.query("select vehicle, part, kind, time, received_at, lag_s, data from reports")
            return [{**row, "data": json.loads(row["data"])} for row in rows]

    def events(self, limit: int) -> list[Row]:
        """The newest events of the vehicles of this unit."""
        return self._events("kind is not null", (limit,))

    def events_apart(self, limit: int) -> list[Row]:
        """The newest alarm events and the newest others, each up to the limit: a flood pushes nothing else out."""
        return [*self._events("kind <> 'alarm'", (limit,)), *self._events("kind = 'alarm'", (limit,))]

    def alarms_raised(self, received_after: str) -> list[Row]:
        """Alarms that vehicles told of since then: event's id, vehicle, and when it came."""
        with closing(self._open()) as db:
            sql = (
                "select id, vehicle, time, received_at from events where kind = 'alarm' and received_at >= ? "
                "and json_extract(data, '$.change') = 'raised'"
            )
            return list(db.query(sql, (received_after,)))

    def _events(self, which: str, limit: tuple[int]) -> list[Row]:
        with closing(self._open()) as db:
            sql = f"select vehicle, kind, time, received_at, data from events where {which} order by row desc limit ?"  # noqa: S608  constant text
            return [{**row, "data": json.loads(row["data"])} for row in db.query(sql, limit)]

    def warnings(self) -> list[Row]:
        """Refusals, conflicts and gaps, the newest first, each with who has seen it as it stands now."""
        with closing(self._open()) as db:
            seen = {row["key"]: row for row in db.query("select key, count, by, post, at from seen")}
            refused = list(db.query("select * from refusals order by last_at desc, key"))
            rows = [*_gaps(db), *refused]
        return [{**row, "seen": _seen(seen.get(row["key"]), row["count"])} for row in rows]


def _gaps(db: Database) -> list[Row]:
    sql = (
        "select vehicle, unit, before + 1 as first, sequence - 1 as last, received_at from (select vehicle, unit, "
        "sequence, received_at, lag(sequence, 1, 0) over (partition by vehicle, unit order by sequence) as before "
        "from notices) "
        "where sequence > before + 1 order by received_at desc limit ?"
    )
    return [
        {
            "key": f"gap:{row['vehicle']}:{row['unit']}:{row['first']}-{row['last']}",
            "reason": "gap",
            "vehicle": row["vehicle"],
            "unit": row["unit"],
            "detail": "",
            "first": row["first"],
            "last": row["last"],
            "count": row["last"] - row["first"] + 1,
            "first_at": row["received_at"],
            "last_at": row["received_at"],
        }
        for row in db.query(sql, (GAPS_SHOWN_MAX,))
    ]


def _seen(row: Row | None, count: int) -> Row | None:
    return {"by": row["by"], "post": row["post"], "at": row["at"]} if row and row["count"] >= count else None


def _recipients(db: Database, vehicle: str, event: Row) -> list[Row]:
    """How far the same notice has come at each other recipient, as the vehicle told its unit; stage null: not told."""
    told: dict[str, Row] = {}
    sql = "select data from events where trip = ? and kind = 'notice_stage' and vehicle = ? order by row"
    kind = event["type"].split(".")[-2]
    for (text,) in db.execute(sql, (event["subject"], vehicle)):
        stage = json.loads(text)
        if stage["kind"] == kind and stage["recipient"]:
            told[stage["recipient"]] = {name: stage[name] for name in ("stage", "by", "post", "at")}
    data = event["data"]
    units = [unit for unit in (*data["intermediate"], data["destination"]) if unit and unit != data["recipient"]]
    unknown = {"stage": None, "by": None, "post": None, "at": None}
    return [{"unit": unit, **told.get(unit, unknown)} for unit in dict.fromkeys(units)]


def _notice_row(db: Database, row: tuple[Any, ...]) -> Row:
    notice, unit, vehicle, kind, sha256, payload, received_at, stage, by, post, acknowledged_at = row
    event = json.loads(payload)
    data = event["data"]
    uncertainty_s = data["time_uncertainty_s"]
    return {
        "id": notice,
        "unit": unit,
        "vehicle": vehicle,
        "kind": kind,
        "trip": event.get("subject"),
        **{name: data.get(name) for name in FROM_NOTICE},
        "is_time_uncertain": data["time_source"] == "none"
        or uncertainty_s is None
        or uncertainty_s > UNCERTAIN_AFTER_S,
        "received_at": received_at,
        "stage": stage,
        "by": by,
        "post": post,
        "acknowledged_at": acknowledged_at,
        "sha256": sha256,
        "recipients": _recipients(db, vehicle, event) if data["origin"] == unit else [],
    }
