"""The demo's ports: the contract's defaults, or free ones that the kernel chose."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"


class PortBusyError(Exception):
    """A default port is taken by somebody else."""


@dataclass(frozen=True, slots=True)
class Ports:
    display: int = 8080
    bench: int = 8081
    desk: int = 8082
    broker: int = 18830
    link: int = 0  # the bench's broker link, which only the uplink uses; always chosen by the kernel


NAMES = ("display", "bench", "desk", "broker", "link")


def choose(*, auto: bool) -> Ports:
    """All ports of one demo. Raises PortBusyError that names the busy port and what to do."""
    wanted = Ports() if not auto else Ports(0, 0, 0, 0, 0)
    held: list[socket.socket] = []  # kept until all are chosen, so that no two are the same
    try:
        chosen = {name: _take(name, getattr(wanted, name), held) for name in NAMES}
    finally:
        for listener in held:
            listener.close()
    return Ports(**chosen)


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on at this moment."""
    held: list[socket.socket] = []
    try:
        return [_take("broker", 0, held) for _ in range(count)]
    finally:
        for listener in held:
            listener.close()


def _take(name: str, port: int, held: list[socket.socket]) -> int:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.append(listener)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
    try:
        listener.bind((HOST, port))
        listener.listen(1)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortBusyError(
            f"port {port} (for the {name}) is in use by another program: end that program, or run with --ports auto"
        ) from error
    return int(listener.getsockname()[1])
