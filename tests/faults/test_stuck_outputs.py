"""Enable, pulse, relay and read-back stuck, in every phase of a trip: found within 300 ms, and never a quiet permit.

- Relay welded, read-back shorted: read-back against command says `stuck_closed`, with horn and `permit_stuck`; at once,
  or while boarding is open when it ends.
- Enable low, pulse high or low, a relay that does not close, read-back cut: `does_not_close` ends an open boarding;
  shut, nothing shows, and each opening ends as soon as it is found. Only closing the relay tells that it is repaired.
- Enable high: the read-back cannot tell, nothing is wrong while pulses come with the permit. They end with it, and the
  relay opens 200 ms later: the second line is what catches the first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.faults.stuck import FAULTS, try_while_open, try_while_shut
from tests.faults.victim import Victim

PHASES = (
    "no_trip",
    "checking",
    "boarding_open",
    "boarding_shut",
    "persons_aboard",
    "securing",
    "secured",
    "under_way",
    "arrived",
    "unloading",
)
OPEN = ("boarding_open", "persons_aboard")
SECURING = ("isolation", "escort_placed", "keys_with_commander", "commander_in_cab")
VEHICLES = 4
Case = tuple[str, str]  # phase, fault
Tell = Callable[[str, int], None]


@pytest.fixture
def vehicles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Victim]]:
    with ExitStack() as stack:
        made = [
            stack.enter_context(closing(Victim(tmp_path_factory.mktemp(f"vehicle_{number}"))))
            for number in range(VEHICLES)
        ]
        for victim in made:
            victim.start()
        yield made


def go_on(victim: Victim, phase: str) -> None:
    """From the phase before this one into it, as people do."""
    commander = victim.commander
    if phase == "no_trip":
        commander.wire.ask("commission", by="test")
    elif phase == "checking":
        commander.open_trip()
        commander.prove()
    elif phase == "boarding_open":
        victim.be_open()
    elif phase == "boarding_shut":
        commander.do("suspend_boarding")
    elif phase == "persons_aboard":
        victim.be_open()
        victim.board()
    elif phase == "securing":
        commander.do("finish_boarding")
    elif phase == "secured":
        for item in SECURING:
            commander.do("confirm", item=item)
        commander.do("secure")
    else:
        commander.do({"under_way": "depart", "arrived": "arrive", "unloading": "open_unloading"}[phase])
    assert victim.snapshot()["phase"] == {**dict.fromkeys(PHASES[2:5], "boarding")}.get(phase, phase)


def walk(victim: Victim, cases: list[Case], found_ms: dict[Case, float]) -> None:
    """A whole trip; in each phase the faults that are this vehicle's."""
    for phase in PHASES:
        go_on(victim, phase)
        for fault in [fault for at, fault in cases if at == phase]:
            try:
                if phase in OPEN:
                    found_ms[phase, fault] = try_while_open(victim, FAULTS[fault])
                else:
                    is_proven = phase in ("checking", "boarding_shut")
                    found_ms[phase, fault] = try_while_shut(victim, FAULTS[fault], is_proven=is_proven)
            except Exception as error:
                raise AssertionError(f"{fault} in {phase}: {error}") from error
        if phase == "checking" and victim.snapshot()["phase"] == "boarding":
            # Opening it was tried: the checklist is done, the phase is past.
            assert not victim.snapshot()["boarding"]["open"]


def test_H05_every_stuck_part_in_every_phase_is_found_within_300_ms(vehicles: list[Victim], tell: Tell) -> None:
    # The two that raise an alarm take longest, so each vehicle gets every other phase of one of them.
    shares: list[list[Case]] = [[] for _ in vehicles]
    for place, phase in enumerate(PHASES):
        for number, fault in enumerate(FAULTS):
            is_told = FAULTS[fault].kind == "closed"
            turn = place % 2 + (2 if fault == "readback_closed" else 0) if is_told else place + number
            shares[turn % len(vehicles)].append((phase, fault))
    found_ms: dict[Case, float] = {}
    failed: list[Exception] = []

    def work(victim: Victim, cases: list[Case]) -> None:
        try:
            walk(victim, cases, found_ms)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(vehicles, shares, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    assert set(found_ms) == {(phase, fault) for phase in PHASES for fault in FAULTS}
    shown = [late_ms for late_ms in found_ms.values() if late_ms]
    tell("stuck outputs × phases", len(found_ms))
    tell("stuck outputs × phases, of these harmless until boarding opens", len(found_ms) - len(shown))
    tell("worst stuck output found after, ms", round(max(shown)))
