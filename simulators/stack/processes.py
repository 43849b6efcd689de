"""Starts the demo's processes, starts again what dies, ends all of them; what systemd does on a vehicle.

Each child is killed by the kernel when its supervisor dies, however that dies; so use one `Supervisor` from one thread
only, the thread that lives as long as the demo.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from simulators.stack.scheduling import schedule_as_unit

RESTART_AFTER_S = 0.3  # the contract allows 1 s; a process that dies at once must not take the whole processor
STOP_WAIT_S = 4.0  # every process ends within 3 s of SIGTERM; then SIGKILL
LOG_LINES = 15
_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    is_scanning: bool = False  # scheduled as control's unit has it, where we have the right to


@dataclass(slots=True)
class Child:
    program: Program
    process: subprocess.Popen[bytes]
    died_at_s: float | None = None


class ProcessDiedError(Exception):
    """A process ended while the demo was starting; the message holds its last log lines."""


class Supervisor:
    """The processes of one demo by name."""

    def __init__(self, logs: Path, pid_files: Path, cwd: Path) -> None:
        self._logs = logs
        self._pid_files = pid_files
        self._cwd = cwd
        self._children: dict[str, Child] = {}

    def start(self, program: Program) -> None:
        self._children[program.name] = Child(program, self._spawn(program))

    def pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self._children.items()}

    def check_alive(self) -> None:
        """Raise ProcessDiedError for the first process that has ended."""
        for name, child in self._children.items():
            code = child.process.poll()
            if code is not None:
                raise ProcessDiedError(f"{name} ended with {_ending(code)}.\n{self.last_lines(name)}")

    def restart_dead(self) -> list[str]:
        """Start what has been dead for `RESTART_AFTER_S`; the names of those that were started."""
        now_s = time.monotonic()
        started = []
        for name, child in self._children.items():
            if child.process.poll() is None:
                continue
            if child.died_at_s is None:
                child.died_at_s = now_s
            elif now_s - child.died_at_s >= RESTART_AFTER_S:
                child.process = self._spawn(child.program)
                child.died_at_s = None
                started.append(name)
        return started

    def last_lines(self, name: str) -> str:
        path = self._logs / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines()[-LOG_LINES:] if path.exists() else []
        return "\n".join([f"Last lines of {path}:", *(f"  {line}" for line in lines)])

    def stop(self, *waves: tuple[str, ...]) -> None:
        """End the named processes wave by wave, then all others; SIGKILL for those that do not end."""
        rest = tuple(name for name in self._children if not any(name in wave for wave in waves))
        for wave in (*waves, rest):
            running = [self._children[name].process for name in wave if name in self._children]
            for process in running:
                _signal(process, signal.SIGTERM)
                _signal(process, signal.SIGCONT)  # a stopped process would not hear SIGTERM
            deadline_s = time.monotonic() + STOP_WAIT_S
            for process in running:
                try:
                    process.wait(max(0.0, deadline_s - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        supervisor = os.getpid()

        def die_with_supervisor() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:  # it died between fork and prctl
                os._exit(1)

        with (self._logs / f"{program.name}.log").open("ab") as log:
            process = subprocess.Popen(
                program.command,
                cwd=self._cwd,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C in the terminal reaches the supervisor alone, which ends the others in order
                preexec_fn=die_with_supervisor,  # noqa: PLW1509 - only prctl is called, and no lock is taken
            )
        if program.is_scanning:
            schedule_as_unit(process.pid)  # its main thread alone is there yet, the others inherit it
        (self._pid_files / program.name).write_text(f"{process.pid}\n")
        return process


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
