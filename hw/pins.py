"""Pin notation of the configuration: `^!GPIO22` is a contact to ground with pull-up, `ADC1.0` a channel of an ADC.

The electrics stay in these few characters; inside the program there is only closed/open and energised/released.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hw.errors import PinError

ADC_CHIPS = 2  # two chip selects of SPI0: CE0 and CE1
ADC_CHANNELS = 8  # MCP3208
SPI_LINES = frozenset({7, 8, 9, 10, 11})  # CE1, CE0, MISO, MOSI, SCLK
GPIO_FIRST, GPIO_LAST = 2, 27  # 0 and 1 belong to the EEPROM of a HAT
OUTPUT_FIRST = 9  # GPIO 0..8 are pulled up while the computer boots: an output there would be energised

_NOTATION = re.compile(r"(?P<pull>[\^_]?)(?P<inverted>!?)(?:GPIO(?P<number>\d{1,2})|ADC(?P<chip>\d)\.(?P<channel>\d))")
_ALLOWED = "write [^|_][!]GPIOn (^ pull-up, _ pull-down, ! inverted, n 2..27) or [!]ADCc.n (chip 0..1, channel 0..7)"


@dataclass(frozen=True, slots=True)
class Pin:
    kind: Literal["gpio", "adc"]
    number: int = 0  # GPIO number, Broadcom numbering
    pull: Literal["up", "down"] | None = None
    inverted: bool = False  # closed (or energised) is the low level
    chip: int = 0
    channel: int = 0

    def __str__(self) -> str:
        flags = {"up": "^", "down": "_", None: ""}[self.pull] + ("!" if self.inverted else "")
        return f"{flags}GPIO{self.number}" if self.kind == "gpio" else f"{flags}ADC{self.chip}.{self.channel}"

    @property
    def place(self) -> str:
        """The terminal without its flags: what must not be used twice."""
        return f"GPIO{self.number}" if self.kind == "gpio" else f"ADC{self.chip}.{self.channel}"


def parse_pin(text: str) -> Pin:
    """Raises PinError that says what is wrong and what is allowed."""
    match = _NOTATION.fullmatch(text)
    if match is None:
        raise PinError(f"{text!r} is no pin: {_ALLOWED}")
    inverted = bool(match["inverted"])
    if match["number"] is None:
        chip, channel = int(match["chip"]), int(match["channel"])
        if match["pull"]:
            raise PinError(f"{text!r}: an ADC channel has no pull resistor of its own; {_ALLOWED}")
        if chip >= ADC_CHIPS or channel >= ADC_CHANNELS:
            raise PinError(f"{text!r}: there are chips 0..{ADC_CHIPS - 1} with channels 0..{ADC_CHANNELS - 1}")
        return Pin("adc", inverted=inverted, chip=chip, channel=channel)
    number = int(match["number"])
    if not GPIO_FIRST <= number <= GPIO_LAST:
        raise PinError(f"{text!r}: GPIO {GPIO_FIRST}..{GPIO_LAST} are wires; 0 and 1 belong to the EEPROM of a HAT")
    pull: Literal["up", "down"] | None = {"^": "up", "_": "down"}.get(match["pull"])  # type: ignore[assignment]
    if number in (2, 3) and pull != "up":
        raise PinError(
            f"{text!r}: GPIO 2 and 3 carry a fixed pull-up on the board; write ^GPIO{number} or ^!GPIO{number}"
        )
    return Pin("gpio", number=number, pull=pull, inverted=inverted)


def parse_output(text: str) -> Pin:
    """A pin that may drive something: released while the computer boots, whatever the software does."""
    pin = parse_pin(text)
    if pin.kind != "gpio":
        raise PinError(f"{text!r}: an output needs a GPIO")
    if pin.pull or pin.inverted:
        raise PinError(
            f"{text!r}: an output is written plainly, GPIO{pin.number}: it is active high, with a pull-down outside"
        )
    if pin.number < OUTPUT_FIRST:
        raise PinError(f"{text!r}: GPIO 0..8 are pulled up at boot; outputs go on GPIO {OUTPUT_FIRST}..{GPIO_LAST}")
    return pin
