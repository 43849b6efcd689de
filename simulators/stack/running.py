"""One running demo: starts everything in order, commissions the vehicle, tells the bench who runs under which pid."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulators.stack import broker
from simulators.stack.calls import call
from simulators.stack.configuration import Places, new_places, write_configuration
from simulators.stack.ports import HOST, Ports
from simulators.stack.processes import ProcessDiedError, Program, Supervisor
from simulators.stack.variants import Variant

READY_WITHIN_S = 30.0  # 3 s on an idle machine; a loaded one gets its chance, a broken demo does not wait for ever
POLL_S = 0.05
TELL_TIMEOUT_S = 0.3  # a bench that hangs must not keep others from being started again
AGENT = ("control", "uplink", "display")


class CancelledError(Exception):
    """Somebody ended the demo while it was starting."""


class StartError(Exception):
    """The demo did not come up; the message names the process and shows its last log lines."""


class Stack:
    """All processes of one demo. Use from one thread (see `processes`)."""

    def __init__(self, variant: Variant, ports: Ports, broker_kind: str = "embedded") -> None:
        self._ports = ports
        self.places: Places = new_places()
        write_configuration(self.places, variant, ports)
        self._broker_command = broker.command(broker_kind, self.places.broker, ports.broker)
        self._supervisor = Supervisor(self.places.logs, self.places.pids, self.places.root)
        self._is_cancelled: Callable[[], bool] = bool
        self._is_told = False  # the bench knows the pids as they are
        self.display = f"http://{HOST}:{ports.display}"
        self.bench = f"http://{HOST}:{ports.bench}"
        self.desk = f"http://{HOST}:{ports.desk}"

    def start(self, is_cancelled: Callable[[], bool]) -> None:
        """Start everything; return when all are ready and commissioned. Raises StartError, CancelledError."""
        self._is_cancelled = is_cancelled
        deadline_s = time.monotonic() + READY_WITHIN_S
        try:
            self._supervisor.start(Program("broker", self._broker_command))
            self._supervisor.start(self._bench_program())
            self._supervisor.start(
                Program("desk", [_script("dispatch-desk"), "run", "--config", str(self.places.desk)])
            )
            self._supervisor.start(self._agent_program("display", "display"))
            self._await("bench", deadline_s, lambda: call("GET", self.bench, "/api/v1/wires").status == 200)
            self._supervisor.start(self._agent_program("control", "run"))
            self._await("broker", deadline_s, lambda: _listens(self._ports.broker))
            self._supervisor.start(self._agent_program("uplink", "uplink"))
            self._await("control", deadline_s, self._commission)
            self._await("display", deadline_s, lambda: self._snapshot() is not None)
            self._await("desk", deadline_s, lambda: call("GET", self.desk, "/api/v1/notices").status == 200)
            self._await("uplink", deadline_s, self._uplink_connected)
            self._tell_pids()
        except (ProcessDiedError, OSError) as error:
            raise StartError(str(error)) from error

    def keep_running(self) -> None:
        """To be called often: starts again what died and tells the bench the new pids, as soon as it listens."""
        self._is_told = not self._supervisor.restart_dead() and self._is_told
        if not self._is_told:
            self._tell_pids()

    def ready_line(self) -> str:
        """The contract's JSON line."""
        return json.dumps(
            {
                "display": self.display,
                "bench": self.bench,
                "desk": self.desk,
                "broker": f"mqtt://{HOST}:{self._ports.broker}",
                "state_dir": str(self.places.root),
                "pids": self._agent_pids(),
            }
        )

    def stop(self) -> None:
        """End all processes; the agent first, so that its last words reach the broker."""
        self._supervisor.stop(("control", "uplink", "display"), ("desk", "bench"))

    def _agent_pids(self) -> dict[str, int]:
        pids = self._supervisor.pids()
        return {name: pids[name] for name in AGENT}

    def _agent_program(self, name: str, verb: str) -> Program:
        environment = (
            {"GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(self.places.bench)} if name == "control" else {}
        )
        command = [_script("vehicle-agent"), verb, "--config", str(self.places.config)]
        return Program(name, command, environment, is_scanning=name == "control")

    def _bench_program(self) -> Program:
        command = [_script("vehicle-bench"), "run", "--config", str(self.places.config)]
        command += ["--bench-dir", str(self.places.bench), "--port", str(self._ports.bench)]
        command += ["--broker", f"{HOST}:{self._ports.broker}", "--broker-port", str(self._ports.link)]
        return Program("bench", command)

    def _await(self, name: str, deadline_s: float, is_ready: Callable[[], bool]) -> None:
        while not is_ready():
            if self._is_cancelled():
                raise CancelledError
            self._supervisor.check_alive()
            if time.monotonic() > deadline_s:
                raise StartError(
                    f"{name} was not ready in {READY_WITHIN_S:.0f} s.\n{self._supervisor.last_lines(name)}"
                )
            time.sleep(POLL_S)

    def _commission(self) -> bool:
        return ask_control(self.places.run / "control.sock", {"op": "commission", "by": "simulators/demo"}) == 200

    def _snapshot(self) -> dict[str, Any] | None:
        answer = call("GET", self.display, "/api/v1/snapshot")
        return answer.body if answer.status == 200 else None

    def _uplink_connected(self) -> bool:
        snapshot = self._snapshot()
        return bool(snapshot and snapshot.get("uplink", {}).get("connected"))

    def _tell_pids(self) -> None:
        pids = {"pids": self._agent_pids()}
        self._is_told = call("PUT", self.bench, "/api/v1/processes", pids, timeout_s=TELL_TIMEOUT_S).status == 200


def ask_control(path: Path, request: dict[str, Any], timeout_s: float = 3.0) -> int:
    """One request on control's socket; the answer's status, 0 when there is nobody."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(json.dumps({"id": 1, **request}).encode() + b"\n")
            line = connection.makefile().readline()
            return int(json.loads(line)["status"])
    except (OSError, ValueError, KeyError):
        return 0


def _script(name: str) -> str:
    """A command installed beside this interpreter."""
    return str(Path(sys.executable).with_name(name))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
