"""The rig on the real bench: every state of every wire comes back through the real pin factory (H01, H02, H33)."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator

import pytest

from hw.errors import RigError
from hw.loops import Loop
from hw.panel import Press
from hw.rig import Rig, RigReading
from simulators.pins import BenchFactory
from simulators.stack.variants import INPUTS, OUTPUTS
from tests.contract.bench_process import CELLS, SPEC, BenchProcess, rig_on, wait_for

LOOPS = (*CELLS, "body_door")
AUTO_CLOSED = {"handbrake", "airflow", "fan_switch", "light_switch", "light_sense"}
BAND_NOISE_COUNTS = 3


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    process = BenchProcess(tmp_path_factory.mktemp("rig"))
    yield process
    assert process.stop() == 0


@pytest.fixture
def rig(bench: BenchProcess) -> Iterator[Rig]:
    bench.all_auto()
    with rig_on(bench.directory) as opened:
        yield opened


def sample(rig: Rig) -> RigReading:
    return rig.read(time.monotonic())


def test_the_vehicle_stands_as_it_should_at_the_start(rig: Rig) -> None:
    reading = sample(rig)
    assert reading.loops == dict.fromkeys(LOOPS, Loop.LOCKED)
    assert reading.contacts == {name: name in AUTO_CLOSED for name in INPUTS}
    assert reading.adc_ok
    assert reading.supply_counts is not None
    assert 1400 <= reading.supply_counts <= 3700
    assert (reading.presses, reading.stuck, reading.faults) == ((), frozenset(), ())


@pytest.mark.parametrize("name", LOOPS)
def test_H02_every_state_of_every_loop_comes_back(bench: BenchProcess, rig: Rig, name: str) -> None:
    expected = {word: Loop(word) for word in ("bolt_open", "door_open", "both_open", "cut", "short", "locked")}
    for word, state in {**expected, "leak": Loop.IMPLAUSIBLE, "auto": Loop.LOCKED}.items():
        bench.set(name, word)
        reading = sample(rig)
        assert reading.loops[name] is state
        assert all(reading.loops[other] is Loop.LOCKED for other in LOOPS if other != name)


@pytest.mark.parametrize("name", INPUTS)
def test_H02_every_state_of_every_contact_comes_back(bench: BenchProcess, rig: Rig, name: str) -> None:
    before = sample(rig).contacts
    for word, is_closed in {"closed": True, "open": False, "short": True, "cut": False}.items():
        bench.set(name, word)
        assert sample(rig).contacts[name] is is_closed
    bench.set(name, "auto")
    wait_for(lambda: sample(rig).contacts == before, f"{name} as before")


def test_H24_a_press_that_only_glances_saw_comes_with_the_next_read(bench: BenchProcess, rig: Rig) -> None:
    sample(rig)
    at_s = time.monotonic()
    for word, seconds in (("open", 0.05), ("closed", 0.05), ("open", 0.04)):
        bench.set("body_count", word)
        for _ in range(round(seconds / 0.01)):  # the clock is the test's: the wire only has to stand
            at_s += 0.01
            rig.glance(at_s)
    bench.set("body_count", "auto")
    (press,) = rig.read(at_s + 0.01).presses
    assert press.button == "body_count"
    assert press.hold_s == pytest.approx(0.05)
    assert rig.read(at_s + 0.03).presses == ()


def test_a_press_is_seen_once_with_its_length(bench: BenchProcess, rig: Rig) -> None:
    for button in ("driver_ready", "driver_stop", "body_count", "alarm_button"):
        for hold_s in (0.1, 0.3) if button == "driver_ready" else (0.2,):
            released_until = time.monotonic() + 0.05
            while time.monotonic() < released_until:
                sample(rig)
            finger = threading.Thread(target=bench.press, args=(button, hold_s))
            finger.start()
            presses: list[Press] = []
            end = time.monotonic() + hold_s + 0.2
            while time.monotonic() < end:
                presses += sample(rig).presses
                time.sleep(0.01)
            finger.join()
            assert [press.button for press in presses] == [button]
            assert presses[0].hold_s == pytest.approx(hold_s, abs=0.05)


def test_outputs_reach_the_bench_and_are_read_back(bench: BenchProcess, rig: Rig) -> None:
    for name in OUTPUTS:
        for level in (True, False):
            rig.write({name: level})
            assert rig.read_back()[name] is level
            wait_for(lambda: bench.wires()["wires"][name]["level"] is level, f"{name} {level}")  # noqa: B023


def test_only_changes_are_written_and_released_lines_go_first(bench: BenchProcess, rig: Rig) -> None:
    rig.write({"ready_lamp": True, "permit_enable": True})
    wait_for(lambda: bench.wires()["wires"]["permit_enable"]["level"], "enable high")
    seen = bench.last()
    rig.write({"buzzer": True, "ready_lamp": True, "permit_enable": False})
    wait_for(lambda: bench.wires()["wires"]["buzzer"]["level"], "buzzer high")
    edges = [(entry["wire"], entry["level"]) for entry in bench.timeline(seen) if entry["wire"] in OUTPUTS]
    assert edges == [("permit_enable", False), ("buzzer", True)]


def test_an_output_that_is_not_wired_is_refused_by_name(rig: Rig) -> None:
    with pytest.raises(RigError, match="no such output: siren"):
        rig.write({"siren": True})


def test_closing_releases_every_output(bench: BenchProcess) -> None:
    with rig_on(bench.directory) as rig:
        rig.write(dict.fromkeys(OUTPUTS, True))
        wait_for(lambda: all(bench.wires()["wires"][name]["level"] for name in OUTPUTS), "all outputs high")
    wait_for(lambda: not any(bench.wires()["wires"][name]["level"] for name in OUTPUTS), "all outputs low")


def test_H33_a_second_agent_cannot_claim_the_lines(bench: BenchProcess, rig: Rig) -> None:
    rig.write({"permit_lamp_red": True})
    wait_for(lambda: bench.wires()["wires"]["permit_lamp_red"]["level"], "lamp")
    seen = bench.last()
    second = BenchFactory(bench.directory)
    try:
        with pytest.raises(RigError, match=r"GPIO busy.*second agent"):
            Rig(SPEC, second)
    finally:
        second.close()
    assert [entry for entry in bench.timeline(seen) if entry["wire"] in OUTPUTS] == [], "no glitch on any output"
    assert sample(rig).contacts["handbrake"] is True


def test_noise_stays_within_three_counts(rig: Rig) -> None:
    counts = []
    for _ in range(200):
        reading = sample(rig)
        assert reading.supply_counts is not None, reading
        counts.append(reading.supply_counts)
        time.sleep(0.002)
    assert 0 < max(counts) - min(counts) <= 2 * BAND_NOISE_COUNTS


def test_one_sample_of_the_whole_vehicle_takes_less_than_a_millisecond(rig: Rig) -> None:
    durations_s = []
    for _ in range(500):
        began_s = time.perf_counter()
        sample(rig)
        durations_s.append(time.perf_counter() - began_s)
    median_s = statistics.median(durations_s)
    print(f"Rig.read p50 {median_s * 1e3:.3f} ms")
    assert median_s <= 1e-3
