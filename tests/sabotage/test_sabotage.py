"""The tests, tested: each deliberate sabotage of the product turns the suite red, and the product itself does not.

Five run always, all of them with `tests/check --full gate`. How to read and add one: README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sabotage import of_the_gate, of_the_trip, of_the_wires
from tests.sabotage.patching import Copy, Sabotage

ALL = (*of_the_gate.SABOTAGES, *of_the_trip.SABOTAGES, *of_the_wires.SABOTAGES)
# The permit given, kept and resumed wrongly, people left behind, and a wire misread: quick ones, on pure tests.
ALWAYS = (
    "grant on unknown",
    "grant before the disk",
    "the permit survives a restart",
    "close with a person aboard",
    "a cut reads as locked",
)
Tell = Callable[[str, int], None]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("sabotage"))


def named(names: tuple[str, ...]) -> list[Sabotage]:
    return [next(sabotage for sabotage in ALL if sabotage.name == name) for name in names]


def check(sabotage: Sabotage, tree: Copy, tell: Tell) -> None:
    with tree.sabotaged(sabotage):
        verdict = tree.run(*sabotage.tests)
    tell("sabotages killed" if verdict.is_noticed else "sabotages survived", 1)
    assert verdict.is_noticed, f"nobody noticed: {sabotage.name}\n{verdict.output}"


def check_control(sabotages: list[Sabotage], tree: Copy) -> None:
    """The copy is what runs, and without a sabotage the same tests are green."""
    for file in tree.imported_from("vehicle_agent.core.interlock", "hw.loops", "simulators.bench.electrics"):
        assert file.is_relative_to(tree.place), f"{file} would be tested instead of the copy"
    verdict = tree.run(*sorted({test for sabotage in sabotages for test in sabotage.tests}))
    assert verdict.code == 0, verdict.output


def test_every_anchor_stands_once_and_every_name_too() -> None:
    root = Path(__file__).resolve().parents[2]
    for sabotage in ALL:
        sabotage.applied((root / sabotage.file).read_text(encoding="utf-8"))
        for test in sabotage.tests:
            file, _, function = test.partition("::")
            text = (root / file).read_text(encoding="utf-8")
            assert not function or f"def {function.partition('[')[0]}(" in text, f"{sabotage.name}: there is no {test}"
    names = [sabotage.name for sabotage in ALL]
    assert len(set(names)) == len(names)
    assert len(ALL) >= 40


@pytest.mark.slow
def test_without_a_sabotage_the_copy_is_green(tree: Copy) -> None:
    check_control(named(ALWAYS), tree)


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", named(ALWAYS), ids=lambda sabotage: sabotage.name)
def test_a_sabotage_turns_the_suite_red(sabotage: Sabotage, tree: Copy, tell: Tell) -> None:
    check(sabotage, tree, tell)


@pytest.mark.campaign("gate")
def test_without_any_sabotage_the_copy_is_green(tree: Copy) -> None:
    check_control(list(ALL), tree)


@pytest.mark.campaign("gate")
@pytest.mark.parametrize("sabotage", ALL, ids=lambda sabotage: sabotage.name)
def test_every_sabotage_turns_the_suite_red(sabotage: Sabotage, tree: Copy, tell: Tell) -> None:
    check(sabotage, tree, tell)
