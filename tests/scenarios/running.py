"""A running demo for tests: started as a person starts it, on ports that the kernel chose, ended and swept up."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START_WITHIN_S = 45.0
STOP_WITHIN_S = 15.0


class Demo:
    """One demo; `ready` is its JSON line. Everything that it writes lies in one directory, which `sweep` removes."""

    def __init__(self, *options: str, path: str = os.environ["PATH"]) -> None:
        self._directory = tempfile.mkdtemp(prefix="stv-test-")  # short: Unix sockets lie in it
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulators.demo_run", "--no-browser", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": self._directory, "PATH": path},
            start_new_session=True,  # everything that the demo starts is found by its session
        )
        self.line = ""
        self.ready: dict[str, Any] = {}

    def wait_ready(self) -> Demo:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], START_WITHIN_S)
        self.line = self.process.stdout.readline() if readable else ""
        if not self.line:
            self.process.kill()
            raise AssertionError(f"the demo did not start: {self.process.communicate()[1]}")
        self.ready = json.loads(self.line)
        return self

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)

    def sweep(self) -> None:
        """After a test: nothing of it is left, in the process table or on the disk."""
        if self.process.poll() is None:
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.process.kill()  # its children die with it
                self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def descendants(session: int) -> dict[int, str]:
    """Every living process of this session: pid and command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if os.getsid(int(entry.name)) != session:
                continue
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    return found


def until(is_so: Callable[[], object], within_s: float) -> bool:
    """Poll until the condition holds; False when it never does."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        if is_so():
            return True
        time.sleep(0.02)
    return bool(is_so())
