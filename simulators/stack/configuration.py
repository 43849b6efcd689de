"""Writes the demo's configuration: the vehicle's three files, the desk's one, the broker's, and fresh keys."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from simulators.stack import variants
from simulators.stack.keys import SigningKey, new_key
from simulators.stack.ports import HOST, Ports
from simulators.stack.variants import Variant
from vehicle_agent.control.pin import hash_pin


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie in one demo's directory."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def bench(self) -> Path:
        return self.root / "bench"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def desk(self) -> Path:
        return self.root / "desk.toml"

    @property
    def broker(self) -> Path:
        return self.root / "broker.toml"  # its reader goes by the suffix; mosquitto's does not care


def new_places() -> Places:
    """A directory that did not exist before, with everything that the processes expect to find."""
    places = Places(Path(tempfile.mkdtemp(prefix="stv-demo-")))
    for directory in (places.config, places.keys, places.bench, places.run, places.logs, places.pids):
        directory.mkdir()
    for name in ("journal", "uplink", "desk"):
        (places.root / name).mkdir()
    return places


def write_configuration(places: Places, variant: Variant, ports: Ports) -> None:
    """Write every file that the demo's processes read, except the broker's own."""
    vehicle_key = new_key(places.keys, variants.VEHICLE)
    unit_keys = {unit: new_key(places.keys, unit) for unit in variants.UNITS}
    (places.config / "vehicle.toml").write_text(_vehicle(places, variant, ports), encoding="utf-8")
    (places.config / "units.toml").write_text(_units(unit_keys), encoding="utf-8")
    (places.config / "uplink.toml").write_text(_uplink(variant, ports, vehicle_key), encoding="utf-8")
    places.desk.write_text(_desk(places, variant, ports, vehicle_key, unit_keys), encoding="utf-8")


def _text(value: object) -> str:
    """A TOML string: JSON's escapes are valid in TOML's basic strings."""
    return json.dumps(str(value), ensure_ascii=False)


def _table(wires: dict[str, str]) -> str:
    return "\n".join(f"{name} = {_text(pin)}" for name, pin in wires.items())


def _vehicle(places: Places, variant: Variant, ports: Ports) -> str:
    cells = "\n".join(_cell(number, variant) for number in range(1, variant.cells + 1))
    care = "" if variant.welfare_check_s is None else f"\n[care]\nwelfare_check_s = {variant.welfare_check_s}\n"
    return f"""\
[vehicle]
id = {_text(variants.VEHICLE)}
unit = {_text(variants.OWN_UNIT)}
test = true
board = "bench"

[commander]
pin_hash = {_text(hash_pin(variants.PIN))}
lockout_s = {variant.lockout_s}

[paths]
state_dir = {_text(places.root / "journal")}
runtime_dir = {_text(places.run)}
uplink_dir = {_text(places.root / "uplink")}

[wiring]
body_door = "ADC0.6"
references = {json.dumps(list(variants.REFERENCES))}
supply = {_text(variants.SUPPLY)}

[wiring.inputs]
{_table(variants.INPUTS)}

[wiring.outputs]
{_table(variants.OUTPUTS)}

{cells}

[gnss]
port = {_text(places.bench / "gnss")}
baud = 9600
stale_s = {variant.serial_stale_s}

[radio]
port = {_text(places.bench / "radio")}
baud = 9600
poll_s = {variant.radio_poll_s}
stale_s = {variant.serial_stale_s}

[limits]
confirm_within_s = {variant.confirm_within_s}
unscheduled_halt_s = {variant.unscheduled_halt_s}
manual_fallback = ["ventilation", "lighting"]

[display]
host = {_text(HOST)}
port = {ports.display}
{care}"""


def _cell(number: int, variant: Variant) -> str:
    lines = ["[[wiring.cells]]", f"number = {number}", f'loop = "ADC0.{number - 1}"']
    if number in variant.calls:
        lines.append(f"call = {_text(variant.calls[number])}")
    if number in variant.temperatures:
        lines.append(f"temperature = {_text(variant.temperatures[number])}")
    return "\n".join(lines)


def _units(keys: dict[str, SigningKey]) -> str:
    return "\n".join(
        f"[[unit]]\ncode = {_text(unit)}\nname = {{ kk = {_text(kk)}, ru = {_text(ru)}, en = {_text(en)} }}\n"
        f"keys = {{ {_text(keys[unit].kid)} = {_text(keys[unit].public)} }}\n"
        for unit, (kk, ru, en) in variants.UNITS.items()
    )


def _uplink(variant: Variant, ports: Ports, key: SigningKey) -> str:
    return f"""\
[broker]
host = {_text(HOST)}
port = {ports.link}
tls = false
keepalive_s = {variant.keepalive_s}

[signing]
key = {_text(key.path)}
kid = {_text(key.kid)}

[rates]
moving_s = {variant.moving_s}
resend_first_s = {variant.resend_first_s}
resend_max_s = {variant.resend_max_s}
"""


def _desk(places: Places, variant: Variant, ports: Ports, vehicle: SigningKey, units: dict[str, SigningKey]) -> str:
    signing = "\n".join(
        f"[[signing]]\nunit = {_text(unit)}\nkid = {_text(key.kid)}\nkey = {_text(key.path)}\n"
        for unit, key in units.items()
    )
    return f"""\
[desk]
units = {json.dumps(list(units))}
host = {_text(HOST)}
port = {ports.desk}
database = {_text(places.root / "desk" / "desk.db")}

[broker]
host = {_text(HOST)}
port = {ports.broker}
tls = false
keepalive_s = {variant.keepalive_s}

{signing}
[[vehicle]]
id = {_text(variants.VEHICLE)}
keys = {{ {_text(vehicle.kid)} = {_text(vehicle.public)} }}
"""
