"""Runs the display as in the vehicle: its own process, the reference configuration, a Unix socket to control."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "config" / "vehicle"
STARTED = re.compile(r"http://127\.0\.0\.1:(\d+)/")
START_S = 15.0


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 5.0) -> None:
    """Poll until `condition` holds; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.01)


def configuration(folder: Path, display: str = "port = 0", limits: str = "") -> Path:
    """The reference configuration with the socket in `folder` and lines added to two tables."""
    made = folder / "config"
    shutil.copytree(REFERENCE, made)
    vehicle = made / "vehicle.toml"
    text = re.sub(r"(?ms)^\[(paths|display|limits)\].*?(?=^\[|\Z)", "", vehicle.read_text(encoding="utf-8"))
    text += f'\n[paths]\nruntime_dir = "{folder}"\n[display]\n{display}\n[limits]\n{limits}\n'
    vehicle.write_text(text, encoding="utf-8")
    return made


class DisplayProcess:
    """One running display."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        wait_for(lambda: STARTED.search(self.said()) is not None or process.poll() is not None, "an address", START_S)
        found = STARTED.search(self.said())
        if found is None:
            raise AssertionError(f"the display ended with {process.poll()}: {self.said()}")
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def pss_mib(self) -> float:
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        return int(rollup.split("Pss:")[1].split()[0]) / 1024

    def stop(self) -> int:
        """End it as systemd does. Returns the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        return self.process.wait(10)


def spawn(config: Path, log: Path, notify_socket: str = "") -> subprocess.Popen[bytes]:
    """Start the process without waiting for it."""
    code = "import sys, pathlib; from vehicle_agent.display.run import main; sys.exit(main(pathlib.Path(sys.argv[1])))"
    environment = dict(os.environ, NOTIFY_SOCKET=notify_socket)
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-c", code, str(config)], stderr=file, env=environment)


@contextmanager
def running(
    folder: Path, display: str = "port = 0", notify_socket: str = "", limits: str = ""
) -> Iterator[DisplayProcess]:
    """A display whose control socket is `folder/control.sock`."""
    log = folder / "display.log"
    process = spawn(configuration(folder, display, limits), log, notify_socket)
    try:
        yield DisplayProcess(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
