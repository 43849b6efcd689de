"""A fix and the trust put into it: what is odd is said, nothing odd hides a fix (hazards H12, H23; Rule 19's time).

`valid` is the receiver's own claim, well formed. `trusted` is ours: enough satellites, a plausible date, no jump, no
clock running away. A slow drag below `SPEED_MPS_MAX` is not detected; the handbrake contact is what it may contradict,
nothing it can grant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hw.epoch import FIX_2D, Epoch, distance_m

# No clock of ours was ever earlier than this; raise it with each release.
FLOOR_UTC = datetime(2026, 1, 1, tzinfo=UTC)
# Receivers whose week number rolled over are off by whole cycles of 1024 weeks, back or forth.
ROLLOVER = timedelta(weeks=1024)
SPEED_MPS_MAX = 70.0  # 250 km/h: no transport vehicle does that
DRIFT_S_MAX = 2.0
# How long one time is the measure: a pull of a second at a time shows, our quartz (0.2 s an hour at 50 ppm) does not.
DRIFT_ANCHOR_S = 3600.0
FROZEN_SPEED_MPS_MIN = 2.0  # 2 m a second shows in the fifth decimal of a minute of arc
FROZEN_S_MIN = 3.0
# After a jump, this long without another one before the new place is believed. Short: the only use of a fix is to
# contradict the handbrake, and one that is not believed contradicts nothing.
RETRUST_PLACE_S = 5.0
# The same for the time, which the clock and with it every notice may follow. Long: a receiver that was right is not off
# by seconds.
RETRUST_TIME_S = 300.0


@dataclass(frozen=True, slots=True)
class Fix:
    """One epoch as the rest of the vehicle sees it. Fields are None where the receiver gave nothing."""

    at_s: float  # monotonic, of the epoch's last byte
    time_utc: datetime | None
    latitude_deg: float | None
    longitude_deg: float | None
    altitude_m: float | None
    speed_mps: float | None
    course_deg: float | None
    mode: int  # 1 none, 2 two-dimensional, 3 three-dimensional
    satellites: int | None
    hdop: float | None
    valid: bool
    trusted: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustLimits:
    """`is_live`: `at_s` is the machine's monotonic clock at reception, not a number made up for a recording."""

    satellites_min: int = 4
    hdop_max: float = 5.0
    floor_utc: datetime = FLOOR_UTC
    is_live: bool = True


