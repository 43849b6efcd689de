"""MCP3208 on the bench's SPI: gpiozero's own class reads it, and every frame has the data sheet's bits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gpiozero import MCP3208, Button, InputDevice, OutputDevice, PinEdgeDetectUnsupported, PinSetInput

from hw.adc import Mcp3208
from hw.loops import counts_of
from simulators.pins import BenchFactory, converse
from tests.contract.bench_process import BenchProcess

COUNTS = (0, 4095, 2730, 1365, 1, 2048, 721, 3032)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    process = BenchProcess(tmp_path_factory.mktemp("spi"))
    yield process
    process.stop()


@pytest.fixture
def factory(bench: BenchProcess) -> Iterator[BenchFactory]:
    made = BenchFactory(bench.directory)
    yield made
    made.close()


def bits_of_data_sheet(sent: str) -> str:
    """A slow MCP3208: clock by clock, as the timing diagram goes. `1` while its output floats (the line idles high)."""
    answer, request, started = [], "", False
    queue: list[str] = []
    for bit in sent:
        if not started:
            started = bit == "1"
            answer.append("1")
        elif len(request) < 4:
            request += bit
            answer.append("1")
        elif len(request) == 4 and not queue and "sampled" not in request:
            channel = int(request[1:], 2)
            value = COUNTS[channel] if request[0] == "1" else max(0, COUNTS[channel] - COUNTS[channel ^ 1])
            word = f"{value:012b}"
            queue = ["0", *word, *word[::-1][1:]]
            request += "sampled"
            answer.append("1")
        else:
            answer.append(queue.pop(0) if queue else "0")
    return "".join(answer)


@pytest.mark.parametrize("width", [8, 16, 24, 32, 40, 48])
def test_every_frame_has_the_bits_of_the_data_sheet(width: int) -> None:
    for start in range(width):
        for request in range(16):
            sent = f"{'0' * start}1{request:04b}{'0' * width}"[:width]
            answer = converse(int(sent, 2), width, lambda channel: COUNTS[channel])
            assert f"{answer:0{width}b}" == bits_of_data_sheet(sent), sent


def test_without_a_start_bit_the_line_stays_idle() -> None:
    assert converse(0, 24, lambda channel: COUNTS[channel]) == 0xFFFFFF


@pytest.mark.parametrize("chip", [0, 1])
def test_gpiozeros_own_class_and_the_rigs_driver_read_the_same(factory: BenchFactory, chip: int) -> None:
    driver = Mcp3208(factory, chip)
    ours = [driver.read(channel) for channel in range(8)]
    driver.close()
    for channel in range(8):
        with MCP3208(channel, port=0, device=chip, pin_factory=factory) as device:
            counts = ours[channel]
            assert counts is not None
            assert device.raw_value == pytest.approx(counts, abs=6)
    assert ours[7] == pytest.approx(2048, abs=3)


def test_a_differential_reading_is_the_difference(bench: BenchProcess, factory: BenchFactory) -> None:
    bench.set("cell_1", "both_open")
    bench.set("cell_2", "locked")
    expected = counts_of(6270.0) - counts_of(470.0)
    with MCP3208(0, differential=True, pin_factory=factory) as device:
        assert device.raw_value == pytest.approx(expected, abs=6)
    with MCP3208(1, differential=True, pin_factory=factory) as device:
        assert device.raw_value == 0


def test_the_lines_are_as_strict_as_a_header(factory: BenchFactory) -> None:
    with InputDevice(17, pull_up=True, pin_factory=factory) as device, pytest.raises(PinSetInput):
        device.pin.state = True
    with OutputDevice(21, pin_factory=factory) as device:
        device.on()
        assert device.value == 1
    with pytest.raises(PinEdgeDetectUnsupported, match="polled"):
        Button(22, pin_factory=factory)
