"""Configuration of the vehicle and of the desk: what the vehicle decides (pins, ports, units, limits).

What the Order decides is code: nobody switches a legal duty off in a text file. A directory holds `vehicle.toml`,
`units.toml` and `uplink.toml`; each model below is one table of one of them. A description says what the value is and
why its limits are what they are; a person whose file is refused reads it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vehicle_agent.config_errors import ConfigError, Problem

if TYPE_CHECKING:
    from vehicle_agent.core.settings import Settings

__all__ = [
    "Config",
    "ConfigError",
    "DeskConfig",
    "Problem",
    "core_settings",
    "load_config",
    "load_desk",
    "wiring_sha256",
]

Identifier = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9-]{3,32}$",
        description="3 to 32 of a-z, 0-9 and -: it is part of MQTT topics and certificates",
    ),
]
Port = Annotated[int, Field(ge=0, le=65535, description="a TCP port; 0 lets the kernel choose")]
Kid = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9-]{3,32}/[1-9][0-9]{0,5}$",
        description='the owner and the number of the key, as in "kz-mp-017/1"',
    ),
]
PublicKey = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{43}=?$",
        description="32 bytes of an Ed25519 public key in base64url, as `vehicle-agent keys show` prints them",
    ),
]
Language = Literal["kk", "ru", "en"]


class Table(BaseModel):
    """A table of a file: unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class VehicleTable(Table):
    id: Identifier
    unit: Identifier  # the sending unit, which owns this vehicle
    test: bool = Field(False, description="true on a bench: its notices carry `test: true`")
    board: Literal["pi4", "pi5", "bench"] = "pi4"


class CommanderTable(Table):
    pin_hash: str = Field(
        pattern=r"^scrypt\$[0-9]{1,8}\$[0-9]{1,3}\$[0-9]{1,3}\$[A-Za-z0-9+/=]{8,}\$[A-Za-z0-9+/=]{16,}$",
        description='"scrypt$n$r$p$salt$hash" as `vehicle-agent keys pin` prints it; the PIN itself is stored nowhere',
    )
    session_s: float = Field(
        43200.0, ge=60, le=43200, description="how long a commander's session lasts; at most one shift of 12 h"
    )
    wrong_pins: int = Field(
        5, ge=1, le=5, description="wrong PINs until the lock-out; more make a four-digit PIN guessable"
    )
    lockout_s: float = Field(
        300.0,
        ge=1,
        le=3600,
        description="how long the lock-out lasts; over an hour would leave a crew without its display",
    )


class PathsTable(Table):
    state_dir: Path = Field(Path("/var/lib/vehicle-agent"), description="the journal; owned by control")
    runtime_dir: Path = Field(Path("/run/vehicle-agent"), description="control.sock, shared by group")
    uplink_dir: Path = Field(Path("/var/lib/vehicle-agent-uplink"), description="signing key; owned by uplink")


class CellTable(Table):
    number: int = Field(ge=1, le=32, description="the number on the cell's door")
    loop: str | None = Field(None, description='an end-of-line loop, as in "ADC0.3"')
    pair: tuple[str, str] | None = Field(
        None, description='antivalent contacts, normally open first, as in ["^!GPIO5", "^!GPIO6"]'
    )
    call: str | None = Field(None, description='the line of the cell\'s call button, if fitted, as in "ADC1.5"')
    temperature: str | None = Field(None, description='the thermistor of the cell, if fitted, as in "ADC1.6"')


class WiringTable(Table):
    """Where each wire of the contract ends; `^!GPIO22` is a contact to ground with pull-up, `ADC1.0` a channel."""

    cells: tuple[CellTable, ...] = Field(min_length=1, max_length=32, description="one [[wiring.cells]] for each cell")
    body_door: str | tuple[str, str] = Field("ADC0.6", description="an end-of-line loop, or antivalent contacts")
    references: tuple[str, ...] = Field(
        (), description="one ADC channel of each chip on the fixed divider, expected 2048 ± 20 counts"
    )
    supply: str | None = Field(None, description="the ADC channel of the vehicle's supply divider")
    supply_counts: tuple[int, int] = Field((1400, 3700), description="lowest and highest good reading, 0 to 4095")
    inputs: dict[str, str]  # contract's input name -> pin
    outputs: dict[str, str]  # contract's output name -> pin


class SerialTable(Table):
    port: Path = Field(description="a name of /dev/serial/by-id, which stays when the plug is pulled and put back")
    baud: int = Field(9600, ge=1200, le=921600, description="bits a second of the serial line")


class GnssTable(SerialTable):
    satellites_min: int = Field(
        4, ge=4, le=20, description="a fix of fewer than 4 satellites has no height and is not trusted"
    )
    hdop_max: float = Field(5.0, ge=0.5, le=20, description="above 20 a fix can be a kilometre off")
    stale_s: float = Field(
        3.0, ge=0.5, le=3, description="age at which a fix is called stale; a lost receiver shows within 3 s"
    )


