"""`vehicle-agent gnss PORT`: the fixes of a receiver or a recording, one JSON line per epoch (Rule 19's time and
place).

A plain file or FIFO ends with its input; a serial port with its loss. Both are exit 0.
"""

from __future__ import annotations

import json
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hw.fix import Fix, TrustLimits
from hw.nmea import NmeaReader
from hw.serial_port import SerialWire, WireError

FILE_CHUNK_BYTES = 4096


def main(port: str, baud: int) -> int:
    """Exit code: 0 at the end of input, 2 when the port cannot be opened."""
    try:
        mode = os.stat(port).st_mode  # noqa: PTH116  a port is a name for the system, not a path of ours
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "is a directory, not a port or a file")
        is_serial = stat.S_ISCHR(mode)
        is_recording = stat.S_ISREG(mode)
        chunks = _serial(port, baud) if is_serial else _recording(port) if is_recording else _pipe(port)
        # A recording needs no guess about where an epoch ends; whoever listens to a wire wants each one at once.
        reader = NmeaReader(TrustLimits(is_live=is_serial), eager=not is_recording)
    except (OSError, WireError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        sys.stderr.write(f"gnss: cannot open {port}: {reason}. Give a serial port or a recorded log.\n")
        return 2
    try:
        for data, at_s in chunks:
            _print(reader.feed(data, at_s))
        _print(reader.end())
    except (BrokenPipeError, KeyboardInterrupt):
        # Nobody reads any more: leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _serial(port: str, baud: int) -> Iterator[tuple[bytes, float]]:
    wire = SerialWire(port, baud)
    wire.open()

    def chunks() -> Iterator[tuple[bytes, float]]:
        try:
            while True:
                if data := wire.read(timeout_s=1.0):
                    yield data, time.monotonic()
        except WireError:
            return
        finally:
            wire.close()

    return chunks()


def _recording(port: str) -> Iterator[tuple[bytes, float]]:
    """A recorded log line by line, without its comments: they may quote sentences."""
    handle = Path(port).open("rb")  # noqa: SIM115  closed by the generator that reads it

    def chunks() -> Iterator[tuple[bytes, float]]:
        with handle:
            at_line_start = True
            while data := handle.readline(FILE_CHUNK_BYTES):
                is_comment = at_line_start and data.startswith(b"#")
                at_line_start = data.endswith(b"\n")
                if is_comment:
                    data = data[1:].partition(b"\r")[2]  # some logs end their lines with a bare carriage return
                yield data, 0.0

    return chunks()


def _pipe(port: str) -> Iterator[tuple[bytes, float]]:
    descriptor = os.open(port, os.O_RDONLY)

    def chunks() -> Iterator[tuple[bytes, float]]:
        try:
            while True:
                select.select([descriptor], [], [])
                data = os.read(descriptor, FILE_CHUNK_BYTES)
                if not data:
                    return
                yield data, time.monotonic()
        except OSError:
            return
        finally:
            os.close(descriptor)

    return chunks()


def _print(fixes: list[Fix]) -> None:
    for fix in fixes:
        sys.stdout.write(json.dumps(as_json(fix)) + "\n")
    if fixes:
        sys.stdout.flush()


def as_json(fix: Fix) -> dict[str, object]:
    """The contract's names; null where the receiver gave nothing."""
    moment = fix.time_utc
    return {
        "time": None
        if moment is None
        else moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        "latitude_deg": _round(fix.latitude_deg, 9),
        "longitude_deg": _round(fix.longitude_deg, 9),
        "altitude_m": _round(fix.altitude_m, 3),
        "speed_mps": _round(fix.speed_mps, 3),
        "course_deg": _round(fix.course_deg, 3),
        "mode": fix.mode,
        "satellites": fix.satellites,
        "hdop": fix.hdop,
        "valid": fix.valid,
        "trusted": fix.trusted,
        "reasons": list(fix.reasons),
    }


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
