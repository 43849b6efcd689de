"""Every word that a person reads, in Kazakh, Russian and English, by code; the Order's own words where it has them.

A missing text never raises: the code itself is returned, so that a wording can never stop the gate, an alarm or a
notice. Tests prove that every code has its three texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("kk", "ru", "en")
FOLDER = Path(__file__).parent

Catalogue = Mapping[str, Mapping[str, Mapping[str, str]]]

_NUMBERED = re.compile(r"^(cell(?:_lock|_call|_temperature)?)_(\d+)$")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def load() -> Catalogue:
    """All texts: language -> group -> code -> text. Read once; treat as read-only."""
    return {language: json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8")) for language in LANGUAGES}


def get(lang: str, key: str, **params: object) -> str:
    """The text of `group.code`, placeholders filled; an unknown placeholder or key shows itself."""
    group, _, code = key.partition(".")
    text = load().get(lang, {}).get(group, {}).get(code)
    return key if text is None else _fill(text, params)


def label(lang: str, item: str) -> str:
    """The name of a checklist row, an equipment, a button or a cell (`cell_lock_2`, `cell_2`)."""
    items = load().get(lang, {}).get("item", {})
    if found := _NUMBERED.match(item):
        text = get(lang, "display.cell") if found[1] == "cell" else items.get(f"{found[1]}_N")
        return item if text is None else _fill(text, {"n": found[2]})
    return items.get(item) or load().get(lang, {}).get("panel", {}).get(item) or item


def sentence(lang: str, item: str) -> str:
    """What to do for a checklist row, in one sentence."""
    found = _NUMBERED.match(item)
    code = f"{found[1]}_N" if found else item
    return load().get(lang, {}).get("sentence", {}).get(code, "")


def part(lang: str, code: str, kind: str | None = None, to_court: bool = False) -> str:
    """One document of Appendix 1 or one condition of Rule 14; `list` and `files` read differently by kind of trip."""
    parts = load().get(lang, {}).get("part", {})
    if code == "list" and to_court:
        code = "list_to_court"
    if code == "files" and kind == "outside_settlement":
        code = "files_outside"
    return parts.get(code, code)


def refusal(lang: str, code: str, item: str | None, unit: str | None = None) -> str:
    """Why something is refused, as an instruction; the item's name and number are filled in."""
    text = load().get(lang, {}).get("refusal", {}).get(code)
    return code if text is None else _fill(text, _params(lang, item, unit))


def alarm(lang: str, code: str, item: str | None, unit: str | None = None) -> tuple[str, str, str]:
    """(cause, consequence, action) of an alarm. For `notice_unconfirmed` the unit's name may also come as the item."""
    groups = load().get(lang, {})
    params = _params(lang, item, unit or item)
    cause = groups.get("cause", {}).get(code, code)
    consequence, action = (groups.get(group, {}).get(code, "") for group in ("consequence", "action"))
    return _fill(cause, params), _fill(consequence, params), _fill(action, params)


def _params(lang: str, item: str | None, unit: str | None) -> dict[str, object]:
    params: dict[str, object] = {}
    if item is not None:
        params["item"] = label(lang, item)
        digits = re.search(r"(\d+)$", item)
        if digits:
            params["n"] = digits[1]
    if unit is not None:
        params["unit"] = unit
    return params


def _fill(text: str, params: Mapping[str, object]) -> str:
    return _PLACEHOLDER.sub(lambda found: str(params.get(found[1], found[0])), text)
