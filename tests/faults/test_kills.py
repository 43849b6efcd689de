"""Control killed, hung, starved or without its disk: the relay opens by itself, and only people open boarding again.

Several vehicles are harmed side by side, for most of the time each waits. A fault's kind and number are the seed of its
moments; a failure names them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.faults.kinds import KINDS
from tests.faults.side_by_side import side_by_side
from tests.faults.victim import PULL_IN_NS, Victim, pulled_in

SCHEDULINGS = ("ordinary", "unit", "unit", "unit")  # the first has no help against what takes the cores away
# One hundred in all; what needs a whole new check afterwards is the dearest.
EACH = {
    "kill": 14,
    "stop": 12,
    "blink": 16,
    "deadlock": 8,
    "kill_in_test": 16,
    "stop_in_test": 12,
    "hog": 4,
    "hang": 6,
    "full": 6,
    "unread": 6,
}
# What takes the cores away from the others' measurement goes to one vehicle; the starved one has no other task.
ONE = {"hog": slice(0, 1), "unread": slice(1, 2)}
Tell = Callable[[str, int], None]


@pytest.fixture(scope="module")
def vehicles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Victim]]:
    with ExitStack() as stack:
        made = [
            stack.enter_context(closing(Victim(tmp_path_factory.mktemp(f"vehicle_{number}"), scheduling)))
            for number, scheduling in enumerate(SCHEDULINGS)
        ]
        for victim in made:
            victim.start()
        yield made


def harm(vehicles: list[Victim], kind: str, count: int, tell: Tell) -> None:
    """`count` faults of one kind, shared by the vehicles."""

    def play(victim: Victim, number: int) -> float:
        figure_ms = KINDS[kind](victim, random.Random(f"{kind} {number}"))
        victim.is_whole()
        return figure_ms

    figures_ms = side_by_side(vehicles, count, play, kind)
    tell("faults played on a running control", count)
    tell(f"worst of {count} × {kind}, ms", round(max(figures_ms)))
    print(f"{kind}: {count} faults, worst {max(figures_ms):.1f} ms")


def cases(times: int) -> list[tuple[str, int]]:
    return [(kind, count * times) for kind, count in EACH.items()]


def among(vehicles: list[Victim], kind: str) -> list[Victim]:
    return vehicles[ONE.get(kind, slice(1, None))]


def test_a_relay_follows_what_lasts_and_nothing_shorter() -> None:
    blip, hold = [(100, True), (100 + PULL_IN_NS - 1, False)], [(100, True), (100 + PULL_IN_NS, False)]
    assert pulled_in(blip) == []
    assert pulled_in(hold) == hold
    assert pulled_in([*blip, (10**9, True)]) == [(10**9, True)], "what does not end has closed"


@pytest.mark.parametrize(("kind", "count"), [case for case in cases(1) if not case[0].endswith("_in_test")])
def test_H06_H07_boarding_ends_and_only_a_person_opens_it_again(
    vehicles: list[Victim], tell: Tell, kind: str, count: int
) -> None:
    harm(among(vehicles, kind), kind, count, tell)


@pytest.mark.parametrize(("kind", "count"), [case for case in cases(1) if case[0].endswith("_in_test")])
def test_H37_fan_and_light_run_again_whatever_becomes_of_their_test(
    vehicles: list[Victim], tell: Tell, kind: str, count: int
) -> None:
    harm(among(vehicles, kind), kind, count, tell)


@pytest.mark.campaign("kills")
@pytest.mark.parametrize(("kind", "count"), cases(3))
def test_H06_H07_H37_three_hundred_faults(vehicles: list[Victim], tell: Tell, kind: str, count: int) -> None:
    harm(among(vehicles, kind), kind, count, tell)


@pytest.mark.campaign("gate")
@pytest.mark.parametrize(("kind", "count"), [(kind, max(count // 3, 2)) for kind, count in EACH.items()])
def test_H06_H07_H37_some_of_the_faults(vehicles: list[Victim], tell: Tell, kind: str, count: int) -> None:
    harm(among(vehicles, kind), kind, count, tell)
