"""The list of what is owed comes in parts: the uplink begins with the whole of it or not at all (H08)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from vehicle_agent.control_client import Push
from vehicle_agent.uplink.opening import whole


def opened(more: int, *notices: str) -> Push:
    return Push("opened", {"cursor": 7, "notices": list(notices), "more": more})


def owed(more: int, *notices: str) -> Push:
    return Push("owed", {"notices": list(notices), "more": more})


def through(*pushes: Push) -> list[tuple[str, list[str] | None]]:
    async def come() -> AsyncIterator[Push]:
        for push in pushes:
            yield push

    async def go() -> list[tuple[str, list[str] | None]]:
        return [(push.kind, push.body.get("notices")) async for push in whole(come())]

    return asyncio.run(go())


def test_H08_the_parts_of_what_is_owed_are_one_opening() -> None:
    found = through(opened(3, "a", "b"), Push("fix", {}), owed(1, "c", "d"), owed(0, "e"), Push("row", {}))
    assert found == [("fix", None), ("opened", ["a", "b", "c", "d", "e"]), ("row", None)]


def test_H08_a_connection_that_is_lost_among_the_parts_has_opened_nothing() -> None:
    found = through(opened(2, "a"), Push("gone", {}), opened(1, "a"), owed(0, "b"))
    assert found == [("gone", None), ("opened", ["a", "b"])]
    assert through(owed(0, "stray")) == [("owed", ["stray"])]


def test_a_refusal_to_feed_is_passed_on() -> None:
    assert through(Push("opened", {"error": "starting"}, 503)) == [("opened", None)]
