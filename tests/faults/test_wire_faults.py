"""Every wire with every fault in every phase, through the running system (H02, H05, H24, H25): see wires/table.md."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simulators.stack.variants import INPUTS
from tests.faults.wires.cases import PHASES, TABLE, Case, part, read
from tests.faults.wires.play import Play, StalledError
from tests.faults.wires.quick import walking_quickly
from tests.faults.wires.walk import Walk, walking

Tell = Callable[[str, int], None]
WIRES = ("cell_1", "cell_2", "body_door", *INPUTS)
SORTS = {"open", "cut", "short", "supply", "bridge", "chatter", "stuck", "leak"}
SIDE_BY_SIDE = 6  # vehicles on two cores: each is idle five sixths of its time
# A case that failed while the machine was too busy for the scan proves nothing and is played again; how late a scan may
# be on a machine of its own is measured in tests/bench.
ATTEMPTS = 3


@dataclass
class Found:
    problems: list[str] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    played: int = 0


def run(one: Play) -> None:
    """The case, again when the machine stalled in it."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(StalledError):
            one.run()
            return
    one.run()


def play(walk: Walk, cases: Iterable[Case]) -> Found:
    """What went wrong, and how late the permit fell."""
    found = Found()
    for case in cases:
        one = Play(walk, case)
        try:
            run(one)
        except AssertionError as error:
            found.problems.append(str(error) if case.name in str(error) else f"before {case.name}: {error}")
        found.played += 1
        if one.lateness_s is not None:
            found.late_s.append(one.lateness_s)
    try:
        walk.arrange("checking")
    except AssertionError as error:
        found.problems.append(f"wedged after the last case: {error}")
    return found


def play_really(root: Path, cases: Iterable[Case]) -> Found:
    root.mkdir()
    with walking(root) as walk:
        return play(walk, cases)


def judge(tell: Tell, found: list[Found], where: str) -> None:
    late_ms = sorted(1000 * each for one in found for each in one.late_s)
    played = sum(one.played for one in found)
    print(
        f"{played} cases, permit off after {late_ms[len(late_ms) // 2]:.0f} ms (median), {late_ms[-1]:.0f} ms at most"
    )
    tell(f"wire faults played {where}", played)
    tell(f"wire faults that closed boarding {where}", len(late_ms))
    problems = [problem for one in found for problem in one.problems]
    assert not problems, "\n".join(problems)


def by_wire(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """One trip for each wire, in the order of its phases."""
    sorted_out: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: PHASES.index(case.phase)):
        sorted_out[case.wire].append(case)
    return sorted_out


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
    """Each wire, each phase, each sort of fault while boarding is open and each sort of outcome at least once.

    Two vehicles of real processes side by side.
    """
    chosen = part(read())
    halves = [(tmp_path / name, chosen[start::2]) for start, name in enumerate(("first", "second"))]
    with ThreadPoolExecutor(len(halves)) as pool:
        judge(tell, list(pool.map(lambda half: play_really(*half), halves)), "on real processes")


@pytest.mark.slow
def test_H02_H05_H25_every_wire_fault_while_boarding_is_open_closes_it_or_is_found(tmp_path: Path, tell: Tell) -> None:
    """The table's column "boarding", from the wires to the core in one process and in made time."""
    with walking_quickly(tmp_path) as walk:
        found = play(walk, (case for case in read() if case.phase == "boarding"))
    judge(tell, [found], "in one process")


@pytest.mark.campaign("gate")
@pytest.mark.parametrize("wire", WIRES)
def test_H02_H05_H24_H25_every_fault_of_a_wire_in_made_time(wire: str, tmp_path: Path, tell: Tell) -> None:
    """The whole table in one process."""
    with walking_quickly(tmp_path) as walk:
        found = play(walk, by_wire(read())[wire])
    assert found.played >= len(SORTS) * 4
    assert not found.problems, "\n".join(found.problems)
    tell("wire faults played in one process", found.played)


@pytest.mark.campaign("gate")
def test_H02_H05_H24_H25_every_wire_fault_closes_or_is_found(tmp_path: Path, tell: Tell) -> None:
    """The whole table on real processes: one trip for each wire, several vehicles side by side."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = list(pool.map(lambda each: play_really(tmp_path / each[0], each[1]), by_wire(read()).items()))
    judge(tell, found, "on real processes")
