"""Two controls on one vehicle, started at once or one beside a running one: one lives, no output twitches (H33)."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.faults.side_by_side import side_by_side
from tests.faults.victim import Victim
from tests.integration.commander import Commander
from tests.integration.control_rig import until

VEHICLES = 2
COUNT, FULL_COUNT = 12, 100
START_S = 30.0  # a loaded machine's; nothing here is about speed
OUTPUTS = ("permit_enable", "permit_relay", "permit_lamp_red", "ready_lamp", "buzzer", "fan_inhibit", "light_inhibit")
TRIES = 3  # a machine that is too busy takes a radio's answers away too; another control would do so each time
PERMIT = ("permit_enable", "permit_relay", "permit_lamp_red")  # the rest may move with the trip
Tell = Callable[[str, int], None]


@pytest.fixture(scope="module")
def vehicles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Victim]]:
    with ExitStack() as stack:
        made = [
            stack.enter_context(closing(Victim(tmp_path_factory.mktemp(f"vehicle_{number}"))))
            for number in range(VEHICLES)
        ]
        for victim in made:
            victim.start()
        yield made


def at_once(victim: Victim, random_: random.Random) -> float:
    """None runs; two are started together."""
    victim.rig.end(random_.choice((signal.SIGKILL, signal.SIGTERM)))
    until(lambda: not victim.is_relay_closed, "the relay opens", START_S)
    since_ns = time.monotonic_ns()
    both = [victim.rig.spawn(), victim.rig.spawn()]
    try:
        until(lambda: any(one.poll() is not None for one in both), "one of them ends", START_S)
        ended, alive = sorted(both, key=lambda one: one.poll() is None)
        victim.rig.adopt(alive)
        wire = victim.rig.connect(START_S)
    except BaseException:
        for one in both:
            one.kill()
        raise
    assert (ended.wait(), alive.poll()) == (1, None)
    victim.commander = Commander(victim.rig, wire)
    risen = [(name, edges) for name in OUTPUTS if (edges := [one for one in victim.edges(name, since_ns) if one[1]])]
    # A trip under way has its own red lamp, which the one that lives lights when it has read its journal.
    assert not [name for name, _ in risen if name != "permit_lamp_red"], risen
    assert sum(len(edges) for _, edges in risen) <= 1, risen
    return 0.0


def beside(victim: Victim, random_: random.Random) -> float:
    """One runs and boarding is open; the other comes to the same directory, or to the same wires from another one."""
    config = _elsewhere(victim) if random_.random() < 0.5 else victim.rig.places.config
    disturbed = []
    for _ in range(TRIES):
        victim.open_boarding(random_)
        since_ns = time.monotonic_ns()
        other = victim.rig.spawn(config=config)
        try:
            assert other.wait(START_S) == 1
        except subprocess.TimeoutExpired:
            other.kill()
            raise
        moved = [(name, edges) for name in PERMIT if (edges := victim.edges(name, since_ns))]
        if not moved:
            assert victim.is_relay_closed
            assert victim.snapshot()["boarding"]["open"]
            return 0.0
        disturbed.append((moved, victim.why_closed()))
    raise AssertionError(f"boarding does not outlast another control's start: {disturbed}")


def _elsewhere(victim: Victim) -> Path:
    """A configuration with the same wires and directories of its own: what nobody should do, and somebody will."""
    places = victim.rig.root / "other"
    config = places / "config"
    if not config.exists():
        shutil.copytree(victim.rig.places.config, config)
        file = config / "vehicle.toml"
        text = file.read_text(encoding="utf-8")
        for directory in (victim.rig.state_dir, victim.rig.places.run):
            text = text.replace(f'"{directory}"', f'"{places / directory.name}"')
        file.write_text(text, encoding="utf-8")
    return config


def play(vehicles: list[Victim], count: int, tell: Tell) -> None:
    def one(victim: Victim, number: int) -> float:
        random_ = random.Random(f"two {number}")
        return (at_once if number % 2 else beside)(victim, random_)

    side_by_side(vehicles, count, one, "two")
    tell("double starts, of which exactly one lived", count)


def test_H33_of_two_controls_exactly_one_lives_and_no_output_twitches(vehicles: list[Victim], tell: Tell) -> None:
    play(vehicles, COUNT, tell)


@pytest.mark.campaign("kills")
def test_H33_a_hundred_double_starts(vehicles: list[Victim], tell: Tell) -> None:
    play(vehicles, FULL_COUNT, tell)
