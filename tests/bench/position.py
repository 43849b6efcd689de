"""Position path: from the last byte of an epoch on the pty to the message at a subscriber, ours beside a short script.

Both get the same seven sentences ten times a second, half a period apart, through the same mosquitto at QoS 1; our
store is on, our rate limit off. Whoever is measured has its own pty, so nobody waits for the other.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulators.stack import variants
from simulators.stack.calls import call
from simulators.stack.ports import HOST, choose
from simulators.stack.running import Stack
from tests.bench.receiver import Receiver, tenths_of
from tests.bench.script_peer import TOPIC
from tests.bench.table import Row, share, spread
from tests.bench.vehicle import cpu_s, pids, until, vehicle, wait

HALF_PERIOD_S = 0.05
WARM_UP = 50  # epochs before anything counts: connections, clocks and the end of an epoch are learnt
QUIET_S = 10.0
OURS = f"stv/v1/vehicles/{variants.VEHICLE}/position"
P50_REACH, CPU_REACH = 0.75, 0.2


class Subscriber:
    """Notes when each position arrived."""

    def __init__(self, broker_port: int) -> None:
        self.arrived_ns: dict[str, dict[int, int]] = {OURS: {}, TOPIC: {}}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect(HOST, broker_port)
        self._client.subscribe([(OURS, 1), (TOPIC, 1)])
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        now_ns = time.monotonic_ns()
        body = json.loads(message.payload)
        stamp = body["data"]["time"] if message.topic == OURS else body["time"]
        self.arrived_ns[message.topic].setdefault(tenths_of(datetime.fromisoformat(stamp)), now_ns)


def measure(count: int | None = None) -> list[Row]:
    """`count` epochs each; 600 are the minute that the reach speaks of."""
    epochs = count or 600
    ports = choose(auto=True)

    def change(stack: Stack) -> None:
        _change(stack, ours.port, ports.broker)

    with _receivers() as (ours, theirs), vehicle("six_cells", change, ports) as stack:
        for name, word in (("ignition", "closed"), ("handbrake", "open")):
            call("PUT", stack.bench, f"/api/v1/wires/{name}", {"set": word})
        with _script(theirs.port, ports.broker) as script_pid, contextlib.closing(Subscriber(ports.broker)) as far:
            of_agent, of_script = pids(stack), {"script": script_pid}
            _talk(ours, theirs, WARM_UP)
            until(lambda: all(far.arrived_ns.values()), 10.0, "first positions of both at the subscriber")
            ours.sent_ns.clear()
            theirs.sent_ns.clear()
            agent_s, script_s, control_s = _cpu(of_agent), _cpu(of_script), cpu_s(of_agent["control"])
            _talk(ours, theirs, epochs)
            agent_s, script_s = _cpu(of_agent) - agent_s, _cpu(of_script) - script_s
            control_s = cpu_s(of_agent["control"]) - control_s
            wait(1.0)
            quiet_s = _cpu(of_agent)
            wait(QUIET_S)
            quiet_s = (_cpu(of_agent) - quiet_s) / QUIET_S * epochs / 10
            latencies = [_latencies_ms(one, far.arrived_ns[topic]) for one, topic in ((ours, OURS), (theirs, TOPIC))]
    mine, script = latencies
    p50_ratio = share(mine, 0.5) / share(script, 0.5)
    for_fixes_s = agent_s - quiet_s
    return [
        Row(
            "position: last byte → subscriber",
            spread(mine, "ms"),
            f"p50 ≤ {P50_REACH} of the script, none lost",
            p50_ratio <= P50_REACH and len(mine) == epochs,
            spread(script, "ms"),
            p50_ratio,
        ),
        Row(
            f"position: CPU of the whole agent, {epochs} fixes",
            f"{agent_s:.2f} s (control {control_s:.2f})",
            f"≤ {CPU_REACH} of the script",
            agent_s <= CPU_REACH * script_s,
            f"{script_s:.2f} s",
            agent_s / script_s,
        ),
        Row(
            "position: of that, CPU that the fixes cost",
            f"{for_fixes_s:.2f} s (without fixes {quiet_s:.2f})",
            f"≤ {CPU_REACH} of the script",
            for_fixes_s <= CPU_REACH * script_s,
            f"{script_s:.2f} s",
            for_fixes_s / script_s,
        ),
    ]


def _talk(ours: Receiver, theirs: Receiver, epochs: int) -> None:
    due_s = time.monotonic()
    for turn in range(2 * epochs):
        (theirs if turn % 2 else ours).send()
        due_s += HALF_PERIOD_S
        time.sleep(max(0.0, due_s - time.monotonic()))


def _cpu(processes: dict[str, int]) -> float:
    return sum(cpu_s(pid) for pid in processes.values())


def _latencies_ms(receiver: Receiver, arrived_ns: dict[int, int]) -> list[float]:
    return [(arrived_ns[key] - at_ns) / 1e6 for key, at_ns in receiver.sent_ns.items() if key in arrived_ns]


@contextlib.contextmanager
def _receivers() -> Iterator[tuple[Receiver, Receiver]]:
    with contextlib.closing(Receiver()) as ours, contextlib.closing(Receiver()) as theirs:
        yield ours, theirs


@contextlib.contextmanager
def _script(port: str, broker_port: int) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.script_peer", port, str(broker_port)]
    script = subprocess.Popen(command)
    try:
        yield script.pid
    finally:
        script.kill()
        script.wait()


def _change(stack: Stack, port: str, broker_port: int) -> None:
    """Our receiver instead of the bench's, every fix sent, and mosquitto itself instead of the bench's link to it."""
    vehicle_file, uplink_file = (stack.places.config / name for name in ("vehicle.toml", "uplink.toml"))
    _replace(vehicle_file, str(stack.places.bench / "gnss"), port)
    uplink = [
        f"port = {broker_port}" if line.startswith("port = ") else line
        for line in uplink_file.read_text(encoding="utf-8").splitlines()
        if not line.startswith("moving_s")
    ]
    text = "\n".join(uplink).replace("[rates]", "[rates]\nmoving_s = 0.0\nparked_s = 0.0")
    uplink_file.write_text(text + "\n", encoding="utf-8")


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
