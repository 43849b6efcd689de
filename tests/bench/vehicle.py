"""The whole vehicle for a measurement: a demo with mosquitto as its broker, and what Linux says of its processes."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simulators.stack.ports import Ports, choose
from simulators.stack.running import AGENT, Stack
from simulators.stack.variants import VARIANTS

POLL_S = 0.01


@contextlib.contextmanager
def vehicle(variant: str, change: Callable[[Stack], None] | None = None, ports: Ports | None = None) -> Iterator[Stack]:
    """A running vehicle that leaves nothing behind; `change` may edit its configuration before it starts."""
    stack = Stack(VARIANTS[variant], ports or choose(auto=True), "mosquitto")
    try:
        if change is not None:
            change(stack)
        stack.start(lambda: False)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(stack.places.root, ignore_errors=True)


def pids(stack: Stack) -> dict[str, int]:
    """Process ids of the agent's three, as they are now."""
    found: dict[str, int] = json.loads(stack.ready_line())["pids"]
    return {name: found[name] for name in AGENT}


def cpu_s(pid: int) -> float:
    """Processor time of all threads of a process, to the nanosecond; the ticks of `stat` are too coarse."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def waited_for_core_s(task: int) -> float:
    """For how long a thread has been ready to run while others had the cores."""
    return int(Path(f"/proc/{task}/schedstat").read_text().split()[1]) / 1e9


def pss_mib(pid: int) -> float:
    """Memory of a process, shared pages divided by their users."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"the kernel tells no PSS of {pid}")


def health(stack: Stack) -> dict[str, Any]:
    """Control's own figures."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        connection.connect(str(stack.places.run / "control.sock"))
        connection.sendall(b'{"id":1,"op":"health"}\n')
        body: dict[str, Any] = json.loads(connection.makefile().readline())["body"]
        return body


def wait(span_s: float) -> None:
    """Let time pass while the processes are measured."""
    end_s = time.monotonic() + span_s
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(left_s, 0.5))


def until(is_so: Callable[[], object], within_s: float, what: str) -> None:
    """Poll until the condition holds. Raises TimeoutError that names what did not come."""
    deadline_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(POLL_S)
