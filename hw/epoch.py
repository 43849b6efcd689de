"""Epochs: the sentences of one time stamp become one line, by gpsd's rules for the mode (Rule 19's time and place).

NMEA has no "end of epoch" and only GSA says 2D or 3D, often late, sometimes never. The mode is therefore worked out
sentence by sentence as gpsd documents it: a position is 2D, a position with an altitude and four satellites is 3D, GSA
decides unless an altitude is known, and the last word of the epoch counts. One thing is stricter here: RMC status V
ends the claim for its epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from hw.nmea_fields import Sentence

DAY_MS = 86_400_000
NO_FIX, FIX_2D, FIX_3D = 1, 2, 3
SATELLITES_3D = 4  # unknowns: three coordinates and the receiver's clock
SENTENCES_MAX = 64  # of one epoch; the busiest receivers send twenty that matter
USED_MAX = 200  # satellites in one list; all systems together fly fewer
# Sentences that carry no part of a fix neither open nor close an epoch.
_FIX_KINDS = frozenset({"RMC", "GGA", "GNS", "GLL", "GSA", "VTG", "ZDA"})
_TIMED_KINDS = _FIX_KINDS - {"GSA", "VTG"}
# After a sentence came later than the learned end, this many epochs wait for the next time stamp instead.
_CAUTIOUS_EPOCHS = 16


@dataclass(slots=True)
class Epoch:
    """Everything the receiver said for one time stamp; positions only where it claims a fix.

    Grows while its sentences come and is not changed once it was handed out.
    """

    at_s: float = 0.0  # monotonic, of the last byte
    time_ms: int | None = None
    time_utc: datetime | None = None
    is_leap_second: bool = False
    mode: int = 0  # 0 until a sentence spoke of it
    is_void: bool = False  # RMC said V
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    satellites: int | None = None
    hdop: float | None = None
    qualities: frozenset[str] = frozenset()
    antenna: str | None = None
    bad: tuple[str, ...] = ()


class EpochBuilder:
    """Sentences in, finished epochs out.

    `eager` closes an epoch at the sentence that closed the one before; a recording, where nobody waits, is read with
    `eager=False` and then needs no guess about what ends an epoch.
    """

    def __init__(self, *, eager: bool) -> None:
        self._eager = eager
        self._day: date | None = None
        self._day_time_ms: int | None = None  # newest time of day under `_day`
        self._previous = Epoch()
        self._current: Epoch | None = None
        self._current_day: date | None = None
        self._seen: list[tuple[str, int]] = []  # kinds of this epoch in order, with how many of that kind before
        self._closer: tuple[str, int] | None = None
        self._cautious = 0
        self._closed_time_ms: int | None = None
        self._used: frozenset[str] = frozenset()
        self._last_gsa_talker: str | None = None
        self._gsa_of_other_systems = False
        self._antenna: str | None = None

    def feed(self, sentence: Sentence, at_s: float) -> list[Epoch]:
        """The epochs that this sentence finishes: none, one, or two (it opens and closes its own)."""
        if sentence.kind == "GSA":
            self._count_used(sentence)
        else:
            self._last_gsa_talker = None
        if sentence.antenna is not None:
            self._antenna = sentence.antenna
        if sentence.kind not in _FIX_KINDS:
            return []
        done: list[Epoch] = []
        if self._current is not None and self._starts_anew(sentence):
            done += self._close()
        if self._current is None:
            if self._is_late(sentence):
                self._cautious = _CAUTIOUS_EPOCHS
                return done
            self._current, self._current_day, self._seen = Epoch(), None, []
        if len(self._seen) >= SENTENCES_MAX:
            return done  # noise that happens to be well formed; the next time stamp ends it
        self._merge(sentence, at_s)
        if self._eager and not self._cautious and self._closer == self._seen[-1]:
            done += self._close()
        return done

    def end(self) -> list[Epoch]:
        """End of input closes the last epoch."""
        return self._close() if self._current is not None else []

    def _starts_anew(self, sentence: Sentence) -> bool:
        current = self._current
        if current is None or sentence.kind not in _TIMED_KINDS:
            return False
        if sentence.time_ms is not None:
            return current.time_ms is not None and current.time_ms != sentence.time_ms
        if current.time_ms is not None:
            return _lost_time(sentence)
        # No time stamp at all, as before a first fix: a kind that repeats begins the next round.
        return any(kind == sentence.kind for kind, _ in self._seen)

    def _is_late(self, sentence: Sentence) -> bool:
        """Belongs to the epoch that was closed already; one line per time stamp."""
        if self._closed_time_ms is None or _lost_time(sentence):
            return False
        return sentence.time_ms is None or sentence.time_ms == self._closed_time_ms

    def _close(self) -> list[Epoch]:
        epoch, self._current = self._current, None
        if epoch is None:
            return []
        self._closer = self._seen[-1]
        self._cautious = max(0, self._cautious - 1)
        self._closed_time_ms = epoch.time_ms
        epoch.time_utc = self._time_utc(epoch)
        epoch.antenna = self._antenna
        if epoch.is_void or epoch.mode < FIX_2D or epoch.latitude_deg is None:
            epoch.mode = NO_FIX
            epoch.latitude_deg = epoch.longitude_deg = epoch.altitude_m = epoch.speed_mps = epoch.course_deg = None
        elif epoch.speed_mps is None:
            epoch.speed_mps = _speed_between(self._previous, epoch)
        self._previous = epoch
        return [epoch]

    def _time_utc(self, epoch: Epoch) -> datetime | None:
        """The date of this epoch's own RMC or ZDA, else the last one known, carried over midnight."""
        if epoch.time_ms is None:
            return None
        if self._current_day is not None:
            self._day = self._current_day
        elif (
            self._day is not None and self._day_time_ms is not None and epoch.time_ms < self._day_time_ms - DAY_MS // 2
        ):
            self._day += timedelta(days=1)
        self._day_time_ms = epoch.time_ms
        if self._day is None:
            return None
        return datetime.combine(self._day, time(0), UTC) + timedelta(milliseconds=epoch.time_ms)

    def _count_used(self, sentence: Sentence) -> None:
        """Satellites in use come in one GSA per system; a GSA that follows no other GSA begins a new list."""
        follows_on = self._last_gsa_talker is not None and (
            sentence.talker != self._last_gsa_talker or sentence.talker[1] in "NQ"
        )
        if not follows_on:
            self._used = sentence.used
        elif len(self._used) < USED_MAX:
            self._used |= sentence.used
        self._last_gsa_talker = sentence.talker
        if sentence.talker != "GP":
            self._gsa_of_other_systems = True

    def _merge(self, sentence: Sentence, at_s: float) -> None:
        assert self._current is not None  # noqa: S101  feed() has just made it
        epoch = self._current
        mode = self._mode_of(sentence, epoch if self._seen else self._previous)
        self._note(sentence)
        if _lost_time(sentence):
            self._day = self._day_time_ms = None
        if sentence.day is not None and (sentence.kind == "ZDA" or sentence.claims_fix):
            # Some receivers send an invented date while RMC says V.
            self._current_day = sentence.day
        epoch.at_s = at_s
        epoch.time_ms = epoch.time_ms if sentence.time_ms is None else sentence.time_ms
        epoch.is_leap_second |= sentence.is_leap_second
        epoch.mode = epoch.mode if mode is None else mode
        epoch.is_void |= sentence.kind == "RMC" and not sentence.claims_fix
        if sentence.claims_fix and sentence.has_position:
            epoch.latitude_deg, epoch.longitude_deg = sentence.latitude_deg, sentence.longitude_deg
            epoch.altitude_m = _newer(epoch.altitude_m, sentence.altitude_m)
        if sentence.claims_fix is not False:
            epoch.speed_mps = _newer(epoch.speed_mps, sentence.speed_mps)
            epoch.course_deg = _newer(epoch.course_deg, sentence.course_deg)
        epoch.hdop = _newer(epoch.hdop, sentence.hdop)
        # Receivers that report system by system send a GGA for each: the largest count is nearest to the whole.
        satellites = len(self._used) if sentence.kind == "GSA" else sentence.satellites
        epoch.satellites = satellites if epoch.satellites is None else max(epoch.satellites, satellites or 0)
        if sentence.quality is not None:
            epoch.qualities |= {sentence.quality}
        epoch.bad += sentence.bad

    def _note(self, sentence: Sentence) -> None:
        """Keeps the order of kinds, so that the end of the next epoch is known."""
        self._seen.append((sentence.kind, sum(kind == sentence.kind for kind, _ in self._seen)))

    def _mode_of(self, sentence: Sentence, base: Epoch) -> int | None:
        """None when this sentence says nothing about the mode. `base` is what was known before it."""
        many = len(self._used) >= SATELLITES_3D
        has_altitude = base.altitude_m is not None
        match sentence.kind:
            case "RMC" if sentence.claims_fix and sentence.has_position:
                mode = FIX_3D if many or has_altitude or base.mode == FIX_3D else FIX_2D
            case "GLL" if sentence.claims_fix and sentence.has_position:
                if many or has_altitude:
                    mode = FIX_3D
                else:
                    mode = FIX_2D if base.mode < FIX_2D or self._previous.altitude_m is None else base.mode
            case "GGA" | "GNS" if sentence.claims_fix and sentence.has_position:
                is_3d = sentence.altitude_m is not None and (sentence.satellites or 0) >= SATELLITES_3D
                mode = FIX_3D if is_3d else FIX_2D
            case "GNS" if sentence.claims_fix is None:
                return None
            case "RMC" | "GLL" | "GGA" | "GNS":
                return NO_FIX
            case "GSA" if sentence.gsa_mode is not None:
                if sentence.talker == "GP" and self._gsa_of_other_systems:
                    return None  # one system's share of a combined fix
                mode = sentence.gsa_mode
            case _:
                return None
        knows_altitude = has_altitude or self._previous.altitude_m is not None
        return FIX_3D if mode == FIX_2D and base.mode == FIX_3D and knows_altitude else mode


