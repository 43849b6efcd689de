"""Channels to status: is what Rules 3 and 15 ask for working, broken, silent or simply unknown?

Only `working` ever permits. Two samples against it are enough to lose it, ten in a row are needed to gain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from .inputs import Fix, Radio, Readings
from .levels import BAD_SAMPLES, GOOD_SAMPLES, is_chattering
from .settings import Settings
from .state import EMPTY, Live, Status

Finding = tuple[str, str | None]
WORKING: Finding = ("working", None)

FLASH_GAP_S = 1.0  # a beacon flashes once or twice a second
BEACON_LIMIT_S = 2.0
RUN_DOWN_S = {"ventilation": 5.0, "lighting": 1.5}  # how long the sense may outlast the crew's switch
READBACK_LIMIT_S = 0.2  # hazards.md H05
LOOPS_READABLE = frozenset({"locked", "bolt_open", "door_open", "both_open"})
_POWERED = {
    "ventilation": ("airflow", "fan_switch", "airflow_lost"),
    "lighting": ("light_sense", "light_switch", "dark"),
}


def names(settings: Settings) -> tuple[str, ...]:
    """Every equipment of the snapshot, in its order."""
    return (
        "radio",
        "beacon",
        "intercom",
        "ventilation",
        "lighting",
        *settings.cell_locks(),
        "body_door",
        "gnss",
        "permit_output",
        "power",
        *settings.care_equipment(),
    )


def fold_equipment(live: Live, readings: Readings, at_utc: datetime, settings: Settings) -> Mapping[str, Status]:
    """Every equipment's status after one more scan; the same mapping when nothing moved."""
    changed: dict[str, Status] | None = None
    for name, finding in _findings(live, readings, settings):
        old = live.equipment.get(name)
        if finding is None:
            continue  # being tested, or between two supervisions: what was known still holds
        if old is not None and old.streak == 0 and old.status == finding[0] and old.reason == finding[1]:
            continue
        if changed is None:
            changed = dict(live.equipment)
        changed[name] = _fold(old or Status(since_utc=at_utc), finding, at_utc)
    return live.equipment if changed is None else changed


def _fold(old: Status, finding: Finding, at_utc: datetime) -> Status:
    if finding == (old.status, old.reason):
        return Status(old.status, old.reason, old.since_utc, 0, old.was_known) if old.streak else old
    streak = old.streak + 1
    is_gain = finding[0] == "working"
    if streak < (GOOD_SAMPLES if is_gain else BAD_SAMPLES):
        return Status(old.status, old.reason, old.since_utc, streak, old.was_known)
    since = at_utc if finding[0] != old.status else old.since_utc
    return Status(finding[0], finding[1], since, 0, True)


def _findings(live: Live, readings: Readings, settings: Settings) -> list[tuple[str, Finding | None]]:
    at_s = readings.at_s
    found: list[tuple[str, Finding | None]] = [
        ("radio", radio(readings.radio, at_s, settings)),
        ("beacon", _beacon(live, readings)),
        ("intercom", _intercom(live, readings)),
        ("ventilation", _powered("ventilation", live, readings)),
        ("lighting", _powered("lighting", live, readings)),
        ("body_door", _loop("body_door", live, readings)),
        ("gnss", gnss(readings.fix, at_s, settings)),
        ("permit_output", _permit_output(live, readings)),
        ("power", _power(readings)),
    ]
    found.extend((f"cell_lock_{cell}", _loop(f"cell_{cell}", live, readings)) for cell in settings.cells)
    found.extend((f"cell_call_{cell}", _call(f"cell_call_{cell}", readings)) for cell in settings.call_cells)
    found.extend(
        (f"cell_temperature_{cell}", _temperature(f"cell_temperature_{cell}", readings))
        for cell in settings.temperature_cells
    )
    return found


def radio(reading: Radio | None, at_s: float, settings: Settings) -> Finding:
    """Rules 3 and 15: answers, is registered, can hear its network, and is in trunked mode."""
    if reading is None:
        return "unknown", "not_read_yet"
    if not reading.answered or at_s - reading.at_s > settings.radio_stale_s:
        return "stale", "silent"
    if reading.registered is None:
        return "unknown", reading.reason or "registration_unknown"
    if not reading.registered:
        return "fault", "not_registered"
    if reading.mode is not None and reading.mode != "TMO":
        return "fault", "not_in_trunked_mode"
    if reading.rssi_dbm is None:
        return "unknown", "signal_unknown"
    return ("fault", "weak_signal") if reading.rssi_dbm < settings.rssi_min_dbm else WORKING


def gnss(fix: Fix | None, at_s: float, settings: Settings) -> Finding:
    if fix is None:
        return "unknown", "not_read_yet"
    if at_s - fix.at_s > settings.gnss_stale_s:
        return "stale", "silent"
    if not fix.valid or fix.mode < 2:
        return "fault", "no_fix"
    return WORKING if fix.trusted else ("fault", "untrusted")


