"""One NMEA sentence, validated field by field: what Rule 19's date, time and route are read from (hazards H12, H21).

pynmea2 checks the sentence; its own field conversions are not used, because they turn a missing position into 0.0,
accept latitude 99, keep counts as text and read u-blox's navigation status as the fix status. A field that is present
but impossible is named in `bad`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pynmea2

# The kinds that are read, each with the fewest fields that make sense; a shorter one was cut by the receiver itself.
FIELDS_MIN = {"RMC": 7, "GGA": 12, "GNS": 12, "GLL": 6, "GSA": 17, "VTG": 4, "ZDA": 4, "TXT": 4}
KNOT_MPS = 1852.0 / 3600.0
SPEED_MPS_MAX = 515.0  # receivers stop at 1000 knots by export rules
ALTITUDE_M_MIN, ALTITUDE_M_MAX = -1000.0, 50_000.0  # below the Dead Sea and above any road
DOP_MIN, DOP_MAX = 0.01, 89.99  # receivers send 0.00, 99.00 and 99.99 for "no figure"
SATELLITES_MAX = 200

_ADDRESS = re.compile(r"\$([A-Z]{2})([A-Z]{3}),")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,9}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")
_TIME = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{0,9}))?")
_DAY = re.compile(r"[0-9]{6}")
_ANGLE = re.compile(r"([0-9]{1,3})([0-9]{2}\.[0-9]{0,12})")


@dataclass(slots=True)
class Sentence:
    """What one sentence says. `claims_fix` is None when the sentence does not speak of it.

    Filled by its reader and not changed afterwards; not frozen, because copying it for each field doubled the time of a
    parse.
    """

    kind: str  # RMC, GGA … or "other"
    talker: str = ""
    time_ms: int | None = None  # milliseconds since 00:00 UTC
    is_leap_second: bool = False
    has_time_field: bool = True  # false: a receiver that lost its time
    day: date | None = None
    claims_fix: bool | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    satellites: int | None = None
    hdop: float | None = None
    gsa_mode: int | None = None
    used: frozenset[str] = frozenset()
    quality: str | None = None  # dead_reckoning, simulator or manual
    antenna: str | None = None  # open, short or ok
    bad: tuple[str, ...] = ()

    @property
    def has_position(self) -> bool:
        return self.latitude_deg is not None


OTHER = Sentence("other")


class NmeaError(ValueError):
    """A sentence of a kind we read whose checksum or form is wrong."""


def parse(line: str) -> Sentence:
    """Raises NmeaError; kinds that are not read come back as OTHER, unchecked."""
    address = _ADDRESS.match(line)
    if address is None or address.group(2) not in FIELDS_MIN or address.group(1)[0] == "P":
        return OTHER
    try:
        message = pynmea2.parse(line, check=True)
        fields = [str(field) for field in message.data]
    except (pynmea2.ParseError, ValueError, AttributeError) as problem:
        raise NmeaError(str(problem)) from problem
    talker, kind = address.groups()
    if len(fields) < FIELDS_MIN[kind]:
        raise NmeaError(f"{kind} with {len(fields)} fields")
    sentence = Sentence(kind, talker)
    _READERS[kind](_Fields(fields, sentence), sentence)
    return sentence


class _Fields:
    """Fields by number (1 = first after the address); an absent field reads as empty, a bad one is noted in the
    sentence."""

    def __init__(self, fields: list[str], sentence: Sentence) -> None:
        self._fields = fields
        self._sentence = sentence

    def __len__(self) -> int:
        return len(self._fields)

    def bad(self, name: str) -> None:
        self._sentence.bad += (f"{self._sentence.kind}.{name}",)

    def text(self, number: int) -> str:
        return self._fields[number - 1] if number <= len(self._fields) else ""

    def decimal(self, number: int, name: str, low: float, high: float, scale: float = 1.0) -> float | None:
        text = self.text(number)
        if not text:
            return None
        value = float(text) * scale if _DECIMAL.fullmatch(text) else None
        if value is None or not low <= value <= high:
            self.bad(name)
            return None
        return value

    def dop(self, number: int) -> float | None:
        value = self.decimal(number, "hdop", -1.0, 1e6)
        return value if value is not None and DOP_MIN <= value <= DOP_MAX else None

    def count(self, number: int) -> int | None:
        text = self.text(number)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and int(text[:9]) <= SATELLITES_MAX):
            self.bad("satellites")
            return None
        return int(text)

    def read_time(self, number: int) -> None:
        text = self.text(number)
        sentence = self._sentence
        if not text:
            sentence.has_time_field = False
            return
        match = _TIME.fullmatch(text)
        if match is not None:
            hour, minute, second = int(match[1]), int(match[2]), int(match[3])
            # Second 60 exists only at the end of a day, in practice of a half-year.
            leap = second == 60 and (hour, minute) == (23, 59)
            if hour < 24 and minute < 60 and (second < 60 or leap):
                fraction_ms = round(float("0." + (match[4] or "0")) * 1000)
                sentence.time_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms
                sentence.is_leap_second = leap
                return
        self.bad("time")

    def read_day(self, year: int, month: int, day: int) -> None:
        try:
            self._sentence.day = date(year, month, day)
        except ValueError:
            self.bad("date")

    def read_position(self, first: int) -> None:
        """Both angles with both hemispheres, or no position at all."""
        texts = [self.text(first + offset) for offset in range(4)]
        if not all(texts):
            return
        latitude = _angle(texts[0], texts[1], "N", "S", 90.0)
        longitude = _angle(texts[2], texts[3], "E", "W", 180.0)
        if latitude is None or longitude is None:
            self.bad("position")
            return
        self._sentence.latitude_deg, self._sentence.longitude_deg = latitude, longitude


def _angle(text: str, hemisphere: str, positive: str, negative: str, limit_deg: float) -> float | None:
    match = _ANGLE.fullmatch(text)
    if match is None or hemisphere not in (positive, negative):
        return None
    minutes = float(match[2])
    degrees = int(match[1]) + minutes / 60.0
    if minutes >= 60.0 or degrees > limit_deg:
        return None
    return degrees if hemisphere == positive else -degrees


_FAA_QUALITY = {"E": "dead_reckoning", "S": "simulator", "M": "manual"}
_GGA_FIXES = frozenset("123456789")
_GGA_QUALITY = {"6": "dead_reckoning", "8": "simulator", "7": "manual"}


def _rmc(fields: _Fields, said: Sentence) -> None:
    # Field 13, the navigation status of NMEA 4.10, is not read: u-blox always sends V there.
    fields.read_time(1)
    fields.read_position(3)
    said.claims_fix = fields.text(2) == "A" and fields.text(12) != "N"
    said.speed_mps = fields.decimal(7, "speed", 0.0, SPEED_MPS_MAX, KNOT_MPS)
    said.course_deg = fields.decimal(8, "course", 0.0, 360.0)
    said.quality = _FAA_QUALITY.get(fields.text(12))
    text = fields.text(9)
    if not text:
        said.has_time_field = False
    elif _DAY.fullmatch(text):
        year = int(text[4:])
        # Two digits: GPS began in 1980, so 69 to 99 can only be the past century.
        fields.read_day(year + (2000 if year < 69 else 1900), int(text[2:4]), int(text[:2]))
    else:
        fields.bad("date")


def _gga(fields: _Fields, said: Sentence) -> None:
    fields.read_time(1)
    fields.read_position(2)
    quality = fields.text(6)
    if quality and not (quality.isascii() and quality.isdigit() and len(quality) == 1):
        fields.bad("quality")
    said.claims_fix = quality in _GGA_FIXES
    said.satellites = fields.count(7)
    said.hdop = fields.dop(8)
    said.altitude_m = fields.decimal(9, "altitude", ALTITUDE_M_MIN, ALTITUDE_M_MAX)
    said.quality = _GGA_QUALITY.get(quality)


def _gns(fields: _Fields, said: Sentence) -> None:
    fields.read_time(1)
    if fields.text(13) in {"U", "V"}:
        return  # the receiver says itself: not for navigation; only its time is of use
    fields.read_position(2)
    leading = fields.text(6)[:1]
    said.claims_fix = leading not in {"", "N"}
    said.satellites = fields.count(7)
    said.hdop = fields.dop(8)
    said.altitude_m = fields.decimal(9, "altitude", ALTITUDE_M_MIN, ALTITUDE_M_MAX)
    said.quality = _FAA_QUALITY.get(leading)


def _gll(fields: _Fields, said: Sentence) -> None:
    fields.read_time(5)
    fields.read_position(1)
    said.claims_fix = fields.text(6) == "A" and fields.text(7) != "N"
    said.quality = _FAA_QUALITY.get(fields.text(7))


def _gsa(fields: _Fields, said: Sentence) -> None:
    mode = fields.text(2)
    said.gsa_mode = int(mode) if mode in {"1", "2", "3"} else None
    said.hdop = fields.dop(16) if len(fields) <= 18 else None
    # NMEA 4.10 appends the system: number 5 of GPS is not number 5 of Galileo.
    system = fields.text(18) if len(fields) == 18 else ""
    prefix = system if len(system) == 1 and system in "123456" else said.talker
    used = set()
    for number in range(3, len(fields) - 2):
        text = fields.text(number)
        if "." in text:
            break  # the first DOP: receivers differ in how many satellite fields they send
        if text and text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 999:
            used.add(f"{prefix}:{int(text)}")
    said.used = frozenset(used)


def _vtg(fields: _Fields, said: Sentence) -> None:
    if fields.text(1) and fields.text(5) and fields.text(9) not in {"E", "N"}:
        said.speed_mps = fields.decimal(5, "speed", 0.0, SPEED_MPS_MAX, KNOT_MPS)
        said.course_deg = fields.decimal(1, "course", 0.0, 360.0)


def _zda(fields: _Fields, _said: Sentence) -> None:
    texts = [fields.text(number) for number in range(1, 5)]
    if not all(texts):
        return  # sent so by receivers without a fix
    fields.read_time(1)
    if all(text.isascii() and text.isdigit() and len(text) <= 4 for text in texts[1:]):
        fields.read_day(int(texts[3]), int(texts[2]), int(texts[1]))
    else:
        fields.bad("date")


def _txt(fields: _Fields, said: Sentence) -> None:
    status = fields.text(4).upper().partition("ANTSTATUS=")[2]
    said.antenna = status.lower() if status in {"OPEN", "SHORT", "OK"} else None


_READERS: dict[str, Callable[[_Fields, Sentence], None]] = {
    "RMC": _rmc,
    "GGA": _gga,
    "GNS": _gns,
    "GLL": _gll,
    "GSA": _gsa,
    "VTG": _vtg,
    "ZDA": _zda,
    "TXT": _txt,
}
