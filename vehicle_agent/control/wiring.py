"""From configuration to wires, and from what the wires' drivers say to what the core reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw.rig import RigReading, RigSpec
from vehicle_agent.core.inputs import Fix, Radio, Readings

if TYPE_CHECKING:  # their libraries are imported after the first scan
    from hw import fix as hw_fix
    from hw.radio import RadioHealth
    from vehicle_agent.config import WiringTable


def rig_spec(wiring: WiringTable) -> RigSpec:
    """Where each wire ends."""
    cells: dict[str, str | tuple[str, str]] = {}
    for cell in wiring.cells:
        source = cell.loop if cell.loop is not None else cell.pair
        if source is not None:  # the configuration's own check demands one of the two
            cells[f"cell_{cell.number}"] = source
    return RigSpec(
        cells=cells,
        body_door=wiring.body_door,
        references=wiring.references,
        supply=wiring.supply,
        inputs=wiring.inputs,
        outputs=wiring.outputs,
        calls={f"cell_call_{cell.number}": cell.call for cell in wiring.cells if cell.call is not None},
        temperatures={
            f"cell_temperature_{cell.number}": cell.temperature for cell in wiring.cells if cell.temperature is not None
        },
    )


def readings(
    reading: RigReading,
    at_s: float,
    supply_range: tuple[int, int],
    *,
    fix: Fix | None,
    radio: Radio | None,
    journal_ok: bool,
    is_enabled: bool,
) -> Readings:
    """One scan's readings for the core."""
    counts = reading.supply_counts
    return Readings(
        at_s=at_s,
        loops=reading.loops,
        contacts=reading.contacts,
        supply_ok=None if counts is None else supply_range[0] <= counts <= supply_range[1],
        adc_ok=reading.adc_ok,
        fix=fix,
        radio=radio,
        stuck=reading.stuck,
        journal_ok=journal_ok,
        is_enabled=is_enabled,
        calls=reading.calls,
        temperatures_c=reading.temperatures_c,
    )


def core_fix(fix: hw_fix.Fix) -> Fix:
    """A receiver's epoch without the reasons, which are for people."""
    return Fix(
        at_s=fix.at_s,
        mode=fix.mode,
        valid=fix.valid,
        trusted=fix.trusted,
        time_utc=fix.time_utc,
        latitude_deg=fix.latitude_deg,
        longitude_deg=fix.longitude_deg,
        altitude_m=fix.altitude_m,
        speed_mps=fix.speed_mps,
        course_deg=fix.course_deg,
        satellites=fix.satellites,
        hdop=fix.hdop,
    )


def core_radio(health: RadioHealth) -> Radio:
    """A round of the radio's answers."""
    return Radio(
        at_s=health.at_s,
        answered=health.answered,
        registered=health.registered,
        rssi_dbm=health.rssi_dbm,
        mode=health.mode.upper() if health.mode else None,  # the core says TMO, as the radio's handbook does
        reason=health.reason,
    )
