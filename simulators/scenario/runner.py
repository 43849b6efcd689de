"""Plays a scenario against a running demo and says which line did not come true."""

from __future__ import annotations

import time
from collections.abc import Callable

from simulators.scenario.errors import NotMetError
from simulators.scenario.language import Scenario, Statement
from simulators.scenario.world import Endpoints, World

__all__ = ["Endpoints", "Failure", "play", "run_scenario"]

Say = Callable[[str], None]


class Failure(Exception):  # noqa: N818 - a verdict, not an error of the program
    """A line did not come true: which, and what was seen."""


def play(scenario: Scenario, endpoints: Endpoints, say: Say) -> None:
    """Play every line. Raises Failure at the first that does not come true."""
    world = World(endpoints, scenario.path.parent)
    try:
        if any("PUBLISH" in statement.text for statement in scenario.statements):
            world.outsider.connect()  # it has to have seen the notices that it is going to forge receipts for
        began_s = time.monotonic()
        for statement in scenario.statements:
            _wait_until(began_s, statement)
            say(f"{_clock(time.monotonic() - began_s)} {statement.text}")
            _perform(statement, world)
    finally:
        world.close()


def run_scenario(scenario: Scenario, endpoints: Endpoints, say: Say) -> bool:
    """Play it and say how it ended; True when everything that it expects came true."""
    say(f"scenario {scenario.path.name}: {scenario.title}")
    try:
        play(scenario, endpoints, say)
    except Failure as failure:
        say(f"FAILED {failure}")
        return False
    say(f"scenario {scenario.path.name}: all {len(scenario.statements)} lines came true")
    return True


def _perform(statement: Statement, world: World) -> None:
    try:
        statement.verb.perform(world, dict(statement.values))
    except NotMetError as error:
        raise Failure(f"{statement.where}: {statement.text}\n  {error}") from None


def _wait_until(began_s: float, statement: Statement) -> None:
    if statement.at_s is not None:
        time.sleep(max(0.0, began_s + statement.at_s - time.monotonic()))


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):02d}:{seconds % 60:04.1f}"
