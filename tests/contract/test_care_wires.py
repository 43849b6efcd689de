"""Call lines and thermometers of the cells: what a count means over the parts' tolerances, and what it costs (H36)."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from hw.care import Call, Thermometer, call_state, celsius
from hw.errors import PinError
from hw.loops import counts_of
from hw.plan import Plan
from hw.rig import Rig, RigReading, RigSpec
from simulators.bench.care import thermistor_ohms
from simulators.pins import BenchFactory, BenchLink
from simulators.stack.variants import INPUTS
from tests.contract.bench_process import (
    CALLS,
    CARE_SPEC,
    SPEC,
    TEMPERATURES,
    TWO_CELLS_SPEC,
    BenchProcess,
    rig_on,
)

# R/T table of the NTCLE100E3103 in Vishay's data sheet 29049: °C -> Ω.
TABLE = {-40: 332_094, -20: 96_358, 0: 32_554, 10: 19_872, 20: 12_488, 25: 10_000, 30: 8_059, 40: 5_330, 60: 2_490}
PULL_UP_OHM = 10_000.0
SCANS_A_SECOND = 50


@pytest.mark.parametrize(
    ("at_c", "tolerance_c"),
    # What the beta equation is off the part's own curve: fitted at 25 and 85 °C, it strays in deep frost only.
    [(-40, 3.1), (-20, 1.8), (0, 0.8), (10, 0.5), (20, 0.2), (25, 0.1), (30, 0.2), (40, 0.3), (60, 0.4)],
)
def test_counts_become_the_temperature_of_the_parts_own_table(at_c: int, tolerance_c: float) -> None:
    found = celsius(counts_of(TABLE[at_c], PULL_UP_OHM))
    assert found == pytest.approx(at_c, abs=tolerance_c)
    assert thermistor_ohms(at_c) == pytest.approx(TABLE[at_c], rel=0.002), "the bench has the part's curve"


def test_H36_at_the_limits_the_worst_parts_are_off_by_little_more_than_a_degree() -> None:
    for at_c, r25, pull_up, wire_ohm in product((10, 30), (0.98, 1.02), (0.99, 1.01), (0.0, 50.0)):
        counts = counts_of(TABLE[at_c] * r25 + wire_ohm, PULL_UP_OHM * pull_up)
        assert celsius(counts) == pytest.approx(at_c, abs=1.3)


@pytest.mark.parametrize("ohms", [0.0, 50.0, 900.0, 500_000.0, math.inf])
def test_H36_an_open_a_shorted_and_an_impossible_sensor_have_no_temperature(ohms: float) -> None:
    assert celsius(counts_of(ohms, PULL_UP_OHM)) is None


def test_every_count_has_a_temperature_in_range_or_none_and_more_counts_are_colder() -> None:
    found = [celsius(counts) for counts in range(-1, 4097)]
    shown = [value for value in found if value is not None]
    assert all(-40.0 <= value <= 85.0 for value in shown)
    assert shown == sorted(shown, reverse=True)
    assert None not in found[found.index(shown[0]) : found.index(shown[-1]) + 1]


def test_H36_water_across_the_sensors_wires_reads_warmer_and_never_colder() -> None:
    for at_c, ohms in TABLE.items():
        for leak_ohm in (10_000.0, 100_000.0, 1_000_000.0):
            wet = celsius(counts_of(ohms * leak_ohm / (ohms + leak_ohm), PULL_UP_OHM))
            dry = celsius(counts_of(ohms, PULL_UP_OHM))
            assert wet is not None, at_c
            assert dry is not None, at_c
            assert wet >= dry


def test_noise_does_not_move_a_thermometer_and_a_lost_reading_leaves_nothing_behind() -> None:
    thermometer = Thermometer()
    thermometer.update(2048)
    first = thermometer.celsius
    for counts in (2042, 2054, 2048):
        thermometer.update(counts)
        assert thermometer.celsius == first
    thermometer.update(2060)
    assert first is not None
    assert thermometer.celsius == pytest.approx(first - 0.27, abs=0.02)
    thermometer.update(None)
    assert thermometer.celsius is None
    thermometer.update(2058)
    assert thermometer.celsius is not None


@pytest.mark.parametrize(("ohms", "word"), [(470.0, Call.IDLE), (470.0 + 2200.0, Call.PRESSED)])
def test_H36_a_call_stays_a_call_with_one_percent_parts_and_fifty_ohms_of_wire(ohms: float, word: Call) -> None:
    for parts, pull_up, wire_ohm, noise in product((0.99, 1.01), (2178.0, 2222.0), (0.0, 50.0), (-20, 20)):
        assert call_state(counts_of(ohms * parts + wire_ohm, pull_up) + noise) is word


def test_H36_a_cut_and_a_short_of_a_call_line_are_neither_idle_nor_pressed() -> None:
    assert call_state(counts_of(math.inf)) is Call.CUT
    assert {call_state(counts_of(wire_ohm)) for wire_ohm in range(51)} == {Call.SHORT}


def test_H36_a_level_of_a_door_means_nothing_on_a_call_line() -> None:
    assert call_state(2700) is Call.IMPLAUSIBLE  # a loop's "door open"
    assert call_state(3100) is Call.IMPLAUSIBLE  # … and "both open"
    words = [call_state(counts) for counts in range(4096)]
    assert [words.index(word) for word in (Call.SHORT, Call.IDLE, Call.PRESSED, Call.CUT)] == [0, 650, 2150, 3851]


@pytest.mark.parametrize("pin", ["^!GPIO24", "!ADC1.5", "ADC0.0", "ADC1.4"])
def test_a_care_line_is_a_plain_adc_channel_of_its_own(pin: str) -> None:
    for spec in (
        replace(SPEC, calls={"cell_call_1": pin}),
        replace(SPEC, temperatures={"cell_temperature_1": pin}),
    ):
        with pytest.raises(PinError, match=r"cell_(call|temperature)_1"):
            Plan(spec)


class CountingLink(BenchLink):
    """The way to the bench's wires, with a tally of the conversions that were asked for."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.asked: Counter[str] = Counter()

    def counts(self, chip: int, channel: int) -> int:
        self.asked[f"ADC{chip}.{channel}"] += 1
        return super().counts(chip, channel)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    process = BenchProcess(tmp_path_factory.mktemp("care"), spec=CARE_SPEC)
    yield process
    assert process.stop() == 0


