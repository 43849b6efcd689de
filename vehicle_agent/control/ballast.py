"""Space kept back for the journal, so that a full disk still takes the notices that the law asks for (hazard H18).

On a full disk SQLite cannot even delete or checkpoint; giving back a file of our own is what helps at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

BALLAST_BYTES = 16 * 1024 * 1024  # thousands of rows, and room for the WAL's checkpoint
_ROOM_FACTOR = 3  # made again only where it takes no more than a third of what is free


class Ballast:
    """A file without content whose blocks are reserved."""

    def __init__(self, directory: Path, size_bytes: int = BALLAST_BYTES) -> None:
        self._path = directory / "ballast"
        self._size_bytes = size_bytes

    @property
    def is_held(self) -> bool:
        """Whether there is space to give back."""
        return self._path.exists()

    def take(self) -> bool:
        """Reserve the space if the disk has plenty of room. True when it is held afterwards."""
        if self.is_held:
            return True
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._path.parent).free < self._size_bytes * _ROOM_FACTOR:
                return False
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            except OSError:
                self._path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)
        return self.is_held

    def release(self) -> bool:
        """Give the space back. True when there was some to give."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
