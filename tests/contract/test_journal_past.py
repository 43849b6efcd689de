"""A start folds what is owed and the open trip, however many years lie before (H06, H08)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.contract.journal_kit import envelope
from tests.integration.uplink_control import notice_data
from vehicle_agent.control.chain import COLUMNS, Head, to_row
from vehicle_agent.control.journal import seal
from vehicle_agent.control.past import Past, Values
from vehicle_agent.control.replay import fold
from vehicle_agent.core import events as ev
from vehicle_agent.core.events import Envelope, from_data

UNITS = ("almaty-mp", "karaganda-mp", "astana-mp", "taraz-mp")
STAGES = ("at_broker", "received", "acknowledged")
OPENED = ("outside_settlement", False, False, False, "17", "2026-12-01", "4", "astana-mp", None, (), None, ())


def stored(envelopes: list[Envelope]) -> list[Values]:
    head, rows = Head(), []
    for one in envelopes:
        row: dict[str, Any] = seal(one, head)
        head = Head(row["seq"], row["hash"])
        rows.append(tuple(row[name] for name in COLUMNS))
    return rows


def needed(rows: list[Values]) -> list[Values]:
    past = Past()
    for values in rows:
        past.add(values)
    return past.rows()


def trip(number: int, rng: random.Random, waiting: list[str], *, is_confirmed: bool) -> list[Envelope]:
    """One trip's rows; `waiting` are the notices, of this trip and earlier ones, that stages may still come for."""
    name = f"trip-{number}"
    made = [envelope(ev.TripOpened(*OPENED), trip=name)]
    for unit in UNITS:
        notice = f"n-{number}-{unit}"
        data = {**notice_data(notice, unit, number), "test": False}
        made.append(envelope(from_data("notice_recorded", data), trip=name, id=notice))
        made.append(envelope(ev.NoticeFirstSent(notice, 0.1), trip=name))
        waiting.append(notice)
    for notice in list(waiting):
        reached = len(STAGES) if is_confirmed else rng.randrange(len(STAGES) + 1)
        made += [envelope(ev.NoticeStage(notice, stage), trip=name) for stage in STAGES[:reached]]
        if reached == len(STAGES):
            waiting.remove(notice)
    if rng.random() < 0.2:
        made.append(envelope(ev.Commissioned(("cell_1",), f"wiring-{number}", "technician"), trip=name))
    return [*made, envelope(ev.TripClosed(), trip=name)] if rng.random() < 0.9 else made


@pytest.mark.parametrize("seed", range(20))
def test_H08_what_a_start_folds_gives_the_trip_of_all_rows(seed: int) -> None:
    rng, waiting = random.Random(seed), list[str]()
    envelopes = [one for number in range(1, 13) for one in trip(number, rng, waiting, is_confirmed=False)]
    rows = stored(envelopes[: rng.randrange(1, len(envelopes))])
    whole, kept = fold(tuple(map(to_row, rows))), fold(tuple(map(to_row, needed(rows))))
    assert kept.notices == whole.notices
    assert (kept.id, kept.phase, kept.plan, kept.commissioned) == (
        whole.id,
        whole.phase,
        whole.plan,
        whole.commissioned,
    )
    assert kept.sequences == whole.sequences, "a number that was used once is a fork for every desk"


@pytest.mark.parametrize("trips", [3, 300])
def test_H06_what_a_start_folds_does_not_grow_with_the_years(trips: int) -> None:
    rng, waiting = random.Random(1), list[str]()
    envelopes = [one for number in range(1, trips + 1) for one in trip(number, rng, waiting, is_confirmed=True)]
    rows = [one for one in needed(stored(envelopes)) if one[COLUMNS.index("type")] != "commissioned"]
    a_trip = 1 + len(UNITS) * (2 + len(STAGES)) + 1
    assert len(rows) <= 2 * a_trip, "the newest notice of each unit, and the trip itself"


def test_H08_a_stage_of_a_notice_that_is_settled_long_ago_is_no_row_of_a_start() -> None:
    rng, waiting = random.Random(2), list[str]()
    first = trip(1, rng, waiting, is_confirmed=True)
    again = [envelope(ev.NoticeStage("n-1-astana-mp", "acknowledged"))] * 50
    rest = [one for number in (2, 3) for one in trip(number, rng, waiting, is_confirmed=True)]
    assert len(needed(stored([*first, *rest[:-1], *again, *rest]))) == len(needed(stored([*first, *rest[:-1], *rest])))
