"""Ten thousand PINs tried as fast as the machine goes: five are looked at, and the lock outlives a killed control."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.attack.seeds import drawn_seed
from tests.integration.control_rig import PIN, ControlRig, Wire, control_rig, until
from vehicle_agent.control.pin import PinHash
from vehicle_agent.control.sessions import LockedOut, Sessions, Wrong

Tell = Callable[[str, int], None]
WRONG_MAX, LOCKOUT_S = 5, 300.0
DAY_S = 86_400.0


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ControlRig]:
    with control_rig(tmp_path) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.campaign("attack"))])
def test_H29_a_guesser_gets_five_looks_in_five_minutes_whatever_he_does(
    rig: ControlRig, count: int, tell: Tell
) -> None:
    """From eight connections at once, with a SIGKILL of control in the middle; the right PIN is among what he tries."""
    rig.start()
    pins = [f"{number:04}" for number in range(10_000)]
    random.Random(drawn_seed()).shuffle(pins)
    pins = [pin for pin in pins if pin != PIN][: count - 1]
    found: Counter[int] = Counter()
    for half in (pins[: count // 2], [*pins[count // 2 :], PIN]):
        with ThreadPoolExecutor(8) as pool:
            for statuses in pool.map(lambda part: _guess(rig, part), [half[start::8] for start in range(8)]):
                found.update(statuses)
        rig.end(signal.SIGKILL)
        wire = rig.start()
        status, body = until(partial(_asked, wire), "an answer that is not 503")
        assert status == 429, "the lock did not outlive its control"
        assert 0 < body["retry_after_s"] <= LOCKOUT_S
    assert found == {401: WRONG_MAX, 429: count - WRONG_MAX}
    tell("attack: PINs tried", count)


def _asked(wire: Wire) -> tuple[int, dict[str, Any]] | None:
    """Control's word on the right PIN; None while its journal is not open."""
    status, body = wire.ask("session", pin=PIN)
    return None if status == 503 else (status, body)


def _guess(rig: ControlRig, pins: list[str]) -> list[int]:
    wire: Wire = rig.connect()
    return [wire.ask("session", pin=pin)[0] for pin in pins]


def test_H29_all_four_digit_pins_take_a_week_of_days_and_nights(monkeypatch: pytest.MonkeyPatch, tell: Tell) -> None:
    """In made time: a guess a second for a week, with a restart an hour, each of which knows what the journal knew."""
    looked_at: list[str] = []

    def matches(_self: PinHash, pin: str) -> bool:
        looked_at.append(pin)
        return False

    monkeypatch.setattr(PinHash, "matches", matches)
    now_s = 0.0

    def fresh() -> Sessions:
        found = Sessions(
            PinHash.__new__(PinHash), session_s=1.0, wrong_max=WRONG_MAX, lockout_s=LOCKOUT_S, mono=lambda: now_s
        )
        found.restore(wrong=wrong, locked_for_s=locked_until_s - now_s)
        return found

    wrong, locked_until_s, tried = 0, 0.0, 0
    sessions = fresh()
    while now_s < 7 * DAY_S:
        outcome = sessions.open(f"{tried % 10_000:04}")
        tried += 1
        if isinstance(outcome, Wrong):
            wrong = 0 if outcome.lockout_s else outcome.count
            locked_until_s = now_s + (outcome.lockout_s or 0.0)
        else:
            assert isinstance(outcome, LockedOut)
        now_s += 1.0
        if now_s % 3600.0 == 0.0:
            sessions = fresh()
    assert len(looked_at) <= WRONG_MAX * (7 * DAY_S / LOCKOUT_S + 1)
    tell("attack: PINs tried in made time", tried)
