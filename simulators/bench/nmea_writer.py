"""What a multi-system receiver of NMEA 4.11 says each epoch, as u-blox orders and words it (the far side of Rule 19's
time)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simulators.bench.route import Motion

KNOT_MPS = 1852.0 / 3600.0
# System number, talker and satellites in use, as over Central Asia on an open sky.
_SYSTEMS = (
    (1, "GP", (5, 7, 8, 13, 14, 20, 28, 30)),
    (2, "GL", (66, 67, 76, 82, 83)),
    (3, "GA", (4, 11, 12, 19)),
    (4, "GB", (22, 27, 36)),
)


@dataclass(frozen=True, slots=True)
class Reception:
    """How good the sky is; without a fix the receiver keeps its time and says V."""

    has_fix: bool = True
    satellites: int = 12
    hdop: float = 0.8
    altitude_m: float = 812.4


def sentence(body: str) -> str:
    """`body` without `$`; adds the checksum and the line end."""
    checksum = 0
    for character in body.encode("ascii"):
        checksum ^= character
    return f"${body}*{checksum:02X}\r\n"


def epoch(motion: Motion, when_utc: datetime, reception: Reception) -> bytes:
    """All sentences of one time stamp: RMC, VTG, GGA, GSA, GSV, GLL, ZDA."""
    clock = when_utc.strftime("%H%M%S.") + f"{when_utc.microsecond // 10_000:02d}"
    day = when_utc.strftime("%d%m%y")
    fixed = reception.has_fix
    knots, kmh = f"{motion.speed_mps / KNOT_MPS:.3f}", f"{motion.speed_mps * 3.6:.3f}"
    # u-blox gives no course while it stands.
    course = f"{motion.course_deg:.2f}" if motion.speed_mps > 0.5 else ""
    place = f"{_angle(motion.latitude_deg, 2, 'NS')},{_angle(motion.longitude_deg, 3, 'EW')}" if fixed else ",,,"
    faa = "A" if fixed else "N"
    status = "A" if fixed else "V"
    used = reception.satellites if fixed else 0
    hdop = f"{reception.hdop:.2f}" if fixed else "99.99"
    altitude = f"{reception.altitude_m:.1f},M,-40.6,M" if fixed else ",,,"
    lines = [
        # The last field is the navigation status, which u-blox always sends as V.
        f"GNRMC,{clock},{status},{place},{knots if fixed else ''},{course if fixed else ''},{day},,,{faa},V",
        f"GNVTG,{course},T,,M,{knots},N,{kmh},K,{faa}" if fixed else "GNVTG,,,,,,,,,N",
        f"GNGGA,{clock},{place},{1 if fixed else 0},{used:02d},{hdop},{altitude},,",
    ]
    left = used
    for system, _, numbers in _SYSTEMS:
        here, left = numbers[: max(0, left)], left - len(numbers)
        fields = ",".join([f"{number:02d}" for number in here] + [""] * (12 - len(here)))
        vdop = "0.95" if fixed else "99.99"
        pdop = f"{(reception.hdop**2 + 0.95**2) ** 0.5:.2f}" if fixed else "99.99"
        lines.append(f"GNGSA,A,{(3 if used >= 4 else 2) if fixed else 1},{fields},{pdop},{hdop},{vdop},{system}")
    for _, talker, numbers in _SYSTEMS:
        seen = "".join(
            f",{number:02d},{20 + 9 * slot},{37 * number % 360:03d},{44 - 3 * slot}"
            for slot, number in enumerate(numbers[:4])
        )
        lines.append(f"{talker}GSV,1,1,{len(numbers[:4]):02d}{seen},1")
    lines.append(f"GNGLL,{place},{clock},{status},{faa}")
    lines.append(f"GNZDA,{clock},{when_utc:%d,%m,%Y},00,00")
    return "".join(sentence(line) for line in lines).encode("ascii")


def _angle(degrees: float, width: int, hemispheres: str) -> str:
    """ddmm.mmmmm and the hemisphere; minutes never round up to 60."""
    units = round(abs(degrees) * 60.0 * 100_000)
    whole, rest = divmod(units, 60 * 100_000)
    minutes, fraction = divmod(rest, 100_000)
    return f"{whole:0{width}d}{minutes:02d}.{fraction:05d},{hemispheres[0] if degrees >= 0 else hemispheres[1]}"
