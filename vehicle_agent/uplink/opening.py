"""Control's feed begins with all that is owed; where that is more than one line holds, it comes in parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

from vehicle_agent.control_client import Push


async def whole(pushes: AsyncIterator[Push]) -> AsyncGenerator[Push, None]:
    """The pushes of a `feed`, its `opened` held back until every part of the list is there.

    A connection that is lost before that has opened nothing.
    """
    opening: Push | None = None
    async with contextlib.aclosing(cast("AsyncGenerator[Push, None]", pushes)):
        async for push in pushes:
            if push.kind == "opened":
                opening = push
            elif push.kind == "owed" and opening is not None:
                body = {**opening.body, "notices": [*opening.body["notices"], *push.body["notices"]]}
                opening = Push("opened", {**body, "more": push.body["more"]}, opening.status)
            else:
                if push.kind == "gone":
                    opening = None
                yield push
                continue
            if opening is not None and not opening.body.get("more"):
                yield opening
                opening = None
