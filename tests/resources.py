"""What a process holds: to show that an attack leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path


def rss_mib(pid: int | None = None) -> float:
    """Resident memory of a process, MiB."""
    for line in Path(f"/proc/{pid or os.getpid()}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def peak_mib(pid: int) -> float:
    """The most that a process ever held, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def open_files(pid: int | None = None) -> int:
    """How many file descriptors a process has open."""
    if pid is None:
        gc.collect()
    return sum(1 for _ in Path(f"/proc/{pid or os.getpid()}/fd").iterdir())


def threads(name: str) -> int:
    """How many threads of this process bear a name that begins so."""
    return sum(one.name.startswith(name) for one in threading.enumerate())
