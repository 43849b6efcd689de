"""The gate: how long after a door loop is cut, or control is gone, the permit is (hazards H01, H06, H07).

Both edges carry the bench's CLOCK_MONOTONIC: the loop when its level changes, `permit_enable` when the agent drives it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from simulators.stack.calls import call
from simulators.stack.running import Stack
from tests.bench.crew import Crew, pause
from tests.bench.table import Row, share, spread
from tests.bench.vehicle import pids, until, vehicle

REQUESTS_PER_S = 200
CELL_EVERY = 10  # a cell's loop takes its lock's proof along; the body door's can be cut again at once
HELD_S = 0.25  # a contact that comes back within 200 ms has bounced, and one that does so often is a fault
P99_REACH_MS, MAX_REACH_MS, RELAY_REACH_MS = 60.0, 100.0, 300.0


def measure_cut(count: int | None = None) -> list[Row]:
    """`count` cuts of a door loop under load; 1,000 are what the reach speaks of."""
    cuts = count or 200
    latencies_ms: list[float] = []
    with vehicle("two_cells") as stack, contextlib.closing(Crew(stack)) as crew, _loaded(stack) as answered:
        crew.open_trip()
        crew.check()
        crew.open_boarding()
        for number in range(cuts):
            wire = crew.cells[0] if number % CELL_EVERY == CELL_EVERY - 1 else "body_door"
            after = crew.last_entry()
            crew.set(wire, "cut")
            gone, cut = crew.edge("permit_enable", False, after), crew.edge(wire, "cut", after)
            latencies_ms.append((gone["t_ns"] - cut["t_ns"]) / 1e6)
            pause(HELD_S)
            crew.set(wire, "locked")
            if wire != "body_door":
                crew.check()
            crew.open_boarding()
        rate = share(answered(), 0.5)
    return [
        Row(
            f"loop cut → permit_enable low, display at {rate:.0f} requests/s",
            spread(latencies_ms, "ms"),
            f"p99 ≤ {P99_REACH_MS:.0f}, max ≤ {MAX_REACH_MS:.0f} ms over 1,000",
            share(latencies_ms, 0.99) <= P99_REACH_MS and max(latencies_ms) <= MAX_REACH_MS,
            "two samples of the 20 ms scan: 20 to 45 ms",
        )
    ]


def measure_dead(count: int | None = None) -> list[Row]:
    """Control killed and control stopped while the permit is on, half of `count` each; 100 are the reach."""
    each = max((count or 20) // 2, 1)
    with vehicle("two_cells") as stack, contextlib.closing(Crew(stack)) as crew:
        crew.open_trip()
        killed_ms = [_lose_control(stack, crew, signal.SIGKILL) for _ in range(each)]
        stopped_ms = [_lose_control(stack, crew, signal.SIGSTOP) for _ in range(each)]
    floor = "200 ms after the last edge, by the relay's model"
    return [
        Row(
            f"control {name} → permit relay open",
            spread(times_ms, "ms"),
            f"≤ {RELAY_REACH_MS:.0f} ms, 100 of 100",
            max(times_ms) <= RELAY_REACH_MS,
            floor,
        )
        for name, times_ms in (("killed", killed_ms), ("stopped", stopped_ms))
    ]


def _lose_control(stack: Stack, crew: Crew, number: signal.Signals) -> float:
    """Milliseconds from the signal to the relay; afterwards control is there again."""
    if not crew.is_open:
        crew.check()
        crew.open_boarding()
    until(lambda: crew.is_energised, 5.0, "the relay closed")
    pid, after = pids(stack)["control"], crew.last_entry()
    sent_ns = time.monotonic_ns()
    os.kill(pid, number)
    late_ms: float = (crew.edge("permit_relay", False, after)["t_ns"] - sent_ns) / 1e6
    if number is signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
        until(lambda: crew.commander.look() is not None, 15.0, "control goes on")
        return late_ms

    def is_back() -> bool:
        stack.keep_running()
        return pids(stack)["control"] != pid and crew.commander.look() is not None

    until(is_back, 15.0, "control is back")
    return late_ms


@contextlib.contextmanager
def _loaded(stack: Stack) -> Iterator[Callable[[], list[int]]]:
    """The display hammered, GNSS at 10 Hz; yields a look at the answers of each second so far."""
    call("PUT", stack.bench, "/api/v1/gnss", {"mode": "parked", "rate_hz": 10})
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-m", "tests.bench.hammer", stack.display, str(REQUESTS_PER_S)]
        hammer = subprocess.Popen(command, stdout=output)

        def answered() -> list[int]:
            output.seek(0)
            return [int(line) for line in output]

        try:
            yield answered
            if hammer.poll() is not None:
                raise RuntimeError("the load ended before the measurement")
        finally:
            hammer.kill()
            hammer.wait()
