"""Journals as control does, in small workloads, and says on standard output what is durable; to be traced.

`python -m tests.faults.power_cut.writer DIR WORKLOAD [SABOTAGE]`. A sabotage breaks one promise, to prove that the
replay sees it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vehicle_agent.control import aside, store
from vehicle_agent.control.ballast import Ballast
from vehicle_agent.control.clock import Clock
from vehicle_agent.control.journal import Journal
from vehicle_agent.core.events import Envelope, Event, HaltLogged, JournalRestarted

BALLAST_BYTES = 4096
WAIT_S = 10.0
FILLER = "x" * 600  # so that a short workload reaches the checkpoint


class Steps:
    """The journal's clock: it moves when the workload says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Writer:
    def __init__(self, directory: Path, *, tells_early: bool = False) -> None:
        self._clock, self._steps = Clock(), Steps()
        self._tells_early = tells_early
        self._scans = 0
        self.journal = Journal(directory, self._steps, Ballast(directory, BALLAST_BYTES))
        self.journal.start()
        self._until(lambda: self.journal.opening is not None)
        opening = self.journal.opening
        assert opening is not None
        if opening.moved is not None:
            moved = opening.moved
            self._append(JournalRestarted(moved.moved_to, moved.last_hash, moved.reason, moved.sequence_floor))

    def scan(self, rows: int, *, filler: str = "") -> None:
        """One scan that makes so many rows; told when all are durable."""
        self._scans += 1
        text = f"{os.getpid()} scan {self._scans} of {rows} {filler}"
        self._append(*(HaltLogged(text) for _ in range(rows)))

    def drive(self, seconds: int) -> None:
        """Fixes, one a second, until they are due on the disk."""
        for second in range(seconds):
            self.journal.add_position({"at": "2026-11-22T00:00:00.000Z", "boot_id": "boot", "mono_s": float(second)})
        self._steps.now_s += 10.0
        done: list[object] = []
        self.journal.ask(lambda open_store: open_store.head(), done.append)
        self._until(lambda: bool(done))

    def move_cursor(self) -> None:
        """As the uplink does when the broker has everything."""
        done: list[object] = []
        seq = self.journal.head.seq
        self.journal.ask(lambda open_store: open_store.set_cursor("events", seq), done.append)
        self._until(lambda: bool(done))

    def _append(self, *events: Event) -> None:
        last = self.journal.append(
            *(
                Envelope(self._clock.new_id(), datetime.now(UTC), self._steps(), "rtc", None, "boot", None, event)
                for event in events
            )
        )
        if self._tells_early:
            head = self.journal.head
            tell(f"durable {head.seq + len(events)} unknown")
        reached = 0

        def is_durable() -> bool:
            nonlocal reached
            for durable in self.journal.drain():
                reached = durable.ordinal
                if not self._tells_early:
                    tell(f"durable {durable.row['seq']} {durable.row['hash']}")
            return reached >= last

        if events:
            self._until(is_durable)

    def _until(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > end_s:
                raise TimeoutError(self.journal.problem())
            time.sleep(0.0002)


def tell(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def first_start(writer: Writer) -> None:
    """From an empty directory; ended properly."""
    for rows in (1, 3, 0, 6, 2):
        writer.scan(rows)
    writer.drive(5)
    writer.move_cursor()
    writer.scan(2)
    assert writer.journal.stop()


def long_run(writer: Writer) -> None:
    """Past a checkpoint: the log begins anew at its start."""
    for number in range(60):
        writer.scan(1 + number % 6, filler=FILLER)
        if number % 12 == 5:
            writer.drive(8)
            writer.move_cursor()


def short_run(writer: Writer) -> None:
    """A few scans, then the end of the process without a word."""
    for rows in (2, 1, 4):
        writer.scan(rows, filler=FILLER)


WORKLOADS: dict[str, Callable[[Writer], None]] = {
    "first_start": first_start,
    "long_run": long_run,
    "short_run": short_run,
}


def put(module: Any, **changes: Any) -> None:
    """Other names for what the module uses."""
    for name, value in changes.items():
        setattr(module, name, value)


def not_flushed() -> None:
    store._PRAGMAS["synchronous"] = 0


def flushed_now_and_then() -> None:
    store._PRAGMAS["synchronous"] = 1


def moved_without_a_note() -> None:
    put(aside, _write_note=lambda path, moved: None)
    put(store, resume=lambda path: None)


SABOTAGES: dict[str, Callable[[], None]] = {
    "not_flushed": not_flushed,
    "flushed_now_and_then": flushed_now_and_then,
    "moved_without_a_note": moved_without_a_note,
    "told_before_it_is_there": lambda: None,
}


def main() -> None:
    directory, workload, *sabotages = Path(sys.argv[1]), *sys.argv[2:]
    for sabotage in sabotages:
        SABOTAGES[sabotage]()
    writer = Writer(directory, tells_early="told_before_it_is_there" in sabotages)
    WORKLOADS[str(workload)](writer)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
