"""The whole vehicle runs and nothing of it can be reached from another machine; control has no network at all (H28)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.running import Demo

TABLES = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6")
LISTENING = "0A"
LOOPBACK = ("0100007F", "0" * 24 + "01000000")  # 127.0.0.1 and ::1, as the kernel writes them


@dataclass(frozen=True, slots=True)
class Socket:
    """One internet socket of a process: `address` is the local one, in the kernel's hexadecimal."""

    table: str
    address: str
    state: str

    @property
    def is_open_to_others(self) -> bool:
        """Answers whoever comes: a listening TCP socket, or any other that is bound to a local port, off loopback."""
        answers = self.state == LISTENING if self.table.startswith("tcp") else True
        return answers and self.address.partition(":")[0] not in LOOPBACK


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = Demo("--ports", "auto")
    try:
        yield running.wait_ready()
    finally:
        running.sweep()


def sockets(pid: int) -> list[Socket]:
    """The internet sockets that this process holds."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(link.readlink().name)
        except FileNotFoundError:
            continue  # closed while we looked
    found = []
    for table in TABLES:
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if f"socket:[{fields[9]}]" in held:
                found.append(Socket(table, fields[1], fields[3]))
    return found


def pids(demo: Demo) -> dict[str, int]:
    from simulators.stack.calls import call

    answer = call("GET", demo.ready["bench"], "/api/v1/processes")
    assert answer.status == 200
    return {name: pid for name, pid in answer.body["pids"].items() if pid}


def test_H28_no_process_of_the_vehicle_can_be_reached_from_another_machine(demo: Demo) -> None:
    running = pids(demo)
    assert running.keys() >= {"control", "uplink", "display"}
    for name in ("control", "uplink", "display"):
        assert [socket for socket in sockets(running[name]) if socket.is_open_to_others] == [], name


def test_H28_control_holds_no_internet_socket_at_all(demo: Demo) -> None:
    running = pids(demo)
    assert sockets(running["control"]) == []
    port = int(re.search(r":(\d+)", demo.ready["display"].partition("//")[2])[1])  # type: ignore[index]
    shown = {(socket.address, socket.state) for socket in sockets(running["display"])}
    assert (f"0100007F:{port:04X}", LISTENING) in shown, "this looks in the right place"
