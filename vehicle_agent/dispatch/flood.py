"""How many alarms the desk's vehicles raise in ten minutes, and whether that is more than one person can take in.

An officer manages about one alarm a minute; above ten in ten minutes he no longer looks at each (ISA-18.2's flood), and
the desk says so until it is below five.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]

WINDOW_S = 600.0
BEGINS_ABOVE = 10
ENDS_BELOW = 5


class AlarmRate:
    """Alarms raised within the last ten minutes, each once however often its message came; for any thread.

    Times are seconds of the steady clock.
    """

    def __init__(self, raised: Iterable[tuple[str, str, float]] = ()) -> None:
        self._lock = threading.Lock()
        self._raised = {event: (vehicle, at_s) for event, vehicle, at_s in raised}
        self._is_flood = False

    def add(self, event: str, vehicle: str, at_s: float) -> None:
        """Message `event` told that `vehicle` raised an alarm at `at_s`."""
        with self._lock:
            self._raised.setdefault(event, (vehicle, at_s))

    def look(self, now_s: float) -> Row:
        """What the page shows: alarms of the last ten minutes, by vehicle, and whether they are a flood."""
        with self._lock:
            self._raised = {event: one for event, one in self._raised.items() if now_s - one[1] < WINDOW_S}
            count = len(self._raised)
            self._is_flood = count > BEGINS_ABOVE or (self._is_flood and count >= ENDS_BELOW)
            by_vehicle = Counter(vehicle for vehicle, _ in self._raised.values())
            return {"count": count, "is_flood": self._is_flood, "by_vehicle": dict(by_vehicle.most_common())}
