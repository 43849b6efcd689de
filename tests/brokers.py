"""A real mosquitto for tests: our own child, on a port that the kernel chose, in the test's own directory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") or ""
START_S = 10.0  # far above the 20 ms it takes, for a loaded machine


class Broker:
    """One mosquitto; `kill` is SIGKILL, `restart` brings it back on the same port."""

    def __init__(self, directory: Path, port: int, lines: Sequence[str], persistence: bool) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._config.write_text("\n".join([*_base(directory, port, persistence), *lines]) + "\n", encoding="utf-8")
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, "the broker is not running"
        return self._child.pid

    def start(self) -> None:
        assert self._child is None, "the broker is running already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            # mosquitto ends when it cannot bind: while it lives and the port answers, the listener is ours.
            if self._child.poll() is not None:
                self._child = None
                raise OSError(f"mosquitto ended at once: {self.log.read_text(errors='replace')[-500:]}")
            if _answers(self.host, self.port) and self._child.poll() is None:
                return
            time.sleep(0.01)
        self.stop()
        raise TimeoutError("mosquitto does not listen")

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        if self._child is None:
            return
        self._child.send_signal(signal_number)
        try:
            self._child.wait(START_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def kill(self) -> None:
        """As a power cut of the broker: it can save nothing and tell nobody."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """A half-open link: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@contextmanager
def mosquitto(
    tmp_path: Path, *, lines: Sequence[str] = (), persistence: bool = False, port: int | None = None, start: bool = True
) -> Iterator[Broker]:
    """A broker on loopback for anonymous clients; `lines` are added to its configuration after the listener."""
    directory = tmp_path / "mosquitto"
    directory.mkdir(parents=True, exist_ok=True)
    broker = (
        _started(directory, lines, persistence, port)
        if start
        else Broker(directory, port or free_port(), lines, persistence)
    )
    try:
        yield broker
    finally:
        broker.stop(signal.SIGKILL)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _started(directory: Path, lines: Sequence[str], persistence: bool, port: int | None) -> Broker:
    for _ in range(5):  # somebody else may take the port between the probe and the start
        broker = Broker(directory, port or free_port(), lines, persistence)
        try:
            broker.start()
        except OSError:
            if port is not None:
                raise
            continue
        return broker
    raise OSError(f"mosquitto does not start: {broker.log.read_text(errors='replace')[-500:]}")


def _base(directory: Path, port: int, persistence: bool) -> list[str]:
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "message_size_limit 8192",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        f"persistence {'true' if persistence else 'false'}",
    ]
    if persistence:
        lines += [f"persistence_location {directory}/", "autosave_on_changes true", "autosave_interval 1"]
    if os.geteuid() == 0:
        lines.append("user root")  # else it changes to its own user, which cannot read the test's directory
    return lines


def _answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0