class RadioTable(SerialTable):
    poll_s: float = Field(1.0, ge=0.2, le=1.5, description="how often the station is asked; twice within `stale_s`")
    stale_s: float = Field(
        3.0, ge=0.5, le=3, description="age at which an answer is called stale; a lost radio shows within 3 s"
    )
    rssi_min_dbm: int = Field(
        -105, ge=-113, le=-30, description="weaker is no working radio; a station reports -113 at the least"
    )
    talkgroup: str | None = Field(None, min_length=1, max_length=24, description="the talk group that must be selected")


class LimitsTable(Table):
    checklist_valid_s: float = Field(
        1800.0, ge=1, le=7200, description="how long a sensed pass counts; over two hours it proves nothing about now"
    )
    driver_report_valid_s: float = Field(
        120.0, ge=1, le=600, description="how long a driver's report counts until boarding opens"
    )
    confirm_within_s: float = Field(
        120.0, ge=1, le=600, description="silence of a unit after which the cab says to tell it by radio (Rule 19)"
    )
    unscheduled_halt_s: float = Field(
        300.0, ge=1, le=3600, description="standing under way after which a reason is asked for"
    )
    manual_fallback: tuple[str, ...] = Field(
        (), description="sensed rows that the commander may confirm by hand while their sensor is broken"
    )


class CareTable(Table):
    """Care watch, optional: the Order asks for none of it, so each of these is the vehicle's own decision."""

    temperature_min_c: float = Field(
        10.0, ge=0, le=18, description="colder is an alarm; a cell at 18 °C is healthy, in frost people come to harm"
    )
    temperature_max_c: float = Field(
        30.0, ge=20, le=37, description="warmer is an alarm; air as warm as the body, 37 °C, no longer cools it"
    )
    welfare_check_s: float | None = Field(
        None,
        ge=1,
        le=3600,
        description="longest time without somebody looking at the people, not set: no timer; over an hour is no watch",
    )


class DisplayTable(Table):
    host: str = Field("127.0.0.1", description="a loopback address: the cab display is never offered to a network")
    port: Port = 8080
    language: Language = "kk"
    px_per_mm: float = Field(
        8.26, ge=2, le=30, description="8.26 for the 7-inch Touch Display 2, 11.6 for the 5-inch one, 5.2 for the first"
    )
    lock_while_moving: bool = True


class VehicleConfig(Table):
    vehicle: VehicleTable
    commander: CommanderTable
    wiring: WiringTable
    paths: PathsTable = PathsTable()
    gnss: GnssTable | None = None
    radio: RadioTable | None = None
    limits: LimitsTable = LimitsTable()
    care: CareTable = CareTable()
    display: DisplayTable = DisplayTable()


class UnitTable(Table):
    code: Identifier
    name: dict[Language, str] = Field({}, description="language -> name on screen")
    keys: dict[Kid, PublicKey] = Field({}, description='kid "astana-mp/1" -> base64url raw Ed25519 public key')


class UnitsConfig(Table):
    unit: tuple[UnitTable, ...] = Field(
        min_length=1, description="one [[unit]] for each military police body that can be told"
    )


class BrokerTable(Table):
    host: str = Field("127.0.0.1", min_length=1, description="name or address of the broker")
    port: Port = 8883
    tls: bool = Field(True, description="false only for a broker on the loopback of this machine")
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    keepalive_s: int = Field(15, ge=5, le=60, description="a half-open link is noticed after about twice this")
    client_id: str | None = Field(None, pattern=r"^[a-z0-9-]{3,64}$", description="default: the vehicle's id")


class SigningTable(Table):
    key: Path = Field(description="Ed25519 private key, PEM PKCS#8")
    kid: Kid


class RateTable(Table):
    moving_s: float = Field(10.0, ge=0, le=600, description="seconds between positions under way; 0 sends every fix")
    parked_s: float = Field(300.0, ge=0, le=3600, description="seconds between positions at a standstill")
    turn_deg: float = Field(30.0, ge=1, le=180, description="a turn that is worth a position of its own")
    speed_change_mps: float = Field(
        5.0, ge=0.5, le=50, description="a change of speed that is worth a position of its own"
    )
    resend_first_s: float = Field(
        5.0, ge=0.1, le=60, description="first wait for a unit's receipt before a notice is sent again"
    )
    resend_max_s: float = Field(60.0, ge=0.1, le=300, description="longest wait between two sendings of a notice")


class UplinkConfig(Table):
    broker: BrokerTable
    signing: SigningTable
    rates: RateTable = RateTable()


class Config(Table):
    """All three files of a vehicle's configuration directory."""

    vehicle: VehicleConfig
    units: UnitsConfig
    uplink: UplinkConfig
    directory: Path


