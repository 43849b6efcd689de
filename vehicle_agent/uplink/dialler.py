"""Keeps a link to the broker: dials, waits, dials again, and ends a link that no longer answers."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from vehicle_agent.uplink.link import Acked, Arrived, Connected, Link, Lost
from vehicle_agent.uplink.link import Event as LinkEvent

log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 30.0
BACKOFF_URGENT_S = 4.0  # with a notice waiting: on its way within 10 s after the link is back, dialling included
STABLE_S = 30.0  # a link that lasted so long was a good one: begin with short waits again
JITTER = 0.5  # share of the wait that is drawn by lot, so that a fleet does not come back in step

Make = Callable[[Callable[[Link, LinkEvent], None], bool], Link]


class Dialler:
    """Owns the newest link; events of older ones are dropped."""

    def __init__(
        self,
        make: Make,
        handle: Callable[[LinkEvent], None],
        is_urgent: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        self._make = make
        self._handle = handle
        self._is_urgent = is_urgent
        self._monotonic = monotonic
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._link: Link | None = None
        self._is_v5 = True
        self._connected_s: float | None = None
        self._hurry = asyncio.Event()

    @property
    def link(self) -> Link | None:
        """The link, while the broker has accepted us."""
        return self._link if self._connected_s is not None else None

    async def run(self) -> None:
        """Dial for ever; cancel it to stop."""
        wait_s = BACKOFF_FIRST_S
        while True:
            self._ended.clear()
            self._link = self._make(self._post, self._is_v5)
            self._link.start()
            dialled_s = self._monotonic()
            await self._ended.wait()
            if self._monotonic() - dialled_s >= STABLE_S:
                wait_s = BACKOFF_FIRST_S
            await self._pause(wait_s)
            wait_s = min(wait_s * 2, BACKOFF_MAX_S)

    def hurry(self) -> None:
        """A notice has just come to wait: cut a long pause short."""
        self._hurry.set()

    def drop(self, reason: str) -> None:
        """The link does not answer: end it."""
        if self._link is not None:
            self._link.drop(reason)

    async def _pause(self, wait_s: float) -> None:
        started_s = self._monotonic()
        drawn = 1.0 - JITTER * random.random()  # noqa: S311 (spreads load, protects nothing)
        while True:
            limit_s = min(wait_s, BACKOFF_URGENT_S) if self._is_urgent() else wait_s
            rest_s = limit_s * drawn - (self._monotonic() - started_s)
            if rest_s <= 0:
                return
            self._hurry.clear()
            try:
                async with asyncio.timeout(rest_s):
                    await self._hurry.wait()
            except TimeoutError:
                return

    def _post(self, link: Link, event: LinkEvent) -> None:
        """From the link's thread: queue only."""
        try:
            self._loop.call_soon_threadsafe(self._take, link, event)
        except RuntimeError:  # the loop has ended; so has everybody who would care
            return

    def _take(self, link: Link, event: LinkEvent) -> None:
        if isinstance(event, Arrived):
            link.taken()
        if link is not self._link:
            return
        match event:
            case Connected():
                self._connected_s = self._monotonic()
                log.info("connected to the broker")
            case Lost(reason, wants_other_protocol):
                was_connected = self._connected_s is not None
                log.log(logging.WARNING if was_connected else logging.INFO, "broker: %s", reason)
                self._connected_s = None
                # A broker that took the older protocol is greeted in the newer one again: it may be another by now.
                self._is_v5 = was_connected or self._is_v5 != wants_other_protocol
                self._ended.set()
            case Acked():
                pass
        self._handle(event)
