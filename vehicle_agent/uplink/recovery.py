"""After a start: the fixes that control keeps and that the broker does not have yet (hazard H17).

An uplink that is killed, updated or switched off with the vehicle in the middle of an outage forgets what waited.
Control's ring does not: it is read page by page, thinned as live fixes are, and told before anything newer.
"""

from __future__ import annotations

import logging
from typing import Any

from vehicle_agent.uplink.fixes import Fixes
from vehicle_agent.uplink.reports import Reports

log = logging.getLogger(__name__)

NAMES = (
    "n", "boot_id", "mono_s", "trip", "at", "latitude_deg", "longitude_deg", "speed_mps", "course_deg", "mode",
    "trusted",
)  # fmt: skip


class Recovery:
    """Once in the life of an uplink; as long as it lasts, `fixes` sends no older ones."""

    def __init__(self, reports: Reports, fixes: Fixes) -> None:
        self._reports, self._fixes = reports, fixes
        self._has_begun = False

    def begin(self, boot_id: str) -> None:
        """Control is there: from now on its fixes are of this boot."""
        self._fixes.boot_id = boot_id
        if not self._has_begun:
            self._has_begun = True
            self._ask(None)

    def _ask(self, after: int | None) -> None:
        def answered(status: int, body: dict[str, Any]) -> None:
            rows = [dict(zip(NAMES, row, strict=True)) for row in body.get("positions", ())]
            for row in rows:
                try:
                    self._fixes.recover(row)
                except (TypeError, ValueError):  # nothing proves the bits of stored positions
                    log.warning("the position with number %s cannot be read", row["n"])
            if status == 200 and rows:
                self._ask(rows[-1]["n"])
                return
            self._fixes.recovered()
            if self._fixes.waiting:
                log.info("%d positions wait to be told, most from before this start", self._fixes.waiting)

        self._reports.put("positions", "positions", {"after": after}, answered)
