"""What is shown: the snapshot with its `rev`, built only when somebody looks and at most ten times a second.

`rev` is what a person saw. It moves with what a person decides on, and never repeats, also over restarts: its upper
part is the journal's head at the start, which every start moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vehicle_agent.core.inputs import Now
from vehicle_agent.core.interlock import Refusal
from vehicle_agent.core.notices import wire_time
from vehicle_agent.core.settings import Settings
from vehicle_agent.core.snapshot import snapshot, view_key
from vehicle_agent.core.state import Live, Trip

REVISIONS_A_ROW = 2**20  # more changes than this between two rows, and the next start could repeat a rev
BUILD_EVERY_S = 0.1
LOOK_EVERY_S = 0.5  # what changes without a mark (a signal's strength, a position) is shown within this

_UNCONNECTED: dict[str, Any] = {
    "connected": False,
    "pending_notices": None,
    "pending_positions": None,
    "oldest_pending_s": None,
}
UPLINK_SILENT_S = 15.0  # it reports every 5 s; one that hangs is not connected, whatever it said last


class View:
    """Belongs to the scan thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.rev = 0
        self._base = 0
        self._key: object = None
        self.uplink: dict[str, Any] = dict(_UNCONNECTED)
        self._uplink_at_s = -1e9
        self._built: dict[str, Any] = {}
        self._built_of: tuple[object, ...] = ()
        self._built_trip: Trip | None = None
        self._built_equipment: object = None
        self._built_at_s = -1e9
        self._pushed: dict[str, Any] = {}

    def start_from(self, seq: int) -> None:
        """Count from the journal's head."""
        self._base = seq
        self.rev = seq * REVISIONS_A_ROW

    def follow(self, trip: Trip, live: Live, head_seq: int) -> None:
        """Once a scan: move `rev` if there is something new to decide on."""
        if self.uplink["connected"] and live.at_s - self._uplink_at_s > UPLINK_SILENT_S:
            self.lose_uplink()
        key = view_key(trip, live)
        if key == self._key:
            return
        self._key = key
        self.rev += 1
        if self.rev >= (self._base + 1) * REVISIONS_A_ROW and head_seq > self._base:
            self.start_from(head_seq)

    def set_uplink(self, state: dict[str, Any], at_s: float) -> None:
        """What the uplink says of itself."""
        self.uplink, self._uplink_at_s = state, at_s

    def lose_uplink(self) -> None:
        """The uplink is gone; what it had to send is as it said last."""
        self.uplink = {**self.uplink, "connected": False}

    def body(self, trip: Trip, live: Live, now: Now) -> dict[str, Any]:
        """The contract's snapshot. A fresh one is used again while nothing that matters has changed."""
        if not self._has_marks_of(trip, live) or now.mono_s - self._built_at_s >= BUILD_EVERY_S:
            built = snapshot(trip, live, now, self._settings)
            for reason in built["boarding"]["refusals"]:
                reason["text"] = refusal_text(reason["code"], reason["item"])
            self._built = {"rev": self.rev, **built, "uplink": self.uplink}
            self._built_trip, self._built_equipment = trip, live.equipment
            self._built_of, self._built_at_s = self._marks(live), now.mono_s
        return self._built

    def news(self, trip: Trip, live: Live, now: Now) -> dict[str, Any] | None:
        """The snapshot to push, if it differs in more than ages from the one pushed before."""
        age_s = now.mono_s - self._built_at_s
        if age_s < BUILD_EVERY_S or (age_s < LOOK_EVERY_S and self._has_marks_of(trip, live)):
            return None
        body = self.body(trip, live, now)
        lasting = _without_ages(body)
        if lasting == self._pushed:
            return None
        self._pushed = lasting
        return body

    def _has_marks_of(self, trip: Trip, live: Live) -> bool:
        """Whether the built snapshot is of this state. Cheap: what is the same object has not changed."""
        return (
            self._built_trip is trip and self._built_equipment is live.equipment and self._built_of == self._marks(live)
        )

    def _marks(self, live: Live) -> tuple[object, ...]:
        link = (self.uplink["connected"], self.uplink["pending_notices"])
        return (self.rev, live.level("permit_readback"), live.motion, link)


def refusal_text(code: str, item: str | None) -> str:
    """The instruction in English, for those who read the API."""
    from vehicle_agent import texts  # noqa: PLC0415 (after the first scan)

    return texts.refusal("en", code, item, unit=item)


def refusals_body(found: Sequence[Refusal], live: Live, now: Now) -> dict[str, Any]:
    """The body of a command's 409; its refusals look like the snapshot's, so a lasting one says since when it lasts."""
    return {
        "accepted": False,
        "refusals": [
            {
                "code": reason.code,
                "rule": reason.rule,
                "item": reason.item,
                "since": wire_time(live.refusal_since.get((reason.code, reason.item), now.utc)),
                "text": refusal_text(reason.code, reason.item),
            }
            for reason in found
        ],
    }


def _without_ages(body: dict[str, Any]) -> dict[str, Any]:
    lasting = {key: value for key, value in body.items() if key != "at"}
    if lasting["position"] is not None:
        lasting["position"] = {key: value for key, value in lasting["position"].items() if key != "age_s"}
    lasting["uplink"] = {key: value for key, value in lasting["uplink"].items() if key != "oldest_pending_s"}
    lasting["clock"] = lasting["clock"]["source"]
    return lasting
