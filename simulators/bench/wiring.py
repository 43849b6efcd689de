"""Which pin is which wire: the [wiring] table of the vehicle's own configuration, read without the agent's models.

The bench must not share the agent's reading of the file: a mistake made on both sides would show nowhere.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.pins import Pin, parse_pin

BUTTONS = ("driver_ready", "driver_stop", "body_count", "alarm_button")
CONTACTS = (
    "airflow",
    "light_sense",
    "beacon_sense",
    "intercom_return",
    "fan_switch",
    "light_switch",
    "beacon_switch",
    "handbrake",
    "ignition",
    *BUTTONS,
    "permit_readback",
)
OUTPUTS = (
    "permit_enable",
    "permit_pulse",
    "permit_lamp_red",
    "ready_lamp",
    "buzzer",
    "fan_inhibit",
    "light_inhibit",
    "beacon_test",
    "intercom_tone",
)


class WiringError(ValueError):
    """The wiring cannot be simulated; the message names file, wire and what is allowed."""


@dataclass(frozen=True, slots=True)
class Wiring:
    loops: dict[str, tuple[Pin, ...]]  # one ADC channel, or an antivalent pair: normally open, normally closed
    contacts: dict[str, Pin]
    outputs: dict[str, int]  # name -> GPIO number
    references: tuple[Pin, ...] = ()
    supply: Pin | None = None
    names_of_outputs: dict[int, str] = field(default_factory=dict)  # GPIO number -> name
    calls: dict[str, Pin] = field(default_factory=dict)  # "cell_call_1" -> ADC channel, where fitted
    temperatures: dict[str, Pin] = field(default_factory=dict)  # "cell_temperature_1" -> ADC channel


def load_wiring(directory: Path) -> Wiring:
    file = directory / "vehicle.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))["wiring"]
        return _wiring(table)
    except KeyError as error:
        raise WiringError(
            f"{file}: {error} is missing; the bench needs [wiring] with cells, inputs and outputs"
        ) from error
    except (OSError, ValueError) as error:
        raise WiringError(f"{file}: {error}") from error


def _wiring(table: dict[str, Any]) -> Wiring:
    loops: dict[str, tuple[Pin, ...]] = {}
    for cell in table["cells"]:
        sources = (cell["loop"],) if cell.get("loop") else tuple(cell["pair"])
        loops[f"cell_{cell['number']}"] = tuple(parse_pin(text) for text in sources)
    loops["body_door"] = (parse_pin(table.get("body_door", "ADC0.6")),)
    _check_names(table["inputs"], CONTACTS, "inputs")
    _check_names(table["outputs"], OUTPUTS, "outputs")
    outputs = {name: parse_pin(text).number for name, text in table["outputs"].items()}
    return Wiring(
        loops=loops,
        contacts={name: parse_pin(text) for name, text in table["inputs"].items()},
        outputs=outputs,
        references=tuple(parse_pin(text) for text in table.get("references", ())),
        supply=parse_pin(table["supply"]) if table.get("supply") else None,
        names_of_outputs={number: name for name, number in outputs.items()},
        calls={f"cell_call_{cell['number']}": parse_pin(cell["call"]) for cell in table["cells"] if "call" in cell},
        temperatures={
            f"cell_temperature_{cell['number']}": parse_pin(cell["temperature"])
            for cell in table["cells"]
            if "temperature" in cell
        },
    )


def _check_names(given: dict[str, str], known: tuple[str, ...], table: str) -> None:
    strangers = sorted(given.keys() - set(known))
    if strangers:
        raise WiringError(f"[wiring.{table}] {', '.join(strangers)}: no such wire; known are {', '.join(known)}")
