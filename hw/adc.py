"""The two MCP3208 converters behind loops, current senses and the crew's switches.

A conversion starts with its own chip-select edge, so each channel is one transfer of three bytes: there is no transfer
for a whole chip.
"""

from __future__ import annotations

import warnings
from typing import Any

from gpiozero import SPISoftwareFallback
from gpiozero.pins.spi import SPISoftware

from hw.errors import RigError

RATE_HZ = 1_000_000  # at 3.3 V the data sheet allows a little over 1 MHz (1 MHz at 2.7 V, 2 MHz at 5 V)
REFERENCE_COUNTS = 2048
REFERENCE_TOLERANCE = 20  # two 1 % resistors; a dead, frozen or unpowered chip is far outside

# Start bit, single-ended, channel: padded so that the twelve bits of the answer end with the third byte.
_REQUESTS = tuple((0x06 | channel >> 2, channel << 6 & 0xC0, 0) for channel in range(8))


class Mcp3208:
    def __init__(self, factory: Any, chip: int) -> None:
        """Raises RigError unless the kernel's SPI drives the chip: bit-banging would steal the scan's time."""
        self.chip = chip
        with warnings.catch_warnings():
            warnings.simplefilter("error", SPISoftwareFallback)
            try:
                self._spi = factory.spi(port=0, device=chip)
            except Exception as error:
                raise RigError(f"ADC{chip} on /dev/spidev0.{chip}: {error!s}. {_ADVICE}") from error
        if isinstance(self._spi, SPISoftware):
            self._spi.close()
            raise RigError(f"ADC{chip}: this pin factory would bit-bang SPI. {_ADVICE}")
        self._spi.clock_mode = 0
        self._spi.rate = RATE_HZ

    def read(self, channel: int) -> int | None:
        """Counts 0..4095; None when no chip answered: it pulls the bit before the result low, an idle line does not."""
        _, high, low = self._spi.transfer(list(_REQUESTS[channel]))
        return None if high & 0x10 else (high & 0x0F) << 8 | low

    def close(self) -> None:
        self._spi.close()


def is_reference(counts: int | None) -> bool:
    return counts is not None and abs(counts - REFERENCE_COUNTS) <= REFERENCE_TOLERANCE


_ADVICE = "Set dtparam=spi=on in config.txt, give the service the group `spi` and DeviceAllow=/dev/spidev0.*"
