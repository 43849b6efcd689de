"""Every wire with every fault in every phase, through the running system (H02, H05, H24, H25): see wires/table.md."""

from __future__ import annotations

import contextlib
import re
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulators.stack.variants import INPUTS
from tests.faults.wires.cases import PHASES, TABLE, Case, part, read
from tests.faults.wires.play import Play, StalledError
from tests.faults.wires.walk import walking

Tell = Callable[[str, int], None]
WIRES = ("cell_1", "cell_2", "body_door", *INPUTS)
SORTS = {"open", "cut", "short", "supply", "bridge", "chatter", "stuck", "leak"}
SIDE_BY_SIDE = 6  # vehicles on two cores: each is idle five sixths of its time


# A case that failed while the machine was too busy for the scan proves nothing and is played again; how late a scan may
# be on a machine of its own is measured in tests/bench.
ATTEMPTS = 3


def run(one: Play) -> None:
    """The case, again when the machine stalled in it."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(StalledError):
            one.run()
            return
    one.run()


def play(root: Path, cases: tuple[Case, ...]) -> tuple[list[str], list[float]]:
    """What went wrong, and how late the permit fell, in seconds."""
    root.mkdir()
    problems: list[str] = []
    late_s: list[float] = []
    with walking(root) as walk:
        for case in cases:
            began_s = time.monotonic()
            one = Play(walk, case)
            try:
                run(one)
            except AssertionError as error:
                problems.append(str(error) if case.name in str(error) else f"before {case.name}: {error}")
            if one.lateness_s is not None:
                late_s.append(one.lateness_s)
            print(f"{time.monotonic() - began_s:5.1f} s  {case.name}")
        walk.arrange("checking")  # the last fault left nothing wedged either
    return problems, late_s


def judge(tell: Tell, cases: tuple[Case, ...], found: list[tuple[list[str], list[float]]]) -> None:
    problems = [problem for some, _ in found for problem in some]
    late_ms = sorted(1000 * each for _, some in found for each in some)
    middle_ms = late_ms[len(late_ms) // 2]
    print(f"{len(cases)} cases, permit off after {middle_ms:.0f} ms (median), {late_ms[-1]:.0f} ms at most")
    tell("wire faults played", len(cases))
    tell("wire faults that closed boarding", len(late_ms))
    assert not problems, "\n".join(problems)


def test_H02_the_table_has_every_wire_with_every_fault_in_every_phase() -> None:
    cases = read()
    assert {case.phase for case in cases} == set(PHASES)
    for wire in WIRES:
        for phase in PHASES:
            sorts = {case.kind for case in cases if case.wire == wire and case.phase == phase}
            assert sorts == SORTS, f"{wire} in {phase} lacks {sorted(SORTS - sorts)}"


def test_H02_nothing_is_called_harmless_without_a_reason() -> None:
    for case in read():
        if any(step.seen == ("same",) for step in case.steps):
            assert len(case.why) > 10, case.name


def test_the_table_ends_with_its_rows_and_each_has_a_verdict_for_all_phases() -> None:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 9 for line in lines[-5:])


@pytest.mark.slow
def test_H02_H05_H25_a_part_of_the_wire_faults_closes_or_is_found(tmp_path: Path, tell: Tell) -> None:
    """Each wire, each sort of fault, each phase and each sort of outcome once, on two vehicles side by side."""
    chosen = part(read())
    halves = [chosen[::2], chosen[1::2]]
    with ThreadPoolExecutor(len(halves)) as pool:
        found = list(pool.map(lambda each: play(tmp_path / f"vehicle-{each[0]}", each[1]), enumerate(halves)))
    judge(tell, chosen, found)


@pytest.mark.campaign("gate")
def test_H02_H05_H24_H25_every_wire_fault_closes_or_is_found(tmp_path: Path, tell: Tell) -> None:
    """The whole table: one trip for each wire, several vehicles side by side."""
    cases = read()
    by_wire: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: PHASES.index(case.phase)):
        by_wire[case.wire].append(case)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = list(pool.map(lambda wire: play(tmp_path / wire, tuple(by_wire[wire])), by_wire))
    judge(tell, cases, found)
