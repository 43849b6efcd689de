"""The gate: how long after a door loop is cut, or control is gone, the permit is (hazards H01, H06, H07).

Both edges carry the bench's CLOCK_MONOTONIC: the loop when its level changes, `permit_enable` when the agent drives it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulators.stack.calls import call
from simulators.stack.running import Stack
from simulators.stack.scheduling import schedule_as_unit
from tests.bench.crew import Crew, pause
from tests.bench.table import Row, histogram, load, share, spread
from tests.bench.vehicle import pids, until, vehicle, waited_for_core_s
from tests.faults.slow_disk import hanging_disk

REQUESTS_PER_S = 200
SEED = 354
CELL_SHARE = 0.3  # a cell's loop takes its lock's proof along; the body door's can be cut again at once
HELD_S = 0.25  # a contact that comes back within 200 ms has bounced, and one that does so often is a fault
PAUSE_S = 0.1  # several scans: a cut comes at any phase of one, whatever the crew did before it
STALL_S = 2.0  # as long as control still believes in a disk
CUT_IN_STALL_S = (-0.1, 1.7)  # before it, so that the closing's own row hangs; or in it, before control gives it up
MISSED_AFTER_S = 1.0
STEP_MS = 5.0  # of the histogram
SLOWEST = 5  # shown with what they waited for a core
P99_REACH_MS, MAX_REACH_MS, RELAY_REACH_MS = 60.0, 100.0, 300.0


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: how long the permit outlasted it (None: by more than a second), and what of that nobody could help."""

    late_ms: float | None
    waited_ms: float  # the scan's thread was ready to run and no core was free
    is_void: bool = False  # boarding was not open any more


def measure_cut(count: int | None = None) -> list[Row]:
    """`count` cuts of a door loop under load; 1,000 are what the reach speaks of."""

    def cut(stack: Stack, crew: Crew, random_: random.Random) -> Cut:
        wire = _any_loop(crew, random_)
        pause(random_.uniform(0.0, PAUSE_S))
        made = _cut(stack, crew, wire)
        pause(HELD_S)
        _mend(crew, wire)
        return made

    return [_measure("loop cut → permit_enable low", count or 200, cut)]


def measure_stalled(count: int | None = None) -> list[Row]:
    """The same while the journal's disk hangs for two seconds; 300 are what the reach speaks of."""

    def cut(stack: Stack, crew: Crew, random_: random.Random) -> Cut:
        wire, after_s = _any_loop(crew, random_), random_.uniform(*CUT_IN_STALL_S)
        with hanging_disk(pids(stack)["control"], stack.places.root / "strace.log", STALL_S, only_first=True) as disk:
            if after_s > 0.0:
                # An alarm is a row in the journal, and refuses nothing.
                crew.set("alarm_button", "closed")
                until(lambda: disk.is_waiting, 5.0, "the disk hangs")
                crew.set("alarm_button", "auto")
                pause(after_s)
            made = _cut(stack, crew, wire)
            until(lambda: disk.hits == 1, 10.0, "the disk is back")
        _mend(crew, wire)
        return made

    return [_measure(f"the same with the disk hung for {STALL_S:.0f} s", count or 20, cut)]


def _measure(figure: str, count: int, cut: Callable[[Stack, Crew, random.Random], Cut]) -> Row:
    """Until `count` cuts met an open boarding: on a machine too busy for the scan, control closes it by itself."""
    cuts: list[Cut] = []
    random_ = random.Random(SEED)
    with vehicle("two_cells") as stack, contextlib.closing(Crew(stack)) as crew, _loaded(stack) as answered:
        tasks = Path(f"/proc/{pids(stack)['control']}/task").iterdir()
        scheduling = {schedule_as_unit(int(task.name)) for task in tasks}.pop()
        crew.open_trip()
        crew.check()
        crew.open_boarding()
        while sum(not one.is_void for one in cuts) < count:
            cuts.append(cut(stack, crew, random_))
            if len(cuts) % 100 == 0:
                print(f"{len(cuts)} cuts, {load()}", file=sys.stderr, flush=True)
        rate = share(answered(), 0.5)
        closings = _closings(stack)
    told = f"scheduling of control: {scheduling}; boarding was closed: {closings}; {load()}"
    return _row(f"{figure}, display at {rate:.0f} requests/s", [one for one in cuts if not one.is_void], told)


def _closings(stack: Stack) -> str:
    """Why boarding was closed, and how often: `revoked` are the cuts."""
    with contextlib.closing(sqlite3.connect(stack.places.root / "journal" / "journal.db")) as journal:
        rows = journal.execute("SELECT data FROM events WHERE type = 'boarding_closed'").fetchall()
    counts = Counter(json.loads(data)["reason"] for (data,) in rows)
    return ", ".join(f"{reason} {number}" for reason, number in counts.most_common())


def _any_loop(crew: Crew, random_: random.Random) -> str:
    return random_.choice(crew.cells) if random_.random() < CELL_SHARE else "body_door"


def _cut(stack: Stack, crew: Crew, wire: str) -> Cut:
    scan = pids(stack)["control"]  # the main thread has the process's number
    after, was_open, waited_ms = crew.last_entry(), crew.has_permit, waited_for_core_s(scan) * 1e3
    crew.set(wire, "cut")
    cut = crew.edge(wire, "cut", after)
    if not was_open:
        return Cut(None, 0.0, is_void=True)
    try:
        gone = crew.edge("permit_enable", False, after, MISSED_AFTER_S)
    except TimeoutError:
        return Cut(None, waited_for_core_s(scan) * 1e3 - waited_ms)
    if gone["t_ns"] < cut["t_ns"]:
        return Cut(None, 0.0, is_void=True)
    return Cut((gone["t_ns"] - cut["t_ns"]) / 1e6, waited_for_core_s(scan) * 1e3 - waited_ms)


def _mend(crew: Crew, wire: str) -> None:
    crew.set(wire, "locked")
    crew.open_boarding()  # with a new check, where the cut has cost a row


def _row(figure: str, cuts: Sequence[Cut], told: str) -> Row:
    known_ms = [cut.late_ms for cut in cuts if cut.late_ms is not None]
    missed = len(cuts) - len(known_ms)
    slowest = sorted(cuts, key=lambda cut: cut.late_ms or float("inf"))[-SLOWEST:]
    late = ", ".join(f"{cut.late_ms or float('inf'):.1f} ({cut.waited_ms:.1f})" for cut in slowest)
    return Row(
        figure,
        f"{spread(known_ms, 'ms')}, {missed} missed",
        f"0 missed, p99 ≤ {P99_REACH_MS:.0f}, max ≤ {MAX_REACH_MS:.0f} ms",
        not missed and share(known_ms, 0.99) <= P99_REACH_MS and max(known_ms) <= MAX_REACH_MS,
        "two samples of the 20 ms scan: 20 to 45 ms",
        detail=histogram(f"{figure} (seed {SEED})", known_ms, STEP_MS, "ms")
        + f"\nthe slowest, and in brackets for how long the scan had waited for a core: {late} ms\n{told}",
    )


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