class VehicleKeyTable(Table):
    id: Identifier
    keys: dict[Kid, PublicKey]  # kid -> base64url raw Ed25519 public key


class DeskTable(Table):
    units: tuple[Identifier, ...] = Field(min_length=1, description="the units that this desk answers for")
    host: str = Field(
        "127.0.0.1", description="a loopback address: a page for other computers needs a proxy with time limits"
    )
    port: Port = 8082
    language: Language = "ru"
    database: Path = Field(Path("/var/lib/dispatch-desk/desk.db"), description="the register of departures")


class DeskSigningTable(Table):
    unit: Identifier
    kid: Kid
    key: Path = Field(description="the unit's Ed25519 private key, PEM PKCS#8")


class DeskConfig(Table):
    """One file: a desk for one or several units."""

    desk: DeskTable
    broker: BrokerTable
    signing: tuple[DeskSigningTable, ...] = Field(
        min_length=1, description="one [[signing]] for each unit of `desk.units`"
    )
    vehicle: tuple[VehicleKeyTable, ...]


def load_config(directory: Path) -> Config:
    """Read the three files of `directory`. Raises ConfigError with every problem of every file and between them."""
    from vehicle_agent import config_checks, config_load  # noqa: PLC0415  they import these models

    problems: list[Problem] = []
    files = {name: directory / f"{name}.toml" for name in ("vehicle", "units", "uplink")}
    vehicle = config_load.parse_file(files["vehicle"], VehicleConfig, problems)
    units = config_load.parse_file(files["units"], UnitsConfig, problems)
    uplink = config_load.parse_file(files["uplink"], UplinkConfig, problems)
    if vehicle is not None:
        problems += config_checks.check_vehicle(files["vehicle"], vehicle)
    if units is not None:
        problems += config_checks.check_units(files["units"], units)
    if uplink is not None:
        problems += config_checks.check_broker(files["uplink"], uplink.broker)
    if vehicle is not None and units is not None:
        problems += config_checks.check_own_unit(files["vehicle"], vehicle, units)
    if vehicle is not None and uplink is not None:
        problems += config_checks.check_own_key(files["uplink"], vehicle, uplink)
    if problems or vehicle is None or units is None or uplink is None:
        raise ConfigError(problems)
    return Config(vehicle=vehicle, units=units, uplink=uplink, directory=directory)


def load_desk(file: Path) -> DeskConfig:
    """Read a desk's one file. Raises ConfigError with every problem."""
    from vehicle_agent import config_checks, config_load  # noqa: PLC0415  they import these models

    problems: list[Problem] = []
    desk = config_load.parse_file(file, DeskConfig, problems)
    if desk is not None:
        problems += config_checks.check_desk(file, desk)
    if problems or desk is None:
        raise ConfigError(problems)
    return desk


def wiring_sha256(config: Config) -> str:
    """The wiring's fingerprint: a commissioning counts only for the wiring it was made with.

    Optional wires that are not fitted are no part of it, so that learning of them leaves older vehicles commissioned.
    """
    wiring = config.vehicle.wiring.model_dump(mode="json")
    for cell in wiring["cells"]:
        for name in ("call", "temperature"):
            if cell[name] is None:
                del cell[name]
    return hashlib.sha256(json.dumps(wiring, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def core_settings(config: Config) -> Settings:
    """The configuration as the core sees it."""
    from vehicle_agent.core.settings import Settings  # noqa: PLC0415  the desk reads its file without the vehicle's core

    vehicle, limits, care = config.vehicle, config.vehicle.limits, config.vehicle.care
    cells = vehicle.wiring.cells
    gnss = vehicle.gnss.stale_s if vehicle.gnss else GnssTable.model_fields["stale_s"].default
    radio = vehicle.radio or RadioTable(port=Path("/dev/null"))
    return Settings(
        vehicle=vehicle.vehicle.id,
        origin=vehicle.vehicle.unit,
        units=frozenset(unit.code for unit in config.units.unit),
        cells=tuple(sorted(cell.number for cell in cells)),
        is_test=vehicle.vehicle.test,
        manual_fallback=frozenset(limits.manual_fallback),
        checklist_valid_s=limits.checklist_valid_s,
        driver_report_valid_s=limits.driver_report_valid_s,
        confirm_within_s=limits.confirm_within_s,
        unscheduled_halt_s=limits.unscheduled_halt_s,
        gnss_stale_s=gnss,
        radio_stale_s=radio.stale_s,
        rssi_min_dbm=radio.rssi_min_dbm,
        wiring_sha256=wiring_sha256(config),
        call_cells=tuple(sorted(cell.number for cell in cells if cell.call is not None)),
        temperature_cells=tuple(sorted(cell.number for cell in cells if cell.temperature is not None)),
        cell_temperature_c=(care.temperature_min_c, care.temperature_max_c),
        welfare_check_s=care.welfare_check_s,
    )
