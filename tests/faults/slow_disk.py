"""A disk that hangs or is full under the real journal of a real control: the kernel's answers, changed by strace.

Only the journal's thread is traced, so the scan runs at its own speed. Needs strace and the right to trace a process.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

ATTACH_WITHIN_S = 5.0
WRITES = "pwrite64,write,fallocate,ftruncate"  # what a full file system refuses
FLUSHES = "fdatasync,fsync"  # where a commit waits for the disk


def journal_thread(pid: int) -> int:
    """The kernel's number of the thread that writes the journal: the first one that control starts."""

    def began(task: Path) -> tuple[int, int]:
        fields = (task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return int(fields[19]), int(task.name)  # field 22 of the line, counted from behind the name

    others = [task for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
    return int(min(others, key=began).name)


class FaultyDisk:
    """While it lasts, what the journal's thread asks of its disk goes as `inject` says (strace's own words)."""

    def __init__(self, pid: int, log: Path, inject: str) -> None:
        self._task = Path(f"/proc/{pid}/task/{journal_thread(pid)}")
        self._log = log
        calls = inject.partition(":")[0]
        command = ["strace", "-p", self._task.name, "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={inject}"]
        self._strace = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr is not None
        line = self._strace.stderr.readline()
        if "attached" not in line:
            self.end()
            raise RuntimeError(f"strace could not take hold of control's journal thread: {line.strip()}")

    @property
    def is_waiting(self) -> bool:
        """Whether the thread waits in the kernel for its disk at this moment."""
        return self._state() == "t" and self._is_same_after(0.002)

    @property
    def hits(self) -> int:
        """How many calls have been tampered with and are over."""
        text = self._log.read_text(encoding="utf-8")
        return text.count("(DELAYED)") + text.count("(INJECTED)")

    def end(self) -> None:
        """The disk is well again from now on."""
        if self._strace.poll() is None:
            self._strace.send_signal(signal.SIGTERM)
        try:
            self._strace.wait(ATTACH_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._strace.kill()
            self._strace.wait()
        if self._strace.stderr is not None:
            self._strace.stderr.close()

    def _state(self) -> str:
        with contextlib.suppress(OSError):
            return (self._task / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        return "gone"

    def _is_same_after(self, span_s: float) -> bool:
        """Each traced call stops the thread for some microseconds; one that waits is still stopped later."""
        before = self._switches()
        end_s = time.monotonic() + span_s
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(left_s)
        return self._state() == "t" and self._switches() == before

    def _switches(self) -> str:
        with contextlib.suppress(OSError):
            return (self._task / "status").read_text(encoding="utf-8").partition("voluntary_ctxt_switches")[2]
        return ""


@contextlib.contextmanager
def hanging_disk(pid: int, log: Path, span_s: float, *, only_first: bool = False) -> Iterator[FaultyDisk]:
    """Every flush (or the first one alone) takes `span_s` longer."""
    when = ":when=1" if only_first else ""
    disk = FaultyDisk(pid, log, f"{FLUSHES}:delay_enter={round(span_s * 1e6)}{when}")
    try:
        yield disk
    finally:
        disk.end()


@contextlib.contextmanager
def full_disk(pid: int, log: Path) -> Iterator[FaultyDisk]:
    """Nothing can be written any more, not even after the space kept back was released."""
    disk = FaultyDisk(pid, log, f"{WRITES}:error=ENOSPC")
    try:
        yield disk
    finally:
        disk.end()
