"""No mutant of the core survives its tests but those on the list, and the list holds no other (hazards.md, T4).

`tests/check --full gate` runs the modules that decide the permit, `tests/check --full mutants` all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mutation.campaign import NARROW, Outcome, hunt, known_survivors
from tests.mutation.making import CORE, modules, mutants_of

# What decides the permit. The rest takes twice as long.
GATE = (
    "interlock",
    "fallback",
    "outputs",
    "equipment",
    "levels",
    "motion",
    "selftest",
    "panel",
    "automatic",
    "state",
)
REST = tuple(module for module in NARROW if module not in GATE)
Tell = Callable[[str, int], None]


def check(module: str, outcome: Outcome, tell: Tell) -> None:
    tell("mutants killed", len(outcome.killed))
    tell("mutants survived, for a listed reason", len(outcome.survived & known_survivors().keys()))
    unknown = outcome.survived - known_survivors().keys()
    assert not unknown, "survived and not on the list:\n" + "\n".join(sorted(unknown))
    listed = {key for key in known_survivors() if key.startswith(f"{module}.")}
    gone = listed - outcome.survived
    assert not gone, "on the list, but killed or no longer made:\n" + "\n".join(sorted(gone))


def test_every_module_of_the_core_has_its_tests() -> None:
    assert set(NARROW) == {*modules()}
    for names in NARROW.values():
        for name in names:
            assert (CORE.parents[1] / "tests" / "core" / name).is_file(), name


def test_every_listed_survivor_is_a_mutant_of_a_module_and_has_a_reason() -> None:
    assert {key.partition(".")[0] for key in known_survivors()} <= {*modules()}


def test_mutants_are_made_of_functions_properties_and_constants() -> None:
    keys = {mutant.key for mutant in mutants_of("motion")}
    assert "motion.judge: if not handbrake: -> if handbrake:" in keys
    assert any(key.startswith("motion.FAST_MPS: ") for key in keys)
    assert any(mutant.function == "Trip.aboard" for mutant in mutants_of("state"))


@pytest.mark.slow
def test_the_hunt_kills_what_tests_notice_and_lets_live_what_they_do_not(tmp_path: Path) -> None:
    killed = "motion.judge: if not handbrake: -> if handbrake:"
    survivor = next(key for key in known_survivors() if key.startswith("motion.distance_m"))
    outcome = hunt("motion", tmp_path, [killed, survivor])
    assert outcome == Outcome(frozenset({killed}), frozenset({survivor}))


@pytest.mark.campaign("gate")
@pytest.mark.campaign("mutants")
@pytest.mark.parametrize("module", GATE)
def test_no_mutant_of_what_decides_the_permit_survives(module: str, tmp_path: Path, tell: Tell) -> None:
    check(module, hunt(module, tmp_path), tell)


@pytest.mark.campaign("mutants")
@pytest.mark.parametrize("module", REST)
def test_no_mutant_of_the_rest_survives(module: str, tmp_path: Path, tell: Tell) -> None:
    if mutants_of(module):
        check(module, hunt(module, tmp_path), tell)
