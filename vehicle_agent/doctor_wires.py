"""The doctor's look at the wires, the panel and the serial ports (Rules 3 and 15): through control, or by itself."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vehicle_agent.config import Config, SerialTable
from vehicle_agent.control_client import ControlClient, ControlGoneError
from vehicle_agent.doctor_result import Check, Status

if TYPE_CHECKING:
    from hw.rig import RigReading

# Proven by the tests of a trip only, so unknown before them; all other equipment shows its state at once.
PROVEN_IN_TESTS = frozenset({"beacon", "intercom", "ventilation", "lighting"})
SCAN_MS_MAX = 15.0  # of the 20 ms that a scan has
WIRE_SAMPLES = 10  # as many as the filter wants before it trusts a level
WIRE_PERIOD_S = 0.02
SERIAL_WAIT_S = 3.0  # a receiver speaks once a second, a radio is asked once a second
ADVICE_SERIAL = "Look for the plug under /dev/serial/by-id and set its name as `port`; see that nothing else uses it."


@dataclass(frozen=True, slots=True)
class Control:
    """What a running control said."""

    health: dict[str, Any]
    snapshot: dict[str, Any]


def socket_path(config: Config) -> Path:
    return config.vehicle.paths.runtime_dir / "control.sock"


def ask_control(config: Config) -> Control | None:
    """None when control does not answer."""

    async def ask() -> Control:
        client = ControlClient(socket_path(config))
        try:
            _, health = await client.request("health")
            _, snapshot = await client.request("snapshot")
            return Control(health, snapshot)
        finally:
            await client.close()

    try:
        return asyncio.run(ask())
    except ControlGoneError:
        return None


def check_control(config: Config, control: Control | None) -> Iterator[Check]:
    path = socket_path(config)
    if control is None:
        advice = "Start it: systemctl start vehicle-agent-control. Its log: journalctl -u vehicle-agent-control"
        yield Check("control", Status.WARN, f"does not answer at {path}; its wires are tried from here", advice)
        return
    scan_ms = control.health.get("scan_ms_p99")
    is_slow = isinstance(scan_ms, int | float) and scan_ms > SCAN_MS_MAX
    found = f"answers, phase {control.health.get('phase')}, scan p99 {scan_ms} ms"
    yield Check(
        "control", Status.WARN if is_slow else Status.OK, found, "The computer is overloaded: see what else runs on it."
    )
    mode = stat.S_IMODE(path.stat().st_mode)
    is_open = bool(mode & 0o007)
    advice = f"Others than the three processes may command the vehicle: restart control, or chmod 0660 {path}"
    yield Check("control socket", Status.FAIL if is_open else Status.OK, f"{path} has mode {mode:04o}", advice)
    if control.snapshot.get("commissioned"):
        yield Check("commissioning", Status.OK, "commissioned with this wiring")
    else:
        advice = "Exercise every wire, then: vehicle-agent commission"
        yield Check("commissioning", Status.WARN, "not commissioned with this wiring: boarding is refused", advice)


def check_wires(config: Config, control: Control | None) -> Iterator[Check]:
    if control is not None:
        yield from _equipment(control)
        yield from _ports(config, is_free=False)
        return
    yield from _wires_by_hand(config)
    yield from _ports(config, is_free=True)


def _equipment(control: Control) -> Iterator[Check]:
    for name, state in control.snapshot.get("equipment", {}).items():
        status, reason = state.get("status"), state.get("reason")
        found = f"{status}: {reason}" if reason else str(status)
        if status == "working":
            yield Check(name, Status.OK, found)
        elif status == "unknown" and name in PROVEN_IN_TESTS:
            yield Check(name, Status.WARN, found, "Proven by the tests of a trip; start them in the cab.")
        else:
            yield Check(
                name, Status.FAIL, found, f"Check the wire and the part of {name}; hw/README.md has the wiring."
            )


def _wires_by_hand(config: Config) -> Iterator[Check]:
    from hw.errors import HwError  # opening the wires' libraries is for this case only
    from hw.rig import Rig
    from vehicle_agent.control.wiring import rig_spec

    try:
        rig = Rig(rig_spec(config.vehicle.wiring))
    except HwError as error:
        yield Check("wires", Status.FAIL, str(error), "Then run the doctor again.")
        return
    try:
        reading = rig.read(time.monotonic())
        for _ in range(WIRE_SAMPLES):
            time.sleep(WIRE_PERIOD_S)
            reading = rig.read(time.monotonic())
    finally:
        rig.close()
    yield Check(
        "ADC",
        Status.OK if reading.adc_ok else Status.FAIL,
        _ok(reading.adc_ok),
        "Check the ADCs' supply and SPI wires.",
    )
    for name, loop in reading.loops.items():
        is_good = loop is not None and loop.value not in ("cut", "short", "implausible")
        found = loop.value if loop else "cannot be read"
        advice = f"Check the loop of {name}: both wires, and the resistors in the lock body."
        yield Check(name, Status.OK if is_good else Status.FAIL, found, advice)
    yield from _care(reading)
    for name, is_closed in reading.contacts.items():
        found = "cannot be read" if is_closed is None else "closed" if is_closed else "open"
        yield Check(
            name, Status.FAIL if is_closed is None else Status.OK, found, f"Check the wire of {name} and its pin."
        )
    for name in sorted(reading.stuck):
        yield Check(name, Status.FAIL, "held for over 10 s", "The button is stuck, or its wire is shorted.")
    if reading.supply_counts is not None:
        low, high = config.vehicle.wiring.supply_counts
        status = Status.OK if low <= reading.supply_counts <= high else Status.FAIL
        yield Check(
            "supply", status, f"{reading.supply_counts} counts, good from {low} to {high}", "Check battery and divider."
        )


def _care(reading: RigReading) -> Iterator[Check]:
    """Call lines and thermometers, where they are fitted."""
    for name, call in reading.calls.items():
        found = call.value if call else "cannot be read"
        if call == "pressed":
            yield Check(name, Status.WARN, found, "Somebody is calling, or the button hangs: look into the cell.")
        else:
            advice = f"Check the line of {name}: both wires, and the resistors in the call station."
            yield Check(name, Status.OK if call == "idle" else Status.FAIL, found, advice)
    for name, celsius in reading.temperatures_c.items():
        if celsius is None:
            yield Check(name, Status.FAIL, "cannot be read", f"Check the thermistor of {name} and its two wires.")
        else:
            yield Check(name, Status.OK, f"{celsius:.1f} °C")


def _ok(is_good: bool) -> str:
    return "the reference is right" if is_good else "the reference is out of 2048 ± 20 counts"


def _ports(config: Config, *, is_free: bool) -> Iterator[Check]:
    for name, table in (("gnss", config.vehicle.gnss), ("radio", config.vehicle.radio)):
        if table is None:
            yield Check(f"{name} port", Status.WARN, "not configured", f"Add [{name}] to vehicle.toml.")
        else:
            yield _port(name, table, is_free=is_free)


def _port(name: str, table: SerialTable, *, is_free: bool) -> Check:
    try:
        mode = table.port.stat().st_mode
    except OSError as error:
        return Check(f"{name} port", Status.FAIL, f"{table.port}: {error.strerror}", ADVICE_SERIAL)
    if not stat.S_ISCHR(mode) or not os.access(table.port, os.R_OK | os.W_OK):
        return Check(f"{name} port", Status.FAIL, f"{table.port} is not a port that this user may use", ADVICE_SERIAL)
    if not is_free:
        return Check(f"{name} port", Status.OK, f"{table.port} is there; control has it open")
    return _listen(name, table)


def _listen(name: str, table: SerialTable) -> Check:
    """Whether anything speaks there: a receiver by itself, a radio when it is asked."""
    from hw.serial_port import SerialWire, WireError

    wanted = b"$" if name == "gnss" else b"OK"
    wire = SerialWire(str(table.port), table.baud)
    heard = b""
    try:
        wire.open()
        if name == "radio":
            wire.write(b"AT\r")
        until_s = time.monotonic() + SERIAL_WAIT_S
        while wanted not in heard and (left_s := until_s - time.monotonic()) > 0:
            heard = (heard + wire.read(timeout_s=left_s))[-4096:]
    except WireError as error:
        return Check(f"{name} port", Status.FAIL, str(error), ADVICE_SERIAL)
    finally:
        wire.close()
    if wanted in heard:
        return Check(f"{name} port", Status.OK, f"{table.port} speaks")
    found = f"{table.port}: {len(heard)} bytes, none of them understood" if heard else f"{table.port} is silent"
    return Check(f"{name} port", Status.FAIL, found, f"Check the supply of the {name}, and `baud` ({table.baud}).")
