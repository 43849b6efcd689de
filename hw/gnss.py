"""The GNSS receiver on its serial wire: fixes for time, place and movement (Rule 19's time; hazards H21 to H23).

Nothing that the wire does escapes the thread: garbage is counted, a lost port is opened again, and age tells the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hw.fix import FLOOR_UTC, Fix, TrustLimits
from hw.nmea import Counts, NmeaReader
from hw.serial_port import Backoff, SerialWire, WireError

__all__ = ["Fix", "GnssReceiver", "GnssStatus"]

FIXES_KEPT_MAX = 600  # a minute at 10 Hz; a reader that is slower loses the oldest
READ_TIMEOUT_S = 0.25  # bounds how long stop() takes
# A receiver speaks every second. A port silent for this long is opened anew: the cure for an adapter that came back
# under the same name.
SILENCE_S_MAX = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GnssStatus:
    """For the doctor and the metrics; `problem` is None while the port is open."""

    port: str
    is_open: bool
    problem: str | None
    data_at_s: float | None  # monotonic, of the last bytes
    openings: int
    counts: Counts


class GnssReceiver:
    """`start()`, then `latest()` and `drain()` from any thread, `stop()` at the end."""

    def __init__(
        self,
        port: str,
        baud: int = 9600,
        *,
        satellites_min: int = 4,
        hdop_max: float = 5.0,
        floor_utc: datetime = FLOOR_UTC,
        on_fix: Callable[[], None] | None = None,
    ) -> None:
        """`on_fix` is called in the receiver's thread after each epoch; it must return at once and never raise."""
        self._wire = SerialWire(str(port), baud)
        self._reader = NmeaReader(TrustLimits(satellites_min, hdop_max, floor_utc))
        self._on_fix = on_fix
        self._fixes: deque[Fix] = deque(maxlen=FIXES_KEPT_MAX)
        self._latest: Fix | None = None
        self._problem: str | None = "not started"
        self._told: str | None = None
        self._data_at_s: float | None = None
        self._openings = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gnss", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the port is closed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def latest(self) -> Fix | None:
        """The newest epoch, even without a fix (mode 1); its `at_s` tells its age."""
        return self._latest

    def drain(self) -> list[Fix]:
        """Every epoch since the last call, oldest first."""
        fixes = []
        while True:
            try:
                fixes.append(self._fixes.popleft())
            except IndexError:
                return fixes

    def status(self) -> GnssStatus:
        return GnssStatus(
            self._wire.port, self._problem is None, self._problem, self._data_at_s, self._openings, self._reader.counts
        )

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                self._session(backoff)
            except WireError as problem:
                self._say(str(problem))
            except Exception as problem:  # noqa: BLE001  the position may be lost, the thread that finds it again may not
                self._say(f"{self._wire.port}: unexpected {problem!r}")
            self._wire.close()
            self._stopping.wait(backoff.next_s())
        self._problem = "stopped"

    def _session(self, backoff: Backoff) -> None:
        """From opening the port to losing it."""
        self._wire.open()
        self._reader.reset()
        self._openings += 1
        self._problem = None
        heard_at_s = time.monotonic()
        while not self._stopping.is_set():
            data = self._wire.read(READ_TIMEOUT_S)
            now_s = time.monotonic()
            if data:
                heard_at_s = self._data_at_s = now_s
                self._told = None
                backoff.reset()
                for fix in self._reader.feed(data, now_s):
                    self._latest = fix
                    self._fixes.append(fix)
                    if self._on_fix is not None:
                        self._on_fix()
            elif now_s - heard_at_s > SILENCE_S_MAX:
                raise WireError(f"{self._wire.port}: silent for {SILENCE_S_MAX:.0f} s")

    def _say(self, problem: str) -> None:
        """One log line until the receiver speaks again, not one per attempt."""
        if problem != self._told and not self._stopping.is_set():
            _log.warning("gnss: %s", problem)
        self._problem = self._told = problem
