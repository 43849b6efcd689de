"""What the uplink owes control: each report is asked until control has answered, across control's restarts.

A broker's PUBACK, a unit's receipt, the cursor: none may be lost between two processes that restart whenever they like,
and none does harm when it is said twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vehicle_agent.control_client import ControlClient, ControlGoneError

log = logging.getLogger(__name__)

RETRY_S = 1.0  # control restarts within seconds; its disk may hang for some
AT_ONCE = 8  # questions in one go, so that control can write them with one flush
WAITING_MAX = 1000  # a trip has a handful of notices; a flood of genuine receipts is refused beyond this

Answer = Callable[[int, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _Report:
    op: str
    fields: dict[str, Any]
    on_answer: Answer | None


class Reports:
    """Questions to control by key; a newer one under the same key replaces the older."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._waiting: dict[str, _Report] = {}
        self._wake = asyncio.Event()
        self.last_answer_s = float("-inf")

    def put(self, key: str, op: str, fields: dict[str, Any], on_answer: Answer | None = None) -> None:
        """Ask `op` soon. `on_answer(status, body)` is called once, for any status but 503 (control cannot write
        now)."""
        if key not in self._waiting and len(self._waiting) >= WAITING_MAX:
            log.warning("control is owed too much already: %s left out", key)
            return
        self._waiting[key] = _Report(op, fields, on_answer)
        self._wake.set()

    def is_waiting(self, key: str) -> bool:
        """Whether this is not answered yet."""
        return key in self._waiting

    async def run(self) -> None:
        """Ask for ever; cancel it to stop."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = list(self._waiting.items())[:AT_ONCE]
                done = await asyncio.gather(*(self._ask(key, report) for key, report in batch))
                if not all(done):
                    await asyncio.sleep(RETRY_S)

    async def _ask(self, key: str, report: _Report) -> bool:
        try:
            status, body = await self._client.request(report.op, **report.fields)
        except ControlGoneError:
            return False
        if status == 503:
            return False
        self.last_answer_s = asyncio.get_running_loop().time()
        if self._waiting.get(key) is report:
            del self._waiting[key]
        if status != 200:
            log.warning("control answers %d to %s: %s", status, key, body.get("error"))
        if report.on_answer is not None:
            report.on_answer(status, body)
        return True
