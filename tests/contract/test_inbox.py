"""The door between broker and desk: a flood is refused and counted, copies of one notice are no flood (H09, H28)."""

from __future__ import annotations

import pytest

from vehicle_agent.dispatch.inbox import WAITING_PER_TOPIC, Inbox
from vehicle_agent.dispatch.model import Reason

MINE = "stv/v1/units/astana-mp/notices/kz-mp-017"
OTHER = "stv/v1/units/astana-mp/notices/kz-mp-018"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(frozenset({"astana-mp"}), frozenset({"kz-mp-017", "kz-mp-018"}))


def notices(inbox: Inbox) -> list[bytes]:
    return [delivery.payload for delivery in inbox.take(0.0, notices_max=1000).notices]


def refused(inbox: Inbox) -> dict[str, int]:
    return {one.reason: one.count for one in inbox.take(1.0, notices_max=0).refusals}


def test_H09_after_an_absence_the_copies_of_one_notice_are_one_and_no_flood(inbox: Inbox) -> None:
    for copy in range(1000):
        inbox.put_message(MINE, b"%d" % (copy % 40), False)
    assert notices(inbox) == [b"%d" % number for number in range(40)]
    inbox.put_message(MINE, b"0", False)
    assert notices(inbox) == [b"0"], "what was taken may come again and is answered again"
    inbox.put_message(OTHER, b"0", False)
    inbox.put_message(MINE, b"0", False)
    assert notices(inbox) == [b"0", b"0"], "another vehicle's is another notice"


def test_H28_more_than_a_vehicle_ever_owes_is_refused_and_counted_and_costs_no_other_vehicle(inbox: Inbox) -> None:
    for number in range(WAITING_PER_TOPIC + 10):
        inbox.put_message(MINE, b"%d" % number, False)
    inbox.put_message(OTHER, b"other", False)
    assert notices(inbox) == [*(b"%d" % number for number in range(WAITING_PER_TOPIC)), b"other"]
    assert refused(inbox) == {Reason.OVERLOAD: 10}
    inbox.put_message(MINE, b"late", False)
    assert notices(inbox) == [b"late"], "there is room again"
