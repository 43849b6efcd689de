"""Faults on the bench's wires are levels: sums by hand against what the agent's bands make of them (H02, H25)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.contacts import analog_contact
from hw.loops import Loop, classify
from hw.pins import Pin, parse_pin
from simulators.bench.electrics import Electrics
from simulators.bench.levels import NOISE_COUNTS
from simulators.bench.mirror import Mirror
from simulators.bench.parts import MS
from simulators.bench.wiring import load_wiring
from simulators.stack.variants import INPUTS
from tests.contract.bench_process import CELLS, write_wiring

PULL_UP_OHM, LOCKED_OHM, BOLT_OPEN_OHM = 2200.0, 470.0, 2670.0  # as the wiring page draws them


class Bench:
    """Electrics with a clock that only the test moves, read as the pins see them."""

    def __init__(self, place: Path, wiring: Path | None = None) -> None:
        self.now_ns = 1_000_000 * MS
        self.mirror = Mirror.create(place / "wires.shm")
        self.electrics = Electrics(
            load_wiring(wiring or write_wiring(place)), self.mirror, clock_ns=lambda: self.now_ns
        )

    def run(self, length_ms: int) -> None:
        for _ in range(length_ms // 10):
            self.now_ns += 10 * MS
            self.electrics.step()

    def set(self, name: str, word: str) -> None:
        self.electrics.set(name, word)

    def fault(self, name: str, kind: str | None, **fields: object) -> None:
        self.electrics.set_fault(name, None if kind is None else {"kind": kind, **fields})

    def pin(self, name: str) -> Pin:
        return parse_pin({**CELLS, "body_door": "ADC0.6", **INPUTS}[name])

    def counts(self, name: str) -> int:
        return self.mirror.counts(self.pin(name).chip, self.pin(name).channel)

    def loop(self, name: str) -> Loop:
        return classify(self.counts(name))

    def closed(self, name: str) -> bool | None:
        pin = self.pin(name)
        if pin.kind == "adc":
            return analog_contact(self.counts(name), inverted=pin.inverted)
        return self.mirror.level(pin.number) is not pin.inverted

    def level(self, name: str) -> object:
        return self.electrics.state()["wires"][name]["level"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.mirror.close()


def expect_counts(bench: Bench, name: str, ohms: float, pull_up_ohm: float = PULL_UP_OHM) -> None:
    assert bench.counts(name) == pytest.approx(4096 * ohms / (ohms + pull_up_ohm), abs=NOISE_COUNTS + 1)


def parallel(*ohms: float) -> float:
    return 1.0 / sum(1.0 / each for each in ohms)


@pytest.mark.parametrize("name", ["cell_1", "body_door", "light_sense", "fan_switch"])
def test_H02_a_wire_at_the_supply_reads_full_scale_and_at_ground_nothing(bench: Bench, name: str) -> None:
    for kind, counts in (("supply", 4095), ("cut", 4095), ("short", 0)):
        bench.fault(name, kind)
        assert bench.counts(name) == pytest.approx(counts, abs=NOISE_COUNTS)
        assert bench.level(name) == kind
    bench.fault(name, None)
    assert bench.level(name) == ("locked" if "cell" in name or "door" in name else "closed")


@pytest.mark.parametrize("ohms", [100.0, 600.0, 1000.0, 22_000.0, 1e6])
def test_H02_a_leak_lies_beside_the_loop_whatever_its_state(bench: Bench, ohms: float) -> None:
    bench.fault("cell_1", "leak", ohms=ohms)
    for word, loop_ohm in (("locked", 470.0), ("bolt_open", 2670.0), ("door_open", 4070.0), ("both_open", 6270.0)):
        bench.set("cell_1", word)
        expect_counts(bench, "cell_1", parallel(loop_ohm, ohms))
        assert bench.level("cell_1") == f"{word}+leak"


def test_another_leak_on_the_same_wire_is_another_level(bench: Bench) -> None:
    bench.fault("cell_1", "leak", ohms=100.0)
    bench.fault("cell_1", "leak", ohms=10_000.0)
    expect_counts(bench, "cell_1", parallel(LOCKED_OHM, 10_000.0))


def test_H02_two_loops_that_touch_share_both_pull_ups_and_both_loads(bench: Bench) -> None:
    bench.fault("cell_1", "bridge", to="cell_2")
    for name in ("cell_1", "cell_2"):
        # Equal dividers side by side: no current flows between them, and each tells the truth.
        expect_counts(bench, name, LOCKED_OHM)
        assert bench.loop(name) is Loop.LOCKED
        assert bench.level(name) == "locked+bridge"
    bench.set("cell_2", "bolt_open")
    for name in ("cell_1", "cell_2"):
        expect_counts(bench, name, parallel(LOCKED_OHM, BOLT_OPEN_OHM), PULL_UP_OHM / 2)
        assert bench.loop(name) is Loop.IMPLAUSIBLE
    assert bench.loop("cell_3") is Loop.LOCKED
    bench.fault("cell_1", None)
    assert (bench.loop("cell_1"), bench.loop("cell_2")) == (Loop.LOCKED, Loop.BOLT_OPEN)


def test_H02_three_wires_that_touch_are_one_node(bench: Bench) -> None:
    bench.fault("cell_1", "bridge", to="cell_2")
    bench.fault("cell_2", "bridge", to="cell_3")
    bench.set("cell_3", "both_open")
    for name in ("cell_1", "cell_2", "cell_3"):
        expect_counts(bench, name, parallel(LOCKED_OHM, LOCKED_OHM, 6270.0), PULL_UP_OHM / 3)


def test_H02_a_contact_that_touches_another_is_pulled_low_by_either(bench: Bench) -> None:
    bench.fault("driver_ready", "bridge", to="driver_stop")
    assert (bench.closed("driver_ready"), bench.closed("driver_stop")) == (False, False)
    for held in ("driver_ready", "driver_stop"):
        bench.electrics.hold(held, True)
        assert (bench.closed("driver_ready"), bench.closed("driver_stop")) == (True, True)
        bench.electrics.hold(held, False)
    assert (bench.closed("driver_ready"), bench.closed("driver_stop")) == (False, False)


def test_H02_a_loop_that_touches_a_contact_is_shorted_by_it(bench: Bench) -> None:
    bench.fault("cell_1", "bridge", to="handbrake")
    assert bench.loop("cell_1") is Loop.SHORT
    bench.set("handbrake", "open")
    # The contact's 50 kΩ pull-up lies beside the loop's 2.2 kΩ, and 0.57 V are no high level.
    expect_counts(bench, "cell_1", LOCKED_OHM, parallel(PULL_UP_OHM, 50_000.0))
    assert bench.closed("handbrake")


def test_H02_a_contact_at_the_supply_is_open_and_a_wet_one_is_closed_or_neither(bench: Bench) -> None:
    bench.fault("handbrake", "supply")
    assert bench.closed("handbrake") is False
    bench.fault("driver_ready", "leak", ohms=1000.0)
    assert bench.closed("driver_ready") is True
    bench.set("light_sense", "open")
    bench.fault("light_sense", "leak", ohms=1000.0)
    expect_counts(bench, "light_sense", parallel(22_000.0, 1000.0))
    assert bench.closed("light_sense") is None


def test_a_level_between_low_and_high_leaves_an_input_as_it_was(bench: Bench) -> None:
    for before in ("closed", "open"):
        bench.set("driver_ready", before)
        bench.fault("driver_ready", "leak", ohms=30_000.0)  # 1.24 V
        bench.set("driver_ready", "open")
        assert bench.closed("driver_ready") is (before == "closed")
        bench.fault("driver_ready", None)
        bench.set("driver_ready", "open")
        assert bench.closed("driver_ready") is False


def test_a_stuck_contact_keeps_its_level_while_the_mechanism_moves(bench: Bench) -> None:
    bench.fault("cell_1", "stuck")
    bench.fault("airflow", "stuck")
    bench.set("cell_1", "both_open")
    bench.set("fan_switch", "open")
    bench.run(1000)
    assert (bench.loop("cell_1"), bench.level("cell_1")) == (Loop.LOCKED, "locked")
    assert (bench.closed("airflow"), bench.level("airflow")) == (True, "closed")
    assert bench.electrics.state()["wires"]["cell_1"]["set"] == "both_open"
    bench.fault("cell_1", None)
    bench.fault("airflow", None)
    assert (bench.loop("cell_1"), bench.closed("airflow")) == (Loop.BOTH_OPEN, False)


@pytest.mark.parametrize("hz", [1.0, 5.0, 25.0, 50.0])
def test_H25_a_chattering_wire_makes_two_edges_a_period_and_the_timeline_has_them(bench: Bench, hz: float) -> None:
    bench.fault("cell_1", "chatter", hz=hz)
    bench.run(2000)
    edges = [entry for entry in bench.electrics.entries_after(0) if entry["wire"] == "cell_1"]
    assert len(edges) == pytest.approx(2 * hz * 2.0, abs=2)
    assert [entry["level"] for entry in edges[:4]] == ["bolt_open", "locked", "bolt_open", "locked"][: len(edges)]
    bench.fault("cell_1", None)
    assert bench.level("cell_1") == "locked"


def test_a_loose_plug_chatters_between_the_mechanism_and_a_cut(bench: Bench) -> None:
    bench.fault("cell_1", "chatter", hz=5, against="cut")
    assert bench.loop("cell_1") is Loop.CUT
    bench.run(100)
    assert bench.loop("cell_1") is Loop.LOCKED


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "rust"}, "supply"),
        ("cut", "null"),
        ({"kind": "bridge", "to": "cell_1"}, "another input wire"),
        ({"kind": "bridge"}, "another input wire"),
        ({"kind": "leak", "ohms": -1}, "ohms"),
        ({"kind": "leak", "ohms": True}, "ohms"),
        ({"kind": "chatter", "hz": 1000}, "hz"),
        ({"kind": "chatter", "against": "wet"}, "against"),
        ({"kind": "cut", "ohms": 5}, "no ohms"),
    ],
)
def test_a_bad_fault_is_refused_with_what_is_allowed(bench: Bench, given: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        bench.electrics.set_fault("cell_1", given)
    assert bench.level("cell_1") == "locked"


def test_a_pair_of_contacts_takes_the_faults_that_two_contacts_can_have(tmp_path: Path) -> None:
    config = write_wiring(tmp_path)
    text = (config / "vehicle.toml").read_text(encoding="utf-8")
    text = text.replace('loop = "ADC0.5"', 'pair = ["^!GPIO2", "^!GPIO3"]')
    (config / "vehicle.toml").write_text(text, encoding="utf-8")
    bench = Bench(tmp_path, config)
    for kind, levels in (("cut", (True, True)), ("short", (False, False)), (None, (False, True))):
        bench.fault("cell_6", kind)
        assert (bench.mirror.level(2), bench.mirror.level(3)) == levels, kind
    with pytest.raises(ValueError, match="chatter"):
        bench.electrics.set_fault("cell_6", {"kind": "leak"})
    bench.mirror.close()


def test_H02_a_normally_closed_button_says_pressed_when_its_wire_is_cut(tmp_path: Path) -> None:
    """What the wiring page advises for STOP and the alarm: the same button, written without `!`."""
    config = write_wiring(tmp_path)
    text = (config / "vehicle.toml").read_text(encoding="utf-8")
    (config / "vehicle.toml").write_text(text.replace('"^!GPIO23"', '"^GPIO23"'), encoding="utf-8")
    bench = Bench(tmp_path, config)
    pressed_level = True
    assert bench.mirror.level(23) is not pressed_level
    for kind in ("cut", "supply"):
        bench.fault("driver_stop", kind)
        assert bench.mirror.level(23) is pressed_level
    bench.fault("driver_stop", None)
    assert bench.mirror.level(23) is not pressed_level
    bench.electrics.hold("driver_stop", True)
    assert bench.mirror.level(23) is pressed_level
    bench.mirror.close()