@pytest.fixture
def rig(bench: BenchProcess) -> Iterator[Rig]:
    bench.all_auto()
    with rig_on(bench.directory, CARE_SPEC) as opened:
        yield opened


def sample(rig: Rig, scans: int = 1) -> RigReading:
    """The last of so many samples."""
    for _ in range(scans - 1):
        rig.read(time.monotonic())
    return rig.read(time.monotonic())


def asked_for(bench: BenchProcess, spec: RigSpec, scans: int) -> Counter[str]:
    """The conversions of so many scans, after the first one."""
    factory = BenchFactory(bench.directory)
    factory.link.close()
    factory.link = link = CountingLink(bench.directory)
    rig = Rig(spec, factory)
    try:
        sample(rig)
        link.asked.clear()
        sample(rig, scans)
        return link.asked
    finally:
        rig.close()
        factory.close()


def test_the_first_sample_knows_every_call_line_and_temperature(rig: Rig) -> None:
    reading = sample(rig)
    assert reading.calls == dict.fromkeys(CALLS, Call.IDLE)
    assert reading.temperatures_c == {name: pytest.approx(21.0, abs=0.5) for name in TEMPERATURES}
    assert reading.faults == ()


@pytest.mark.parametrize("name", CALLS)
def test_H36_every_state_of_a_call_line_comes_back_in_the_next_sample(bench: BenchProcess, rig: Rig, name: str) -> None:
    other = next(each for each in CALLS if each != name)
    sample(rig)
    words = {word: Call(word) for word in ("pressed", "cut", "short", "idle")}
    for word, state in {**words, "leak": Call.IMPLAUSIBLE, "auto": Call.IDLE}.items():
        bench.set(name, word)
        assert sample(rig).calls == {name: state, other: Call.IDLE}


