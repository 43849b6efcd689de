"""The table of all verbs. A verb is a pattern, a sentence that says what it does, and the function that does it.

Three kinds: an action, a commander's command (also as `TRY …`, which may be refused, and `RACE …`, which two
commanders give at the same instant), and a condition (as `EXPECT …` and `WAIT FOR …`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulators.scenario.pattern import Pattern

if TYPE_CHECKING:
    from simulators.scenario.world import World

EXPECT_WITHIN_S = 5.0  # a condition may take a while to become true; ten times the slowest reaction that is not a proof
WAIT_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether a condition holds now, and what there was to see."""

    is_met: bool
    what: str
    since_ns: int | None = None  # when it became so (CLOCK_MONOTONIC), where the bench has measured it


Perform = Callable[["World", dict[str, Any]], None]
Look = Callable[..., Seen]
Arguments = Callable[["World", dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Verb:
    pattern: Pattern
    does: str
    perform: Perform


VERBS: list[Verb] = []


def _register(text: str, does: str, perform: Perform) -> None:
    VERBS.append(Verb(Pattern(text), does, perform))


def action(text: str, does: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The function gets the world and the pattern's values by name."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        def perform(world: World, values: dict[str, Any]) -> None:
            world.mark_action()
            function(world, **values)

        _register(text, does, perform)
        return function

    return register


def _as_written(_world: World, values: dict[str, Any]) -> dict[str, Any]:
    return values


def command(text: str, name: str, does: str, arguments: Arguments = _as_written) -> None:
    """`arguments` makes the command's arguments (without `rev`) of the line's values."""

    def perform(world: World, values: dict[str, Any]) -> None:
        world.mark_action()
        world.commander.must(name, arguments(world, values))

    def attempt(world: World, values: dict[str, Any]) -> None:
        world.mark_action()
        is_old = values.pop("from", False)
        world.commander.attempt(name, arguments(world, values), old_view=is_old)

    def race(world: World, values: dict[str, Any]) -> None:
        world.mark_action()
        world.commander.race(name, arguments(world, values))

    _register(text, does, perform)
    _register(f"TRY {text} [FROM OLD VIEW]", "", attempt)
    _register(f"RACE {text}", "", race)


def condition(text: str, does: str) -> Callable[[Look], Look]:
    """The function gets the world and the values and says what it sees now."""

    def register(function: Look) -> Look:
        def expect(world: World, values: dict[str, Any]) -> None:
            within_s = values.pop("within_s", None)
            hold_s = values.pop("hold_s", 0.0)
            world.until(lambda: function(world, **values), EXPECT_WITHIN_S if within_s is None else within_s, within_s)
            if hold_s:
                world.while_for(lambda: function(world, **values), hold_s)

        def wait(world: World, values: dict[str, Any]) -> None:
            world.until(lambda: function(world, **values), values.pop("within_s", WAIT_WITHIN_S), None)

        _register(f"EXPECT {text} [WITHIN {{within_s:duration}}] [FOR {{hold_s:duration}}]", does, expect)
        _register(f"WAIT FOR {text} [WITHIN {{within_s:duration}}]", "", wait)
        return function

    return register
