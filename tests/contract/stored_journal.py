"""Writes the rows of a whole trip as this software journals them, as SQL text for `stored/`.

`python -m tests.contract.stored_journal > tests/contract/stored/journal_N.sql`, once for each schema N that vehicles
have in use, by the software that has it; later software must open it for ever.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.core.world import World
from vehicle_agent.control.chain import Head
from vehicle_agent.control.journal import seal
from vehicle_agent.control.store import FILE_NAME, SCHEMA, Store


def main() -> None:
    world = World()
    world.to_under_way()
    with tempfile.TemporaryDirectory() as directory:
        store, rows, head = Store(Path(directory) / FILE_NAME), [], Head()
        for envelope in world.envelopes:
            row = seal(envelope, head)
            head = Head(row["seq"], row["hash"])
            rows.append(row)
        store.write(
            rows, [{"at": "2026-11-22T08:00:00.000Z", "boot_id": "boot-1", "mono_s": 1.0, "trip": world.trip.id}]
        )
        store.set_cursor("events", 5)
        store.close()
        with closing(sqlite3.connect(Path(directory) / FILE_NAME)) as file:
            sys.stdout.write(f"PRAGMA user_version = {SCHEMA};\n")
            sys.stdout.writelines(f"{line}\n" for line in file.iterdump())


if __name__ == "__main__":
    main()
