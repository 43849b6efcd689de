"""A serial wire that may be pulled at any moment: opened exclusively, read in chunks (hazards H22, H33)."""

from __future__ import annotations

import contextlib
import select
import termios

import serial

CHUNK_BYTES_MAX = 512  # half a second at 9600 baud; keeps one read, and what hangs on it, short
WRITE_TIMEOUT_S = 0.5
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 5.0

# What pyserial lets through when a device vanishes between two calls: SerialException is an OSError, but a closed
# descriptor shows as TypeError or ValueError and a dead tty as termios.error.
_LOST = (OSError, termios.error, TypeError, ValueError)


class WireError(Exception):
    """The port cannot be opened or was lost; the text says which and why."""


class SerialWire:
    """One port. Every failure is a WireError, after which the wire is closed and may be opened again."""

    def __init__(self, port: str, baud: int) -> None:
        self.port = port
        self.baud = baud
        self._serial: serial.Serial | None = None

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    def open(self) -> None:
        try:
            opened = serial.Serial(
                self.port,
                self.baud,
                timeout=0,
                write_timeout=WRITE_TIMEOUT_S,
                exclusive=True,
                rtscts=False,
                dsrdtr=False,
            )
        except _LOST as problem:
            raise WireError(f"{self.port}: {_reason(problem)}") from problem
        self._serial = opened
        try:
            # Bytes that came before raw mode was set are echoed into the output queue, and closing would wait for them.
            opened.reset_output_buffer()
        except _LOST as problem:
            self._fail(problem)

    def read(self, timeout_s: float) -> bytes:
        """What is there, at most CHUNK_BYTES_MAX; empty after `timeout_s` of silence."""
        port = self._opened()
        try:
            if not select.select([port.fileno()], [], [], timeout_s)[0]:
                return b""
            return bytes(port.read(max(1, min(port.in_waiting, CHUNK_BYTES_MAX))))
        except _LOST as problem:
            self._fail(problem)
            return b""

    def write(self, data: bytes) -> None:
        port = self._opened()
        try:
            port.write(data)
        except _LOST as problem:
            self._fail(problem)

    def close(self) -> None:
        port, self._serial = self._serial, None
        if port is None:
            return
        with contextlib.suppress(*_LOST):
            port.reset_output_buffer()  # nobody will read it; closing would wait for it
        with contextlib.suppress(*_LOST):
            port.close()

    def _opened(self) -> serial.Serial:
        if self._serial is None:
            raise WireError(f"{self.port}: not open")
        return self._serial

    def _fail(self, problem: BaseException) -> None:
        self.close()
        raise WireError(f"{self.port}: lost, {_reason(problem)}") from problem


class Backoff:
    """Waiting times between attempts: 0.5 s doubling to 5 s; `reset` after a success."""

    def __init__(self) -> None:
        self._next_s = BACKOFF_FIRST_S

    def next_s(self) -> float:
        wait_s, self._next_s = self._next_s, min(BACKOFF_MAX_S, self._next_s * 2.0)
        return wait_s

    def reset(self) -> None:
        self._next_s = BACKOFF_FIRST_S


def _reason(problem: BaseException) -> str:
    strerror = getattr(problem, "strerror", None)
    return str(strerror or problem)
