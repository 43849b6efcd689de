"""Tells systemd how a process is: READY=1, WATCHDOG=1, STOPPING=1; silent where no systemd listens."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send `state` to the socket named by $NOTIFY_SOCKET, if there is one.

    Never raises: a service manager that does not listen must not stop the vehicle's computer.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace, as containers use it
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.sendto(state.encode(), address)
    except OSError:
        return
