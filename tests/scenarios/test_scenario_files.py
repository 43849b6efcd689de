"""Every scenario is played against the running whole: real processes, real wires, mosquitto."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.scenario.language import Scenario, read_line, read_scenario
from simulators.scenario.runner import Endpoints, Failure, play
from tests.scenarios.running import Demo

FILES = sorted((Path(__file__).parents[2] / "simulators" / "scenarios").glob("*.scn"))
SCENARIOS = sorted((read_scenario(path) for path in FILES), key=lambda scenario: (scenario.vehicle, scenario.path.name))
AFTER = ("EXPECT RELAY OPEN", "EXPECT NO TRACEBACK")  # no scenario leaves a permit behind
BETWEEN = ("END TRIP", "WAIT FOR EVERYTHING WORKING WITHIN 40s", "WAIT FOR UPLINK CONNECTED WITHIN 40s")


class Demos:
    """The running demos by vehicle; one that a scenario has failed on is not used again."""

    def __init__(self) -> None:
        self._running: dict[str, Demo] = {}

    def get(self, vehicle: str) -> Demo:
        for other in [name for name in self._running if name != vehicle]:
            self.drop(other)  # two cores: one vehicle at a time
        if vehicle not in self._running:
            demo = Demo("--ports", "auto", "--broker", "mosquitto", "--vehicle", vehicle)
            self._running[vehicle] = demo
            demo.wait_ready()
        return self._running[vehicle]

    def drop(self, vehicle: str) -> None:
        demo = self._running.pop(vehicle, None)
        if demo is not None:
            demo.sweep()

    def close(self) -> None:
        for vehicle in list(self._running):
            self.drop(vehicle)


@pytest.fixture(scope="module")
def demos() -> Iterator[Demos]:
    running = Demos()
    yield running
    running.close()


def _name(scenario: Scenario) -> str:
    """`loop_faults_H01_H02_scn`: the hazards that the title names, for the table at the end of the run."""
    return "_".join([scenario.path.stem, *re.findall(r"H\d\d", scenario.title), "scn"])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_every_line_comes_true(scenario: Scenario, demos: Demos) -> None:
    endpoints = Endpoints.from_ready_line(demos.get(scenario.vehicle).line)
    try:
        play(_lines(scenario, BETWEEN), endpoints, print)
        play(scenario, endpoints, print)
        play(_lines(scenario, AFTER), endpoints, print)
    except Failure as failure:
        logs = _log_tails(endpoints.state_dir)
        demos.drop(scenario.vehicle)
        pytest.fail(f"{failure}\n{logs}", pytrace=False)


def _lines(scenario: Scenario, lines: tuple[str, ...]) -> Scenario:
    """These lines, to be played on the same vehicle."""
    return Scenario(scenario.path, "", scenario.vehicle, tuple(read_line(scenario.path.name, line) for line in lines))


def _log_tails(state_dir: Path) -> str:
    tails = []
    for path in sorted((state_dir / "logs").glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()[-12:]
        tails.append("\n".join([f"--- {path.name}", *lines]))
    return "\n".join(tails)


def test_every_scenario_proves_that_nothing_fell_over() -> None:
    """A fault's scenario is worth nothing if a traceback or a permit can pass unseen."""
    for scenario in SCENARIOS:
        lines = [statement.text for statement in scenario.statements]
        assert "EXPECT NO TRACEBACK" in lines, scenario.path.name
        assert any("RELAY" in line for line in lines), scenario.path.name
