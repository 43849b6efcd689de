"""Wires to status: when equipment is working, broken, silent or unknown, and how soon it is believed (Rules 3, 15)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.world import SETTINGS, START
from vehicle_agent.core import equipment
from vehicle_agent.core.equipment import fold_equipment
from vehicle_agent.core.inputs import Fix, Radio, Readings
from vehicle_agent.core.state import Level, Live, Status, Test, Tone

AT_S = 0.0  # so that the differences below are exact
LATER = START.replace(hour=9)
FLAPPING = tuple(AT_S - n for n in range(7))  # seven reversals: one more than ordinary use can make
CONTACTS: dict[str, bool | None] = {
    "airflow": True,
    "fan_switch": True,
    "light_sense": True,
    "light_switch": True,
    "beacon_sense": False,
    "beacon_switch": False,
    "intercom_return": False,
    "permit_readback": False,
}
LOOPS: dict[str, str | None] = {"cell_1": "locked", "cell_2": "locked", "body_door": "locked"}
RADIO = Radio(AT_S, True, True, -84, "TMO")
FIX = Fix(AT_S, 3, True, True)


def readings(**changed: Any) -> Readings:
    contacts = CONTACTS | {name: value for name, value in changed.items() if name in CONTACTS}
    loops = LOOPS | {name: value for name, value in changed.items() if name in LOOPS}
    rest = {name: value for name, value in changed.items() if name not in CONTACTS and name not in LOOPS}
    whole: dict[str, Any] = {"supply_ok": True, "fix": FIX, "radio": RADIO} | rest
    return Readings(AT_S, loops, contacts, **whole)


def found(name: str, live: Live | None = None, **changed: Any) -> tuple[str, str | None]:
    """The status that two samples in a row lead to, from working."""
    live = live or LIVE
    was = {item: Status("working", None, START, 0, True) for item in equipment.names(SETTINGS)}
    live = replace(live, equipment=was)
    for _ in range(2):
        live = replace(live, equipment=fold_equipment(live, readings(**changed), LATER, SETTINGS))
    others = {item: s.status for item, s in live.equipment.items() if item != name}
    assert set(others.values()) == {"working"}, others
    return live.equipment[name].status, live.equipment[name].reason


LIVE = Live(at_s=AT_S, tone=Tone(False, AT_S - 1.0, 0, True))


def levels(live: Live, **known: Level) -> Live:
    return replace(live, levels={**live.levels, **known})


@pytest.mark.parametrize(
    ("radio", "status", "reason"),
    [
        (None, "unknown", "not_read_yet"),
        (replace(RADIO, answered=False), "stale", "silent"),
        (replace(RADIO, at_s=AT_S - 3.0), "working", None),
        (replace(RADIO, at_s=AT_S - 3.01), "stale", "silent"),
        (replace(RADIO, registered=None), "unknown", "registration_unknown"),
        (replace(RADIO, registered=None, reason="sim_missing"), "unknown", "sim_missing"),
        (replace(RADIO, registered=False), "fault", "not_registered"),
        (replace(RADIO, mode="DMO"), "fault", "not_in_trunked_mode"),
        (replace(RADIO, mode=None), "working", None),  # a station that does not say its mode
        (replace(RADIO, rssi_dbm=None), "unknown", "signal_unknown"),
        (replace(RADIO, rssi_dbm=-105), "working", None),
        (replace(RADIO, rssi_dbm=-106), "fault", "weak_signal"),
    ],
)
def test_H01_the_radio_works_only_when_it_answers_is_registered_and_hears_its_network(
    radio: Radio | None, status: str, reason: str | None
) -> None:
    assert found("radio", radio=radio) == (status, reason)


@pytest.mark.parametrize(
    ("fix", "status", "reason"),
    [
        (None, "unknown", "not_read_yet"),
        (replace(FIX, at_s=AT_S - 3.0), "working", None),
        (replace(FIX, at_s=AT_S - 3.01), "stale", "silent"),
        (replace(FIX, valid=False), "fault", "no_fix"),
        (replace(FIX, mode=1), "fault", "no_fix"),
        (replace(FIX, mode=2), "working", None),
        (replace(FIX, trusted=False), "fault", "untrusted"),
    ],
)
def test_H22_H23_the_receiver_works_only_with_a_fresh_valid_trusted_fix(
    fix: Fix | None, status: str, reason: str | None
) -> None:
    assert found("gnss", fix=fix) == (status, reason)


@pytest.mark.parametrize(("wire", "name"), [("cell_1", "cell_lock_1"), ("cell_2", "cell_lock_2"), ("body_door",) * 2])
@pytest.mark.parametrize(
    ("loop", "status", "reason"),
    [
        ("locked", "working", None),
        ("bolt_open", "working", None),
        ("door_open", "working", None),
        ("both_open", "working", None),
        ("cut", "fault", "cut"),
        ("short", "fault", "short"),
        ("implausible", "unknown", "implausible"),
        ("nonsense", "unknown", "implausible"),
        (None, "unknown", "not_readable"),
    ],
)
def test_H02_a_loop_works_only_in_its_four_readable_states(
    wire: str, name: str, loop: str | None, status: str, reason: str | None
) -> None:
    assert found(name, None, **{wire: loop}) == (status, reason)


def test_H02_a_loop_behind_a_broken_converter_says_so() -> None:
    assert found("cell_lock_1", cell_1=None, adc_ok=False) == ("unknown", "converter_fault")


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("cell_1", "cell_lock_1"),
        ("body_door", "body_door"),
        ("intercom_return", "intercom"),
        ("airflow", "ventilation"),
        ("fan_switch", "ventilation"),
        ("light_sense", "lighting"),
        ("light_switch", "lighting"),
        ("beacon_switch", "beacon"),
        ("permit_readback", "permit_output"),
    ],
)
def test_H25_a_wire_that_flaps_is_a_fault_of_its_equipment(wire: str, name: str) -> None:
    assert found(name, levels(LIVE, **{wire: Level(reversals=FLAPPING)})) == ("fault", "chattering")
    assert found(name, levels(LIVE, **{wire: Level(reversals=FLAPPING[:6])})) == ("working", None)


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("beacon_sense", "beacon"),
        ("beacon_switch", "beacon"),
        ("intercom_return", "intercom"),
        ("airflow", "ventilation"),
        ("fan_switch", "ventilation"),
        ("light_sense", "lighting"),
        ("light_switch", "lighting"),
        ("permit_readback", "permit_output"),
    ],
)
def test_H01_a_contact_that_cannot_be_read_makes_its_equipment_unknown(wire: str, name: str) -> None:
    assert found(name, None, **{wire: None}) == ("unknown", "not_readable")


@pytest.mark.parametrize(
    ("supply", "status", "reason"),
    [(True, "working", None), (False, "fault", "out_of_range"), (None, "unknown", "not_readable")],
)
def test_the_supply_works_inside_its_range(supply: bool | None, status: str, reason: str | None) -> None:
    assert found("power", supply_ok=supply) == (status, reason)


@pytest.mark.parametrize(
    ("expected", "since_s", "lit_s", "status", "reason"),
    [
        (True, 10.0, 1.0, "working", None),  # flashes once or twice a second: lit within the last second
        (True, 10.0, 1.01, "fault", "not_lit"),
        (True, 2.0, 9.0, "working", None),  # was switched on only now
        (True, 2.01, 9.0, "fault", "not_lit"),
        (False, 10.0, 1.0, "fault", "lit_unbidden"),
        (False, 2.0, 0.5, "working", None),  # was switched off only now
        (False, 10.0, 1.01, "working", None),
    ],
)
def test_the_beacon_follows_its_switch_within_two_seconds(
    expected: bool, since_s: float, lit_s: float, status: str, reason: str | None
) -> None:
    live = replace(LIVE, beacon_expected=(expected, AT_S - since_s), beacon_lit_s=AT_S - lit_s)
    assert found("beacon", live) == (status, reason)


@pytest.mark.parametrize(
    ("tone", "heard", "status", "reason"),
    [
        (Tone(False, AT_S - 1.0, 0, True), False, "working", None),
        (Tone(False, AT_S - 1.0, 0, False), False, "fault", "no_tone"),
        (Tone(False, AT_S - 0.41, 0, True), True, "fault", "tone_unbidden"),
        (Tone(False, AT_S - 0.4, 0, True), True, "working", None),  # the detector lets go a little late
        (Tone(True, AT_S - 1.0, 0, True), True, "working", None),  # our own tone
        (Tone(False, AT_S - 1.0, 0, None), False, "working", None),  # not tried yet: the last word holds
    ],
)
def test_the_intercom_hears_its_own_tone_and_no_other(tone: Tone, heard: bool, status: str, reason: str | None) -> None:
    assert found("intercom", levels(replace(LIVE, tone=tone), intercom_return=Level(heard))) == (status, reason)


@pytest.mark.parametrize(
    ("name", "sense", "switch", "lost", "run_down_s"),
    [
        ("ventilation", "airflow", "fan_switch", "airflow_lost", 5.0),
        ("lighting", "light_sense", "light_switch", "dark", 1.5),
    ],
)
def test_fan_and_light_follow_the_crews_switch(
    name: str, sense: str, switch: str, lost: str, run_down_s: float
) -> None:
    assert found(name, None, **{sense: True, switch: True}) == ("working", None)
    assert found(name, None, **{sense: False, switch: True}) == ("fault", lost)
    assert found(name, None, **{sense: False, switch: False}) == ("fault", "switched_off")
    for since_s, reason in ((run_down_s, "switched_off"), (run_down_s + 0.01, "contradiction")):
        live = levels(LIVE, **{switch: Level(False, AT_S - since_s)})
        assert found(name, live, **{sense: True, switch: False}) == ("fault", reason)
        assert found(name, live, **{sense: False, switch: False}) == ("fault", "switched_off")
    assert found(name, None, **{sense: True, switch: False}) == ("fault", "switched_off")  # not seen before


@pytest.mark.parametrize(
    ("stage", "off", "sense", "status", "reason"),
    [
        ("off", None, False, "working", None),  # interrupted by our own test
        ("on", True, False, "working", None),  # running up again after it
        ("on", None, False, "fault", "airflow_lost"),  # nothing was interrupted with people aboard: a real loss
        ("on", True, True, "working", None),
    ],
)
def test_H36_a_test_hides_no_loss_but_the_one_it_makes(
    stage: str, off: bool | None, sense: bool, status: str, reason: str | None
) -> None:
    live = replace(LIVE, tests={"ventilation": Test(stage, AT_S, None, {"off": off})})
    assert found("ventilation", live, airflow=sense) == (status, reason)
    other = replace(LIVE, tests={"lighting": Test(stage, AT_S, None, {"off": off})})
    assert found("ventilation", other, airflow=False) == ("fault", "airflow_lost")


@pytest.mark.parametrize(
    ("enabled", "closed", "since_s", "status", "reason"),
    [
        (True, True, 9.0, "working", None),
        (False, False, 9.0, "working", None),
        (False, True, 0.2, "working", None),  # the relay may take 200 ms
        (False, True, 0.21, "fault", "stuck_closed"),
        (True, False, 0.2, "working", None),
        (True, False, 0.21, "fault", "does_not_close"),
    ],
)
def test_H05_the_permits_read_back_must_follow_within_200_ms(
    enabled: bool, closed: bool, since_s: float, status: str, reason: str | None
) -> None:
    live = replace(LIVE, enable=(enabled, AT_S - since_s))
    assert found("permit_output", live, permit_readback=closed) == (status, reason)


CARE = replace(SETTINGS, call_cells=(1, 2), temperature_cells=(1, 2))


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        ("idle", "working", None),
        ("pressed", "working", None),
        ("cut", "fault", "cut"),
        ("short", "fault", "short"),
        ("implausible", "unknown", "implausible"),
        (None, "unknown", "not_readable"),
    ],
)
def test_a_call_line_works_when_it_can_tell_a_call_from_none(line: str | None, status: str, reason: str | None) -> None:
    was = {item: Status("working", None, START, 0, True) for item in equipment.names(CARE)}
    live = replace(LIVE, equipment=was)
    sampled = readings(calls={"cell_call_1": line, "cell_call_2": "idle"}, temperatures_c=dict.fromkeys(WARM, 20.0))
    for _ in range(2):
        live = replace(live, equipment=fold_equipment(live, sampled, LATER, CARE))
    assert (live.equipment["cell_call_1"].status, live.equipment["cell_call_1"].reason) == (status, reason)
    assert {s.status for name, s in live.equipment.items() if name != "cell_call_1"} == {"working"}


WARM = ("cell_temperature_1", "cell_temperature_2")


def test_a_temperature_that_is_not_there_is_a_fault_of_its_sensor() -> None:
    was = {item: Status("working", None, START, 0, True) for item in equipment.names(CARE)}
    live = replace(LIVE, equipment=was)
    sampled = readings(
        calls={"cell_call_1": "idle", "cell_call_2": "idle"},
        temperatures_c={"cell_temperature_1": None, "cell_temperature_2": 0.0},
    )
    for _ in range(2):
        live = replace(live, equipment=fold_equipment(live, sampled, LATER, CARE))
    cold = live.equipment["cell_temperature_1"]
    assert (cold.status, cold.reason) == ("fault", "not_readable")
    assert {s.status for name, s in live.equipment.items() if name != "cell_temperature_1"} == {"working"}


def test_what_is_not_judged_now_hides_nothing_that_is() -> None:
    untried = replace(LIVE, tone=Tone(False, AT_S - 1.0, 0, None))
    assert found("power", untried, supply_ok=False) == ("fault", "out_of_range")


def fold(old: Status, *loops: str | None) -> Status:
    """What samples of one lock's loop make of its status."""
    live = replace(LIVE, equipment={"cell_lock_1": old})
    for loop in loops:
        live = replace(live, equipment=fold_equipment(live, readings(cell_1=loop), LATER, SETTINGS))
    return live.equipment["cell_lock_1"]


