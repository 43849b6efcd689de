"""Checks between settings that no single field can make: the wiring above all (hazards H02, H04, H33, H34, H35, H39).

The wire names are a fixed set: there is no name under which an output could hold a door.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hw.errors import PinError
from hw.pins import SPI_LINES, Pin, parse_output, parse_pin
from vehicle_agent.config_errors import Problem, nearest_of, shown

if TYPE_CHECKING:
    from vehicle_agent.config import (
        BrokerTable,
        CellTable,
        DeskConfig,
        UnitsConfig,
        UplinkConfig,
        VehicleConfig,
        WiringTable,
    )

INPUTS = (
    *("airflow", "light_sense", "beacon_sense", "intercom_return", "fan_switch", "light_switch", "beacon_switch"),
    *("handbrake", "ignition", "driver_ready", "driver_stop", "body_count", "alarm_button", "permit_readback"),
)
OUTPUTS = (
    *("permit_enable", "permit_pulse", "permit_lamp_red", "ready_lamp", "buzzer"),
    *("fan_inhibit", "light_inhibit", "beacon_test", "intercom_tone"),
)
# Sensed rows whose sensor a person can replace for a trip: he hears the radio and sees the light. Never a lock: nobody
# sees a bolt.
FALLBACK_ITEMS = ("radio", "beacon", "intercom", "ventilation", "lighting")
CUT_SAFE = (("up", True), ("down", False))  # (pull, inverted) of a contact that reads as open when its wire is cut
I2C_LINES = frozenset({2, 3})  # the clock chip and the supply's gauge
SOCKET_PATH_BYTES_MAX = 107  # the kernel's sun_path, less its end
SCRYPT_N_MIN, SCRYPT_BYTES_MAX = (
    1024,
    64 * 1024 * 1024,
)  # below: guessed in a minute; above: no room in control's 256 MiB


def check_vehicle(file: Path, config: VehicleConfig) -> list[Problem]:
    """Everything about vehicle.toml alone."""
    return [
        *_check_wiring(file, config.wiring),
        *_check_pin_hash(file, config.commander.pin_hash),
        *_check_limits(file, config),
        *_check_care(file, config),
        *_check_paths(file, config),
        *check_loopback(file, "display.host", config.display.host),
    ]


def check_own_unit(file: Path, config: VehicleConfig, units: UnitsConfig) -> Iterator[Problem]:
    codes = [unit.code for unit in units.unit]
    own = config.vehicle.unit
    if own not in codes:
        allowed = "a unit of units.toml: " + ", ".join(codes)
        yield Problem(file, "vehicle.unit", "unknown unit", allowed, shown(own), nearest_of(own, codes))


def check_own_key(file: Path, config: VehicleConfig, uplink: UplinkConfig) -> Iterator[Problem]:
    yield from _check_kid(file, "signing.kid", uplink.signing.kid, config.vehicle.id)


def check_units(file: Path, units: UnitsConfig) -> list[Problem]:
    problems = list(_check_unique(file, "unit", "code", (unit.code for unit in units.unit)))
    for number, unit in enumerate(units.unit, 1):
        problems += _check_keys(file, f"unit#{number}.keys", unit.code, unit.keys)
    return problems


def check_broker(file: Path, broker: BrokerTable) -> Iterator[Problem]:
    if not broker.tls:
        if not _is_loopback(broker.host):
            allowed = "true, with ca, certificate and key; false only for a broker at 127.0.0.1"
            yield Problem(file, "broker.tls", f"{broker.host} is another machine", allowed, "false")
        return
    for name in ("ca", "certificate", "key"):
        if getattr(broker, name) is None:
            yield Problem(
                file, f"broker.{name}", "missing", "a path: TLS checks the broker's certificate and shows our own"
            )


def check_desk(file: Path, config: DeskConfig) -> list[Problem]:
    desk = config.desk
    problems = [*check_broker(file, config.broker), *check_loopback(file, "desk.host", desk.host)]
    problems += _check_unique(file, "desk.units", "", desk.units)
    problems += _check_unique(file, "signing", "unit", (signing.unit for signing in config.signing))
    problems += _check_unique(file, "vehicle", "id", (vehicle.id for vehicle in config.vehicle))
    for number, signing in enumerate(config.signing, 1):
        problems += _check_kid(file, f"signing#{number}.kid", signing.kid, signing.unit)
        if signing.unit not in desk.units:
            allowed = "a unit of desk.units: " + ", ".join(desk.units)
            problems.append(
                Problem(
                    file, f"signing#{number}.unit", "this desk does not answer for it", allowed, shown(signing.unit)
                )
            )
    signed = {signing.unit for signing in config.signing}
    problems += [
        Problem(file, "signing", f"missing for unit {unit}", "one [[signing]] for each unit: a receipt is signed")
        for unit in desk.units
        if unit not in signed
    ]
    for number, vehicle in enumerate(config.vehicle, 1):
        problems += _check_keys(file, f"vehicle#{number}.keys", vehicle.id, vehicle.keys)
        if not vehicle.keys:
            problems.append(
                Problem(file, f"vehicle#{number}.keys", "no key", "at least one: a notice is checked with it")
            )
    return problems


def check_loopback(file: Path, key: str, host: str) -> Iterator[Problem]:
    """The pages carry commands and have no defence against slow or foreign clients: they stay on this machine (H28)."""
    if not _is_loopback(host):
        yield Problem(file, key, "not a loopback address", '"127.0.0.1" or "::1"', shown(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_wiring(file: Path, wiring: WiringTable) -> Iterator[Problem]:
    used: dict[str, str] = {}  # terminal -> key of the wire that has it
    pins: list[tuple[str, Pin]] = []
    yield from _check_names(file, "wiring.inputs", wiring.inputs, INPUTS)
    yield from _check_names(file, "wiring.outputs", wiring.outputs, OUTPUTS)
    yield from _check_numbers(file, wiring.cells)
    for key, text, role in _wires(wiring):
        try:
            pin = parse_output(text) if role == "output" else parse_pin(text)
        except PinError as error:
            yield Problem(file, key, str(error), given=shown(text))
            continue
        pins.append((key, pin))
        if pin.place in used:
            allowed = "a pin of its own for each wire: wires in series or side by side hide each other's faults"
            yield Problem(file, key, f"{pin.place} is already {used[pin.place]}", allowed, shown(text))
        used.setdefault(pin.place, key)
        yield from _check_role(file, key, text, pin, role)
    yield from _check_chips(file, pins)
    low, high = wiring.supply_counts
    if not 0 <= low < high <= 4095:
        yield Problem(
            file,
            "wiring.supply_counts",
            "not a range",
            "[lowest, highest] with 0 ≤ lowest < highest ≤ 4095",
            f"[{low}, {high}]",
        )


def _wires(wiring: WiringTable) -> Iterator[tuple[str, str, str]]:
    """Every wire as (key, pin's text, role)."""
    for number, cell in enumerate(wiring.cells, 1):
        if cell.loop is not None:
            yield f"wiring.cells#{number}.loop", cell.loop, "loop"
        for text in cell.pair or ():
            yield f"wiring.cells#{number}.pair", text, "pair"
        if cell.call is not None:
            yield f"wiring.cells#{number}.call", cell.call, "loop"
        if cell.temperature is not None:
            yield f"wiring.cells#{number}.temperature", cell.temperature, "thermistor"
    if isinstance(wiring.body_door, str):
        yield "wiring.body_door", wiring.body_door, "loop"
    else:
        for text in wiring.body_door:
            yield "wiring.body_door", text, "pair"
    for number, text in enumerate(wiring.references, 1):
        yield f"wiring.references#{number}", text, "loop"
    if wiring.supply is not None:
        yield "wiring.supply", wiring.supply, "loop"
    for name, text in wiring.inputs.items():
        yield f"wiring.inputs.{name}", text, "contact"
    for name, text in wiring.outputs.items():
        yield f"wiring.outputs.{name}", text, "output"


def _check_role(file: Path, key: str, text: str, pin: Pin, role: str) -> Iterator[Problem]:
    if role == "loop" and (pin.kind != "adc" or pin.inverted):
        yield Problem(
            file,
            key,
            "not a plain ADC channel",
            'as in "ADC0.3": a loop is measured, a switch cannot tell a cut wire',
            shown(text),
        )
    elif role == "thermistor" and (pin.kind != "adc" or pin.inverted):
        yield Problem(file, key, "not a plain ADC channel", 'as in "ADC1.6": a thermistor is measured', shown(text))
    elif role == "pair" and pin.kind == "adc":
        yield Problem(file, key, "not a GPIO", "two GPIO contacts; one ADC channel is a loop", shown(text))
    elif role == "contact" and pin.kind == "adc" and pin.inverted:
        yield Problem(file, key, "a cut wire would read as closed", f'"{pin.place}" without "!"', shown(text))
    elif role in ("contact", "pair") and pin.kind == "gpio" and (pin.pull, pin.inverted) not in CUT_SAFE:
        # Without a pull the line floats; with the other polarity a cut wire looks like a closed contact (H02).
        allowed = (
            f'"^!{pin.place}" (closes to ground) or "_{pin.place}" (closes to 3.3 V), so that a cut wire reads as open'
        )
        yield Problem(file, key, "a cut wire would not read as open", allowed, shown(text))


def _check_chips(file: Path, pins: Sequence[tuple[str, Pin]]) -> Iterator[Problem]:
    chips = {pin.chip for key, pin in pins if pin.kind == "adc" and not key.startswith("wiring.references")}
    referred = {pin.chip for key, pin in pins if pin.kind == "adc" and key.startswith("wiring.references")}
    for chip in sorted(chips - referred):
        allowed = f'a channel on the fixed divider, as in "ADC{chip}.7": it is how a dead ADC is noticed'
        yield Problem(file, "wiring.references", f"none for ADC{chip}, which is in use", allowed)
    reserved = dict.fromkeys(I2C_LINES, "the clock chip's I2C")
    if chips:
        reserved |= dict.fromkeys(SPI_LINES, "the ADCs' SPI")
    for key, pin in pins:
        if pin.kind == "gpio" and pin.number in reserved:
            yield Problem(file, key, f"{pin.place} belongs to {reserved[pin.number]}", "another GPIO", shown(str(pin)))


def _check_names(file: Path, key: str, given: Mapping[str, str], valid: tuple[str, ...]) -> Iterator[Problem]:
    for name in given:
        if name not in valid:
            yield Problem(
                file, f"{key}.{name}", "no such wire", "one of " + ", ".join(valid), nearest=nearest_of(name, valid)
            )
    for name in valid:
        if name not in given:
            yield Problem(file, f"{key}.{name}", "missing", "a pin: every wire of the contract is fitted")


def _check_numbers(file: Path, cells: tuple[CellTable, ...]) -> Iterator[Problem]:
    numbers = sorted(cell.number for cell in cells)
    if numbers != list(range(1, len(cells) + 1)):
        given = ", ".join(str(number) for number in numbers)
        yield Problem(
            file,
            "wiring.cells",
            "cells are not numbered 1, 2, 3 … without gaps",
            f"1 to {len(cells)}, each once",
            given,
        )
    for number, cell in enumerate(cells, 1):
        if (cell.loop is None) == (cell.pair is None):
            given = "neither" if cell.loop is None else "both"
            yield Problem(
                file, f"wiring.cells#{number}", "needs one way to sense its lock", "either loop or pair", given
            )


def _check_pin_hash(file: Path, pin_hash: str) -> Iterator[Problem]:
    _, n_text, r_text, p_text, *_ = pin_hash.split("$")
    n, r, p = int(n_text), int(r_text), int(p_text)
    if n < SCRYPT_N_MIN or n & (n - 1) or r < 1 or p < 1 or 128 * n * r * p > SCRYPT_BYTES_MAX:
        allowed = (
            f"n a power of two from {SCRYPT_N_MIN}, and 128·n·r·p at most 64 MiB; run `vehicle-agent keys pin` again"
        )
        yield Problem(
            file, "commander.pin_hash", "its scrypt cost is too low or too high", allowed, f"n={n}, r={r}, p={p}"
        )


def _check_limits(file: Path, config: VehicleConfig) -> Iterator[Problem]:
    for number, item in enumerate(config.limits.manual_fallback, 1):
        if item not in FALLBACK_ITEMS:
            allowed = (
                "only " + ", ".join(FALLBACK_ITEMS) + ": a lock and the driver's report are never confirmed by hand"
            )
            nearest = nearest_of(item, FALLBACK_ITEMS)
            yield Problem(
                file, f"limits.manual_fallback#{number}", "not possible by hand", allowed, shown(item), nearest
            )
    radio = config.radio
    if radio is not None and radio.stale_s < 2 * radio.poll_s:
        yield Problem(
            file,
            "radio.stale_s",
            "one late answer would be a lost radio",
            f"at least twice poll_s = {radio.poll_s}",
            str(radio.stale_s),
        )
    if config.gnss is not None and radio is not None and config.gnss.port == radio.port:
        yield Problem(
            file,
            "radio.port",
            "is also gnss.port",
            "a port of its own: two readers steal each other's bytes",
            shown(str(radio.port)),
        )


def _check_care(file: Path, config: VehicleConfig) -> Iterator[Problem]:
    """Limits without a sensor would let people believe that the cells are watched."""
    if any(cell.temperature is not None for cell in config.wiring.cells):
        return
    for name in ("temperature_min_c", "temperature_max_c"):
        if name in config.care.model_fields_set:
            allowed = 'only with `temperature = "ADC…"` at one cell or more'
            yield Problem(file, f"care.{name}", "no cell has a temperature sensor", allowed)


def _check_paths(file: Path, config: VehicleConfig) -> Iterator[Problem]:
    paths = {name: getattr(config.paths, name) for name in ("state_dir", "runtime_dir", "uplink_dir")}
    for name, path in paths.items():
        if not path.is_absolute():
            yield Problem(
                file,
                f"paths.{name}",
                "not absolute",
                "a path from / on: each process has its own working directory",
                shown(str(path)),
            )
    if paths["state_dir"] == paths["uplink_dir"]:
        yield Problem(
            file,
            "paths.uplink_dir",
            "is also state_dir",
            "a directory that only the uplink may read: it holds the signing key",
        )
    socket = str(paths["runtime_dir"] / "control.sock")
    if len(socket.encode()) > SOCKET_PATH_BYTES_MAX:
        yield Problem(
            file,
            "paths.runtime_dir",
            "too long for a socket",
            f"{SOCKET_PATH_BYTES_MAX} bytes with /control.sock",
            shown(socket),
        )


def _check_keys(file: Path, key: str, owner: str, keys: Mapping[str, str]) -> Iterator[Problem]:
    for kid, public in keys.items():
        yield from _check_kid(file, f"{key}.{kid}", kid, owner)
        try:
            raw = base64.urlsafe_b64decode(public.rstrip("=") + "=")
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != 32:
            yield Problem(file, f"{key}.{kid}", "not an Ed25519 public key", "32 bytes in base64url", shown(public))


def _check_kid(file: Path, key: str, kid: str, owner: str) -> Iterator[Problem]:
    if kid.rpartition("/")[0] != owner:
        yield Problem(file, key, f"not a key of {owner}", f'"{owner}/1", "{owner}/2" …', shown(kid))


def _check_unique(file: Path, key: str, name: str, values: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, value in enumerate(values, 1):
        if value in seen:
            yield Problem(
                file, f"{key}#{number}" + (f".{name}" if name else ""), "given twice", "each once", shown(value)
            )
        seen.add(value)
