"""`vehicle-agent display`: serves the cab display on loopback until SIGTERM (H28: nothing listens on any network)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
from pathlib import Path

from vehicle_agent import logs
from vehicle_agent.config import Config, load_config
from vehicle_agent.control_client import ControlClient
from vehicle_agent.display.app import Display, Setup, build
from vehicle_agent.notify import notify
from vehicle_agent.web.server import Server

log = logging.getLogger(__name__)

WATCHDOG_PERIOD_S = 1.0  # WatchdogSec is 5 s; a stalled event loop is noticed there


class NotLoopbackError(Exception):
    """The configured address could be reached from a network."""


def main(config_dir: Path) -> int:
    """Run the display of the configuration in `config_dir`; 0 after a signal."""
    logs.setup("display")
    config = load_config(config_dir)
    try:
        with _listen(config.vehicle.display.host, config.vehicle.display.port) as listener:
            port = listener.getsockname()[1]
            display = build(ControlClient(config.vehicle.paths.runtime_dir / "control.sock"), _setup(config, port))
            log.info("cab display at http://%s:%d/", config.vehicle.display.host, port)
            asyncio.run(_serve(display, listener))
    except (NotLoopbackError, OSError) as error:
        log.error("display cannot start: %s", error)
        return 1
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket on loopback. Raises `NotLoopbackError`, or OSError when the port is taken."""
    address = "127.0.0.1" if host == "localhost" else host
    if not ipaddress.ip_address(address).is_loopback:
        raise NotLoopbackError(f"[display] host = {host}: only a loopback address such as 127.0.0.1 is allowed")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise OSError(f"{host} port {port}: {error.strerror}; is another display running?") from error
    return listener


def _setup(config: Config, port: int) -> Setup:
    vehicle = config.vehicle
    names = {"127.0.0.1", "localhost", vehicle.display.host}
    hosts = {f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in names}
    if port == 80:  # the only port that browsers leave out of Host and Origin
        hosts |= names
    return Setup(
        hosts=frozenset(hosts),
        origin=vehicle.vehicle.unit,
        units=tuple((unit.code, {str(key): name for key, name in unit.name.items()}) for unit in config.units.unit),
        cells=tuple(sorted(cell.number for cell in vehicle.wiring.cells)),
        language=vehicle.display.language,
        px_per_mm=vehicle.display.px_per_mm,
        lock_while_moving=vehicle.display.lock_while_moving,
        manual_fallback=vehicle.limits.manual_fallback,
    )


async def _serve(display: Display, listener: socket.socket) -> None:
    server = Server(display.app, display.hub.close, lambda: notify("READY=1"))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    tasks = [asyncio.create_task(display.hub.run(), name="hub"), asyncio.create_task(_watchdog(), name="watchdog")]
    for task in tasks:
        task.add_done_callback(lambda _ended: server.stopping.set())  # neither may end before the server
    try:
        await server.serve(sockets=[listener])
    finally:
        notify("STOPPING=1")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await display.client.close()


async def _watchdog() -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(WATCHDOG_PERIOD_S)
