"""`vehicle-agent run`: starts control. Only what the first scan needs is imported before it."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from importlib import metadata
from pathlib import Path

from hw.errors import HwError
from hw.rig import Rig
from vehicle_agent import logs
from vehicle_agent.config import Config, core_settings, load_config
from vehicle_agent.config_errors import ConfigError
from vehicle_agent.control.clock import Clock, boot_id
from vehicle_agent.control.devices import Devices
from vehicle_agent.control.intake import Intake
from vehicle_agent.control.journal import Journal
from vehicle_agent.control.lock import LockedError, StateLock
from vehicle_agent.control.loop import Control
from vehicle_agent.control.pin import PinHashError, parse_pin_hash
from vehicle_agent.control.server import Server
from vehicle_agent.control.sessions import Sessions
from vehicle_agent.control.wiring import rig_spec

EXIT_FAILED = 1  # systemd starts it again
EXIT_CONFIG = 2  # starting again would not help
SWITCH_S = 0.0005  # how long another thread may hold the interpreter once the scan is due

log = logging.getLogger("control")


def main(config_dir: Path) -> int:
    """Run control until SIGTERM. The exit code: 0 asked to end, 1 a wire or the lock failed, 2 wrong configuration."""
    logs.setup("control")
    try:
        config = load_config(config_dir)
        pin_hash = parse_pin_hash(config.vehicle.commander.pin_hash)
    except (ConfigError, PinHashError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    commander = config.vehicle.commander
    clock = Clock()
    sessions = Sessions(
        pin_hash,
        session_s=commander.session_s,
        wrong_max=commander.wrong_pins,
        lockout_s=commander.lockout_s,
        mono=clock.mono,
    )
    try:
        lock = StateLock(config.vehicle.paths.state_dir)  # held until the process ends
        control = _assemble(config, clock, sessions)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: control.stop())
        sys.setswitchinterval(SWITCH_S)
        control.run()
    except (LockedError, HwError, OSError) as error:
        log.critical("%s", error)
        return EXIT_FAILED
    del lock
    return 0


def _assemble(config: Config, clock: Clock, sessions: Sessions) -> Control:
    vehicle = config.vehicle
    rig = Rig(rig_spec(vehicle.wiring))
    try:
        journal = Journal(vehicle.paths.state_dir, clock.mono)
        intake = Intake(sessions, journal)
        server = Server(
            vehicle.paths.runtime_dir / "control.sock",
            intake.handle,
            prepare=intake.prepare,
            turn=intake.turn,
            gone=intake.gone,
        )
        return Control(
            rig=rig,
            settings=core_settings(config),
            clock=clock,
            boot_id=boot_id(),
            software=_version(),
            supply_range=vehicle.wiring.supply_counts,
            lockout_s=vehicle.commander.lockout_s,
            journal=journal,
            devices=Devices(vehicle.gnss, vehicle.radio),
            sessions=sessions,
            intake=intake,
            server=server,
        )
    except BaseException:
        rig.close()
        raise


def _version() -> str:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version("vehicle-agent")
    return "unknown"
