"""The display's colours reach the contrast that hmi asks for: text 4.5, borders and signs 3 (WCAG's formula)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "vehicle_agent" / "display" / "static" / "tokens.css"
TEXTS = ("fg", "muted", "ok", "crit", "warn", "advice", "stale", "manual")
FILLS = ("ok", "crit", "warn", "advice")


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r'\[data-theme="(\w+)"\] \{(.*?)\}', TOKENS.read_text(encoding="utf-8"), re.S)
    return {name: dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6});", block)) for name, block in blocks}


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_on_known_pairs() -> None:
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21.0)
    assert contrast("#FFFFFF", "#B3121D") == pytest.approx(7.0, abs=0.1)


@pytest.mark.parametrize("theme", ["day", "night"])
@pytest.mark.parametrize("ground", ["bg", "panel"])
def test_text_and_borders_are_readable(theme: str, ground: str) -> None:
    colours = themes()[theme]
    assert [name for name in TEXTS if contrast(colours[name], colours[ground]) < 4.5] == []
    assert contrast(colours["border"], colours[ground]) >= 3.0


@pytest.mark.parametrize("theme", ["day", "night"])
def test_words_on_filled_blocks_are_readable(theme: str) -> None:
    colours = themes()[theme]
    assert [name for name in FILLS if contrast(colours["on-fill"], colours[name]) < 4.5] == []


def test_the_cover_is_readable() -> None:
    assert contrast("#FFFFFF", "#14191D") >= 7
    assert contrast("#FFB300", "#14191D") >= 7
