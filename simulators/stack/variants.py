"""The vehicles of the demo: the reference vehicle, a small one with short times for tests, and that with care watch.

What the Order demands is the same on both; only what a vehicle may configure differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

VEHICLE = "kz-mp-017"
PIN = "2468"
OWN_UNIT = "almaty-mp"
# Example codes; the names in Kazakh, Russian and English are shown on the screens.
UNITS = {
    "almaty-mp": ("Алматы ӘП", "ВП Алматы", "Almaty MP"),
    "taraz-mp": ("Тараз ӘП", "ВП Тараз", "Taraz MP"),
    "karaganda-mp": ("Қарағанды ӘП", "ВП Караганда", "Karaganda MP"),
    "astana-mp": ("Астана ӘП", "ВП Астана", "Astana MP"),
}

INPUTS = {
    "intercom_return": "^!GPIO4",
    "beacon_sense": "^!GPIO5",
    "permit_readback": "^!GPIO6",
    "body_count": "^!GPIO14",
    "alarm_button": "^!GPIO15",
    "airflow": "^!GPIO17",
    "driver_ready": "^!GPIO22",
    "driver_stop": "^!GPIO23",
    "handbrake": "^!GPIO25",
    "ignition": "^!GPIO27",
    "fan_switch": "ADC1.0",
    "light_switch": "ADC1.1",
    "beacon_switch": "ADC1.2",
    "light_sense": "ADC1.3",
}
OUTPUTS = {
    "fan_inhibit": "GPIO12",
    "light_inhibit": "GPIO13",
    "ready_lamp": "GPIO16",
    "beacon_test": "GPIO18",
    "permit_pulse": "GPIO19",
    "permit_lamp_red": "GPIO20",
    "buzzer": "GPIO21",
    "intercom_tone": "GPIO24",
    "permit_enable": "GPIO26",
}
REFERENCES = ("ADC0.7", "ADC1.7")
SUPPLY = "ADC1.4"


@dataclass(frozen=True, slots=True)
class Variant:
    """Everything in which one demo vehicle differs from another."""

    name: str
    cells: int
    lockout_s: float = 300.0
    confirm_within_s: float = 120.0
    unscheduled_halt_s: float = 300.0
    serial_stale_s: float = 3.0
    radio_poll_s: float = 1.0
    keepalive_s: int = 15
    resend_first_s: float = 5.0
    resend_max_s: float = 60.0
    moving_s: float = 10.0
    calls: Mapping[int, str] = field(default_factory=dict)  # cell -> ADC channel of its call line
    temperatures: Mapping[int, str] = field(default_factory=dict)  # cell -> ADC channel of its thermistor
    welfare_check_s: float | None = None


_TWO_CELLS = Variant(
    "two_cells",
    cells=2,
    lockout_s=2.0,
    confirm_within_s=4.0,
    unscheduled_halt_s=5.0,
    serial_stale_s=1.5,
    radio_poll_s=0.3,
    keepalive_s=5,
    resend_first_s=0.5,
    resend_max_s=2.0,
    moving_s=1.0,
)
VARIANTS = {
    "six_cells": Variant("six_cells", cells=6),
    "two_cells": _TWO_CELLS,
    "two_cells_care": replace(
        _TWO_CELLS,
        name="two_cells_care",
        calls={1: "ADC0.2", 2: "ADC0.3"},
        temperatures={1: "ADC1.5", 2: "ADC1.6"},
        welfare_check_s=12.0,  # long enough for the lines of a scenario that are about something else
    ),
}
