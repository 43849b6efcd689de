"""What breaks behind the agent's pins: outputs that do not follow, a relay that is welded or has no coil (H05)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.bench_process import BenchProcess
from tests.contract.test_bench_electrics import Bench

HELD_MS = 200  # the charge pump's, by the contract


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.mirror.close()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    made = BenchProcess(tmp_path_factory.mktemp("stuck"))
    yield made
    assert made.stop() == 0


def pulse(bench: Bench, edges: int) -> None:
    for number in range(edges):
        bench.drive("permit_pulse", number % 2 == 0)
        bench.run(20)


def is_closed(bench: Bench) -> bool:
    return bool(bench.electrics.state()["permit_relay"]["closed"])


@pytest.mark.parametrize("at", ["on", "off"])
def test_H05_without_edges_at_the_far_side_the_relay_opens(bench: Bench, at: str) -> None:
    bench.drive("permit_enable", True)
    pulse(bench, 10)
    assert is_closed(bench)
    bench.electrics.stick_output("permit_pulse", at)
    pulse(bench, (HELD_MS + 20) // 20)
    assert not is_closed(bench)
    bench.electrics.stick_output("permit_pulse", "auto")
    pulse(bench, 2)
    assert is_closed(bench)


def test_H05_an_enable_line_that_is_stuck_low_opens_the_relay_at_once_and_one_stuck_high_needs_pulses(
    bench: Bench,
) -> None:
    bench.electrics.stick_output("permit_enable", "on")
    bench.run(100)
    assert (is_closed(bench), bench.level("permit_enable")) == (False, True)
    pulse(bench, 3)
    assert is_closed(bench), "pulses alone are enough now"
    bench.electrics.stick_output("permit_enable", "off")
    assert (is_closed(bench), bench.level("permit_enable")) == (False, False)
    bench.drive("permit_enable", True)
    pulse(bench, 3)
    assert not is_closed(bench)
    bench.electrics.stick_output("permit_enable", "auto")
    assert bench.level("permit_enable") is True, "what the agent drove meanwhile"


@pytest.mark.parametrize("is_driven", [False, True])
@pytest.mark.parametrize(("word", "closed"), [("closed", True), ("open", False)])
def test_H05_a_stuck_contact_does_not_move_and_the_read_back_tells_what_it_is(
    bench: Bench, word: str, closed: bool, is_driven: bool
) -> None:
    bench.drive("permit_enable", is_driven)
    pulse(bench, 10)
    assert is_closed(bench) is is_driven
    bench.electrics.stick_relay(word)
    for _ in range(3):
        assert is_closed(bench) is closed
        assert bench.level("permit_readback") == ("closed" if closed else "open")
        pulse(bench, 5)
    assert bench.electrics.state()["stuck"] == {"permit_relay": word}
    bench.electrics.stick_relay("auto")
    assert is_closed(bench) is is_driven
    told = [entry["level"] for entry in bench.electrics.entries_after(0) if entry["wire"] == "permit_relay"]
    assert all(one is not other for one, other in itertools.pairwise(told)), "each change is told once"


def test_H37_a_fan_inhibit_that_is_stuck_on_is_cut_off_after_ten_seconds(bench: Bench) -> None:
    bench.electrics.stick_output("fan_inhibit", "on")
    assert bench.runs_until("airflow", "open", 1000) <= 500
    assert bench.runs_until("airflow", "closed", 11_000) <= 11_000


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("outputs/permit_enable", {"stuck": "closed"}, 422, "on, off, auto"),
        ("outputs/permit_enable", {"set": "on"}, 422, "stuck"),
        ("outputs/cell_1", {"stuck": "on"}, 404, "permit_pulse"),
        ("permit_relay", {"stuck": "on"}, 422, "closed, open, auto"),
        ("outputs/buzzer", {"stuck": "off"}, 200, '"level":false'),
        ("permit_relay", {"stuck": "closed"}, 200, '"closed":true'),
    ],
)
def test_the_calls_take_what_they_say(
    process: BenchProcess, path: str, body: dict[str, Any], status: int, told: str
) -> None:
    answer = process.client.put(f"/{path}", json=body)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert bool(process.wires()["stuck"]) is (status == 200)
    if status == 200:
        process.client.put(f"/{path}", json={"stuck": "auto"}).raise_for_status()
        assert not process.wires()["stuck"]
