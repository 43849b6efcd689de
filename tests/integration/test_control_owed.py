"""A unit without a desk confirms nothing for months: control tells the uplink of all that is owed (H08)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.journal_kit import durable, envelope, opened
from tests.integration.control_rig import ControlRig, Json, control_rig
from tests.integration.uplink_control import notice_data
from vehicle_agent.control.feed import OWED_A_LINE
from vehicle_agent.core.events import Event, from_data
from vehicle_agent.core.snapshot import NOTICES_SHOWN_MAX

OWED = 2_500  # of a size that neither a line of one mebibyte nor what is kept for a slow reader could hold at once


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlRig]:
    """A control whose journal owes so much from the start."""
    with control_rig(tmp_path_factory.mktemp("owed")) as made:
        made.state_dir.mkdir(exist_ok=True)
        journal = opened(made.state_dir)
        journal.append(*(envelope(_recorded(number), id=f"id-owed-{number}") for number in range(1, OWED + 1)))
        durable(journal, OWED, within_s=30.0)
        assert journal.stop()
        made.start(30.0)
        yield made


def _recorded(number: int) -> Event:
    return from_data("notice_recorded", {**notice_data(f"id-owed-{number}", "taraz-mp", number), "test": False})


def test_H08_thousands_of_notices_that_nobody_confirms_are_all_told(rig: ControlRig) -> None:
    uplink = rig.connect()
    status, body = uplink.ask("feed")
    assert (status, len(body["notices"]), body["more"]) == (200, OWED_A_LINE, OWED - OWED_A_LINE)
    assert rig.connect().ask("health")[0] == 200, "while this one does not read, others are served"
    told = [entry["row"]["id"] for entry in body["notices"]]
    while body["more"]:
        body = uplink.push("owed")
        told += [entry["row"]["id"] for entry in body["notices"]]
    assert told == [f"id-owed-{number}" for number in range(1, OWED + 1)]
    assert uplink.push("row")["seq"] == 1, "the rows follow the list"


def test_H08_the_display_is_shown_the_newest_of_them(rig: ControlRig) -> None:
    snapshot: Json = rig.connect().ask("snapshot")[1]
    newest = [f"id-owed-{number}" for number in range(OWED - NOTICES_SHOWN_MAX + 1, OWED + 1)]
    assert [notice["id"] for notice in snapshot["notices"]] == newest
