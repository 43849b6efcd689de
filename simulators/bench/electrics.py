"""All wires of the bench: what was set by hand, what the vehicle does by itself, and what the pins see of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hw.pins import Pin
from simulators.bench import care
from simulators.bench.circuit import OPEN, SHORT, SUPPLY, Load, to_ground
from simulators.bench.faults import Fault, parse
from simulators.bench.levels import (
    CONTACT_WORDS,
    LOOP_WORDS,
    REFERENCE_COUNTS,
    SUPPLY_COUNTS,
    Levels,
    contact_load,
    loop_loads,
)
from simulators.bench.mirror import Mirror
from simulators.bench.parts import ChargePump
from simulators.bench.timeline import Timeline
from simulators.bench.vehicle import Vehicle
from simulators.bench.wiring import BUTTONS, Wiring

SWITCHES = ("fan_switch", "light_switch", "beacon_switch")  # a hand moves the switch; `cut` and `short` only its wire
STUCK = {"on": True, "off": False, "auto": None}  # what an output's line can be held at, behind the agent's pin
WELDED = {"closed": True, "open": False, "auto": None}
_HIDDEN = {"cut": OPEN, "short": SHORT, "supply": SUPPLY}
UNTRACED = ("permit_pulse",)  # 50 edges a second would drown the timeline; the relay tells what they do


class UnknownWireError(KeyError):
    """No wire of this name."""


@dataclass(slots=True)
class Wire:
    level: str | bool
    since_ns: int
    set_word: str = "auto"
    driven: bool = False  # an output as the agent has it, which a stuck line does not follow
    fault: Fault | None = None
    word: str = ""  # what the contact says to its wire: `level` without the fault's name


class Electrics:
    """Thread-safe. `step` is due every few milliseconds; every other call settles what it changes at once."""

    def __init__(
        self, wiring: Wiring, mirror: Mirror, clock_ns: Callable[[], int] = time.monotonic_ns, seed: int = 1
    ) -> None:
        self._wiring = wiring
        self._clock_ns = clock_ns
        self._lock = threading.RLock()
        self._levels = Levels(mirror, seed)
        self._vehicle = Vehicle()
        self._switches = {"fan_switch": True, "light_switch": True, "beacon_switch": False}
        self.relay = ChargePump()
        self.timeline = Timeline()
        now_ns = clock_ns()
        self.relay.since_ns = now_ns
        self._inputs = {name: Wire("locked", now_ns) for name in wiring.loops}
        self._inputs |= {name: Wire("open", now_ns) for name in wiring.contacts}
        self._inputs |= {name: Wire("idle", now_ns) for name in wiring.calls}
        self._inputs |= {name: Wire(f"{care.AUTO_C:.1f}", now_ns) for name in wiring.temperatures}
        self._outputs = {name: Wire(False, now_ns) for name in wiring.outputs}
        self._now_ns = now_ns
        self._drained_ns = now_ns
        self._is_shown = False
        self._levels.rest()
        self.step()
        self.timeline = Timeline()  # how the vehicle stands at the start is no event

    def step(self, drained_ns: int | None = None) -> None:
        """Lets time pass: what lags arrives, charges run out, noise moves on, the heart beats.

        All edges before `drained_ns` have been handed in; the relay is never opened by an edge that waits to be read.
        """
        with self._lock:
            now_ns = self._clock_ns()
            self._drained_ns = now_ns if drained_ns is None else drained_ns
            self._settle(now_ns)
            self._levels.sample()
            self._drive_care()
            for pin in self._wiring.references:
                self._levels.analog(pin, REFERENCE_COUNTS)
            if self._wiring.supply is not None:
                self._levels.analog(self._wiring.supply, SUPPLY_COUNTS)
            self._levels.beat(self._now_ns)
            self.timeline.publish(self._drained_ns)

    def set(self, name: str, word: str) -> None:
        """Raises UnknownWireError, or ValueError that says which words this wire takes."""
        with self._lock:
            allowed = self.allowed(name)
            if name in self._wiring.temperatures and (celsius := care.temperature_word(word)):
                word = celsius
            elif word not in allowed:
                raise ValueError(f"{name} takes {', '.join(allowed)}, not {word!r}")
            self._inputs[name].set_word = word
            if name in SWITCHES and word in ("closed", "open", "auto"):
                self._switches[name] = word == "closed" or (word == "auto" and name != "beacon_switch")
            self._settle(self._clock_ns())

    def set_fault(self, name: str, given: object) -> None:
        """Lay a fault over a wire, or repair it with None. Raises UnknownWireError, or ValueError for a bad form."""
        with self._lock:
            words = self.allowed(name)[:-1]
            if name not in self._circuit():
                raise ValueError(f"{name} takes no fault; its own words are {', '.join(words)}")
            now_ns = self._clock_ns()
            self._settle(now_ns)
            wire = self._inputs[name]
            others = tuple(one for one in self._circuit() if one != name and len(self._pins(one)) == 1)
            is_pair = len(self._pins(name)) > 1
            # What a stuck contact keeps is what it says now, whatever fault it had before.
            wire.fault = parse(given, wire.word, words, () if is_pair else others, now_ns)
            self._is_shown = False  # another leak is another level under the same name
            self._settle(now_ns)

    def allowed(self, name: str) -> tuple[str, ...]:
        """Raises UnknownWireError: an output is the agent's, nobody sets it here."""
        if name not in self._inputs:
            raise UnknownWireError(name)
        if name in self._wiring.calls:
            return (*care.CALL_WORDS, "auto")
        if name in self._wiring.temperatures:
            return (*care.TEMPERATURE_WORDS, "auto", "°C")
        return (*(LOOP_WORDS if name in self._wiring.loops else CONTACT_WORDS), "auto")

    def stick_output(self, name: str, word: str) -> int:
        """Holds the far side of an output `on` or `off` from the moment that is returned; `auto`: it follows again.

        Raises UnknownWireError, or ValueError that says which words there are.
        """
        with self._lock:
            if name not in self._outputs:
                raise UnknownWireError(name)
            self._outputs[name].set_word = _word(name, word, STUCK)
            self._note_relay(self.relay.settle(self._drained_ns))
            at_ns = max(self._clock_ns(), self.relay.since_ns)
            self._follow(name, at_ns)
            self._settle(self._clock_ns())
            return at_ns

    def stick_relay(self, word: str) -> int:
        """Welds the permit relay's contact `closed`, or breaks its coil (`open`), from the moment that is returned.

        `auto` repairs it. Raises ValueError that says which words there are.
        """
        with self._lock:
            closed = WELDED[_word("permit_relay", word, WELDED)]
            self._note_relay(self.relay.settle(self._drained_ns))
            at_ns = max(self._clock_ns(), self.relay.since_ns)
            self._note_relay(self.relay.stick(closed, at_ns))
            self._settle(self._clock_ns())
            return at_ns

    def buttons(self) -> tuple[str, ...]:
        """What a finger can press: the panel's buttons, and the call buttons of the cells."""
        return (*BUTTONS, *self._wiring.calls)

    def hold(self, button: str, held: bool) -> None:
        """A finger on a button. A button whose wire was set by hand reads as it was set."""
        if button not in self.buttons() or button not in self._inputs:
            raise UnknownWireError(button)
        with self._lock:
            (self._vehicle.held.add if held else self._vehicle.held.discard)(button)
            self._settle(self._clock_ns())

    def set_driving(self, driving: bool) -> None:
        """Ignition on and handbrake released, or both back; a wire set by hand stays as set."""
        with self._lock:
            self._vehicle.driving = driving
            self._settle(self._clock_ns())

    def drive(self, number: int, level: bool, at_ns: int) -> None:
        """An output edge at its own time. The agent's line is what it was before until then."""
        with self._lock:
            name = self._wiring.names_of_outputs.get(number)
            # An edge lies neither in the future nor before what the relay has already done.
            at_ns = max(min(at_ns, self._clock_ns()), self.relay.since_ns)
            if name is None or self._outputs[name].driven is level:
                return
            self._outputs[name].driven = level
            self._follow(name, at_ns)
            self._settle(self._clock_ns())

    def _follow(self, name: str, at_ns: int) -> None:
        """The line's far side takes the agent's level, unless it is stuck."""
        wire = self._outputs[name]
        stuck = STUCK[wire.set_word]
        level = wire.driven if stuck is None else stuck
        if wire.level is level:
            return
        self._levels.output(self._wiring.outputs[name], level)
        wire.level, wire.since_ns = level, at_ns
        if name not in UNTRACED:
            self.timeline.note(name, level, at_ns)
        if name == "permit_enable":
            self._note_relay(self.relay.settle(at_ns))
            self._note_relay(self.relay.enable(level, at_ns))
        elif name == "permit_pulse":
            self._note_relay(self.relay.settle(at_ns))
            self._note_relay(self.relay.pulse(level, at_ns))

    def state(self) -> dict[str, Any]:
        """The body of `GET wires`: `set` tells whether a level was set by hand, `stuck` which outputs do not follow."""
        with self._lock:
            self._settle(self._clock_ns())
            wires: dict[str, dict[str, Any]] = {}
            for name, wire in self._inputs.items():
                wires[name] = {
                    "direction": "input",
                    "level": wire.level,
                    "since_ns": wire.since_ns,
                    "set": wire.set_word,
                    "fault": None if wire.fault is None else wire.fault.body(),
                    "allowed": self.allowed(name),
                }
            for name, wire in self._outputs.items():
                wires[name] = {"direction": "output", "level": wire.level, "since_ns": wire.since_ns}
            return {
                "wires": wires,
                "permit_relay": {"closed": self.relay.is_closed, "since_ns": self.relay.since_ns},
                "stuck": self._stuck(),
            }

    def _stuck(self) -> dict[str, str]:
        """What does not follow the agent, and how it is held."""
        found = {name: wire.set_word for name, wire in self._outputs.items() if wire.set_word != "auto"}
        if self.relay.stuck is not None:
            found["permit_relay"] = "closed" if self.relay.stuck else "open"
        return found

    @property
    def drained_ns(self) -> int:
        """Every edge before this moment has been handed in."""
        return self._drained_ns

    def entries_after(self, number: int) -> list[dict[str, Any]]:
        """The timeline up to the last `step`."""
        with self._lock:
            return self.timeline.after(number)

    def _note_relay(self, changed: bool) -> None:
        if changed:
            self.timeline.note("permit_relay", self.relay.is_closed, self.relay.since_ns)

    def _settle(self, now_ns: int) -> None:
        self._now_ns = max(now_ns, self._now_ns)
        self._note_relay(self.relay.settle(self._drained_ns))
        outputs = {name: bool(wire.level) for name, wire in self._outputs.items()}
        auto = self._vehicle.contacts(self._switches, outputs, self.relay.is_closed, self._now_ns)
        moved = False
        bridged = {wire.fault.to for wire in self._inputs.values() if wire.fault is not None}
        for name, wire in self._inputs.items():
            word = wire.set_word
            if word == "auto":
                word = self._auto_care(name) or (
                    ("closed" if auto[name] else "open") if name in self._wiring.contacts else "locked"
                )
            fault, level = wire.fault, word
            if fault is not None:
                if fault.is_away(self._now_ns):
                    word = fault.against
                level = fault.shown(word)
                word = fault.kept if fault.kind == "stuck" else word
            if name in bridged and "+" not in level:
                level += "+bridge"
            wire.word = word
            if level != wire.level:
                wire.level, wire.since_ns, moved = level, self._now_ns, True
                self.timeline.note(name, level, self._now_ns)
        if moved or not self._is_shown:
            self._is_shown = True
            self._show()
            self._drive_care()

    def _show(self) -> None:
        """Everything that is on the terminals, worked out as one circuit: a bridge makes one wire part of another."""
        loads: dict[Pin, Load] = {}
        bridges = []
        for name in self._circuit():
            wire = self._inputs[name]
            pins, fault = self._pins(name), wire.fault
            found = loop_loads(pins, wire.word) if name in self._wiring.loops else (contact_load(pins[0], wire.word),)
            if fault is not None and fault.kind in _HIDDEN:
                found = tuple(_HIDDEN[fault.kind] for _ in pins)
            elif fault is not None and fault.kind == "leak":
                found = (found[0] + to_ground(fault.ohms),)
            elif fault is not None and fault.to is not None:
                bridges.append((pins[0], self._pins(fault.to)[0]))
            loads |= zip(pins, found, strict=True)
        self._levels.settle(loads, bridges)

    def _circuit(self) -> tuple[str, ...]:
        """The wires that can be bridged and leak; the care watch has channels of its own."""
        return (*self._wiring.loops, *self._wiring.contacts)

    def _pins(self, name: str) -> tuple[Pin, ...]:
        """An antivalent pair has two terminals, every other wire one."""
        return self._wiring.loops[name] if name in self._wiring.loops else (self._wiring.contacts[name],)

    def _auto_care(self, name: str) -> str | None:
        """A wire of the care watch as it is by itself; None for any other."""
        if name in self._wiring.calls:
            return "pressed" if name in self._vehicle.held else "idle"
        return f"{care.AUTO_C:.1f}" if name in self._wiring.temperatures else None

    def _drive_care(self) -> None:
        for name, pin in self._wiring.calls.items():
            self._levels.analog(pin, care.CALL_COUNTS[str(self._inputs[name].level)])
        for name, pin in self._wiring.temperatures.items():
            self._levels.analog(pin, care.temperature_counts(str(self._inputs[name].level)))


def _word(name: str, word: str, allowed: dict[str, bool | None]) -> str:
    if word not in allowed:
        raise ValueError(f"{name} takes {', '.join(allowed)}, not {word!r}")
    return word