def test_H01_two_samples_lose_trust_and_ten_in_a_row_gain_it() -> None:
    good, bad = Status("working", None, START, 0, True), Status("fault", "cut", START, 0, True)
    assert fold(good, "cut") == replace(good, streak=1)
    assert fold(good, "cut", "cut") == Status("fault", "cut", LATER, 0, True)
    assert fold(good, "cut", "locked", "cut") == replace(good, streak=1)  # a good one between begins anew
    assert fold(bad, *["locked"] * 9) == replace(bad, streak=9)
    assert fold(bad, "locked", "cut") == bad
    assert fold(bad, *["locked"] * 10) == Status("working", None, LATER, 0, True)
    assert fold(bad, *["locked"] * 9, "cut", *["locked"] * 9).status == "fault"
    assert fold(Status(since_utc=START), *["locked"] * 9).status == "unknown"
    assert fold(Status(since_utc=START), "locked") == Status("unknown", "not_read_yet", START, 1, False)
    assert fold(Status(since_utc=START), *["locked"] * 10).was_known


def test_another_reason_for_the_same_status_keeps_its_beginning() -> None:
    bad = Status("fault", "cut", START, 0, True)
    assert fold(bad, "short", "short") == Status("fault", "short", START, 0, True)
    assert fold(bad, None, None) == Status("unknown", "not_readable", LATER, 0, True)


