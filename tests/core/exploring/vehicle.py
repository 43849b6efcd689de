"""A vehicle whose state is one small value: what each wire is held at, and the readings that follow from it.

The electrics are those of `tests.core.world`; here they are a function, so that a search can come back to any state.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from vehicle_agent.core.inputs import Fix, Now, Radio, Readings

# A step between two scans that binary fractions hold exactly, so that equal situations have equal times. Just below
# the 0.2 s after which a late scan closes an open boarding: the fewest scans for every delay of the core.
SCAN_S = 0.1875
START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
START_S = 4096.0


class Wires(NamedTuple):
    """What the far side of the wires is like. `broken` names faults; what each does is in `readings`."""

    cells: tuple[str, ...]
    door: str = "locked"
    is_braked: bool = True
    is_stopped: bool = False  # the driver's STOP
    broken: frozenset[str] = frozenset()

    def holding(self, fault: str, *, is_there: bool) -> Wires:
        return self._replace(broken=self.broken | {fault} if is_there else self.broken - {fault})


# The faults that a search may bring, and the equipment which each of them takes from the gate ("" for none of them).
FAULTS = {
    "radio_unregistered": "radio",
    "radio_silent": "radio",
    "beacon_dark": "beacon",
    "tone_lost": "intercom",
    "airflow_lost": "ventilation",
    "airflow_unreadable": "ventilation",
    "dark": "lighting",
    "light_switched_off": "lighting",
    "light_always_seen": "",  # only the test finds that the sense does not follow
    "cell_1_cut": "cell_lock_1",
    "cell_1_leak": "cell_lock_1",
    "cell_2_short": "cell_lock_2",
    "door_cut": "body_door",
    "readback_stuck": "permit_output",
    "readback_lost": "permit_output",
    "handbrake_unreadable": "",
    "fast_fix": "",
    "journal_lost": "",
    "disk_hangs": "",
    "clock_lost": "",
}
# The intercom is only heard in its pilot tones; the beacon only in its test. Everything else shows at once.
SLOW_TO_SHOW = frozenset({"intercom", "beacon"})


def readings(wires: Wires, out: dict[str, bool], at_s: float) -> Readings:
    """One scan's readings; `out` is what the outputs were told by the scan before."""
    broken = wires.broken
    is_lit = out["beacon_test"] and at_s % 0.5 < 0.25
    light_switch = "light_switched_off" not in broken
    contacts: dict[str, bool | None] = {
        "fan_switch": True,
        "light_switch": light_switch,
        "handbrake": wires.is_braked,
        "beacon_switch": False,
        "driver_stop": wires.is_stopped,
        "alarm_button": False,
        "airflow": not out["fan_inhibit"],
        "light_sense": light_switch and not out["light_inhibit"],
        "beacon_sense": is_lit,
        "intercom_return": out["intercom_tone"],
        "permit_readback": out["permit_enable"],
    }
    loops: dict[str, str | None] = {f"cell_{n}": loop for n, loop in enumerate(wires.cells, 1)}
    loops["body_door"] = wires.door
    for fault in broken:
        if fault in _WIRED:
            wire, value = _WIRED[fault]
            contacts[wire] = value
        elif fault in _LOOPED:
            wire, loop = _LOOPED[fault]
            loops[wire] = loop
    speed_mps = 15.0 if "fast_fix" in broken else 0.0
    fix = Fix(at_s, 3, True, True, None, 43.25, 76.9, 800.0, speed_mps, None, 9, 1.0)
    radio = Radio(at_s, "radio_silent" not in broken, "radio_unregistered" not in broken, -84, "TMO")
    return Readings(
        at_s,
        loops,
        contacts,
        supply_ok=True,
        fix=fix,
        radio=radio,
        journal_ok="journal_lost" not in broken,
        is_enabled=out["permit_enable"],
    )


_WIRED: dict[str, tuple[str, bool | None]] = {
    "beacon_dark": ("beacon_sense", False),
    "tone_lost": ("intercom_return", False),
    "airflow_lost": ("airflow", False),
    "airflow_unreadable": ("airflow", None),
    "dark": ("light_sense", False),
    "light_always_seen": ("light_sense", True),
    "readback_stuck": ("permit_readback", True),
    "readback_lost": ("permit_readback", False),
    "handbrake_unreadable": ("handbrake", None),
}
_LOOPED = {
    "cell_1_cut": ("cell_1", "cut"),
    "cell_1_leak": ("cell_1", "implausible"),
    "cell_2_short": ("cell_2", "short"),
    "door_cut": ("body_door", "cut"),
}
_numbers = iter(range(1, 1 << 62))


def now(wires: Wires, at_s: float) -> Now:
    """This scan's time; with the clock lost its source says so."""
    is_lost = "clock_lost" in wires.broken
    utc = START + timedelta(seconds=at_s - START_S)
    source, uncertainty_s = ("none", None) if is_lost else ("gnss", 0.2)
    return Now(at_s, utc, source, uncertainty_s, "boot", lambda: f"id-{next(_numbers)}")
