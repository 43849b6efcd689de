"""What the rig refuses, and that it says what to do: pins, drivers, dead converters, a dead bench (H04, H34, H39)."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from hw.errors import PinError, RigError
from hw.factory import header_chip, open_factory
from hw.loops import Loop
from hw.pins import parse_output, parse_pin
from hw.rig import Rig, RigSpec
from simulators.bench.electrics import Electrics
from simulators.bench.mirror import Mirror
from simulators.bench.pin_server import PinServer
from simulators.bench.wiring import Wiring, load_wiring
from simulators.pins import BenchFactory
from simulators.stack.variants import INPUTS
from tests.contract.bench_process import SPEC, BenchProcess, rig_on, wait_for, write_wiring


@pytest.mark.parametrize(
    ("text", "kind", "place", "pull", "inverted"),
    [
        ("^!GPIO22", "gpio", "GPIO22", "up", True),
        ("_GPIO5", "gpio", "GPIO5", "down", False),
        ("GPIO26", "gpio", "GPIO26", None, False),
        ("!GPIO9", "gpio", "GPIO9", None, True),
        ("ADC1.0", "adc", "ADC1.0", None, False),
        ("!ADC0.7", "adc", "ADC0.7", None, True),
    ],
)
def test_pin_notation(text: str, kind: str, place: str, pull: str | None, inverted: bool) -> None:
    pin = parse_pin(text)
    assert (pin.kind, pin.place, pin.pull, pin.inverted, str(pin)) == (kind, place, pull, inverted, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("GPIO28", "2..27"),
        ("GPIO0", "HAT"),
        ("GPIO1", "HAT"),
        ("GPIO2", "fixed pull-up"),
        ("!^GPIO22", "write"),
        ("22", "write"),
        ("gpio22", "write"),
        ("GPIO22 ", "write"),
        ("^ADC0.1", "no pull"),
        ("ADC2.0", "chips 0..1"),
        ("ADC0.8", "channels 0..7"),
        ("", "write"),
    ],
)
def test_H34_a_wrong_pin_is_named_with_what_is_allowed(text: str, reason: str) -> None:
    with pytest.raises(PinError, match=reason):
        parse_pin(text)


@pytest.mark.parametrize("text", ["GPIO8", "^!GPIO2", "!GPIO26", "^GPIO26", "ADC0.1"])
def test_H39_an_output_that_would_boot_energised_is_refused(text: str) -> None:
    with pytest.raises(PinError):
        parse_output(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body_door": "ADC0.0"}, r"ADC0\.0 is used twice, by cell_1 and by body_door"),
        ({"cells": {"cell_1": ("^!GPIO17", "^!GPIO3")}}, "GPIO17 is used twice"),
        ({"cells": {"cell_1": "^!GPIO3"}}, "plain ADC channel"),
        ({"cells": {"cell_1": ("ADC0.0", "^!GPIO3")}}, "two GPIO contacts"),
        ({"inputs": {"airflow": "^!GPIO9"}}, "SPI0"),
        ({"outputs": {"buzzer": "GPIO11"}}, "SPI0"),
        ({"inputs": {"airflow": "^!GPIO21"}}, "GPIO21 is used twice"),
        ({"supply": "ADC0.7"}, r"ADC0\.7 is used twice"),
        ({"references": ("^GPIO3",)}, "plain ADC channel"),
    ],
)
def test_H04_a_terminal_belongs_to_one_wire(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(PinError, match=reason):
        Rig(dataclasses.replace(SPEC, **change), MockFactory())


class NoSpiDevice(MockFactory):  # type: ignore[misc]
    """A Pi whose SPI is switched off: gpiozero warns and bit-bangs instead."""

    def _get_spi_class(self, shared: bool, hardware: bool) -> Any:
        if hardware:
            raise OSError("can not open SPI device")
        return super()._get_spi_class(shared, hardware)


@pytest.mark.parametrize(
    ("factory_class", "reason"), [(NoSpiDevice, "can not open SPI device"), (MockFactory, "would bit-bang")]
)
def test_bit_banged_spi_is_an_error(
    factory_class: type[MockFactory], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = factory_class()
    monkeypatch.setattr(Device, "pin_factory", factory)
    with pytest.raises(RigError, match=rf"{reason}.*dtparam=spi=on"):
        Rig(SPEC, factory)


def test_an_unset_factory_means_lgpio_and_never_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if list(Path("/dev").glob("gpiochip*")):
        pytest.skip("this machine has a gpiochip")
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RigError, match=r"no gpiochip .*GPIOZERO_PIN_FACTORY=bench"):
        open_factory()


def test_an_unknown_factory_is_named_with_those_that_exist() -> None:
    with pytest.raises(RigError, match=r"GPIOZERO_PIN_FACTORY=lgipo is not installed here; known: .*bench"):
        open_factory("lgipo")


def test_a_bench_that_does_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STV_BENCH_DIR", str(tmp_path))
    with pytest.raises(RigError, match="vehicle-bench run"):
        open_factory("bench")
    monkeypatch.delenv("STV_BENCH_DIR")
    with pytest.raises(RigError, match="STV_BENCH_DIR"):
        open_factory("bench")


class Chips:
    """lgpio's view of three gpiochips, of which the last is the header, as on a Pi 5 with an old kernel."""

    labels = ("gpio-brcmstb@107d508500", "gpio-brcmstb@107d517c00", "pinctrl-rp1")

    def __init__(self) -> None:
        self.open: set[int] = set()

    def gpiochip_open(self, number: int) -> int:
        self.open.add(number)
        return number

    def gpiochip_close(self, handle: int) -> None:
        self.open.remove(handle)

    def gpio_get_chip_info(self, handle: int) -> list[Any]:
        return [0, 54, f"gpiochip{handle}", self.labels[handle]]


