"""A pseudo-terminal with a stable name, for a simulated device on a serial wire (hazard H22: it can be unplugged and
replugged)."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import tty
from pathlib import Path


class PtyPort:
    """The device's end. The agent opens `link`, a symlink that exists only while the device is plugged in."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._master: int | None = None
        self._name = ""

    @property
    def is_plugged(self) -> bool:
        return self._master is not None

    def plug(self) -> None:
        if self._master is not None:
            return
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._name = os.ttyname(slave)
        # Closed again: from now on poll() tells whether anybody else has it open.
        os.close(slave)
        self._master = master
        fresh = self.link.with_name(f".{self.link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self._name)
        fresh.replace(self.link)

    def unplug(self) -> None:
        master, self._master = self._master, None
        if self.link.is_symlink() and os.readlink(self.link) == self._name:  # noqa: PTH115  the name itself, not its target
            self.link.unlink(missing_ok=True)
        if master is not None:
            os.close(master)

    def is_listened_to(self) -> bool:
        """A real adapter's bytes are lost while nobody has the port open; so are ours."""
        if self._master is None:
            return False
        poller = select.poll()
        poller.register(self._master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in poller.poll(0))

    def write(self, data: bytes) -> None:
        """Never waits: what the reader has no room for is lost, as on a wire."""
        if self._master is None or not self.is_listened_to():
            return
        with contextlib.suppress(OSError):
            os.write(self._master, data)

    def read(self, timeout_s: float) -> bytes:
        """What the agent sent; empty after `timeout_s`. Nobody listening reads as silence."""
        if self._master is None:
            return b""
        try:
            if select.select([self._master], [], [], timeout_s)[0]:
                return os.read(self._master, 4096)
        except OSError:
            return b""
        return b""