def _lost_time(sentence: Sentence) -> bool:
    """The receiver says that it has neither a fix nor the time any more."""
    return sentence.kind in {"RMC", "GGA"} and not sentence.claims_fix and not sentence.has_time_field


def _newer(old: float | None, new: float | None) -> float | None:
    return old if new is None else new


def _speed_between(old: Epoch, new: Epoch) -> float | None:
    """Speed over ground for receivers that send none (GGA or GLL alone)."""
    if old.time_utc is None or new.time_utc is None or old.mode < FIX_2D:
        return None
    elapsed_s = (new.time_utc - old.time_utc).total_seconds()
    if elapsed_s <= 0.0:
        return None
    return distance_m(old, new) / elapsed_s


def distance_m(old: Epoch, new: Epoch) -> float:
    """Metres on the WGS-84 ellipsoid: exact for short ways, 0.5 % wrong for long ones; 0 without positions."""
    if old.latitude_deg is None or old.longitude_deg is None or new.latitude_deg is None or new.longitude_deg is None:
        return 0.0
    east_deg = (new.longitude_deg - old.longitude_deg + 180.0) % 360.0 - 180.0
    north, east = math.radians(new.latitude_deg - old.latitude_deg), math.radians(east_deg)
    middle = math.radians((new.latitude_deg + old.latitude_deg) / 2.0)
    if max(abs(north), abs(east)) > 0.1:
        # Great circle on a sphere: the flat formula fails over continents and poles.
        old_rad, new_rad = math.radians(old.latitude_deg), math.radians(new.latitude_deg)
        half = math.sin(north / 2) ** 2 + math.cos(old_rad) * math.cos(new_rad) * math.sin(east / 2) ** 2
        return 2.0 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(half)))
    squashed = 1.0 - 0.00669437999014 * math.sin(middle) ** 2
    return math.hypot(
        north * 6_378_137.0 * (1.0 - 0.00669437999014) / squashed**1.5,
        east * 6_378_137.0 / math.sqrt(squashed) * math.cos(middle),
    )
