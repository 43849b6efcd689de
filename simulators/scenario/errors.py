"""What can be wrong with a scenario: its text, or the vehicle that it was played on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ScenarioError(Exception):
    """The file cannot be read as a scenario; the message names file, line, what was expected and the nearest word."""


class NotMetError(Exception):
    """A line did not come true; the message says what was seen instead."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; nearest: x`, or nothing when no known word is near."""
    by_small_letters = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_small_letters, n=1, cutoff=0.5)
    return f"; nearest: {by_small_letters[near[0]]}" if near else ""
