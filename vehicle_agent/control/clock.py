"""The only clock of control: monotonic time for every duration, wall time as a value with a source and an uncertainty.

A computer without a battery may wake up in 1970, and a receiver may lose 1024 weeks: a date before this software was
built is never believed (hazards H11, H12). The system's clock is read, never set.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vehicle_agent.core.inputs import Fix

BUILD_FLOOR_UTC = datetime(2026, 11, 1, tzinfo=UTC)  # moved forward with every release
FIXES_NEEDED = 3  # one sentence never sets a clock
FIX_AGREE_S = 0.5  # what serial buffering may shift a fix's arrival by
FIX_GAP_S = 10.0  # fixes further apart do not speak for each other
GNSS_UNCERTAINTY_S = 0.5  # an epoch's sentences take some tenths of a second at 9600 baud
DRIFT = 50e-6  # a crystal's worst, in seconds a second
GNSS_HOLD_S = 3600.0  # after an hour without a fix a synchronised system clock is better
STEP_S = 1.0  # a smaller change of the wall time is not worth a row
POLL_S = 1.0
SET_S = 0.5  # between two answers of the kernel no discipline moves the clock so far; a scan may be as late
_SLEW = 1 / 16  # share of a fix's deviation that is taken over, so that jitter does not reach the time
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Wall:
    """The wall time of one moment. `uncertainty_s` is None where nobody can say."""

    utc: datetime
    source: str
    uncertainty_s: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """The wall time now comes from elsewhere, or jumped by `step_s`."""

    source: str
    uncertainty_s: float | None
    step_s: float


def boot_id() -> str:
    """Names this boot of the machine; monotonic times of two boots cannot be compared."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def parse_utc(text: str) -> datetime:
    """The time of a journal row."""
    return datetime.fromisoformat(text)


def system_synchronisation() -> float | None:
    """Uncertainty in seconds if the system's clock is synchronised by NTP now, else None.

    Only the kernel is asked: a daemon's mark that it once was does not go when somebody sets the clock by hand.
    """
    from vehicle_agent.control.kernel_time import synchronisation_s  # noqa: PLC0415 (ctypes only after the first scan)

    return synchronisation_s()


