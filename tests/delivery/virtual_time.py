"""An event loop whose time jumps: nobody waits, and what would take three days takes seconds.

Everything in it runs in one thread in an order that the seed alone decides, so a world can be played again.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

START_S = 1000.0
BEHIND_S = 1e-6  # what is sent later arrives later: two timers of one moment go off in any order


class StandstillError(RuntimeError):
    """Nothing is planned any more: the world would wait for ever."""


class _Jump(selectors.SelectSelector):
    """Instead of sleeping it moves the loop's time on."""

    now_s = START_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StandstillError
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is in seconds and begins at START_S. No sockets, no other threads."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self.problems: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._jump.now_s

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody need be woken."""

    def _note(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self.problems.append(f"{context['message']}: {context.get('exception')!r}")
