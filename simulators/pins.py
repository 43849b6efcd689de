"""gpiozero's pin factory of the bench: the agent's own code reads and drives simulated wires, without knowing it.

Inputs are read from the mapped mirror, output edges go to the bench with their time. It is as strict as the real
header: a line has one user, an input cannot be driven, a conversion needs its chip select. Edge detection is refused
openly, because levels are polled here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpiozero import (
    GPIOPinInUse,
    PinEdgeDetectUnsupported,
    PinFixedPull,
    PinInvalidFunction,
    PinInvalidPull,
    PinPWMUnsupported,
    PinSetInput,
    SPIBadArgs,
    SPIInvalidClockMode,
)
from gpiozero.mixins import SharedMixin
from gpiozero.pins import SPI
from gpiozero.pins.pi import PiFactory, PiPin, spi_port_device

from simulators.bench.messages import GRANTED, Verb, pack
from simulators.bench.mirror import Mirror

PI_4B_REVISION = 0xC03115
SILENT_NS = 2_000_000_000  # the bench beats every 10 ms; after two seconds it is dead, not slow
CLAIM_TIMEOUT_S = 2


class BenchLink:
    """The connection to one bench: its mirror and its socket."""

    def __init__(self, directory: Path) -> None:
        self._mirror = Mirror.attach(directory / "wires.shm")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Not `settimeout`: that would also make `tell` wait when the bench's buffer is full.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", CLAIM_TIMEOUT_S, 0))
        self._socket.connect(str(directory / "pins.sock"))

    def claim(self, number: int) -> bool:
        self._socket.send(pack(Verb.CLAIM, number, False, time.monotonic_ns()))
        return self._socket.recv(1) == GRANTED

    def tell(self, verb: Verb, number: int, level: bool) -> None:
        """Never waits: a real line takes no time. A bench that no longer reads is an OSError."""
        self._socket.send(pack(verb, number, level, time.monotonic_ns()), socket.MSG_DONTWAIT)

    def level(self, number: int) -> bool:
        self._check()
        return self._mirror.level(number)

    def counts(self, chip: int, channel: int) -> int:
        self._check()
        return self._mirror.counts(chip, channel)

    def _check(self) -> None:
        if time.monotonic_ns() - self._mirror.heartbeat_ns > SILENT_NS:
            raise OSError("the bench has stopped: its wires have no level")

    def close(self) -> None:
        self._socket.close()
        self._mirror.close()


class BenchPin(PiPin):  # type: ignore[misc]
    def __init__(self, factory: BenchFactory, info: Any) -> None:
        super().__init__(factory, info)
        self._link = factory.link
        self._is_output = False
        self._level = False
        self._pull = info.pull or "floating"
        if not self._link.claim(self._number):
            raise GPIOPinInUse(f"GPIO busy: {info.name} is in use by another process")

    def close(self) -> None:
        # A bench that is gone has no line to give back.
        with contextlib.suppress(OSError):
            self.function = "input"

    def _get_function(self) -> str:
        return "output" if self._is_output else "input"

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f"function of {self!r} must be input or output, not {value!r}")
        becomes_output = value == "output"
        if becomes_output is not self._is_output:
            self._link.tell(Verb.DRIVE if becomes_output else Verb.RELEASE, self._number, False)
            self._is_output, self._level = becomes_output, False

    def _get_state(self) -> bool:
        return self._level if self._is_output else self._link.level(self._number)

    def _set_state(self, value: float) -> None:
        if not self._is_output:
            raise PinSetInput(f"cannot set state of pin {self!r}: it is an input")
        if value not in (0, 1):
            raise PinPWMUnsupported(f"{self!r} is on or off, not {value!r}")
        level = bool(value)
        if level is not self._level:
            self._link.tell(Verb.DRIVE, self._number, level)
            self._level = level

    def _get_pull(self) -> str:
        pull: str = self._pull
        return pull

    def _set_pull(self, value: str) -> None:
        if self._is_output:
            raise PinFixedPull(f"cannot set pull on output {self!r}")
        if value not in ("floating", "up", "down"):
            raise PinInvalidPull(f"pull of {self!r} must be floating, up or down, not {value!r}")
        if self.info.pull and value != self.info.pull:
            raise PinFixedPull(f"{self!r} has a physical pull-{self.info.pull} resistor")
        self._pull = value

    def _get_frequency(self) -> None:
        return None

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            raise PinPWMUnsupported(f"{self!r} has no PWM: pulses come from the scan")

    def _get_bounce(self) -> None:
        return None

    def _set_bounce(self, value: float | None) -> None:
        if value is not None:
            raise PinEdgeDetectUnsupported(f"{self!r} is polled: filter its levels instead of a bounce time")

    def _get_edges(self) -> str:
        return "none"

    def _set_edges(self, value: str) -> None:
        if value != "none":
            raise PinEdgeDetectUnsupported(f"{self!r} is polled: use gpiozero.InputDevice and read its value")

    def _enable_event_detect(self) -> None:
        raise PinEdgeDetectUnsupported(f"{self!r} is polled: use gpiozero.InputDevice and read its value")

    def _disable_event_detect(self) -> None:
        pass


class BenchSPI(SPI):  # type: ignore[misc]
    """An MCP3208 on SPI0, as its data sheet describes the bits on the wire."""

    def __init__(
        self, clock_pin: Any, mosi_pin: Any, miso_pin: Any, select_pin: Any, pin_factory: BenchFactory
    ) -> None:
        _, self._chip = spi_port_device(clock_pin, mosi_pin, miso_pin, select_pin)
        self._link: BenchLink | None = None
        self._clock_mode = 0
        self._rate_hz = 500_000
        super().__init__(pin_factory=pin_factory)
        lines = {pin for pin in (clock_pin, mosi_pin, miso_pin, select_pin) if pin is not None}
        self.pin_factory.reserve_pins(self, *lines)
        self._link = pin_factory.link

    def _conflicts_with(self, other: Any) -> bool:
        return not (isinstance(other, BenchSPI) and self._chip != other._chip)

    def close(self) -> None:
        # Once only: the collector may close a forgotten one again while the factory holds its own lock.
        if self._link is not None:
            self._link = None
            self.pin_factory.release_all(self)
        super().close()

    @property
    def closed(self) -> bool:
        return self._link is None

    def __repr__(self) -> str:
        return "SPI(closed)" if self.closed else f"SPI(port=0, device={self._chip})"

    def read(self, n: int) -> list[int]:
        return self.transfer([0] * n)

    def write(self, data: list[int]) -> int:
        return len(self.transfer(data))

    def transfer(self, data: list[int]) -> list[int]:
        """One chip-select: a start bit, single/differential, three bits of channel, then a null bit and the result."""
        self._check_open()
        link = self._link
        assert link is not None
        width = 8 * len(data)
        # Mode 1 and 2 latch on the other edge, so the chip would see every bit shifted: it never finds its start bit.
        sent = int.from_bytes(data, "big") if self._clock_mode in (0, 3) else 0
        return list(converse(sent, width, lambda channel: link.counts(self._chip, channel)).to_bytes(len(data), "big"))

    def _get_clock_mode(self) -> int:
        return self._clock_mode

    def _set_clock_mode(self, value: int) -> None:
        if value not in range(4):
            raise SPIInvalidClockMode(f"{value} is not a valid SPI clock mode")
        self._clock_mode = value

    def _get_rate(self) -> int:
        return self._rate_hz

    def _set_rate(self, value: float) -> None:
        self._rate_hz = int(value)

    def _get_lsb_first(self) -> bool:
        return False

    def _get_select_high(self) -> bool:
        return False

    def _get_bits_per_word(self) -> int:
        return 8


class BenchSPIShared(SharedMixin, BenchSPI):  # type: ignore[misc]
    @classmethod
    def _shared_key(cls, **arguments: Any) -> tuple[Any, ...]:
        return (id(arguments["pin_factory"]), arguments["clock_pin"], arguments["select_pin"])


class BenchFactory(PiFactory):  # type: ignore[misc]
    """Reads the bench's directory from STV_BENCH_DIR unless it is given."""

    def __init__(self, directory: Path | str | None = None) -> None:
        super().__init__()
        place = directory or os.environ.get("STV_BENCH_DIR")
        if not place:
            raise OSError("STV_BENCH_DIR is not set: it names the directory that `vehicle-bench run` printed")
        try:
            self.link = BenchLink(Path(place))
        except OSError as error:
            raise OSError(f"no bench answers in {place} ({error!s}): start `vehicle-bench run` first") from error
        self.pin_class = BenchPin

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.link.close()

    def _get_revision(self) -> int:
        return PI_4B_REVISION

    def _get_spi_class(self, shared: bool, hardware: bool) -> type[BenchSPI]:
        if not hardware:
            raise SPIBadArgs("the bench has hardware SPI0 only; it never bit-bangs")
        return BenchSPIShared if shared else BenchSPI

    @staticmethod
    def ticks() -> float:
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier


def converse(sent: int, width: int, counts_of: Callable[[int], int]) -> int:
    """The bits that an MCP3208 answers to the `width` bits it is sent within one chip-select, most significant first.

    Before its null bit the chip leaves the line alone, which then idles high. After the last bit of the result it sends
    the result again with the least significant bit first, then zeros.
    """
    idle = (1 << width) - 1
    start = width - sent.bit_length()  # clocks before the start bit
    answer_at = start + 6  # start, mode, three channel bits, one more clock to sample
    if sent == 0 or answer_at >= width:
        return idle
    request = sent >> (width - start - 5)  # start bit, mode and channel
    channel = request & 0b111
    counts = counts_of(channel)
    if not request & 0b1000:
        counts = max(0, counts - counts_of(channel ^ 1))
    backwards = int(f"{counts:012b}"[::-1], 2)
    # Null bit, B11..B0, then B1..B11: B0 is shared by both directions.
    bits = counts << 11 | (backwards & 0x7FF)
    room = width - answer_at - 24
    reply = bits << room if room >= 0 else bits >> -room
    keep = (1 << (width - answer_at)) - 1
    return (idle & ~keep) | (reply & keep)
