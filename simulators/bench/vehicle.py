"""The vehicle behind the wires: fan, lamp, beacon, intercom line, handbrake and engine, as `auto` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulators.bench.parts import MS, CutOff, Flasher, Lag
from simulators.bench.wiring import BUTTONS


def _running_fan() -> Lag:
    return Lag(rise_ns=600 * MS, fall_ns=400 * MS, level=True, _target=True)


def _burning_lamp() -> Lag:
    return Lag(rise_ns=30 * MS, fall_ns=30 * MS, level=True, _target=True)


@dataclass(slots=True)
class Vehicle:
    """At the start: engine off, handbrake applied, fan and light on and running, beacon off."""

    driving: bool = False
    held: set[str] = field(default_factory=set)  # buttons that a finger is on
    fan: Lag = field(default_factory=_running_fan)
    lamp: Lag = field(default_factory=_burning_lamp)
    tone: Lag = field(default_factory=lambda: Lag(rise_ns=20 * MS, fall_ns=20 * MS))
    beacon: Flasher = field(default_factory=Flasher)
    fan_cut_off: CutOff = field(default_factory=CutOff)
    light_cut_off: CutOff = field(default_factory=CutOff)

    def contacts(
        self, switches: Mapping[str, bool], outputs: Mapping[str, bool], relay_closed: bool, now_ns: int
    ) -> dict[str, bool]:
        """Every contact as the vehicle has it; `switches` is where the crew's own switches stand."""
        fan_off = self.fan_cut_off.update(outputs.get("fan_inhibit", False), now_ns)
        light_off = self.light_cut_off.update(outputs.get("light_inhibit", False), now_ns)
        beacon_on = switches["beacon_switch"] or outputs.get("beacon_test", False)
        return {
            **switches,
            "airflow": self.fan.update(switches["fan_switch"] and not fan_off, now_ns),
            "light_sense": self.lamp.update(switches["light_switch"] and not light_off, now_ns),
            "beacon_sense": self.beacon.update(beacon_on, now_ns),
            "intercom_return": self.tone.update(outputs.get("intercom_tone", False), now_ns),
            "handbrake": not self.driving,
            "ignition": self.driving,
            "permit_readback": relay_closed,
            **{button: button in self.held for button in BUTTONS},
        }
