"""Control that can be made to hang: SIGUSR1 locks its scan thread for ever, SIGUSR2 its whole interpreter.

`python -m tests.faults.hanging_control SCHEDULING CONFIG`: everything else is the real thing, started as `vehicle-agent
run` does. SCHEDULING is `unit` (as systemd starts it, where we have the right) or `ordinary`.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from pathlib import Path

from simulators.stack.scheduling import schedule_as_unit
from vehicle_agent.control.run import main


def _lock_twice(*_: object) -> None:
    """The scan runs in the main thread, and so does a signal's handler: the others go on as if all were well."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _hold_interpreter(*_: object) -> None:
    """A foreign function that never returns and keeps the interpreter: no thread runs any more."""
    while True:
        ctypes.PyDLL(None).pause()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _lock_twice)
    signal.signal(signal.SIGUSR2, _hold_interpreter)
    if sys.argv[1] == "unit":
        schedule_as_unit()
    raise SystemExit(main(Path(sys.argv[2])))
