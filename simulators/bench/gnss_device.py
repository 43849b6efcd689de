"""The bench's GNSS receiver on a pty, and the vehicle's true place and drive (Rule 19's date, time and route; hazards
H21 to H23)."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from simulators.bench.nmea_writer import Reception, epoch
from simulators.bench.pty_port import PtyPort
from simulators.bench.route import Motion, Route

HOME = (43.238949, 76.889709)  # Almaty
RATE_HZ_MAX = 10.0
SPEED_MPS_MAX = 60.0
# A spoofer that wants to be noticed by nobody would be slower; this one teleports and turns the clock back.
SPOOF_DEG, SPOOF_TIME = 0.5, timedelta(hours=-1)
PAUSE_S_MAX = 5.0  # between two time stamps of a recording
GARBAGE_BYTES = 400
_STAMP = re.compile(
    rb"\$..(?:RMC|GGA|GNS|ZDA),(\d{2})(\d{2})(\d{2}(?:\.\d+)?)|\$..GLL,[^,]*,[^,]*,[^,]*,[^,]*,(\d{2})(\d{2})(\d{2}(?:\.\d+)?)"
)

_COMMON = frozenset({"mode", "rate_hz", "satellites", "hdop", "time_offset_s"})
_KEYS = {
    "parked": _COMMON | {"latitude_deg", "longitude_deg"},
    "route": _COMMON | {"waypoints", "speed_mps"},
    "file": frozenset({"mode", "path"}),
    "off": frozenset({"mode"}),
    "garbage": frozenset({"mode"}),
    "jam": _COMMON,
    "spoof": _COMMON,
    "unplug": frozenset({"mode"}),
}


class Electrics(Protocol):
    """What a drive needs of the simulated vehicle: ignition on and handbrake off, and the reverse."""

    def set_driving(self, driving: bool) -> None: ...


class GnssDevice:
    """The receiver, and the drive it sees.

    `off`, `garbage`, `jam`, `spoof` and `unplug` disturb the receiver, not the vehicle: a drive goes on underneath, and
    `route` without waypoints shows it again. `set_driving` is called from the device's own thread or from within `set`,
    and may wait for neither.
    """

    def __init__(self, link: Path, electrics: Electrics | None = None) -> None:
        self._port = PtyPort(Path(link))
        self._electrics = electrics
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._mode = "parked"
        self._place = Motion(*HOME)
        self._route: Route | None = None
        self._route_began_s = 0.0
        self._recording: Iterator[tuple[float, bytes]] | None = None
        self._reception = Reception()
        self._rate_hz = 1.0
        self._time_offset = timedelta(0)
        self._epochs = 0
        self._random = random.Random(354)
        # Wall time is read once: a step of this machine's clock is not the receiver's.
        self._zero_utc, self._zero_s = datetime.now(UTC), time.monotonic()

    def start(self) -> None:
        """Makes the pty and the symlink and starts the device's thread."""
        self._stopping = False
        self._port.plug()
        self._thread = threading.Thread(target=self._run, name="gnss-device", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Removes the symlink; a drive ends."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._end_drive()
            self._port.unplug()

    def set(self, body: dict[str, Any] | str) -> dict[str, Any]:
        """The body of `PUT gnss`, or a mode alone. ValueError says what is allowed; nothing has changed then."""
        wanted = {"mode": body} if isinstance(body, str) else dict(body)
        mode = wanted.get("mode")
        if mode not in _KEYS:
            raise ValueError(f"mode {mode!r}: allowed are {', '.join(_KEYS)}")
        if unknown := set(wanted) - _KEYS[mode]:
            raise ValueError(
                f"{', '.join(sorted(unknown))} with mode {mode}: allowed are {', '.join(sorted(_KEYS[mode]))}"
            )
        rate_hz = _number(wanted, "rate_hz", 0.1, RATE_HZ_MAX, 1.0)
        reception = Reception(
            has_fix=mode != "jam",
            satellites=int(_number(wanted, "satellites", 0, 20, 12)),
            hdop=_number(wanted, "hdop", 0.1, 99.0, 0.8),
        )
        time_offset = timedelta(seconds=_number(wanted, "time_offset_s", -3e9, 3e9, 0.0))
        with self._lock:
            self._change(mode, wanted)
            self._mode, self._rate_hz, self._reception, self._time_offset = mode, rate_hz, reception, time_offset
            if mode == "unplug":
                self._port.unplug()
            elif self._thread is not None and not self._stopping:
                self._port.plug()
        self._wake.set()
        return self.state()

    def state(self) -> dict[str, Any]:
        """The truth, whatever the receiver says."""
        with self._lock:
            motion = self._motion()
            return {
                "mode": self._mode,
                "latitude_deg": round(motion.latitude_deg, 8),
                "longitude_deg": round(motion.longitude_deg, 8),
                "speed_mps": round(motion.speed_mps, 3),
                "course_deg": round(motion.course_deg, 2),
                "distance_m": round(motion.distance_m, 2),
                "driving": self._route is not None,
                "finished": self._recording is None if self._mode == "file" else self._route is None,
                "rate_hz": self._rate_hz,
                "epochs": self._epochs,
                "link": str(self._port.link) if self._port.is_plugged else None,
            }

    def _change(self, mode: str, wanted: dict[str, Any]) -> None:
        """The part of a change that can be refused, and the vehicle's own motion."""
        now = self._motion()
        recording = None
        if mode == "parked":
            latitude = _number(wanted, "latitude_deg", -90.0, 90.0, now.latitude_deg)
            longitude = _number(wanted, "longitude_deg", -180.0, 180.0, now.longitude_deg)
            self._end_drive()
            self._place = Motion(latitude, longitude)
        elif mode == "route" and ("waypoints" in wanted or self._route is None):
            route = Route(_waypoints(wanted), _number(wanted, "speed_mps", 0.1, SPEED_MPS_MAX, None))
            self._route, self._route_began_s = route, time.monotonic()
            if self._electrics is not None:
                self._electrics.set_driving(True)
        elif mode == "file":
            recording = _recording(wanted.get("path"))
        self._recording = recording

    def _motion(self) -> Motion:
        return self._place if self._route is None else self._route.at(time.monotonic() - self._route_began_s)

    def _end_drive(self) -> None:
        if self._route is None:
            return
        self._place = self._motion()
        self._route = None
        if self._electrics is not None:
            self._electrics.set_driving(False)

    def _run(self) -> None:
        next_s = time.monotonic()
        while not self._stopping:
            with self._lock:
                data, pause_s = self._next()
                self._port.write(data)
                if self._route is not None:
                    # The handbrake is applied when the vehicle stands, not an epoch later.
                    left_s = self._route_began_s + self._route.duration_s - time.monotonic()
                    if left_s <= 0.0:
                        self._end_drive()
                    else:
                        pause_s = min(pause_s, left_s)
            next_s = max(next_s + pause_s, time.monotonic())
            if self._wake.wait(max(0.0, next_s - time.monotonic())):
                self._wake.clear()
                next_s = time.monotonic()

    def _next(self) -> tuple[bytes, float]:
        """What to send now, and how long to wait then."""
        period_s = 1.0 / self._rate_hz
        match self._mode:
            case "off" | "unplug":
                return b"", period_s
            case "garbage":
                return self._garbage(), 0.2
            case "file":
                if self._recording is None:
                    return b"", period_s
                pause_s, data = next(self._recording, (0.0, b""))
                if not data:
                    self._recording = None
                self._epochs += bool(data)
                return data, pause_s
            case _:
                motion, offset = self._motion(), self._time_offset
                if self._mode == "spoof":
                    motion = Motion(
                        motion.latitude_deg + SPOOF_DEG,
                        motion.longitude_deg + SPOOF_DEG,
                        motion.speed_mps,
                        motion.course_deg,
                    )
                    offset += SPOOF_TIME
                when = self._zero_utc + timedelta(seconds=time.monotonic() - self._zero_s) + offset
                self._epochs += 1
                return epoch(motion, when, self._reception), period_s

    def _garbage(self) -> bytes:
        """Noise, two sentences torn into each other, and one with a wrong checksum."""
        noise = self._random.randbytes(GARBAGE_BYTES)
        torn = b"$GNRMC,120000.00,A,4314.33694,N,0765$GNGGA,1200*00\r\n"
        return noise + torn + b"$GNRMC,120000.00,A,4314.33694,N,07653.38254,E,99.0,0.0*11\r\n"


def _number(wanted: dict[str, Any], key: str, low: float, high: float, default: float | None) -> float:
    value = wanted.get(key, default)
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{key} {value!r}: a number from {low:g} to {high:g}")
    return float(value)


def _waypoints(wanted: dict[str, Any]) -> list[tuple[float, float]]:
    places = wanted.get("waypoints")
    allowed = "waypoints: at least two places [latitude, longitude] in degrees, not all the same"
    if not isinstance(places, list) or len(places) < 2:
        raise ValueError(allowed)
    pairs = []
    for place in places:
        if not isinstance(place, (list, tuple)) or len(place) != 2:
            raise ValueError(allowed)
        pair = {"latitude": place[0], "longitude": place[1]}
        pairs.append((_number(pair, "latitude", -90.0, 90.0, None), _number(pair, "longitude", -180.0, 180.0, None)))
    if len(set(pairs)) < 2:
        raise ValueError(allowed)
    return pairs


def _recording(path: object) -> Iterator[tuple[float, bytes]]:
    """Yields (pause after it, bytes) for each time stamp of a recorded log."""
    try:
        lines = Path(str(path)).read_bytes().splitlines(keepends=True)
    except OSError as problem:
        raise ValueError(f"path {path!r}: {problem.strerror or problem}; give a recorded NMEA log") from problem

    def epochs() -> Iterator[tuple[float, bytes]]:
        stamp: float | None = None
        held: list[bytes] = []
        for line in lines:
            match = _STAMP.match(line)
            if match is not None:
                hours, minutes, seconds = (float(group) for group in match.groups() if group is not None)
                here = hours * 3600.0 + minutes * 60.0 + seconds
                if stamp is not None and here != stamp and held:
                    # A day has 86,400 s; over midnight the difference is taken round the clock.
                    yield min(PAUSE_S_MAX, (here - stamp) % 86_400.0), b"".join(held)
                    held = []
                stamp = here
            held.append(line)
        yield 1.0, b"".join(held)

    return epochs()