_Breaks = Callable[[Epoch, Epoch], bool]


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The last fix that was believed, and since when the fixes since then agree among themselves."""

    epoch: Epoch
    latest: Epoch
    latest_since_s: float


class Trust:
    """Judges epochs in order; keeps the anchors that jumps and drifts are measured from."""

    def __init__(self, limits: TrustLimits) -> None:
        self._limits = limits
        self._place: _Anchor | None = None
        self._clock: _Anchor | None = None
        self._still: Epoch | None = None  # where identical coordinates began

    def judge(self, epoch: Epoch) -> Fix:
        has_fix = epoch.mode >= FIX_2D
        doubts = [f"bad_field:{name}" for name in epoch.bad]
        doubts += self._date_doubts(epoch)
        if has_fix:
            doubts += sorted(epoch.qualities)
            doubts += self._quality_doubts(epoch)
            doubts += self._place_doubts(epoch)
        else:
            self._still = None
            doubts.insert(0, "no_fix")
        if epoch.antenna in {"open", "short"}:
            doubts.append(f"antenna_{epoch.antenna}")
        return Fix(
            at_s=epoch.at_s,
            time_utc=epoch.time_utc,
            latitude_deg=epoch.latitude_deg,
            longitude_deg=epoch.longitude_deg,
            altitude_m=epoch.altitude_m,
            speed_mps=epoch.speed_mps,
            course_deg=epoch.course_deg,
            mode=epoch.mode,
            satellites=epoch.satellites,
            hdop=epoch.hdop,
            valid=has_fix and not epoch.bad,
            trusted=has_fix and not doubts,
            reasons=tuple(dict.fromkeys(doubts)),
        )

    def _quality_doubts(self, epoch: Epoch) -> list[str]:
        doubts = []
        if epoch.satellites is not None and epoch.satellites < self._limits.satellites_min:
            doubts.append("few_satellites")
        if epoch.hdop is not None and epoch.hdop > self._limits.hdop_max:
            doubts.append("poor_hdop")
        if epoch.speed_mps is not None and epoch.speed_mps > SPEED_MPS_MAX:
            doubts.append("speed_implausible")
        return doubts

    def _date_doubts(self, epoch: Epoch) -> list[str]:
        if epoch.time_utc is None:
            return []  # not odd, only unknown: whoever wants the time sees that there is none
        floor = self._limits.floor_utc
        doubts = []
        if epoch.time_utc < floor:
            rolled = any(floor <= epoch.time_utc + cycle * ROLLOVER < floor + ROLLOVER / 2 for cycle in (1, 2))
            doubts.append("date_rollover" if rolled else "date_before_floor")
        elif epoch.time_utc >= floor + ROLLOVER:
            doubts.append("date_after_ceiling")
        if epoch.is_leap_second:
            doubts.append("leap_second")
        if self._limits.is_live and not doubts:
            doubts += self._drift_doubts(epoch)
        return doubts

    def _drift_doubts(self, epoch: Epoch) -> list[str]:
        self._clock, is_off = _follow(
            self._clock, epoch, lambda old, new: abs(_drift_s(old, new)) > DRIFT_S_MAX, RETRUST_TIME_S, DRIFT_ANCHOR_S
        )
        return ["time_drift"] if is_off else []

    def _place_doubts(self, epoch: Epoch) -> list[str]:
        doubts = []
        self._place, is_off = _follow(self._place, epoch, self._is_jump, RETRUST_PLACE_S)
        if is_off:
            doubts.append("jump")
        still = self._still
        stands = (epoch.speed_mps or 0.0) < FROZEN_SPEED_MPS_MIN
        if stands or still is None or _coordinates(still) != _coordinates(epoch):
            self._still = epoch
        elif self._elapsed_s(still, epoch) >= FROZEN_S_MIN:
            doubts.append("frozen")
        return doubts

    def _is_jump(self, old: Epoch, new: Epoch) -> bool:
        # Half a second at least: positions scatter, and bytes of two epochs may arrive together.
        elapsed_s = max(0.5, self._elapsed_s(old, new))
        return distance_m(old, new) > SPEED_MPS_MAX * elapsed_s

    def _elapsed_s(self, old: Epoch, new: Epoch) -> float:
        """A spoofer moves place and time together, so live input is measured by our own clock."""
        if self._limits.is_live or old.time_utc is None or new.time_utc is None:
            return new.at_s - old.at_s
        return abs((new.time_utc - old.time_utc).total_seconds())


def _coordinates(epoch: Epoch) -> tuple[float | None, float | None]:
    return epoch.latitude_deg, epoch.longitude_deg


def _drift_s(old: Epoch, new: Epoch) -> float:
    if old.time_utc is None or new.time_utc is None:
        return 0.0
    return (new.time_utc - old.time_utc).total_seconds() - (new.at_s - old.at_s)


def _follow(
    anchor: _Anchor | None, new: Epoch, breaks: _Breaks, retrust_s: float, keep_s: float = 0.0
) -> tuple[_Anchor, bool]:
    """The next anchor, and whether `new` cannot follow from the one there was. An anchor younger than `keep_s`
    stays."""
    if anchor is None:
        return _Anchor(new, new, new.at_s), False
    if not breaks(anchor.epoch, new):
        kept = anchor.epoch if new.at_s - anchor.epoch.at_s < keep_s else new
        return _Anchor(kept, kept, kept.at_s), False
    since_s = new.at_s if breaks(anchor.latest, new) or anchor.latest is anchor.epoch else anchor.latest_since_s
    if new.at_s - since_s >= retrust_s:
        return _Anchor(new, new, new.at_s), False
    return _Anchor(anchor.epoch, new, since_s), True
