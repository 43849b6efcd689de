"""`vehicle-bench run`: the simulated vehicle alone, for an agent started by hand, by the demo or by a test."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from simulators.bench.broker_link import BrokerLink
from simulators.bench.electrics import Electrics
from simulators.bench.gnss_device import GnssDevice
from simulators.bench.mirror import Mirror
from simulators.bench.pin_server import PinServer
from simulators.bench.radio_device import RadioDevice
from simulators.bench.web import Far, make_app
from simulators.bench.wiring import Wiring, WiringError, load_wiring

REFERENCE_CONFIG = Path(__file__).resolve().parents[2] / "config" / "vehicle"
STOP_S = 2  # open connections of a page get this long when the bench is told to stop


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        return asyncio.run(_run(options))
    except (WiringError, OSError) as error:
        print(f"vehicle-bench: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vehicle-bench", description=__doc__)
    run = parser.add_subparsers(dest="command", required=True).add_parser("run", help="serve the wires until SIGTERM")
    run.add_argument("--config", type=Path, default=REFERENCE_CONFIG, metavar="DIR", help="holds vehicle.toml")
    run.add_argument(
        "--bench-dir",
        type=Path,
        default=Path(tempfile.gettempdir()) / f"vehicle-bench-{os.getuid()}",
        metavar="DIR",
        help="wires.shm, pins.sock, gnss and radio go here; the agent's STV_BENCH_DIR",
    )
    run.add_argument("--port", type=int, default=8081, help="of page and API on 127.0.0.1; 0 = the kernel chooses")
    run.add_argument("--broker", type=_address, metavar="HOST:PORT", help="the real broker behind the link")
    run.add_argument("--broker-port", type=int, default=0, help="where the link listens; 0 = the kernel chooses")
    run.add_argument("--seed", type=int, default=1, help="of the noise on the ADC channels")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


async def _run(options: argparse.Namespace) -> int:
    wiring = load_wiring(options.config)
    directory: Path = options.bench_dir.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            # Before anything is touched: a second bench must not take the wires away from under the first.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"another bench serves {directory}; stop it or give another --bench-dir") from None
        return await _serve_wires(options, wiring, directory)


async def _serve_wires(options: argparse.Namespace, wiring: Wiring, directory: Path) -> int:
    listener = socket.create_server(("127.0.0.1", options.port))
    mirror = Mirror.create(directory / "wires.shm")
    electrics = Electrics(wiring, mirror, seed=options.seed)
    gnss = GnssDevice(directory / "gnss", electrics)
    radio = RadioDevice(directory / "radio")
    devices: dict[str, Far] = {"gnss": gnss, "radio": radio}
    parts: list[PinServer | GnssDevice | RadioDevice | BrokerLink] = [
        PinServer(directory / "pins.sock", electrics),
        gnss,
        radio,
    ]
    link: BrokerLink | None = None
    if options.broker is not None:
        host, port = options.broker
        link = BrokerLink(host, port, port=options.broker_port)
        devices["broker"] = link
        parts.append(link)
    started = []
    try:
        for part in parts:
            part.start()
            started.append(part)
        await _serve(make_app(electrics, devices), listener, _ready(listener, directory, link))
    finally:
        for part in reversed(started):
            part.stop()
        mirror.close()
        (directory / "wires.shm").unlink(missing_ok=True)
    return 0


def _ready(listener: socket.socket, directory: Path, link: BrokerLink | None) -> dict[str, object]:
    line: dict[str, object] = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "bench_dir": str(directory)}
    if link is not None:
        line["broker"] = f"mqtt://{link.host}:{link.port}"
    return line


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn would raise them again after serving, and nothing would be tidied up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(app: FastAPI, listener: socket.socket, line: dict[str, object]) -> None:
    server = _Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_S))

    def stop() -> None:
        app.state.stopping.set()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        print(json.dumps(line), flush=True)
    await serving


if __name__ == "__main__":
    raise SystemExit(main())
