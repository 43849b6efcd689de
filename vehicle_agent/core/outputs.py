"""Outputs as a function of state, computed anew in every scan: nobody remembers to switch anything off.

The boarding permit needs the newest state and the last durable one: revoking acts at once, granting waits for the disk.
"""

from __future__ import annotations

from .alarm_table import DEFINITIONS
from .state import Alarm, Live, Trip

REFUSED_PRESS_FOR_S = 2.0  # how long the lamp says no
BLINK_S = 0.125
COUNTED_FOR_S = 0.15
BY_HAND_EVERY_S, BY_HAND_DARK_S = 2.0, 0.25


def outputs(trip: Trip, durable: Trip, live: Live, now_s: float) -> dict[str, bool]:
    """Every output but the pulse, which the scan itself toggles while `permit_enable` holds."""
    is_durable = durable.is_open and trip.opening == durable.opening and trip.id == durable.id
    is_permitted = trip.is_open and is_durable and live.is_read and not live.refusals
    is_empty = trip.aboard <= 0 and durable.aboard <= 0 and live.motion == "standing"
    return {
        "permit_enable": is_permitted,
        "permit_lamp_red": not is_permitted and trip.phase in ("checking", "boarding"),
        "ready_lamp": _ready_lamp(trip, live, now_s),
        "buzzer": _buzzer(trip, live, now_s),
        "fan_inhibit": is_empty and _is_off(live, "ventilation"),
        "light_inhibit": is_empty and _is_off(live, "lighting"),
        "beacon_test": _is_on(live, "beacon"),
        "intercom_tone": live.tone.is_on,
    }


def _is_sounding(alarm: Alarm) -> bool:
    """Until somebody has seen it; a call for help sounds on when its button has been let go."""
    if alarm.is_acknowledged or alarm.shelf is not None:
        return False
    return alarm.is_active or DEFINITIONS[alarm.code].is_call


def _is_off(live: Live, item: str) -> bool:
    test = live.tests.get(item)
    return test is not None and test.stage == "off"


def _is_on(live: Live, item: str) -> bool:
    test = live.tests.get(item)
    return test is not None and test.stage == "on"


def _ready_lamp(trip: Trip, live: Live, now_s: float) -> bool:
    """Steady for a report; with short dark gaps while persons answer for a sensor, of whom the driver is one."""
    if now_s - live.refused_press_s < REFUSED_PRESS_FOR_S:
        return int((now_s - live.refused_press_s) / BLINK_S) % 2 == 0
    is_by_hand = any(row.status == "manual_fallback" for row in trip.rows.values())
    return live.is_driver_ready and not (is_by_hand and now_s % BY_HAND_EVERY_S < BY_HAND_DARK_S)


def _buzzer(trip: Trip, live: Live, now_s: float) -> bool:
    """Continuous for a critical alarm that nobody has acknowledged, a beep every 30 s for a warning."""
    loudest = {a.priority for a in trip.alarms if _is_sounding(a)}
    if "critical" in loudest:
        return True
    if "warning" in loudest and now_s % 30.0 < 0.5:
        return True
    return now_s - live.refused_press_s < 0.3 or now_s - live.counted_s < COUNTED_FOR_S
