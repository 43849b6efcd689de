"""What is wrong with a configuration file, said so that a person can mend it: all problems at once (hazard H34).

Each problem names the file with its line, the key, the value given, what is allowed, and the nearest valid key where
one was misspelt.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

VALUE_CHARACTERS_MAX = 60  # a longer value would push what is allowed off the screen


class ConfigError(Exception):
    """A configuration that must not be used. `problems` has everything that was found, in the order of the files."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `key` is dotted, and `#3` in it is the third entry of a list.

    `given` is None for a key that is missing, and where the value itself says nothing.
    """

    file: Path
    key: str
    what: str
    allowed: str = ""
    given: str | None = None
    nearest: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        text = f"{where}: {self.key}: {self.what}" if self.key else f"{where}: {self.what}"
        if self.given is not None:
            text += f" (given: {self.given})"
        if self.nearest:
            text += f"; did you mean {self.nearest}?"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return text


def shown(value: object) -> str:
    """A value as the file has it, cut to a readable length; a secret's key never comes here."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = f'"{value}"'
    else:
        text = str(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"


def nearest_of(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that `name` was probably meant to be, or None when nothing is near."""
    folded = {candidate.lower(): candidate for candidate in valid}
    matches = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None
