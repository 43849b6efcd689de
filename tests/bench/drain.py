"""The way back after 72 hours without a link: older positions drained, and a notice in the middle of it.

The real uplink between a scripted control and a real mosquitto, on loopback and over a line of 200 ms round trip.
Beside it what anybody would write: paho's `publish` for each fix, QoS 1, with its own defaults.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.table import Row
from tests.brokers import Broker, mosquitto
from tests.integration.uplink_control import VEHICLE, fix_body, until
from tests.integration.uplink_rig import Rig, Spy, spying, uplink_rig
from tests.resources import rss_mib
from vehicle_agent.messages import topics

FIXES = 100_000
ROUND_TRIP_S = 0.2
REACH = {0.0: 15_000.0, ROUND_TRIP_S: 4450.0}  # fixes a second, design/benchmarks.md
GROWTH_MAX_MIB = 5.0
NOTICE_ROUND_TRIPS = 2
NAIVE = {0.0: 20_000, ROUND_TRIP_S: 900}  # messages of the peer, so that it takes some seconds
WITHIN_S = 240.0


@contextmanager
def line_to(port: int, round_trip_s: float) -> Iterator[int]:
    """The port of a line to this port."""
    if not round_trip_s:
        yield port
        return
    command = [sys.executable, "-m", "tests.bench.delay", str(port), str(round_trip_s / 2)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Peak(threading.Thread):
    """The most that a process holds while this runs."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._ended = pid, threading.Event()
        self.before_mib = self.mib = rss_mib(pid)

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.mib = max(self.mib, rss_mib(self._pid))

    def end(self) -> float:
        self._ended.set()
        self.join()
        return self.mib - self.before_mib


def fill(rig: Rig, fixes: int) -> None:
    """So many positions wait in the uplink."""
    for number in range(fixes):
        rig.control.push("fix", fix_body(mono_s=float(number), speed_mps=15.0, course_deg=90.0))

    def waiting() -> bool:
        states = rig.control.requests("uplink_state")
        return bool(states) and states[-1]["pending_positions"] >= fixes

    until(waiting, WITHIN_S, "all positions wait")


def arrivals(spy: Spy, since: int) -> list[tuple[float, Any]]:
    return [(one.at_s, one) for one in spy.messages[since:] if one.topic == topics.vehicle_topic(VEHICLE, "track")]


def drain(broker: Broker, round_trip_s: float, fixes: int, directory: Path) -> tuple[float, float, float]:
    """Fixes a second, MiB that the uplink grew by, and seconds from a notice's row to the unit."""
    port = broker.port
    with line_to(port, round_trip_s) as line, uplink_rig(directory, line, moving_s=0.0) as rig:
        broker.stop()
        rig.start()
        assert rig.child is not None
        until(lambda: rig.control.requests("feed"), what="the uplink asks for its feed")
        until(lambda: rig.control.requests("uplink_state"), what="and tells of its link")
        fill(rig, fixes)
        broker.start()
        with spying(port) as spy:
            peak = Peak(rig.child.pid)
            peak.start()
            until(lambda: arrivals(spy, 0), WITHIN_S, "the first batch")
            recorded_s = time.monotonic()
            rig.control.record_notice("astana-mp")
            until(lambda: spy.notices("astana-mp"), WITHIN_S, "the notice")
            notice_s = next(one.at_s for one in spy.messages if one.topic.endswith(f"notices/{VEHICLE}")) - recorded_s

            def count() -> int:
                return sum(len(json.loads(one.payload)["data"]["fixes"]) for _, one in arrivals(spy, 0))

            until(lambda: count() >= fixes, WITHIN_S, "the last batch")
            found = arrivals(spy, 0)
            grown_mib = peak.end()
        times = [fix[0] for _, one in found for fix in json.loads(one.payload)["data"]["fixes"]]
        assert len(times) == fixes, "older positions came twice, or were lost"
        assert times == sorted(times), "older positions are out of order"
        return fixes / (found[-1][0] - found[0][0]), grown_mib, notice_s


def naive(port: int, messages: int) -> float:
    """Messages a second of paho's own queue, each one a fix."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="naive")
    client.connect("127.0.0.1", port)
    client.loop_start()
    until(client.is_connected, what="the peer is connected")
    payload = json.dumps(fix_body())
    began_s = time.monotonic()
    sent = [client.publish(topics.vehicle_topic(VEHICLE, "track"), payload, qos=1) for _ in range(messages)]
    for one in sent:
        one.wait_for_publish(WITHIN_S)
    rate = messages / (time.monotonic() - began_s)
    client.loop_stop()
    client.disconnect()
    return rate


def measure_drain(count: int | None) -> list[Row]:
    """`count`: positions that wait."""
    rows = []
    for round_trip_s, reach in REACH.items():
        with tempfile.TemporaryDirectory() as text, mosquitto(Path(text)) as broker:
            ours, grown_mib, notice_s = drain(broker, round_trip_s, count or FIXES, Path(text))
            with line_to(broker.port, round_trip_s) as line:
                peer = naive(line, NAIVE[round_trip_s])
        where = f"round trip {round_trip_s * 1000:.0f} ms" if round_trip_s else "loopback"
        rows += [
            Row(
                f"older positions, {where}",
                f"{ours:,.0f} fixes/s",
                f"≥ {reach:,.0f} fixes/s, none lost, in order",
                ours >= reach,
                f"paho, one message a fix: {peer:,.0f}/s",
                ours / peer,
            ),
            Row(f"memory of the uplink, {where}", f"+{grown_mib:.1f} MiB", "≤ +5 MiB", grown_mib <= GROWTH_MAX_MIB),
            Row(
                f"a notice in the middle of it, {where}",
                f"{notice_s * 1000:.0f} ms",
                "≤ 2 round trips" if round_trip_s else "",
                notice_s <= NOTICE_ROUND_TRIPS * round_trip_s if round_trip_s else None,
            ),
        ]
    return rows
