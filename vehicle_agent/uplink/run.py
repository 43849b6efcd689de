"""`vehicle-agent uplink`: configuration, keys, signals; then the loop of `service`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vehicle_agent import logs
from vehicle_agent.config import Config, ConfigError, load_config
from vehicle_agent.control_client import ControlClient
from vehicle_agent.messages import jws
from vehicle_agent.messages.limits import MessageError
from vehicle_agent.uplink.link import Address
from vehicle_agent.uplink.options import Options
from vehicle_agent.uplink.positions import PositionRate
from vehicle_agent.uplink.service import Uplink

log = logging.getLogger(__name__)


def main(config_dir: Path) -> int:
    """Run until SIGTERM or SIGINT: 0. A bad configuration: 2. No usable key: 1."""
    logs.setup("uplink")
    try:
        config = load_config(config_dir)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        signer = jws.FileSigner.load(config.uplink.signing.key, config.uplink.signing.kid)
        options = _options(config)
    except MessageError as error:
        log.error("%s", error)
        return 1
    asyncio.run(_serve(options, signer, config.vehicle.paths.runtime_dir / "control.sock"))
    return 0


async def _serve(options: Options, signer: jws.Signer, socket_path: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Uplink(options, signer, ControlClient(socket_path)).run(stop)


def _options(config: Config) -> Options:
    vehicle, broker, rates = config.vehicle.vehicle.id, config.uplink.broker, config.uplink.rates
    if jws.party_of(config.uplink.signing.kid) != vehicle:
        raise MessageError("kid", f"uplink.toml, signing.kid: must begin with {vehicle}/")
    unit_keys = {}
    for unit in config.units.unit:
        unit_keys[unit.code] = jws.public_keys(unit.keys)
    return Options(
        vehicle=vehicle,
        software=_software(),
        address=Address(
            host=broker.host,
            port=broker.port,
            client_id=broker.client_id or vehicle,
            keepalive_s=broker.keepalive_s,
            is_tls=broker.tls,
            ca=broker.ca,
            certificate=broker.certificate,
            key=broker.key,
        ),
        unit_keys=unit_keys,
        resend_first_s=rates.resend_first_s,
        resend_max_s=rates.resend_max_s,
        rate=PositionRate(
            moving_s=rates.moving_s,
            parked_s=rates.parked_s,
            turn_deg=rates.turn_deg,
            speed_change_mps=rates.speed_change_mps,
        ),
    )


def _software() -> str:
    try:
        return version("vehicle-agent")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
