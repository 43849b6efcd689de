"""What the agent costs while nothing happens, and how soon it is there: scan, processor, memory, start."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from functools import partial

from simulators.stack.running import Stack
from tests.bench.table import Row, share
from tests.bench.vehicle import cpu_s, health, pids, pss_mib, until, vehicle, wait

SETTLE_S = 5.0
STARTS = 5
SCAN_REACH_MS, CPU_REACH, START_REACH_S, READY_REACH_S = 5.0, 0.06, 0.5, 5.0
PSS_REACH_MIB = {"control": 40.0, "uplink": 35.0, "display": 50.0}
_FIRST_SCAN = re.compile(r"first complete scan ([0-9.]+) s")


def measure_idle(count: int | None = None) -> list[Row]:
    """`count` seconds of a quiet vehicle of six cells with one page open."""
    span_s = float(count or 30)
    with vehicle("six_cells") as stack, _page(stack):
        wait(SETTLE_S)
        processes = pids(stack)
        before = {name: cpu_s(pid) for name, pid in processes.items()}
        began_s = time.monotonic()
        wait(span_s)
        passed_s = time.monotonic() - began_s
        shares = {name: (cpu_s(pid) - before[name]) / passed_s for name, pid in processes.items()}
        memory_mib = {name: pss_mib(pid) for name, pid in processes.items()}
        scan = health(stack)
    rows = [
        Row(
            "scan of six cells and all inputs",
            f"p50 {scan['scan_ms_p50']}, p99 {scan['scan_ms_p99']}, max {scan['scan_ms_max']} ms ({scan['scans']})",
            f"p99 ≤ {SCAN_REACH_MS:.0f} ms",
            scan["scan_ms_p99"] <= SCAN_REACH_MS,
        ),
        Row(
            "idle CPU: control",
            f"{shares['control']:.1%} of a core",
            f"≤ {CPU_REACH:.0%}",
            shares["control"] <= CPU_REACH,
        ),
        Row("idle CPU: uplink, display", f"{shares['uplink']:.1%}, {shares['display']:.1%}", "", None),
    ]
    for name, reach_mib in PSS_REACH_MIB.items():
        mine_mib = memory_mib[name]
        rows.append(Row(f"PSS: {name}", f"{mine_mib:.1f} MiB", f"≤ {reach_mib:.0f} MiB", mine_mib <= reach_mib))
    return rows


def measure_start(count: int | None = None) -> list[Row]:
    """`count` starts of the whole demo, each in a fresh directory, and in each a start of control alone."""
    first_s: list[float] = []
    alone_s: list[float] = []
    ready_s: list[float] = []
    for _ in range(count or STARTS):
        began_s = time.monotonic()
        with vehicle("six_cells") as stack:
            ready_s.append(time.monotonic() - began_s)
            wait(SETTLE_S)
            pid = pids(stack)["control"]
            os.kill(pid, signal.SIGKILL)
            until(partial(_restarts, stack), 15.0, "control's second line about its first scan")
            together, alone = _first_scans(stack)[:2]
            first_s.append(together)
            alone_s.append(alone)
    return [
        Row(
            "control: start → first complete scan",
            _starts(alone_s),
            f"≤ {START_REACH_S} s",
            share(alone_s, 0.5) <= START_REACH_S,
        ),
        Row("the same while the demo starts six others", _starts(first_s), "", None),
        Row("demo ready after set-up", _starts(ready_s), f"≤ {READY_REACH_S:.0f} s", max(ready_s) <= READY_REACH_S),
    ]


def _restarts(stack: Stack) -> bool:
    stack.keep_running()
    return len(_first_scans(stack)) > 1


def _first_scans(stack: Stack) -> list[float]:
    """What control's log says of each of its starts, its interpreter and imports included."""
    return [float(found) for found in _FIRST_SCAN.findall((stack.places.logs / "control.log").read_text())]


def _starts(times_s: list[float]) -> str:
    return f"p50 {share(times_s, 0.5):.2f}, max {max(times_s):.2f} s ({len(times_s)})"


@contextlib.contextmanager
def _page(stack: Stack) -> Iterator[None]:
    """One open page of the cab display."""
    with urllib.request.urlopen(f"{stack.display}/api/v1/stream") as stream:
        stream.readline()
        yield
