"""The page of all alarms says what the table and the texts say, and names every alarm once."""

from __future__ import annotations

import re

import pytest

from tests.contract import alarm_page
from vehicle_agent import texts
from vehicle_agent.core.alarm_table import DEFINITIONS


def test_the_page_is_up_to_date() -> None:
    written = alarm_page.PAGE.read_text(encoding="utf-8")
    assert written == alarm_page.page(), "run: python -m tests.contract.alarm_page"


def test_every_alarm_of_the_table_is_on_the_page_once_with_what_it_watches() -> None:
    assert alarm_page.WATCHES.keys() == DEFINITIONS.keys()
    assert sorted(re.findall(r"^### `(\w+)`$", alarm_page.page(), re.M)) == sorted(DEFINITIONS)


@pytest.mark.parametrize("code", sorted(DEFINITIONS))
def test_each_alarm_has_its_numbers_and_its_words_in_three_languages(code: str) -> None:
    section = alarm_page.section(code, DEFINITIONS[code])
    for language in texts.LANGUAGES:
        for group in ("cause", "consequence", "action"):
            text = texts.load()[language][group][code]
            assert text.strip()
            assert text in section
    assert f"act within {alarm_page.span(DEFINITIONS[code].act_within_s)}" in section


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (0.3, "0.3 s"), (90.0, "90 s"), (300.0, "5 min"), (3600.0, "1 h")]
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert alarm_page.span(seconds) == text


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_cause_on_many_items_has_words_with_the_same_placeholders(language: str) -> None:
    groups = texts.load()[language]
    asked = {code: text for code, text in groups["cause"].items() if re.search(r"\{(n|unit)\}", text)}
    assert groups["cause_many"].keys() == asked.keys()
    for code, text in groups["cause_many"].items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", asked[code])
