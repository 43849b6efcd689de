"""Every wire of the vehicle behind two calls: `read` samples the inputs once, `write` drives the outputs (Rules 3, 15).

What cannot be read is None and named in `faults`; it never keeps an old value. Only a line that cannot be opened or
driven raises. One `Rig` belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hw.adc import Mcp3208, is_reference
from hw.care import Call, Thermometer, call_state
from hw.contacts import GpioContact, analog_contact
from hw.errors import RigError
from hw.factory import open_factory
from hw.loops import AntivalentPair, Loop, classify
from hw.outputs import OutputLines
from hw.panel import BUTTONS, Panel, Press
from hw.pins import Pin
from hw.plan import Plan, RigSpec, Source

__all__ = ["Rig", "RigReading", "RigSpec", "Source"]

SLOW_EVERY = 5  # references and supply change slowly: once in 100 ms at the 20 ms scan
TEMPERATURE_EVERY = 50  # a cell warms in minutes, a thermistor follows in 15 s: once a second, one sensor in a scan


@dataclass(frozen=True, slots=True)
class RigReading:
    loops: dict[str, Loop | None]
    contacts: dict[str, bool | None]  # True = closed
    supply_counts: int | None
    adc_ok: bool
    presses: tuple[Press, ...]
    stuck: frozenset[str]
    faults: tuple[str, ...] = ()  # what could not be read in this sample, and why
    calls: dict[str, Call | None] = field(default_factory=dict)
    temperatures_c: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pair:
    normally_open: GpioContact
    normally_closed: GpioContact
    state: AntivalentPair


class Rig:
    def __init__(self, spec: RigSpec, factory: Any = None) -> None:
        """Claims every line, outputs released. Raises RigError or PinError that names the wire and what to do."""
        plan = Plan(spec)
        self._own_factory = factory is None
        self._factory = open_factory() if factory is None else factory
        self._chips: dict[int, Mcp3208] = {}
        self._contacts: dict[str, GpioContact] = {}
        self._pairs: dict[str, _Pair] = {}
        self._panel = Panel(tuple(name for name in BUTTONS if name in spec.inputs))
        self._presses: list[Press] = []  # told by glances since the last read
        self._outputs: OutputLines | None = None
        self._analog_loops = plan.analog_loops
        self._analog_contacts = plan.analog_contacts
        self._slow = tuple(plan.references) + ((plan.supply,) if plan.supply else ())
        self._references = plan.references
        self._supply = plan.supply
        self._calls = plan.calls
        self._temperatures = {name: (pin, Thermometer()) for name, pin in plan.temperatures.items()}
        self._slow_counts: dict[Pin, int | None] = dict.fromkeys(self._slow)
        self._order = (*spec.cells, "body_door")
        self._failed: set[int] = set()  # chips that did not answer in this sample
        self._sample = 0
        try:
            # Outputs first: they are released before anything else can fail.
            self._outputs = OutputLines(self._factory, plan.outputs)
            for name, pin in plan.gpio_contacts.items():
                self._contacts[name] = GpioContact(self._factory, pin, name)
            self._buttons = tuple(name for name in BUTTONS if name in self._contacts)
            for name, (opening, closing) in plan.pairs.items():
                self._pairs[name] = _Pair(
                    GpioContact(self._factory, opening, name),
                    GpioContact(self._factory, closing, name),
                    AntivalentPair(),
                )
            for chip in plan.chips:
                self._chips[chip] = Mcp3208(self._factory, chip)
        except BaseException:
            self.close()
            raise

    def read(self, at_s: float) -> RigReading:
        """One sample of every input; `at_s` is monotonic and only used for presses and pairs."""
        faults: list[str] = []
        self._failed.clear()
        self._read_slow(faults)
        bad_chips = {pin.chip for pin in self._references if not is_reference(self._slow_counts[pin])}
        loops: dict[str, Loop | None] = {}
        for name in self._order:
            pin = self._analog_loops.get(name)
            if pin is not None:
                counts = None if pin.chip in bad_chips else self._counts(pin, name, faults)
                loops[name] = None if counts is None else classify(counts)
            else:
                pair = self._pairs[name]
                loops[name] = pair.state.update(
                    self._level(pair.normally_open, name, faults), self._level(pair.normally_closed, name, faults), at_s
                )
        contacts = {name: self._level(contact, name, faults) for name, contact in self._contacts.items()}
        for name, pin in self._analog_contacts.items():
            counts = None if pin.chip in bad_chips else self._counts(pin, name, faults)
            contacts[name] = analog_contact(counts, inverted=pin.inverted)
        calls: dict[str, Call | None] = {}
        for name, pin in self._calls.items():
            counts = None if pin.chip in bad_chips else self._counts(pin, name, faults)
            calls[name] = None if counts is None else call_state(counts)
        self._read_temperatures(bad_chips, faults)
        presses = (*self._presses, *self._panel.update(contacts, at_s))
        self._presses.clear()
        # A chip that failed anywhere in this sample has no old figures either; they are read anew in the next.
        for pin in self._slow:
            if pin.chip in self._failed:
                self._slow_counts[pin] = None
        for pin, thermometer in self._temperatures.values():
            if pin.chip in self._failed:
                thermometer.update(None)
        supply = self._supply
        return RigReading(
            loops=loops,
            contacts=contacts,
            supply_counts=None if supply is None or supply.chip in bad_chips else self._slow_counts[supply],
            adc_ok=not bad_chips and not self._failed,
            presses=presses,
            stuck=self._panel.stuck,
            faults=tuple(faults),
            calls=calls,
            temperatures_c={name: thermometer.celsius for name, (_, thermometer) in self._temperatures.items()},
        )

    def glance(self, at_s: float) -> None:
        """Samples the buttons alone, between two reads: a press of 50 ms is too short to be told by the scan's steps.

        What it completes comes with the next `read`. Buttons on an ADC are only read there.
        """
        if len(self._buttons) < len(self._panel.names):
            return
        contacts = {name: self._level(self._contacts[name], name, []) for name in self._buttons}
        self._presses.extend(self._panel.update(contacts, at_s))

    def write(self, levels: Mapping[str, bool]) -> None:
        """Drives the lines that changed; released ones first. Raises RigError when a line cannot be driven."""
        if self._outputs is None:
            raise RigError("the rig is closed")
        self._outputs.write(levels)

    def pulse(self, level: bool, by_s: float, mono: Callable[[], float]) -> bool:
        """An edge of the permit's pulse unless it comes later than `by_s`; see `OutputLines.pulse`."""
        if self._outputs is None:
            raise RigError("the rig is closed")
        return self._outputs.pulse(level, by_s, mono)

    def read_back(self) -> dict[str, bool]:
        """The outputs' levels as the pins have them."""
        return {} if self._outputs is None else self._outputs.read_back()

    def close(self) -> None:
        """Releases every output, then every line. May be called again."""
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        pairs = [contact for pair in self._pairs.values() for contact in (pair.normally_open, pair.normally_closed)]
        devices: tuple[GpioContact | Mcp3208, ...] = (*self._contacts.values(), *pairs, *self._chips.values())
        for device in devices:
            with suppress(Exception):
                device.close()
        self._contacts.clear()
        self._pairs.clear()
        self._chips.clear()
        if self._own_factory:
            with suppress(Exception):
                self._factory.close()

    def _read_slow(self, faults: list[str]) -> None:
        for place, pin in enumerate(self._slow):
            # Spread over the scans; a reference that is out is read in every scan, so one bad sample lasts one scan.
            is_out = pin in self._references and not is_reference(self._slow_counts[pin])
            if is_out or self._slow_counts[pin] is None or (self._sample + place) % SLOW_EVERY == 0:
                name = "supply" if pin is self._supply else f"reference {pin.place}"
                self._slow_counts[pin] = self._counts(pin, name, faults)
        self._sample += 1

    def _read_temperatures(self, bad_chips: set[int], faults: list[str]) -> None:
        for place, (name, (pin, thermometer)) in enumerate(self._temperatures.items()):
            if pin.chip in bad_chips:
                thermometer.update(None)
            elif thermometer.counts is None or (self._sample + place) % TEMPERATURE_EVERY == 0:
                thermometer.update(self._counts(pin, name, faults))

    def _counts(self, pin: Pin, name: str, faults: list[str]) -> int | None:
        try:
            counts = self._chips[pin.chip].read(pin.channel)
        except Exception as error:  # noqa: BLE001 - drivers raise anything; an unread level is None, never an old one
            faults.append(f"{name} on {pin.place}: {error!s}")
            self._failed.add(pin.chip)
            return None
        if counts is None:
            self._failed.add(pin.chip)
            faults.append(f"{name} on {pin.place}: no answer from the ADC")
        return counts

    @staticmethod
    def _level(contact: GpioContact, name: str, faults: list[str]) -> bool | None:
        try:
            return contact.is_closed()
        except Exception as error:  # noqa: BLE001 - as above
            faults.append(f"{name}: {error!s}")
            return None
