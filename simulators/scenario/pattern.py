"""The shape of a line, such as `PRESS {button:button} [FOR {hold_s:duration}]`: reads it or says what was expected.

Capitals are literal words, `{name:kind}` is a word of a kind from `words`, `{name:A|B}` one of these literals (its
value in small letters), `{name:kind*}` one or more words up to the next literal. `[...]` may be left out; neighbouring
ones come in any order, and one that holds only literals is a flag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from simulators.scenario import words

_ELEMENT = re.compile(r"\[|\]|\{(?P<name>\w+):(?P<kind>[^}*]+)(?P<many>\*?)\}|(?P<literal>[^\s\[\]{}]+)")


@dataclass(frozen=True, slots=True)
class Literal:
    word: str


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    kind: str
    many: bool

    def parse(self, word: str) -> Any:
        if self.kind in words.KINDS:
            return words.KINDS[self.kind](word)
        return words.one_of("one of", [choice.lower() for choice in self.kind.split("|")])(word)


@dataclass(frozen=True, slots=True)
class Group:
    elements: tuple[Literal | Slot, ...]

    @property
    def keyword(self) -> str:
        first = self.elements[0]
        return first.word if isinstance(first, Literal) else ""


class MismatchError(Exception):
    """The line is not of this shape: `at` is the index of the first word that does not fit."""

    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


@dataclass(slots=True)
class _Reading:
    tokens: list[str]
    literals: frozenset[str]
    at: int = 0
    values: dict[str, Any] = field(default_factory=dict)

    def take(self, element: Literal | Slot) -> None:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if isinstance(element, Literal):
            if token != element.word:
                raise MismatchError(self.at, element.word)
            self.at += 1
            return
        if token is None:
            raise MismatchError(self.at, f"{element.name} here")
        self.values[element.name] = [self._parsed(element)] if element.many else self._parsed(element)
        while element.many and self.at < len(self.tokens) and self.tokens[self.at] not in self.literals:
            self.values[element.name].append(self._parsed(element))

    def _parsed(self, slot: Slot) -> Any:
        word = self.tokens[self.at]
        try:
            value = slot.parse(word.rstrip(",") if slot.many else word)
        except ValueError as error:
            raise MismatchError(self.at, str(error)) from None
        self.at += 1
        return value


class Pattern:
    """One shape of a line, made from its text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._elements = _compile(text)
        flat = [
            part
            for element in self._elements
            for part in (element.elements if isinstance(element, Group) else [element])
        ]
        self._literals = frozenset(part.word for part in flat if isinstance(part, Literal))

    @property
    def shown(self) -> str:
        """The shape for people: `PRESS {button} [FOR {duration}]`."""
        named = re.sub(r"\{\w+:([a-z_]+)(\*?)\}", lambda m: f"{{{m[1]}}}{' …' if m[2] else ''}", self.text)
        return re.sub(r"\{\w+:([^}]*\|[^}]*)\}", lambda m: str(m[1]), named)

    def read(self, tokens: list[str]) -> dict[str, Any]:
        """The line's values by name. Raises MismatchError."""
        reading = _Reading(tokens, self._literals)
        groups: list[Group] = []
        for element in self._elements:
            if isinstance(element, Group):
                groups.append(element)
            else:
                self._take_groups(reading, groups)
                groups = []
                reading.take(element)
        left = self._take_groups(reading, groups)
        if reading.at < len(tokens):
            more = f"the end of the line or {' or '.join(left)}" if left else "the end of the line"
            raise MismatchError(reading.at, more)
        return reading.values

    @staticmethod
    def _take_groups(reading: _Reading, groups: list[Group]) -> list[str]:
        """Read the optional parts that are there, in any order; the keywords of those that are not."""
        left = list(groups)
        while reading.at < len(reading.tokens):
            group = next((group for group in left if group.keyword == reading.tokens[reading.at]), None)
            if group is None:
                break
            for element in group.elements:
                reading.take(element)
            left.remove(group)
            if all(isinstance(element, Literal) for element in group.elements):  # bare keywords are a flag
                reading.values[group.keyword.lower()] = True
        return [group.keyword for group in left]


def _compile(text: str) -> list[Literal | Slot | Group]:
    elements: list[Literal | Slot | Group] = []
    inside: list[Literal | Slot] | None = None
    for match in _ELEMENT.finditer(text):
        if match[0] == "[":
            inside = []
        elif match[0] == "]":
            elements.append(Group(tuple(inside or ())))
            inside = None
        else:
            part = (
                Literal(match["literal"])
                if match["literal"]
                else Slot(match["name"], match["kind"], bool(match["many"]))
            )
            (elements if inside is None else inside).append(part)
    return elements
