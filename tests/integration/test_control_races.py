"""Two screens, one view, the same moment: exactly one is accepted and the record has it once (H27)."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.control_rig import ControlRig, Json, Wire, control_rig, trip, until
from vehicle_agent.journal_cli import export

SIZES = [
    # A race takes two or three scans and a commit: 100 are seconds, 2,000 some minutes.
    pytest.param(100, id="small"),
    pytest.param(2_000, id="large", marks=pytest.mark.campaign("gate")),
]
MOVED_MAX = 20  # while the vehicle starts, receiver, station and pilot tone become known one after the other


@pytest.mark.parametrize("races", SIZES)
def test_H27_of_two_threads_on_one_view_exactly_one_is_accepted_and_recorded_once(
    races: int, tmp_path: Path, tell: Callable[[str, int], None]
) -> None:
    with control_rig(tmp_path) as rig:
        wire = rig.start()
        session = rig.session(wire)
        _open_trip(wire, session)
        screens = [rig.connect(), rig.connect()]
        done, moved = 0, 0
        while done < races:
            seen = wire.ask("snapshot")[1]["rev"]
            answers = _race(screens, session, ("confirm", "withdraw")[done % 2], seen)
            lost = [body for status, body in answers if status == 409]
            assert [[reason["code"] for reason in body["refusals"]] for body in lost] == [["stale_view"]] * len(lost)
            if len(lost) == len(screens):
                # Equipment came or went between the look and the race: a wire changed the view, and both see it.
                assert wire.ask("snapshot")[1]["rev"] != seen, "nobody was accepted and nothing had changed"
                moved += 1
                assert moved <= MOVED_MAX + races // 100, f"the view moved in {moved} of {done} races"
                continue
            assert sorted(status for status, _ in answers) == [200, 409], (done, answers)
            done += 1
        recorded = _recorded(rig)
    assert recorded == Counter(passed=(races + 1) // 2, pending=races // 2)
    tell("races of two screens", races)


def _open_trip(wire: Wire, session: str) -> None:
    def opened() -> bool:
        rev = wire.ask("snapshot")[1]["rev"]
        return wire.ask("command", name="open_trip", session=session, body=trip(rev))[0] == 200

    until(opened, "a trip is open")


def _race(screens: list[Wire], session: str, name: str, rev: int) -> list[tuple[int, Json]]:
    """Both ask as soon as both are there."""
    answers: list[tuple[int, Json]] = []
    start = threading.Barrier(len(screens))

    def act(screen: Wire) -> None:
        start.wait(5.0)
        answers.append(screen.ask("command", name=name, session=session, body={"rev": rev, "item": "seats_fixed"}))

    threads = [threading.Thread(target=act, args=(screen,)) for screen in screens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(screens)
    return answers


def _recorded(rig: ControlRig) -> Counter[str]:
    """What the record says became of the row, counted by status."""
    out, errors = io.StringIO(), io.StringIO()
    assert export(rig.state_dir / "journal.db", out, errors) == 0, errors.getvalue()
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    return Counter(
        row["data"]["status"] for row in rows if row["type"] == "row_changed" and row["data"]["item"] == "seats_fixed"
    )
