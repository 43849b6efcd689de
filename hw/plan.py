"""Where each wire ends, checked before any line is touched: no terminal twice, no output that boots energised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hw.errors import PinError
from hw.pins import SPI_LINES, Pin, parse_output, parse_pin

Source = (
    str | tuple[str, str]
)  # an ADC channel with an end-of-line loop, or an antivalent pair: normally open, normally closed


@dataclass(frozen=True, slots=True)
class RigSpec:
    """Where each wire ends, in the notation of `hw.pins`."""

    cells: Mapping[str, Source]  # "cell_1" -> source
    body_door: Source
    references: tuple[str, ...] = ()  # ADC channels on the fixed divider; one for each chip
    supply: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)  # "cell_call_1" -> ADC channel; only where fitted
    temperatures: Mapping[str, str] = field(default_factory=dict)  # "cell_temperature_1" -> ADC channel


class Plan:
    """The parsed specification; every terminal is used once, and nothing sits on the SPI's own lines."""

    def __init__(self, spec: RigSpec) -> None:
        self._used: dict[str, str] = {}
        self.analog_loops: dict[str, Pin] = {}
        self.pairs: dict[str, tuple[Pin, Pin]] = {}
        self.gpio_contacts: dict[str, Pin] = {}
        self.analog_contacts: dict[str, Pin] = {}
        for name, source in {**spec.cells, "body_door": spec.body_door}.items():
            if isinstance(source, str):
                self.analog_loops[name] = self._adc(name, source)
            else:
                opening, closing = (self._take(name, parse_pin(text)) for text in source)
                if "adc" in (opening.kind, closing.kind):
                    raise PinError(f"{name}: an antivalent pair is two GPIO contacts, a loop is one ADC channel")
                self.pairs[name] = (opening, closing)
        for name, text in spec.inputs.items():
            pin = self._take(name, parse_pin(text))
            (self.gpio_contacts if pin.kind == "gpio" else self.analog_contacts)[name] = pin
        self.references = [self._adc("references", text) for text in spec.references]
        self.supply = None if spec.supply is None else self._adc("supply", spec.supply)
        self.outputs = {name: self._take(name, parse_output(text)) for name, text in spec.outputs.items()}
        self.calls = {name: self._adc(name, text) for name, text in spec.calls.items()}
        self.temperatures = {name: self._adc(name, text) for name, text in spec.temperatures.items()}
        care = (*self.calls.values(), *self.temperatures.values())
        analog = (*self.analog_loops.values(), *self.analog_contacts.values(), *self.references, *care)
        self.chips = sorted({pin.chip for pin in (*analog, *((self.supply,) if self.supply else ()))})
        self._check_spi()

    def _adc(self, name: str, text: str) -> Pin:
        pin = self._take(name, parse_pin(text))
        if pin.kind != "adc" or pin.inverted:
            raise PinError(f"{name}: {text!r} must be a plain ADC channel, ADC0.0 .. ADC1.7")
        return pin

    def _take(self, name: str, pin: Pin) -> Pin:
        if pin.place in self._used:
            holder = self._used[pin.place]
            raise PinError(f"{pin.place} is used twice, by {holder} and by {name}: each wire has its own terminal")
        self._used[pin.place] = name
        return pin

    def _check_spi(self) -> None:
        for place, name in self._used.items():
            if self.chips and place.startswith("GPIO") and int(place.removeprefix("GPIO")) in SPI_LINES:
                raise PinError(f"{name}: {place} belongs to SPI0, which reads the ADCs; GPIO 7..11 are not free")
