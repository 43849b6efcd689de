"""What a process holds: to show that an attack leaves nothing behind."""

from __future__ import annotations

import contextlib
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
    return len(_files(pid))


def open_sockets(pid: int) -> int:
    """How many of them are sockets. SQLite keeps a file that another of its connections has locked until later."""
    return sum(target.startswith("socket:") for target in _files(pid))


def _files(pid: int | None) -> list[str]:
    found = []
    for path in Path(f"/proc/{pid or os.getpid()}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found.append(str(path.readlink()))
    return found


def threads(name: str) -> int:
    """How many threads of this process bear a name that begins so."""
    return sum(one.name.startswith(name) for one in threading.enumerate())
