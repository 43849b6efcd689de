"""A real desk and a real uplink that know each other's keys, whatever lies between them."""

from __future__ import annotations

from pathlib import Path

from tests.integration.desk_rig import DeskProcess, Keys
from tests.integration.uplink_control import VEHICLE
from tests.integration.uplink_rig import Rig


def paired_desk(directory: Path, rig: Rig, unit: str, port: int) -> DeskProcess:
    """The desk of `unit`, not started, that dials `port`; the uplink must not be running yet either."""
    keys = Keys(directory)
    units, desk = rig.directory / "units.toml", DeskProcess(keys, port)
    units.write_text(units.read_text().replace(rig.units[unit].public_key, keys.signers[unit].public_key))
    text = desk.file.read_text().replace(keys.signers[VEHICLE].public_key, rig.vehicle.public_key)
    desk.file.write_text(text)
    return desk
