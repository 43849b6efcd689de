"""The demo's broker: iotcore's embedded one on one port for both MQTT versions, or mosquitto.

iotcore serves MQTT 3.1.1 and 5 on separate listeners; a client names its version in its first packet, so a small
splitter in front of both makes them one port. Anonymous and loopback only; a garrison runs a broker as `config/` shows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
from pathlib import Path

from simulators.stack.ports import HOST, free_ports
from simulators.stack.retained import Direction, Marks

KINDS = ("embedded", "mosquitto")
CONNECT_BYTES_MAX = 64  # fixed header, protocol name and level lie in the first dozen bytes
CONNECT_WAIT_S = 10.0  # a client that connects and says nothing is dropped
MQTT_5 = 5
CONNECT = 0x10  # the packet type in the first byte
CHUNK_BYTES = 65536

_LISTENER = """
[{version}.1]
name = "mqtt-{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 0

[{version}.1.connections]
connection_timeout_ms = 10000
max_payload_size = 262144
max_inflight_count = 500
dynamic_filters = true
"""

_ROUTER = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 500
max_segment_size = 10485760
max_segment_count = 10
"""


def command(kind: str, config: Path, port: int) -> list[str]:
    """The command that runs a broker of this kind on this port; writes mosquitto's configuration."""
    if kind == "embedded":
        return [sys.executable, "-m", "simulators.stack.broker", "--port", str(port), "--config", str(config)]
    config.write_text(
        # `user root` only says: stay who you are; mosquitto started by root would else lose access to this directory.
        f"listener {port} {HOST}\nallow_anonymous true\npersistence false\nuser root\nlog_dest stderr\nlog_type error\n"
        "log_type warning\nset_tcp_nodelay true\n",
        encoding="utf-8",
    )
    return [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config)]


def protocol_level(packet: bytes) -> int | None:
    """The MQTT version of a CONNECT packet's beginning (3, 4 or 5); None: more bytes are needed. Raises ValueError."""
    if packet and packet[0] != CONNECT:
        raise ValueError("the first packet is not CONNECT")
    at = 1
    while at < len(packet) and packet[at] & 0x80:  # the remaining length takes one to four bytes
        at += 1
    name = at + 1
    if len(packet) < name + 2:
        return None
    level = name + 2 + int.from_bytes(packet[name : name + 2], "big")
    if level >= CONNECT_BYTES_MAX:
        raise ValueError("the protocol name is too long")
    return packet[level] if len(packet) > level else None


async def _serve(port: int, ports_by_version: tuple[int, int]) -> None:
    marks = Marks()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled only when the broker ends; asyncio would print a traceback for each client that is still connected.
        with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(CONNECT_WAIT_S):
                first = b""
                while (level := protocol_level(first)) is None:
                    chunk = await reader.read(CHUNK_BYTES)
                    if not chunk:
                        break
                    first += chunk
            if level is not None:
                is_v5 = level == MQTT_5
                filters: set[str] = set()
                ways = [Direction(marks, filters, is_v5=is_v5, to_broker=side) for side in (True, False)]
                await _join(reader, writer, first, ports_by_version[is_v5], ways)
        writer.close()

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await asyncio.start_server(client, HOST, port)
    await ended.wait()
    server.close()  # open connections end with the loop


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, port: int, both: list[Direction]
) -> None:
    broker_reader, broker_writer = await asyncio.open_connection(HOST, port)
    there, back = both
    broker_writer.write(there.feed(first))
    try:
        ways = [
            asyncio.create_task(_pump(reader, broker_writer, there)),
            asyncio.create_task(_pump(broker_reader, writer, back)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
    finally:
        broker_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(way.feed(chunk))
            await writer.drain()


def main() -> int:
    from iotcore import Broker

    parser = argparse.ArgumentParser(prog="python -m simulators.stack.broker", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    v4, v5 = free_ports(2)
    arguments.config.write_text(
        _ROUTER
        + _LISTENER.format(version="v4", host=HOST, port=v4)
        + _LISTENER.format(version="v5", host=HOST, port=v5)
    )
    with Broker(config_path=str(arguments.config)):  # its own process, which ends with this one
        asyncio.run(_serve(arguments.port, (v4, v5)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