def test_the_header_is_found_by_label_not_by_number(tmp_path: Path) -> None:
    chips = Chips()
    for number in range(3):
        (tmp_path / f"gpiochip{number}").touch()
    assert header_chip(chips, tmp_path) == 2
    (tmp_path / "gpiochip2").unlink()
    with pytest.raises(RigError, match="gpio-brcmstb@107d508500"):
        header_chip(chips, tmp_path)
    assert chips.open == set(), "every chip that was looked at is closed again"


class LocalBench:
    """Wires and electrics without HTTP, for wirings other than the reference."""

    def __init__(self, directory: Path, wiring: Wiring) -> None:
        self.directory = directory
        self.mirror = Mirror.create(directory / "wires.shm")
        self.electrics = Electrics(wiring, self.mirror)
        self.server = PinServer(directory / "pins.sock", self.electrics)
        self.server.start()

    def close(self) -> None:
        self.server.stop()
        self.mirror.close()


def test_H02_a_dead_converter_makes_its_chip_unknown(tmp_path: Path) -> None:
    """Chip 0 loses its reference divider: nothing of it is believed any more, chip 1 still is."""
    wiring = load_wiring(write_wiring(tmp_path))
    bench = LocalBench(tmp_path, dataclasses.replace(wiring, references=wiring.references[1:]))
    try:
        with rig_on(tmp_path) as rig:
            reading = rig.read(time.monotonic())
            assert not reading.adc_ok
            assert set(reading.loops.values()) == {None}
            assert reading.contacts["fan_switch"] is True, "chip 1 is believed"
            assert reading.supply_counts is not None
    finally:
        bench.close()


def test_a_contact_level_between_closed_and_open_is_unknown(tmp_path: Path) -> None:
    wiring = load_wiring(write_wiring(tmp_path))
    # The sense wire sits on the reference divider: half scale is neither closed nor open.
    swapped = {**INPUTS, "light_sense": "ADC1.7"}
    spec = dataclasses.replace(SPEC, inputs=swapped, references=("ADC0.7",))
    bench = LocalBench(tmp_path, wiring)
    try:
        with rig_on(tmp_path, spec) as rig:
            assert rig.read(time.monotonic()).contacts["light_sense"] is None
    finally:
        bench.close()


def test_H02_an_antivalent_pair_stands_in_for_a_loop(tmp_path: Path) -> None:
    pins, door = ("^!GPIO9", "^!GPIO10"), ("^!GPIO7", "^!GPIO8")
    wiring = Wiring({"cell_1": tuple(map(parse_pin, pins)), "body_door": tuple(map(parse_pin, door))}, {}, {})
    spec = RigSpec(cells={"cell_1": pins}, body_door=door)
    bench = LocalBench(tmp_path, wiring)
    try:
        with rig_on(tmp_path, spec) as rig:
            at_s = 0.0
            for word, verdict in (("locked", Loop.LOCKED), ("bolt_open", Loop.BOTH_OPEN), ("locked", Loop.LOCKED)):
                bench.electrics.set("cell_1", word)
                at_s += 1.0
                assert rig.read(at_s).loops["cell_1"] is verdict
            for word in ("cut", "short", "leak"):
                bench.electrics.set("cell_1", word)
                assert rig.read(at_s + 1.0).loops["cell_1"] is not Loop.IMPLAUSIBLE
                assert rig.read(at_s + 1.51).loops["cell_1"] is Loop.IMPLAUSIBLE
                at_s += 2.0
                bench.electrics.set("cell_1", "both_open")
                assert rig.read(at_s).loops["cell_1"] is Loop.BOTH_OPEN
            assert rig.read(at_s).adc_ok
    finally:
        bench.close()


def test_H01_a_bench_that_dies_leaves_nothing_known(tmp_path: Path) -> None:
    bench = BenchProcess(tmp_path)
    factory = BenchFactory(bench.directory)
    rig = Rig(SPEC, factory)
    try:
        bench.process.kill()
        bench.process.wait()
        wait_for(lambda: rig.read(time.monotonic()).faults, "the heartbeat is missed", deadline_s=5.0)
        reading = rig.read(time.monotonic())  # the one before may have begun while the heartbeat was young enough
        assert set(reading.loops.values()) == {None}
        assert set(reading.contacts.values()) == {None}
        assert not reading.adc_ok
        assert "the bench has stopped" in reading.faults[0]
        with pytest.raises(RigError, match="permit_enable"):
            rig.write({"permit_enable": True})
    finally:
        rig.close()
        bench.stop()
