"""What must hold in every world, read from Rule 19 and the contract: while it runs, and when it has come to rest.

The journal's file is the truth about what was recorded, a register's file about what a unit was told.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.delivery.desks import DutyRoom
from tests.delivery.uplink_parts import VEHICLE, LoopLink
from vehicle_agent.control.store import FILE_NAME
from vehicle_agent.messages import jws, topics

HEARD_WITHIN_S = 0.5  # what control has just recorded is on its way to the uplink
STAGES = ("recorded", "at_broker", "told_by_radio", "received", "acknowledged")
Row = dict[str, Any]


class Claims:
    """Collects what is wrong as sentences; an empty list is a world that kept every promise."""

    def __init__(self, state_dir: Path, rooms: dict[str, DutyRoom]) -> None:
        self._journal = sqlite3.connect(f"{(state_dir / FILE_NAME).as_uri()}?mode=ro", uri=True)
        self._rooms = rooms
        self._sent: dict[str, bytes] = {}
        self._sent_on: dict[LoopLink, set[str]] = {}
        self._seen_s: dict[str, float] = {}  # when each notice was first found on the vehicle's disk
        self._last_seq = 0
        self.wrong: list[str] = []
        self.sendings = self.checks = 0

    def close(self) -> None:
        self._journal.close()

    def recorded(self) -> dict[str, Row]:
        """Every notice that is on the vehicle's disk, by id, with the stages that its journal knows."""
        found: dict[str, Row] = {}
        sql = "select seq, id, hash, type, data from events where type like 'notice_%' order by seq"
        for seq, id_, hash_, kind, text in self._journal.execute(sql):
            data = json.loads(text)
            if kind == "notice_recorded":
                found[id_] = {**data, "id": id_, "seq": seq, "hash": hash_, "stages": [], "by": None, "late_by_s": None}
            elif kind == "notice_stage":
                found[data["notice"]]["stages"].append(data["stage"])
                found[data["notice"]]["by"] = data["by"] or found[data["notice"]]["by"]
            elif kind == "notice_sending":
                found[data["notice"]]["late_by_s"] = data["late_by_s"]
        return found

    def published(self, link: LoopLink, topic: str, payload: bytes) -> None:
        """The uplink hands a message to its connection."""
        on = self._sent_on.setdefault(link, set())
        address = topics.parse_notice_topic(topic)
        if address is None:
            if topic.endswith("/track"):
                self._check(
                    not (late := self._unsent(on)), f"older positions went out before the notices {sorted(late)}"
                )
            return
        event = json.loads(jws.decode_base64url(json.loads(payload)["payload"]))
        notice, data = event["id"], event["data"]
        on.add(notice)
        self.sendings += 1
        row = self.recorded().get(notice)
        if row is None:
            self.wrong.append(f"{notice} was sent and is not on the vehicle's disk: a power cut would take it back")
            return
        self._check(
            self._sent.setdefault(notice, payload) == payload, f"{notice} was sent with other bytes than before"
        )
        self._check(address == (row["recipient"], VEHICLE), f"{notice} went to {address}")
        same = ("recipient", "recipient_sequence", "departed_at", "destination", "secured", "late_by_s", "origin")
        for name in same:
            self._check(data[name] == row[name], f"{notice} says {name} = {data[name]}, the journal {row[name]}")
        self._check(data["journal"] == {"seq": row["seq"], "hash": row["hash"]}, f"{notice} names another row")

    def register_changed(self, room: DutyRoom) -> None:
        """A desk has written: nothing may stand there that the vehicle did not record, and gaps must show."""
        recorded, rows = self.recorded(), room.rows()
        self.checks += 1
        for row in rows:
            mine = recorded.get(row["id"])
            if mine is None or mine["recipient"] != room.unit:
                self.wrong.append(f"{room.unit} holds {row['id']}, which the vehicle never recorded for it")
            elif (mine["recipient_sequence"], mine["departed_at"]) != (row["recipient_sequence"], row["departed_at"]):
                self.wrong.append(f"{room.unit} holds other words of {row['id']} than the vehicle recorded")
        numbers = sorted(row["recipient_sequence"] for row in rows)
        self._check(len(set(numbers)) == len(numbers), f"{room.unit} shows a notice twice: {numbers}")
        missing = sorted(set(range(1, max(numbers, default=0))) - set(numbers))
        warnings = room.register.warnings()
        shown = sorted(n for one in warnings if one["reason"] == "gap" for n in range(one["first"], one["last"] + 1))
        self._check(shown == missing, f"{room.unit} lacks {missing} and shows {shown}")
        refused = [(one["reason"], one["detail"]) for one in warnings if one["reason"] != "gap"]
        self._check(not refused, f"{room.unit} refused genuine messages: {refused}")

    def journal_changed(self) -> None:
        """Whatever the journal says of a unit's receipt must stand in that unit's register; numbers rise by one."""
        now_s = asyncio.get_running_loop().time()
        for id_, row in self.recorded().items():
            self._seen_s.setdefault(id_, now_s)
            if not {"received", "acknowledged"} & set(row["stages"]):
                continue
            there = self._rooms[row["recipient"]].register.notice(row["id"])
            if there is None:
                self.wrong.append(f"the journal says {row['recipient']} received {row['id']}, its register does not")
            elif "acknowledged" in row["stages"]:
                is_same = (there["stage"], there["by"]) == ("acknowledged", row["by"])
                self._check(
                    is_same, f"the journal says {row['by']} acknowledged {row['id']}, the register {there['by']}"
                )
        for row in self.recorded().values():
            # Somebody may be called by radio whether or not the desk has stored it, but not after an officer's word.
            by_desk = [stage for stage in row["stages"] if stage != "told_by_radio"]
            ranks = [STAGES.index(stage) for stage in by_desk]
            is_last = "acknowledged" not in row["stages"] or row["stages"][-1] == "acknowledged"
            self._check(is_last and ranks == sorted(set(ranks)), f"stages of {row['id']}: {row['stages']}")

    def at_rest(self) -> None:
        """Everything has come to rest: each register tells exactly what the journal recorded."""
        recorded = self.recorded()
        for unit, room in self._rooms.items():
            mine = sorted(one["recipient_sequence"] for one in recorded.values() if one["recipient"] == unit)
            self._check(mine == list(range(1, len(mine) + 1)), f"numbers to {unit}: {mine}")
            there = sorted((row["recipient_sequence"], row["id"]) for row in room.rows())
            owed = sorted(
                (row["recipient_sequence"], row["id"]) for row in recorded.values() if row["recipient"] == unit
            )
            self._check(there == owed, f"{unit} was told {there}, owed {owed}")
            self.register_changed(room)
        for row in recorded.values():
            self._check(row["stages"][-1:] == ["acknowledged"], f"{row['id']} to {row['recipient']}: {row['stages']}")
        self.journal_changed()

    def is_settled(self) -> bool:
        """Whether every notice has been acknowledged, as the vehicle's own journal says."""
        recorded = self.recorded()
        return bool(recorded) and all(row["stages"][-1:] == ["acknowledged"] for row in recorded.values())

    def _unsent(self, on: set[str]) -> set[str]:
        """What the uplink has had the time to hear of, that no stage was told of and that was not said here."""
        now_s = asyncio.get_running_loop().time()
        waiting = {id_ for id_, row in self.recorded().items() if not row["stages"] and id_ not in on}
        return {id_ for id_ in waiting if now_s - self._seen_s.setdefault(id_, now_s) > HEARD_WITHIN_S}

    def _check(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)
