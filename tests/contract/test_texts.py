"""Every code that a person can meet has its words in Kazakh, Russian and English, with the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from vehicle_agent import texts
from vehicle_agent.commands import COMMANDS, OpenTrip
from vehicle_agent.config_checks import INPUTS
from vehicle_agent.core import alarm_table, interlock, rules
from vehicle_agent.report.compose import MOMENTS
from vehicle_agent.report.page import COLUMNS, REPORTED_AS

STATIC = Path(__file__).parents[2] / "vehicle_agent" / "display" / "static"
PHASES = ("no_trip", "checking", "boarding", "securing", "secured", "under_way", "arrived", "unloading", "closed")
# The contract's list of refusal codes, and 401.
REFUSALS = (
    "no_trip",
    "wrong_phase",
    "order_expired",
    "item_not_proven",
    "item_failed",
    "item_expired",
    "equipment_fault",
    "equipment_stale",
    "equipment_unknown",
    "driver_not_ready",
    "driver_report_outdated",
    "vehicle_moving",
    "motion_unknown",
    "permit_readback",
    "journal_unavailable",
    "not_commissioned",
    "reopen_needed",
    "stale_view",
    "cell_full",
    "cell_empty",
    "counts_disagree",
    "lock_open",
    "body_door_open",
    "securing_incomplete",
    "persons_aboard",
    "persons_out",
    "not_confirmed_empty",
    "unknown_item",
    "unknown_unit",
    "no_session",
    "not_shelvable",
)
EQUIPMENT = ("radio", "beacon", "intercom", "ventilation", "lighting", "body_door", "gnss", "permit_output", "power")
STAGES = ("recorded", "at_broker", "received", "acknowledged", "told_by_radio")
KAZAKH = set("ӘәҒғҚқҢңӨөҰұҮүҺһІі")


def flat(language: str) -> dict[str, str]:
    return {f"{g}.{code}": text for g, codes in texts.load()[language].items() for code, text in codes.items()}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_language_has_the_same_keys_and_no_empty_text(language: str) -> None:
    assert flat(language).keys() == flat("kk").keys()
    assert [key for key, text in flat(language).items() if not text.strip() or text != text.strip()] == []


def test_placeholders_are_the_same_in_every_language() -> None:
    def placeholders(text: str) -> list[str]:
        return sorted(re.findall(r"\{\w+\}", text))

    kk, ru, en = (flat(language) for language in texts.LANGUAGES)
    assert [key for key in kk if not placeholders(kk[key]) == placeholders(ru[key]) == placeholders(en[key])] == []


def test_no_text_was_left_in_another_language() -> None:
    assert [key for key, text in flat("ru").items() if KAZAKH & set(text)] == []
    assert [key for key, text in flat("en").items() if re.search(r"[А-Яа-я]", text)] == []
    assert [key for key, text in flat("kk").items() if re.search(r"[A-Za-z]{4,}", re.sub(r"\{\w+\}", "", text))] == []


def keys_of_the_code() -> list[str]:
    rows = rules.checklist(["cell_lock_1"], women_on_board=True)
    items = {row.item.replace("cell_lock_1", "cell_lock_N") for row in rows}
    kinds = get_args(OpenTrip.model_fields["kind"].annotation)
    documents = {
        p for kind in kinds for take in (0, 1) for p in rules.documents(kind, takeover=bool(take), to_court=False)
    }
    return [
        *(f"phase.{phase}" for phase in PHASES),
        *(f"refusal.{code}" for code in {*REFUSALS, *rules.REFUSAL_RULES, *interlock._EQUIPMENT_CODES.values()}),
        *(f"{group}.{code}" for code in alarm_table.DEFINITIONS for group in ("cause", "consequence", "action")),
        *(f"{group}.{item}" for item in items for group in ("item", "sentence")),
        *(f"item.{name}" for name in (*EQUIPMENT, "cell_call_N", "cell_temperature_N")),
        *(f"part.{part}" for part in (*documents, *rules.ACCEPTANCE_PARTS, "list_to_court", "files_outside")),
        *(f"kind.{kind}" for kind in (*kinds, "takeover", "to_court", "women_on_board")),
        *(f"button.{name}" for name in COMMANDS if name not in ("acknowledge_alarm", "told_by_radio")),
        *(f"stage.{stage}" for stage in STAGES),
        *(f"status.{s}" for s in ("pending", "running", "passed", "failed", "expired", "manual_fallback", "confirmed")),
        *(f"equipment.{status}" for status in ("working", "fault", "stale", "unknown")),
        *(f"priority.{priority}" for priority in ("critical", "warning", "advisory")),
        *(f"alarm_state.{state}" for state in ("unacknowledged", "acknowledged", "returned", "shelved")),
        *(f"notice.{kind}" for kind in ("departure", "arrival", "correction", "overdue")),
        *(f"report.column_{number}" for number in range(1, COLUMNS + 1)),
        *(f"report.{moment}" for moment in MOMENTS if moment not in REPORTED_AS),
        *REPORTED_AS.values(),
        *(f"panel.{name}" for name in ("driver_ready", "driver_stop", "body_count", "alarm_button")),
    ]


@pytest.mark.parametrize("key", sorted(keys_of_the_code()))
def test_every_code_of_the_program_has_words(key: str) -> None:
    assert all(key in flat(language) for language in texts.LANGUAGES)


@pytest.mark.parametrize("name", INPUTS)
def test_every_wire_that_an_alarm_can_name_has_a_label(name: str) -> None:
    assert all(texts.label(language, name) != name for language in texts.LANGUAGES)


def test_every_key_that_the_page_asks_for_exists() -> None:
    asked = {
        key
        for file in STATIC.rglob("*.js")
        for key in re.findall(r'\bt\("([a-z_]+\.[a-z_.N]+)"', file.read_text(encoding="utf-8"))
    }
    assert len(asked) > 50
    assert asked - flat("kk").keys() == set()


def test_every_family_of_keys_that_the_page_builds_exists() -> None:
    built = {
        group
        for file in STATIC.rglob("*.js")
        for group in re.findall(r"\bt\(`([a-z_]+)\.", file.read_text(encoding="utf-8"))
    }
    assert built <= texts.load()["kk"].keys()


def test_refusals_name_item_number_and_unit() -> None:
    assert texts.refusal("ru", "item_not_proven", "cell_lock_2") == "Дверь и замок камеры 2: проверьте"
    assert texts.refusal("kk", "cell_full", "cell_3") == "3-камера толы: басқасын таңдаңыз"
    assert texts.refusal("en", "driver_not_ready", None) == "Driver: press READY"
    assert texts.alarm("en", "notice_unconfirmed", "astana-mp", "Astana")[0] == "Astana has not confirmed"
    assert texts.alarm("kk", "cell_unlocked", "cell_lock_4") == (
        "4-камера құлыпталмаған",
        "Камера есігі ашылып кетуі мүмкін",
        "Құлыптаңыз",
    )


def test_a_missing_text_never_raises() -> None:
    assert texts.refusal("kk", "new_code", "new_item") == "new_code"
    assert texts.alarm("xx", "new_code", None) == ("new_code", "", "")
    assert texts.get("kk", "no.such") == "no.such"
    assert texts.get("kk", "nothing") == "nothing"
    assert texts.label("kk", "new_item") == "new_item"
    assert texts.sentence("kk", "new_item") == ""


def test_documents_read_by_kind_of_trip() -> None:
    assert texts.part("en", "list", "within_settlement", to_court=True) == "List of suspects and accused"
    assert texts.part("en", "files", "within_settlement") != texts.part("en", "files", "outside_settlement")


def test_every_reason_that_the_core_gives_has_its_words() -> None:
    """Read from the source: reasons are the second word of a finding, of a verdict, or of a changed row."""
    core = Path(rules.__file__).parent
    source = "".join(
        (core / name).read_text(encoding="utf-8") for name in ("equipment.py", "selftest.py", "automatic.py")
    )
    found = set(re.findall(r'"(?:fault|stale|unknown)", "([a-z_]+)"', source))
    found |= set(re.findall(r'"failed", "([a-z_]+)"', source))
    found |= {"airflow_lost", "dark", "stuck_closed", "does_not_close", "cut", "short", "implausible", "restart"}
    found |= {"tone_unbidden", "switched_on", "did_not_go_dark", "moved", "too_old", "order_expired", "no_clock"}
    assert len(found) > 25
    for language in texts.LANGUAGES:
        assert found <= set(texts.load()[language]["reason"]), language
