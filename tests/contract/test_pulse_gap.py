"""The pulse of the permit relay: an edge that comes later than any relay holds is never made (H06, H07)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hw.rig import RigReading
from tests.core.world import SETTINGS
from vehicle_agent.control.clock import Clock
from vehicle_agent.control.devices import Devices
from vehicle_agent.control.intake import Intake
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.loop import Control
from vehicle_agent.control.pin import hash_pin, parse_pin_hash
from vehicle_agent.control.server import Server
from vehicle_agent.control.sessions import Sessions

HOLD_MIN_S = 0.15  # hw/README.md, of any build, hot and cold
ON = {"permit_enable": True}


class Lines:
    """A rig whose only memory is what was driven last."""

    def __init__(self) -> None:
        self.driven: dict[str, bool] = {}

    def write(self, levels: Mapping[str, bool]) -> None:
        self.driven = dict(levels)

    def read(self, at_s: float) -> RigReading:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("gap_s", "is_late"), [(0.02, False), (0.1, False), (0.14, True), (HOLD_MIN_S, True), (0.221, True), (5.0, True)]
)
def test_H06_H07_a_late_edge_is_not_made_and_the_permit_is_released(
    tmp_path: Path, gap_s: float, is_late: bool
) -> None:
    now_s, lines = [100.0], Lines()
    clock = Clock(mono=lambda: now_s[0])
    journal = Journal(tmp_path, clock.mono)
    sessions = Sessions(parse_pin_hash(hash_pin("2468")), session_s=60, wrong_max=5, lockout_s=1, mono=clock.mono)
    intake = Intake(sessions, journal)
    server = Server(tmp_path / "sock", intake.handle, prepare=intake.prepare, turn=intake.turn, gone=intake.gone)
    control = Control(
        rig=lines,  # type: ignore[arg-type]
        settings=SETTINGS,
        clock=clock,
        boot_id="boot",
        software="test",
        supply_range=(0, 4095),
        lockout_s=1.0,
        journal=journal,
        devices=Devices(None, None),
        sessions=sessions,
        intake=intake,
        server=server,
    )
    assert not control.drive(ON), "the first edge of a permit follows none"
    assert lines.driven == {"permit_enable": True, "permit_pulse": True}
    now_s[0] += gap_s
    assert control.drive(ON) is is_late
    assert lines.driven == {"permit_enable": not is_late, "permit_pulse": False}
    now_s[0] += 5.0
    assert control.drive({"permit_enable": False}) is False
    assert not control.drive(ON), "a new permit begins anew"