class Clock:
    """Belongs to the scan thread, except `mono`, which any thread may call."""

    def __init__(
        self,
        *,
        mono: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        synchronisation: Callable[[], float | None] = system_synchronisation,
        floor_utc: datetime = BUILD_FLOOR_UTC,
    ) -> None:
        self.mono = mono
        self._wall = wall
        self._synchronisation = synchronisation
        self._floor_s = floor_utc.timestamp()
        self._rtc_floor_s = self._floor_s
        self._anchor: tuple[float, float] | None = None  # (UTC seconds, monotonic) of a moment, from GNSS
        self._fixed_at_s = 0.0
        self._candidate: tuple[float, float] | None = None
        self._agreeing = 0
        self._synchronised: float | None = None
        self._polled_at_s: float | None = None
        self._polled_offset_s = 0.0  # system's wall time minus monotonic, just before that answer
        self._offset_s: float | None = None  # reported wall time minus monotonic, at the last tick
        self._source = "none"
        self._last_ms = 0
        self._counter = 0

    def believe_no_earlier(self, utc: datetime) -> None:
        """A battery clock behind the journal's last trusted time has lost its time, and counts as none."""
        self._rtc_floor_s = max(self._floor_s, utc.timestamp())

    def feed(self, fix: Fix) -> None:
        """Take one epoch of the receiver: three trusted ones that agree set the time, one never does."""
        if not fix.valid or not fix.trusted or fix.time_utc is None:
            return
        utc_s = fix.time_utc.timestamp()
        if utc_s < self._floor_s:
            self._candidate, self._agreeing = None, 0
            return
        agrees = self._candidate is not None and _agree(self._candidate, (utc_s, fix.at_s))
        self._agreeing = self._agreeing + 1 if agrees else 1
        self._candidate = (utc_s, fix.at_s)
        if self._agreeing < FIXES_NEEDED:
            return
        self._agreeing = FIXES_NEEDED
        if self._anchor is not None:
            deviation_s = utc_s - (self._anchor[0] + fix.at_s - self._anchor[1])
            if abs(deviation_s) < STEP_S:
                utc_s += (_SLEW - 1) * deviation_s
        self._anchor = (utc_s, fix.at_s)
        self._fixed_at_s = fix.at_s

    def now(self, mono_s: float) -> Wall:
        """The wall time at `mono_s`, which is now."""
        source, utc_s, uncertainty_s = self._choose(mono_s)
        return Wall(datetime.fromtimestamp(max(utc_s, 0.0), UTC), source, uncertainty_s)

    def tick(self, mono_s: float) -> Change | None:
        """Once a scan: look whether the source changed or the time jumped. The first call only looks."""
        system_offset_s = self._wall() - mono_s
        if self._polled_at_s is None or mono_s - self._polled_at_s >= POLL_S or self._was_set(system_offset_s):
            self._polled_at_s, self._polled_offset_s = mono_s, system_offset_s
            self._synchronised = self._synchronisation()
        source, utc_s, uncertainty_s = self._choose(mono_s)
        offset_s = utc_s - mono_s
        is_first = self._offset_s is None
        step_s = 0.0 if self._offset_s is None else offset_s - self._offset_s
        changed = not is_first and (source != self._source or abs(step_s) >= STEP_S)
        self._offset_s, self._source = offset_s, source
        return Change(source, uncertainty_s, round(step_s, 3)) if changed else None

    def new_id(self) -> str:
        """A UUIDv7 (RFC 9562): ordered by the system's clock, and by a counter within one millisecond."""
        ms = max(int(self._wall() * 1000), self._last_ms)
        self._counter = self._counter + 1 if ms == self._last_ms else int.from_bytes(os.urandom(1), "big")
        if self._counter > 0xFFF:
            ms, self._counter = ms + 1, 0
        self._last_ms = ms
        low = int.from_bytes(os.urandom(8), "big") & (2**62 - 1) | (0b10 << 62)
        value = f"{(ms & (2**48 - 1)) << 80 | 0x7 << 76 | self._counter << 64 | low:032x}"
        return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"

    def _was_set(self, system_offset_s: float) -> bool:
        """The system's clock was set since the kernel answered: what it said was of another time."""
        return abs(system_offset_s - self._polled_offset_s) >= SET_S

    def _choose(self, mono_s: float) -> tuple[str, float, float | None]:
        system_s = self._wall()
        is_believed = system_s >= self._floor_s and not self._was_set(system_s - mono_s)
        synchronised = self._synchronised if is_believed else None
        if self._anchor is not None:
            gnss_s = self._anchor[0] + mono_s - self._anchor[1]
            age_s = max(mono_s - self._fixed_at_s, 0.0)
            if age_s < GNSS_HOLD_S or synchronised is None:
                uncertainty_s = GNSS_UNCERTAINTY_S + DRIFT * age_s
                if synchronised is not None:  # two sources that disagree are both possible
                    uncertainty_s = max(uncertainty_s, abs(system_s - gnss_s))
                return "gnss", gnss_s, round(uncertainty_s, 3)
        if synchronised is not None:
            return "ntp", system_s, round(synchronised, 3)
        return ("rtc" if system_s >= self._rtc_floor_s else "none"), system_s, None


def _agree(old: tuple[float, float], new: tuple[float, float]) -> bool:
    """Whether two fixes (UTC, monotonic) tell the same time, as far as the monotonic clock between them goes."""
    between_s = new[1] - old[1]
    return 0.0 < between_s <= FIX_GAP_S and abs((new[0] - old[0]) - between_s) <= FIX_AGREE_S and new[0] > old[0]
