"""Standing or moving: the handbrake's contact says it, a fix may only contradict it (Rule 16).

A satellite fix never makes the vehicle "standing": it cannot permit anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .inputs import Fix
from .settings import Settings

FAST_MPS = 2.0  # contract.md: a trusted fix at least this fast ...
FAST_FOR_S = 2.0  # ... for this long contradicts an applied handbrake
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG


def fold_fast(fast_since_s: float | None, fix: Fix | None, at_s: float, settings: Settings) -> float | None:
    """Since when trusted fixes have been fast, in monotonic seconds; None when the newest is not, or is too old."""
    if fix is None or not (fix.valid and fix.trusted) or at_s - fix.at_s > settings.gnss_stale_s:
        return None
    if fix.speed_mps is None or fix.speed_mps < FAST_MPS:
        return None
    return fix.at_s if fast_since_s is None else fast_since_s


def judge(handbrake: bool | None, fast_since_s: float | None, at_s: float) -> tuple[str, str | None]:
    """`(motion, refusal)`: moving with a released handbrake or a lasting fast fix; unknown while the contact is."""
    is_fast = fast_since_s is not None and at_s - fast_since_s >= FAST_FOR_S
    if handbrake is None:
        return ("moving" if is_fast else "unknown"), "motion_unknown"
    if not handbrake:
        return "moving", "vehicle_moving"
    return ("moving", "motion_unknown") if is_fast else ("standing", None)


def position(fix: Fix | None, at_s: float, max_age_s: float = 10.0) -> dict[str, float] | None:
    """Where an event happened, when a trusted fix says so."""
    if fix is None or not (fix.valid and fix.trusted) or at_s - fix.at_s > max_age_s:
        return None
    if fix.latitude_deg is None or fix.longitude_deg is None:
        return None
    return {"latitude_deg": fix.latitude_deg, "longitude_deg": fix.longitude_deg}


def is_inside(place: Mapping[str, float] | None, where: Mapping[str, float] | None) -> bool | None:
    """Whether a position lies in the planned unloading place (Rule 18); None when either is unknown."""
    if place is None or where is None:
        return None
    return distance_m(place, where) <= place["radius_m"]


def distance_m(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Great-circle distance (haversine) in metres."""
    lat_a, lat_b = math.radians(a["latitude_deg"]), math.radians(b["latitude_deg"])
    d_lat, d_lon = lat_b - lat_a, math.radians(b["longitude_deg"] - a["longitude_deg"])
    h = math.sin(d_lat / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(d_lon / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))