def _loop(wire: str, live: Live, readings: Readings) -> Finding:
    raw = readings.loops.get(wire)
    if is_chattering(live.levels.get(wire)):
        return "fault", "chattering"
    if raw is None:
        return "unknown", "not_readable" if readings.adc_ok else "converter_fault"
    if raw in LOOPS_READABLE:
        return WORKING
    return ("fault", raw) if raw in ("cut", "short") else ("unknown", "implausible")


def _call(wire: str, readings: Readings) -> Finding:
    """The line of a cell's call button: a cut one is a person who cannot call."""
    raw = readings.calls.get(wire)
    if raw in ("idle", "pressed"):
        return WORKING
    if raw is None:
        return "unknown", "not_readable"
    return ("fault", raw) if raw in ("cut", "short") else ("unknown", "implausible")


def _temperature(name: str, readings: Readings) -> Finding:
    return ("fault", "not_readable") if readings.temperatures_c.get(name) is None else WORKING


def _beacon(live: Live, readings: Readings) -> Finding:
    sense, switch = readings.contacts.get("beacon_sense"), readings.contacts.get("beacon_switch")
    if sense is None or switch is None:
        return "unknown", "not_readable"
    if is_chattering(live.levels.get("beacon_switch")):
        return "fault", "chattering"
    at_s = readings.at_s
    is_lit = at_s - live.beacon_lit_s <= FLASH_GAP_S
    is_expected, since_s = live.beacon_expected
    if is_lit != is_expected and at_s - since_s > BEACON_LIMIT_S:
        return "fault", "not_lit" if is_expected else "lit_unbidden"
    return WORKING


def _intercom(live: Live, readings: Readings) -> Finding | None:
    if readings.contacts.get("intercom_return") is None:
        return "unknown", "not_readable"
    if is_chattering(live.levels.get("intercom_return")):
        return "fault", "chattering"
    if not live.tone.is_on and readings.at_s - live.tone.since_s > 0.4 and live.level("intercom_return") is True:
        return "fault", "tone_unbidden"
    if live.tone.result is None:
        return None
    return WORKING if live.tone.result else ("fault", "no_tone")


def _powered(name: str, live: Live, readings: Readings) -> Finding | None:
    """Fan and light: the sense must follow the crew's switch; while our test interrupts them the last word holds."""
    sense_wire, switch_wire, lost = _POWERED[name]
    sense, switch = readings.contacts.get(sense_wire), readings.contacts.get(switch_wire)
    if sense is None or switch is None:
        return "unknown", "not_readable"
    if is_chattering(live.levels.get(sense_wire)) or is_chattering(live.levels.get(switch_wire)):
        return "fault", "chattering"
    test = live.tests.get(name)
    if test is not None and (test.stage == "off" or (test.evidence.get("off") and not sense)):
        return None  # interrupted, or running up again after it; what was interrupted was nobody's fault
    if switch:
        return WORKING if sense else ("fault", lost)
    entry = live.levels.get(switch_wire)
    if sense and entry is not None and readings.at_s - entry.since_s > RUN_DOWN_S[name]:
        return "fault", "contradiction"
    return "fault", "switched_off"


def _permit_output(live: Live, readings: Readings) -> Finding | None:
    is_closed = readings.contacts.get("permit_readback")
    if is_closed is None:
        return "unknown", "not_readable"
    if is_chattering(live.levels.get("permit_readback")):
        return "fault", "chattering"
    is_enabled, since_s = live.enable
    if is_closed == is_enabled:
        return WORKING
    if readings.at_s - since_s <= READBACK_LIMIT_S:
        return None
    return "fault", "stuck_closed" if is_closed else "does_not_close"


def _power(readings: Readings) -> Finding:
    if readings.supply_ok is None:
        return "unknown", "not_readable"
    return WORKING if readings.supply_ok else ("fault", "out_of_range")


def details(live: Live, name: str) -> Mapping[str, object]:
    """What the snapshot shows of an equipment beyond its status."""
    if name == "radio" and live.radio is not None:
        return {"registered": live.radio.registered, "rssi_dbm": live.radio.rssi_dbm}
    if name == "gnss" and live.fix is not None:
        return {"mode": live.fix.mode, "satellites": live.fix.satellites, "hdop": live.fix.hdop}
    if name.startswith("cell_lock_"):
        return {"loop": live.level(f"cell_{name.removeprefix('cell_lock_')}")}
    if name.startswith("cell_call_"):
        return {"call": live.level(name)}
    if name.startswith("cell_temperature_"):
        celsius = live.temperatures_c.get(name)
        return {"celsius": None if celsius is None else round(celsius, 1)}
    return {"loop": live.level("body_door")} if name == "body_door" else EMPTY
