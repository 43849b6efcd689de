"""A drive along waypoints: great circles between them, speeding up and braking like a loaded van (Rule 19's route, on
the bench)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

EARTH_RADIUS_M = 6_371_008.8
ACCELERATION_MPS2 = 1.5  # a loaded van in town, gently


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the vehicle is and how it moves, in truth."""

    latitude_deg: float
    longitude_deg: float
    speed_mps: float = 0.0
    course_deg: float = 0.0
    distance_m: float = 0.0
    is_finished: bool = True


@dataclass(frozen=True, slots=True)
class _Leg:
    start: tuple[float, float]
    end: tuple[float, float]
    length_m: float


class Route:
    """`at(elapsed_s)` is the motion that long after the start; after the end it stands at the last waypoint."""

    def __init__(self, waypoints: Sequence[tuple[float, float]], speed_mps: float) -> None:
        pairs = list(pairwise(waypoints))
        self._legs = [_Leg(a, b, distance_m(a, b)) for a, b in pairs if distance_m(a, b) > 0.0]
        self._end = waypoints[-1]
        self.length_m = sum(leg.length_m for leg in self._legs)
        # A short way is braked for before full speed is reached.
        self._top_mps = min(speed_mps, math.sqrt(ACCELERATION_MPS2 * self.length_m))
        self._ramp_s = self._top_mps / ACCELERATION_MPS2
        ramps_m = self._top_mps * self._ramp_s
        self._steady_s = (self.length_m - ramps_m) / self._top_mps if self._top_mps > 0.0 else 0.0
        self.duration_s = 2.0 * self._ramp_s + self._steady_s

    def at(self, elapsed_s: float) -> Motion:
        if elapsed_s >= self.duration_s or not self._legs:
            course = bearing_deg(self._legs[-1].start, self._legs[-1].end) if self._legs else 0.0
            return Motion(*self._end, 0.0, course, self.length_m, is_finished=True)
        way_m, speed_mps = self._progress(max(0.0, elapsed_s))
        left_m = way_m
        for leg in self._legs:
            if left_m <= leg.length_m or leg is self._legs[-1]:
                place = between(leg.start, leg.end, min(1.0, left_m / leg.length_m))
                return Motion(*place, speed_mps, bearing_deg(leg.start, leg.end), way_m, is_finished=False)
            left_m -= leg.length_m
        raise AssertionError("a route has at least one leg here")

    def _progress(self, elapsed_s: float) -> tuple[float, float]:
        """Way and speed of a trapezoid: speeding up, steady, braking."""
        if elapsed_s < self._ramp_s:
            return ACCELERATION_MPS2 * elapsed_s**2 / 2.0, ACCELERATION_MPS2 * elapsed_s
        if elapsed_s < self._ramp_s + self._steady_s:
            return self._top_mps * (elapsed_s - self._ramp_s / 2.0), self._top_mps
        left_s = self.duration_s - elapsed_s
        return self.length_m - ACCELERATION_MPS2 * left_s**2 / 2.0, ACCELERATION_MPS2 * left_s


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great circle on a sphere; places are (latitude, longitude) in degrees."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = (
        math.sin((lat_b - lat_a) / 2) ** 2
        + math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    )
    return 2.0 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


def bearing_deg(a: tuple[float, float], b: tuple[float, float]) -> float:
    lat_a, lat_b, east = math.radians(a[0]), math.radians(b[0]), math.radians(b[1] - a[1])
    north = math.cos(lat_a) * math.sin(lat_b) - math.sin(lat_a) * math.cos(lat_b) * math.cos(east)
    return math.degrees(math.atan2(math.sin(east) * math.cos(lat_b), north)) % 360.0


def between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    """The place that far along the great circle from a (0) to b (1)."""
    angle = distance_m(a, b) / EARTH_RADIUS_M
    if angle < 1e-12:
        return a
    weight_a, weight_b = math.sin((1.0 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
    lat_a, lon_a, lat_b, lon_b = (math.radians(value) for value in (*a, *b))
    x = weight_a * math.cos(lat_a) * math.cos(lon_a) + weight_b * math.cos(lat_b) * math.cos(lon_b)
    y = weight_a * math.cos(lat_a) * math.sin(lon_a) + weight_b * math.cos(lat_b) * math.sin(lon_b)
    z = weight_a * math.sin(lat_a) + weight_b * math.sin(lat_b)
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))
