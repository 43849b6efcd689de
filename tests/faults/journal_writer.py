"""A process that journals as control does and tells each durable row on standard output; to be killed at any moment.

`python -m tests.faults.journal_writer DIR [FILE_BYTES_MAX]`
"""

from __future__ import annotations

import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from vehicle_agent.control.clock import Clock
from vehicle_agent.control.journal import Journal
from vehicle_agent.core.events import Envelope, HaltLogged

ROWS = 7  # a scan makes from none to six rows


def envelope(clock: Clock, text: str, now_s: float) -> Envelope:
    """One event of a scan."""
    return Envelope(clock.new_id(), datetime.now(UTC), now_s, "rtc", None, "boot", None, HaltLogged(text))


def main() -> None:
    directory = Path(sys.argv[1])
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    clock = Clock()
    journal = Journal(directory)
    journal.start()
    while journal.opening is None:
        time.sleep(0.001)
    print("open", journal.opening.head.seq, flush=True)
    number = 0
    while True:
        now_s = clock.mono()
        journal.append(
            *(envelope(clock, f"{os.getpid()} scan {number} of {number % ROWS}", now_s) for _ in range(number % ROWS))
        )
        journal.add_position({"at": "2026-11-22T00:00:00.000Z", "boot_id": "boot", "mono_s": clock.mono()})
        number += 1
        for durable in journal.drain():
            print("durable", durable.row["seq"], durable.row["hash"], flush=True)
        if len(sys.argv) > 2:
            print("problem", journal.problem() or "", flush=True)
        time.sleep(0.0005)


if __name__ == "__main__":
    main()
