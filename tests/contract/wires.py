"""Shared by the tests of the serial wires: sentences with checksums, waiting for a condition, counting descriptors."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hw.fix import Fix, TrustLimits
from hw.nmea import NmeaReader
from simulators.bench.nmea_writer import sentence

LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "nmea"


def lines(*bodies: str) -> bytes:
    """Sentence bodies without `$`, to bytes with checksum and line end."""
    return "".join(sentence(body) for body in bodies).encode("latin-1")


def read(*bodies: str, limits: TrustLimits | None = None) -> list[Fix]:
    """The fixes of a recording."""
    reader = NmeaReader(limits or TrustLimits(is_live=False), eager=False)
    return reader.feed(lines(*bodies), 0.0) + reader.end()


def wait_for(condition: Callable[[], object], within_s: float = 5.0) -> float:
    """Seconds until the condition held; fails when it does not in time."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() - began_s < within_s, "the condition did not come true in time"
        time.sleep(0.005)
    return time.monotonic() - began_s


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