def test_a_finger_on_the_call_button_is_a_press_of_the_line(bench: BenchProcess) -> None:
    seen = bench.last()
    bench.press("cell_call_2", 0.1)
    assert [(each["wire"], each["level"]) for each in bench.timeline(seen)] == [
        ("cell_call_2", "pressed"),
        ("cell_call_2", "idle"),
    ]


@pytest.mark.parametrize("name", TEMPERATURES)
def test_H36_the_thermometer_follows_within_a_second_of_scans_and_a_lost_one_has_no_temperature(
    bench: BenchProcess, rig: Rig, name: str
) -> None:
    sample(rig)
    for word, tolerance_c in (("45", 0.5), ("-12.5", 1.5), ("29.9", 0.3)):
        bench.set(name, word)
        assert sample(rig, SCANS_A_SECOND).temperatures_c[name] == pytest.approx(float(word), abs=tolerance_c)
    for word in ("cut", "short"):
        bench.set(name, word)
        reading = sample(rig, SCANS_A_SECOND)
        assert reading.temperatures_c[name] is None
        assert reading.adc_ok
        bench.set(name, "auto")
        assert sample(rig, SCANS_A_SECOND).temperatures_c[name] == pytest.approx(21.0, abs=0.5)


@pytest.mark.parametrize(
    ("wire", "word"),
    [
        ("cell_temperature_1", "warm"),
        ("cell_temperature_1", "nan"),
        ("cell_temperature_1", "300"),
        ("cell_temperature_1", "idle"),
        ("cell_call_1", "21.0"),
        ("cell_call_1", "closed"),
    ],
)
def test_the_bench_refuses_what_a_care_wire_cannot_be(bench: BenchProcess, wire: str, word: str) -> None:
    answer = bench.client.put(f"/wires/{wire}", json={"set": word})
    assert answer.status_code == 422
    assert "cut, short" in answer.text


def test_calls_are_read_in_every_scan_and_each_thermometer_once_a_second(bench: BenchProcess) -> None:
    bench.all_auto()
    asked = asked_for(bench, CARE_SPEC, SCANS_A_SECOND)
    assert {asked[channel] for channel in CALLS.values()} == {SCANS_A_SECOND}
    assert {asked[channel] for channel in TEMPERATURES.values()} == {1}


def test_what_is_not_fitted_costs_no_conversion(bench: BenchProcess) -> None:
    bare, cared = (asked_for(bench, spec, SCANS_A_SECOND) for spec in (TWO_CELLS_SPEC, CARE_SPEC))
    added = {*CALLS.values(), *TEMPERATURES.values()}
    assert not added & set(bare)
    assert {channel: count for channel, count in cared.items() if channel not in added} == bare


def test_H36_a_thermometer_that_is_cut_is_not_asked_more_often(bench: BenchProcess) -> None:
    bench.set("cell_temperature_1", "cut")
    assert asked_for(bench, CARE_SPEC, SCANS_A_SECOND)["ADC1.5"] == 1
    bench.set("cell_temperature_1", "auto")


def test_H36_a_converter_that_is_not_believed_has_no_calls_and_no_temperatures(bench: BenchProcess) -> None:
    """The reference of each converter in turn is taken from a wire that is no divider."""
    bench.all_auto()
    for bad, references in ((0, ("ADC0.6", "ADC1.7")), (1, ("ADC0.7", "ADC1.3"))):
        inputs = {name: pin for name, pin in INPUTS.items() if pin != "ADC1.3"}
        door = "ADC0.5" if bad == 0 else "ADC0.6"
        spec = replace(CARE_SPEC, references=references, inputs=inputs, body_door=door)
        with rig_on(bench.directory, spec) as rig:
            reading = sample(rig, 3)
        assert (set(reading.calls.values()) == {None}) is (bad == 0)
        assert (set(reading.temperatures_c.values()) == {None}) is (bad == 1)
        assert not reading.adc_ok
