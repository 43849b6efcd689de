"""One control for one state directory (hazard H33): a lock that the kernel lets go when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class LockedError(RuntimeError):
    """Another control lives. The text says which and what to do."""


class StateLock:
    """Held from creation to the end of the process."""

    def __init__(self, directory: Path) -> None:
        """Raises LockedError, or OSError when the directory cannot be used."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / "control.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise LockedError(
                f"{directory}: another control is running (process {holder}); only one may drive the outputs. "
                "Stop that one first: systemctl stop vehicle-agent-control"
            ) from error
        with contextlib.suppress(OSError):  # on a full disk the lock still holds, only its holder's name is missing
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
