"""Snapshots with alarms in every state, a flood of them, and the care watch, as control would send them."""

from __future__ import annotations

from typing import Any

from tests.browser.display_scenes import AT, Json, alarm, equipment, scene

UNTIL = "2026-11-22T08:30:05.123Z"
CELLS = range(1, 7)
UNITS = ("astana-mp", "taraz-mp", "karaganda-mp", "almaty-mp")
WIRES = (
    *(f"cell_{n}" for n in CELLS),
    "body_door",
    "airflow",
    "light_sense",
    "beacon_sense",
    "intercom_return",
    "fan_switch",
    "light_switch",
    "beacon_switch",
    "handbrake",
    "ignition",
    "driver_ready",
    "driver_stop",
    "body_count",
    "permit_readback",
)


def flooded(phase: str = "under_way", motion: str = "standing") -> Json:
    """50 alarms of 6 causes, in the order in which they were raised: the gravest are not the first."""
    found = [
        *(("notice_unconfirmed", unit, "warning") for unit in UNITS),
        *(("chattering", wire, "advisory") for wire in WIRES),
        *(("care_lost", f"cell_{kind}_{n}", "warning") for kind in ("call", "temperature") for n in CELLS),
        *(("button_stuck", name, "advisory") for name in ("driver_ready", "driver_stop", "body_count", "alarm_button")),
        *(("cell_lock_fault", f"cell_lock_{n}", "critical") for n in CELLS),
        *(("cell_temperature", f"cell_temperature_{n}", "critical") for n in (1, 2, 5, 6)),
    ]
    alarms = [alarm(code, item, priority) | {"id": f"a-{code}-{item}"} for code, item, priority in found]
    assert len(alarms) == 50
    return scene(phase, motion=motion, alarms=alarms, equipment=equipment() | care())


def every_state(phase: str = "under_way", motion: str = "standing") -> Json:
    """Five causes: not acknowledged, acknowledged by a name, returned and unseen, put aside; one on three cells."""
    doors = [
        alarm("cell_door_open_under_way", f"cell_lock_{n}", "critical", state) | {"id": f"a-door-{n}"}
        for n, state in ((5, "acknowledged"), (1, "unacknowledged"), (2, "returned"))
    ]
    doors[0]["acknowledged_by"] = "commander"
    alarms = [
        alarm("gnss_lost", "gnss", "advisory") | {"shelved_until": UNTIL},
        alarm("airflow_lost", "ventilation", "critical", "acknowledged") | {"acknowledged_by": "майор Серіков Ә.Қ."},
        alarm("radio_lost", "radio", "warning", "returned"),
        alarm("welfare_due", None, "warning"),
        *doors,
    ]
    return scene(phase, motion=motion, alarms=alarms)


def one_alarm(code: str, item: str | None, priority: str, state: str = "unacknowledged", **changes: Any) -> Json:
    """Under way and standing, with this alarm alone."""
    return scene("under_way", motion="standing", alarms=[alarm(code, item, priority, state) | changes])


def care(hot: int | None = None, calling: int | None = None) -> Json:
    """Call buttons and temperatures of six cells; `hot`: that cell is at 41 °C; `calling`: somebody presses there."""
    made: Json = {}
    for n in CELLS:
        call = {"call": "pressed" if n == calling else "idle"}
        celsius = {"celsius": 41.3 if n == hot else 20.5 + n}
        for name, detail in ((f"cell_call_{n}", call), (f"cell_temperature_{n}", celsius)):
            made[name] = {"status": "working", "reason": None, "since": AT, "detail": detail}
    return made


def calling(motion: str = "moving") -> Json:
    """Somebody calls from cell 3, it is too hot in cell 2, and the radio has been lost before."""
    alarms = [
        alarm("radio_lost", "radio", "warning"),
        alarm("cell_temperature", "cell_temperature_2", "critical"),
        alarm("cell_call", "cell_call_3", "critical"),
    ]
    return scene("under_way", motion=motion, alarms=alarms, equipment=equipment() | care(hot=2, calling=3))


def all_alarm_scenes() -> dict[str, Json]:
    """Every picture with alarms that a person can be shown without pressing anything."""
    radio = one_alarm("radio_lost", "radio", "warning", "returned")
    longest = one_alarm("cell_door_open_under_way", "cell_lock_6", "critical", "returned")
    named = {"acknowledged_by": "старший лейтенант юстиции Қожахметов Ә.Ұ."}
    return {
        "flood_moving": flooded(motion="moving"),
        "flood_standing": flooded(),
        "flood_checking": flooded("checking"),
        "flood_boarding": flooded("boarding"),
        "states_moving": every_state(motion="moving"),
        "states_standing": every_state(),
        "states_checking": every_state("checking"),
        "states_securing": every_state("securing"),
        "returned_standing": radio,
        "returned_moving": radio | {"motion": "moving"},
        "returned_critical": longest,
        "acknowledged_moving": one_alarm("airflow_lost", "ventilation", "critical", "acknowledged", **named)
        | {"motion": "moving"},
        "welfare_standing": one_alarm("welfare_due", None, "warning"),
        "shelved_standing": one_alarm("gnss_lost", "gnss", "advisory", shelved_until=UNTIL),
        "call_moving": calling(),
        "call_standing": calling("standing"),
        "care_standing": scene("under_way", motion="standing", equipment=equipment() | care()),
        "care_arrived": scene("arrived", equipment=equipment() | care(hot=2)),
    }