def test_an_equipment_seen_for_the_first_time_begins_as_unknown_now() -> None:
    live = replace(LIVE, equipment={})
    first = fold_equipment(live, readings(), LATER, SETTINGS)
    assert set(first) == {*equipment.names(SETTINGS)}
    assert {(s.status, s.since_utc, s.streak) for s in first.values()} == {("unknown", LATER, 1)}


def test_nothing_new_makes_no_new_mapping() -> None:
    live = replace(
        LIVE, equipment={name: Status("working", None, START, 0, True) for name in equipment.names(SETTINGS)}
    )
    assert fold_equipment(live, readings(), LATER, SETTINGS) is live.equipment


def test_the_snapshot_lists_every_equipment_in_its_order() -> None:
    assert equipment.names(SETTINGS) == (
        *("radio", "beacon", "intercom", "ventilation", "lighting", "cell_lock_1", "cell_lock_2"),
        *("body_door", "gnss", "permit_output", "power"),
    )


def test_what_the_snapshot_shows_beyond_a_status() -> None:
    live = replace(LIVE, radio=RADIO, fix=replace(FIX, satellites=9, hdop=1.1))
    live = levels(live, cell_1=Level("bolt_open"), body_door=Level("both_open"))
    assert equipment.details(live, "radio") == {"registered": True, "rssi_dbm": -84}
    assert equipment.details(live, "gnss") == {"mode": 3, "satellites": 9, "hdop": 1.1}
    assert equipment.details(live, "cell_lock_1") == {"loop": "bolt_open"}
    assert equipment.details(live, "cell_lock_2") == {"loop": None}
    assert equipment.details(live, "body_door") == {"loop": "both_open"}
    for name in ("beacon", "power", "permit_output"):
        assert equipment.details(live, name) == {}
    care = replace(levels(live, cell_call_1=Level("pressed")), temperatures_c={"cell_temperature_1": 21.26})
    assert equipment.details(care, "cell_call_1") == {"call": "pressed"}
    assert equipment.details(care, "cell_temperature_1") == {"celsius": 21.3}
    assert equipment.details(care, "cell_temperature_2") == {"celsius": None}
    assert equipment.details(LIVE, "radio") == equipment.details(LIVE, "gnss") == {}
