"""A pulsing agent that dies: outputs stay as they were, and the relay opens by itself (H06)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.contract.bench_process import BenchProcess, rig_on, wait_for

PULSING = """
import sys, time
from tests.contract.bench_process import SPEC
from hw.rig import Rig
rig = Rig(SPEC)
level = False
while True:
    level = not level
    rig.write({"permit_enable": True, "ready_lamp": True, "permit_pulse": level})
    time.sleep(0.02)
"""


def test_H06_the_relay_opens_within_300_ms_of_a_kill_or_a_stop(tmp_path: Path) -> None:
    bench = BenchProcess(tmp_path)
    environment = {**os.environ, "GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(bench.directory)}
    try:
        for number in (signal.SIGKILL, signal.SIGSTOP):
            agent = subprocess.Popen([sys.executable, "-c", PULSING], env=environment)
            try:
                wait_for(lambda: bench.wires()["permit_relay"]["closed"], "relay closed by the pulses")
                closed_ns = bench.wires()["permit_relay"]["since_ns"]
                end_ns = closed_ns + 300_000_000
                while time.monotonic_ns() < end_ns:
                    time.sleep(0.01)
                assert bench.wires()["permit_relay"] == {"closed": True, "since_ns": closed_ns}
                killed_ns = time.monotonic_ns()
                agent.send_signal(number)
                relay = wait_for(lambda: not (seen := bench.wires()["permit_relay"])["closed"] and seen, "relay open")
                assert 0 < relay["since_ns"] - killed_ns <= 300_000_000
                wires = bench.wires()["wires"]
                assert wires["permit_enable"]["level"] is True, "the line keeps its last level, as on a real Pi"
                assert wires["ready_lamp"]["level"] is True
                wait_for(lambda: bench.wires()["wires"]["permit_readback"]["level"] == "open", "read-back open")
            finally:
                agent.kill()
                agent.wait()
        with rig_on(bench.directory) as rig:
            wait_for(lambda: not bench.wires()["wires"]["ready_lamp"]["level"], "a new agent claims it as released")
            assert rig.read(time.monotonic()).contacts["permit_readback"] is False
    finally:
        assert bench.stop() == 0


LEAVING = """
import os
from tests.contract.bench_process import SPEC
from hw.rig import Rig
rig = Rig(SPEC)
rig.write({"permit_enable": True})
rig.write({"permit_pulse": True})
os._exit(0)
"""


def test_H07_who_takes_over_the_lines_of_a_dead_agent_makes_no_pulse_with_the_enable_still_high(
    tmp_path: Path,
) -> None:
    bench = BenchProcess(tmp_path)
    environment = {**os.environ, "GPIOZERO_PIN_FACTORY": "bench", "STV_BENCH_DIR": str(bench.directory)}
    try:
        subprocess.run([sys.executable, "-c", LEAVING], env=environment, check=True)
        wait_for(lambda: not bench.wires()["permit_relay"]["closed"], "the relay opens without pulses")
        wires = bench.wires()["wires"]
        assert wires["permit_enable"]["level"] is wires["permit_pulse"]["level"] is True
        before = bench.last()
        with rig_on(bench.directory):
            wait_for(lambda: not bench.wires()["wires"]["permit_pulse"]["level"], "the new agent has the lines")
        moved = [(entry["wire"], entry["level"]) for entry in bench.timeline(before)]
        assert ("permit_enable", False) in moved
        assert ("permit_relay", True) not in moved
    finally:
        assert bench.stop() == 0


@pytest.mark.parametrize("wire", ["permit_readback"])
def test_H05_a_welded_contact_can_be_shown(tmp_path: Path, wire: str) -> None:
    bench = BenchProcess(tmp_path)
    try:
        with rig_on(bench.directory) as rig:
            bench.set(wire, "short")
            assert rig.read(time.monotonic()).contacts[wire] is True
            assert bench.wires()["permit_relay"]["closed"] is False
    finally:
        bench.stop()
