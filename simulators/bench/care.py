"""The cells' call stations and thermistors as the pins see them; only what the vehicle's configuration has fitted.

The thermistor follows the data sheet's own curve and not the equation that the agent reads it with: a mistake made on
both sides would show nowhere.
"""

from __future__ import annotations

import math

from hw.loops import counts_of, loop_ohms

AUTO_C = 21.0
CELSIUS_MIN, CELSIUS_MAX = -40.0, 125.0  # what the part is made for
TEMPERATURE_WORDS = ("cut", "short")
PULL_UP_OHM = 10_000.0
_LEAK_OHM = 1000.0  # as on a door's loop: water across the wires, between the bands

# The button's contact is a lock's bolt contact: closed at rest, bridged inside the station.
CALL_COUNTS = {
    "idle": counts_of(loop_ohms(bolt_open=False, door_open=False)),
    "pressed": counts_of(loop_ohms(bolt_open=True, door_open=False)),
    "cut": counts_of(math.inf),
    "short": counts_of(0.0),
    "leak": counts_of(loop_ohms(bolt_open=False, door_open=False, leak_ohm=_LEAK_OHM)),
}
CALL_WORDS = tuple(CALL_COUNTS)

# Curve of the material with B25/85 = 3977 K (Vishay's data sheet 29049): ln(R/R25) = A + B/T + C/T² + D/T³.
_R25_OHM = 10_000.0
_A, _B, _C, _D = -14.6337, 4791.842, -115_334.0, -3_730_535.0


def thermistor_ohms(celsius: float) -> float:
    kelvin = celsius + 273.15
    return _R25_OHM * math.exp(_A + _B / kelvin + _C / kelvin**2 + _D / kelvin**3)


def temperature_counts(word: str) -> int:
    """`word` is `cut`, `short` or a temperature in °C."""
    if word == "cut":
        return counts_of(math.inf)
    return counts_of(0.0 if word == "short" else thermistor_ohms(float(word)), PULL_UP_OHM)


def temperature_word(word: str) -> str | None:
    """A word for a thermistor's wire in its one spelling, None where it is none."""
    if word in (*TEMPERATURE_WORDS, "auto"):
        return word
    try:
        celsius = float(word)
    except ValueError:
        return None
    return f"{celsius:.1f}" if CELSIUS_MIN <= celsius <= CELSIUS_MAX else None
