"""The vehicle behind the wires, in time that the test hands out: fan, light, beacon, intercom, relay (H06, H37)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.bench.electrics import Electrics
from simulators.bench.mirror import Mirror
from simulators.bench.parts import MS, ChargePump, CutOff
from simulators.bench.wiring import load_wiring
from simulators.stack.variants import OUTPUTS
from tests.contract.bench_process import write_wiring

# As the contract has them, not as the code under test does.
PUMP_HOLDS_NS = 200 * MS
CUT_OFF_NS = 10_000 * MS


class Bench:
    """Electrics with a clock that only the test moves, in the steps of the real bench."""

    def __init__(self, place: Path) -> None:
        self.now_ns = 1_000_000 * MS
        self.mirror = Mirror.create(place / "wires.shm")
        self.electrics = Electrics(load_wiring(write_wiring(place)), self.mirror, clock_ns=lambda: self.now_ns)

    def drive(self, name: str, level: bool) -> None:
        self.electrics.drive(int(OUTPUTS[name].removeprefix("GPIO")), level, self.now_ns)

    def run(self, length_ms: int) -> None:
        for _ in range(length_ms // 10):
            self.now_ns += 10 * MS
            self.electrics.step()

    def level(self, name: str) -> str | bool:
        level: str | bool = self.electrics.state()["wires"][name]["level"]
        return level

    def runs_until(self, name: str, level: str, at_most_ms: int) -> int:
        """Milliseconds until the wire has this level."""
        for passed_ms in range(0, at_most_ms + 1, 10):
            if self.level(name) == level:
                return passed_ms
            self.run(10)
        raise AssertionError(f"{name} is not {level} within {at_most_ms} ms")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.mirror.close()


def test_nothing_moves_by_itself(bench: Bench) -> None:
    bench.run(2000)
    assert bench.electrics.entries_after(0) == []


@pytest.mark.parametrize(
    ("output", "sense", "falls_ms", "rises_ms"),
    [("fan_inhibit", "airflow", 400, 600), ("light_inhibit", "light_sense", 30, 30)],
)
def test_an_inhibit_interrupts_its_load_and_releasing_brings_it_back(
    bench: Bench, output: str, sense: str, falls_ms: int, rises_ms: int
) -> None:
    bench.drive(output, True)
    assert bench.runs_until(sense, "open", 2000) == falls_ms
    bench.drive(output, False)
    assert bench.runs_until(sense, "closed", 2000) == rises_ms


@pytest.mark.parametrize(("output", "sense"), [("fan_inhibit", "airflow"), ("light_inhibit", "light_sense")])
def test_H37_the_cut_off_gives_the_load_back_after_ten_seconds_whatever_the_line_says(
    bench: Bench, output: str, sense: str
) -> None:
    bench.drive(output, True)
    bench.run(9000)
    assert bench.level(sense) == "open"
    assert 1000 <= bench.runs_until(sense, "closed", 3000) <= 1600
    assert bench.level(output) is True, "the line is still high"
    bench.run(60_000)
    assert bench.level(sense) == "closed"


def test_H37_a_cut_off_that_tripped_arms_again_only_after_ten_seconds_of_rest() -> None:
    for rest_s, is_interrupted in ((1, False), (5, False), (9, False), (10, True)):
        cut_off = CutOff()
        cut_off.update(True, 0)
        assert not cut_off.update(False, CUT_OFF_NS)
        assert cut_off.update(True, CUT_OFF_NS + rest_s * 1000 * MS) is is_interrupted


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20_000)), max_size=40))
def test_H37_no_pattern_on_the_line_interrupts_the_load_for_more_than_ten_seconds_in_twenty(
    pattern: list[tuple[bool, int]],
) -> None:
    cut_off, now_ns, off_ns, history = CutOff(), 0, 0, []
    for line, length_ms in pattern:
        for _ in range(0, length_ms, 100):
            if cut_off.update(line, now_ns):
                off_ns += 100 * MS
            now_ns += 100 * MS
            history.append(off_ns)
    window = 2 * CUT_OFF_NS // (100 * MS)
    # The charge may start empty, be filled, and half of the rest of the window be used again.
    for start in range(0, max(0, len(history) - window), 10):
        assert history[start + window] - history[start] <= 1.5 * CUT_OFF_NS + 200 * MS
    longest = run = 0
    for before, after in itertools.pairwise(history):
        run = run + 1 if after > before else 0
        longest = max(longest, run)
    assert longest * 100 * MS <= CUT_OFF_NS + 100 * MS


def test_the_crews_switch_stops_the_fan_and_a_cut_sense_wire_does_not(bench: Bench) -> None:
    bench.electrics.set("fan_switch", "cut")
    bench.run(2000)
    assert (bench.level("fan_switch"), bench.level("airflow")) == ("cut", "closed")
    bench.electrics.set("fan_switch", "open")
    bench.run(2000)
    assert bench.level("airflow") == "open"
    bench.electrics.set("fan_switch", "auto")
    bench.run(2000)
    assert (bench.level("fan_switch"), bench.level("airflow")) == ("closed", "closed")


@pytest.mark.parametrize("by", ["beacon_test", "beacon_switch"])
def test_the_beacon_flashes_twice_a_second_while_it_has_power(bench: Bench, by: str) -> None:
    if by == "beacon_test":
        bench.drive(by, True)
    else:
        bench.electrics.set(by, "closed")
    bench.run(2000)
    edges = [entry for entry in bench.electrics.entries_after(0) if entry["wire"] == "beacon_sense"]
    assert [entry["level"] for entry in edges[:4]] == ["closed", "open", "closed", "open"]
    periods_ms = [(late["t_ns"] - early["t_ns"]) // MS for early, late in zip(edges, edges[2:], strict=False)]
    assert set(periods_ms) == {500}
    if by == "beacon_test":
        bench.drive(by, False)
    else:
        bench.electrics.set(by, "auto")
    assert bench.level("beacon_sense") == "open"


def test_the_tone_comes_back_after_twenty_milliseconds(bench: Bench) -> None:
    bench.drive("intercom_tone", True)
    assert bench.runs_until("intercom_return", "closed", 100) == 20
    bench.drive("intercom_tone", False)
    assert bench.runs_until("intercom_return", "open", 100) == 20


def test_driving_moves_ignition_and_handbrake_but_not_a_wire_set_by_hand(bench: Bench) -> None:
    bench.electrics.set_driving(True)
    assert (bench.level("ignition"), bench.level("handbrake")) == ("closed", "open")
    bench.electrics.set("handbrake", "closed")
    bench.electrics.set_driving(False)
    bench.electrics.set_driving(True)
    assert (bench.level("ignition"), bench.level("handbrake")) == ("closed", "closed")


def test_H06_the_relay_follows_the_pulse_and_opens_200_ms_after_its_last_edge(bench: Bench) -> None:
    bench.drive("permit_enable", True)
    assert not bench.electrics.state()["permit_relay"]["closed"], "enable alone does nothing"
    pulse = False
    for _ in range(50):
        pulse = not pulse
        bench.drive("permit_pulse", pulse)
        assert bench.electrics.state()["permit_relay"]["closed"]
        assert bench.level("permit_readback") == "closed"
        bench.run(20)
    last_edge_ns = bench.now_ns - 20 * MS
    bench.run(400)
    relay = bench.electrics.state()["permit_relay"]
    assert relay == {"closed": False, "since_ns": last_edge_ns + PUMP_HOLDS_NS}
    assert bench.level("permit_readback") == "open"
    noted = [entry for entry in bench.electrics.entries_after(0) if entry["wire"] in ("permit_relay", "permit_pulse")]
    assert [(entry["wire"], entry["level"]) for entry in noted] == [("permit_relay", True), ("permit_relay", False)]
    assert noted[1]["t_ns"] == relay["since_ns"]


def test_an_edge_that_waits_to_be_read_never_opens_the_relay(bench: Bench) -> None:
    bench.drive("permit_enable", True)
    bench.drive("permit_pulse", True)
    edge_ns = bench.now_ns + 150 * MS
    bench.now_ns += 300 * MS
    # The bench slept: its clock is past the charge, while an edge of 150 ms ago is still in the socket.
    bench.electrics.state()
    bench.electrics.drive(int(OUTPUTS["permit_pulse"].removeprefix("GPIO")), False, edge_ns)
    assert bench.electrics.state()["permit_relay"]["closed"]
    bench.electrics.step(edge_ns)
    assert len([entry for entry in bench.electrics.entries_after(0) if entry["wire"] == "permit_relay"]) == 1


def test_an_edge_that_comes_late_does_not_turn_the_timeline_round(bench: Bench) -> None:
    edge_ns = bench.now_ns + 3 * MS
    bench.now_ns += 5 * MS
    bench.electrics.set("cell_1", "cut")
    bench.electrics.drive(int(OUTPUTS["buzzer"].removeprefix("GPIO")), True, edge_ns)
    assert bench.electrics.entries_after(0) == [], "an earlier edge may still wait in the socket"
    bench.electrics.step(bench.now_ns)
    shown = [(entry["n"], entry["wire"], entry["t_ns"]) for entry in bench.electrics.entries_after(0)]
    assert shown == [(1, "buzzer", edge_ns), (2, "cell_1", bench.now_ns)]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["enable", "pulse"]), st.booleans(), st.integers(0, 300)), max_size=40))
def test_H06_the_charge_pump_agrees_with_its_definition(steps: list[tuple[str, bool, int]]) -> None:
    """The oracle looks back over the whole history of edges at each moment instead of keeping a state."""
    pump, now_ns, enable, pulse, edges = ChargePump(), 0, False, False, []
    for line, level, wait_ms in steps:
        now_ns += wait_ms * MS
        if line == "enable":
            pump.enable(level, now_ns)
            enable = level
        else:
            if level is not pulse:
                edges.append(now_ns)
            pump.pulse(level, now_ns)
            pulse = level
        for later_ns in (now_ns, now_ns + 100 * MS):
            pump.settle(later_ns)
            assert pump.is_closed == (enable and any(later_ns - PUMP_HOLDS_NS < edge <= later_ns for edge in edges))
        now_ns += 100 * MS
