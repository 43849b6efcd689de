"""A receiver for the position path: seven sentences an epoch, whose last byte's moment is known to the nanosecond."""

from __future__ import annotations

import contextlib
import os
import time
import tty
from datetime import UTC, datetime, timedelta

from simulators.bench.nmea_writer import sentence


class Receiver:
    """A pty that speaks NMEA; what is plugged into its `port` reads it."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)  # a reader that has died shall show as loss, not as a bench that hangs
        self.port = os.ttyname(self._slave)
        self._zero = datetime.now(UTC).replace(microsecond=0)
        self._zero_s = time.monotonic()
        self.sent_ns: dict[int, int] = {}  # time stamp in tenths of a second since 1970 -> when it was written

    def send(self) -> None:
        """Write the epoch of this moment."""
        tenths = round((time.monotonic() - self._zero_s) * 10)
        when = self._zero + timedelta(seconds=tenths / 10)
        data = _epoch(when, tenths)
        self.sent_ns[tenths_of(when)] = time.monotonic_ns()
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def close(self) -> None:
        os.close(self._slave)
        os.close(self._master)


def tenths_of(when: datetime) -> int:
    """The key of an epoch."""
    return round(when.timestamp() * 10)


def _epoch(when: datetime, tenths: int) -> bytes:
    """A vehicle under way at 15 m/s towards the north."""
    clock = when.strftime("%H%M%S.") + f"{when.microsecond // 10_000:02d}"
    minutes = 14.33694 + tenths * 0.00081
    place = f"43{minutes % 60:08.5f},N,07653.38254,E"
    lines = (
        f"GNRMC,{clock},A,{place},29.158,0.00,{when:%d%m%y},,,A,V",
        "GNVTG,0.00,T,,M,29.158,N,54.000,K,A",
        f"GNGGA,{clock},{place},1,12,0.80,812.4,M,-40.6,M,,",
        "GNGSA,A,3,05,07,08,13,14,20,28,30,,,,,1.24,0.80,0.95,1",
        "GPGSV,2,1,08,05,20,000,44,07,29,037,41,08,38,074,38,13,47,111,35,1",
        "GPGSV,2,2,08,14,20,148,44,20,29,185,41,28,38,222,38,30,47,259,35,1",
        f"GNGLL,{place},{clock},A,A",
    )
    return "".join(sentence(line) for line in lines).encode("ascii")
