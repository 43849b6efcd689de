"""The uplink's loop: control's feed in, MQTT out, receipts back (Rule 19).

Everything runs in one thread and never waits: control's and the broker's answers come as events, and `_pump` sends
whatever is due, notices first. Nothing is stored here: after a restart of either neighbour the feed says what is owed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from vehicle_agent.control_client import ControlClient, Push
from vehicle_agent.messages import jws, topics
from vehicle_agent.notify import notify
from vehicle_agent.uplink import projection
from vehicle_agent.uplink.dialler import Dialler
from vehicle_agent.uplink.eventlog import Entry, EventLog
from vehicle_agent.uplink.fixes import Fixes, Send
from vehicle_agent.uplink.flights import Flight, Flights
from vehicle_agent.uplink.intake import Intake, Known
from vehicle_agent.uplink.link import Acked, Arrived, Connected, Link, Lost, Will
from vehicle_agent.uplink.link import Event as LinkEvent
from vehicle_agent.uplink.opening import whole
from vehicle_agent.uplink.options import Options
from vehicle_agent.uplink.outbox import Outbox, Owed
from vehicle_agent.uplink.presence import Presence
from vehicle_agent.uplink.recovery import Recovery
from vehicle_agent.uplink.reports import Reports
from vehicle_agent.uplink.stateboard import StateBoard
from vehicle_agent.uplink.track import Batch, Kept
from vehicle_agent.uplink.walltime import WallTime

log = logging.getLogger(__name__)

REPORT_INTERVAL_S = 5.0
CONTROL_ALIVE_S = 3 * REPORT_INTERVAL_S
TICK_S = 1.0  # longest pause of the loop, within half of the watchdog's 5 s
MOMENT_S = 0.05  # shortest pause: what cannot be sent now must not spin the loop
REFEED_S = 0.5  # control that is just starting says so at once
FIRST_FEED_S = 3.0  # the first dialling waits so long for control: the last will names boot and journal
TOLD_EVERY = 2000  # older fixes: what is told twice if this uplink is killed while it catches up
GOODBYE_S = 1.0  # for the death message to reach the broker
FAULT_LOG_S = 10.0
BAD_DATA = (KeyError, TypeError, ValueError)  # raised by content that is not as agreed; MessageError is a ValueError


class Uplink:
    """One vehicle's uplink; made and run inside an event loop."""

    def __init__(self, options: Options, signer: jws.Signer, client: ControlClient) -> None:
        self._options = options
        self._vehicle = options.vehicle
        self._client = client
        self._outbox = Outbox(signer, options.resend_first_s, options.resend_max_s)
        self._events = EventLog()
        self._fixes = Fixes(options.vehicle, options.rate)
        self._presence = Presence(options.vehicle, options.software)
        self._reports = Reports(client)
        self._recovery = Recovery(self._reports, self._fixes)
        self._wall = WallTime()
        self._known = Known()
        self._intake = Intake(options.vehicle, options.unit_keys, self._outbox, self._known)
        self._state = StateBoard(options.vehicle)
        self._dialler = Dialler(self._make_link, self._on_link, lambda: bool(self._outbox.pending), time.monotonic)
        self._wake = asyncio.Event()
        self._said_goodbye = asyncio.Event()
        self._wants_feed = False
        self._flights = Flights()
        self._feed: Mapping[str, Any] | None = None
        self._fed = asyncio.Event()
        self._snapshot: Mapping[str, Any] | None = None
        self._reported_cursor = 0
        self._reported: Mapping[str, Any] = {}
        self._reported_s = float("-inf")
        self._fault_logged_s = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then say goodbye to the broker. An unforeseen exception ends it all: systemd starts us
        anew."""
        parts = (self._listen(), self._dial(), self._reports.run(), self._loop(), stop.wait())
        tasks = [asyncio.create_task(part) for part in parts]
        notify("READY=1")
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            notify("STOPPING=1")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._say_goodbye()
            await self._client.close()

    # Control's side.

    async def _dial(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_FEED_S):
                await self._fed.wait()
        await self._dialler.run()

    async def _listen(self) -> None:
        while True:
            self._wants_feed = False
            async with contextlib.aclosing(whole(self._client.subscribe("feed"))) as pushes:
                async for push in pushes:
                    try:
                        self._on_push(push, time.monotonic())
                    except BAD_DATA as error:
                        self._complain(f"control's {push.kind} is not understood: {error!r}")
                    if push.kind != "fix":  # a fix went out by itself, and nothing else is due because of it
                        self._wake.set()
                    if self._wants_feed:
                        break
            await asyncio.sleep(REFEED_S)

    def _on_push(self, push: Push, now_s: float) -> None:
        match push.kind:
            case "opened" if push.status == 200:
                self._on_feed(push.body, now_s)
            case "opened":
                log.info("control has no feed for us yet: %d %s", push.status, push.body.get("error"))
                self._wants_feed = True
            case "gone":
                self._outbox.lose_sight()
            case "row":
                self._on_row(push.body, now_s)
            case "fix":
                self._wall.learn(push.body["at"], now_s)
                self._on_fix(push.body, now_s)
            case "snapshot":
                self._on_snapshot(push.body, now_s)

    def _on_feed(self, feed: Mapping[str, Any], now_s: float) -> None:
        if feed["vehicle"] != self._vehicle:
            raise ValueError(f"control is vehicle {feed['vehicle']}, the uplink {self._vehicle}")
        self._feed = feed
        self._presence.fed(feed)
        self._recovery.begin(feed["boot_id"])
        self._reported_cursor = feed["cursor"]
        self._reported_s = float("-inf")
        self._events.restart(feed["cursor"], feed["head"]["seq"])
        for entry in feed["notices"]:
            self._known.remember(entry["row"]["id"], entry["row"]["data"])
        self._outbox.load(feed["notices"], now_s)

        def answered(status: int, body: Mapping[str, Any]) -> None:
            if status == 200:
                self._on_snapshot(body, time.monotonic())
                self._wake.set()

        self._reports.put("snapshot", "snapshot", {}, answered)

    def _on_snapshot(self, snapshot: Mapping[str, Any], now_s: float) -> None:
        self._wall.learn(snapshot["at"], now_s, snapshot["clock"]["source"])
        self._snapshot = snapshot
        self._fed.set()
        for one in (*snapshot["alarms"], *snapshot["notices"]):
            self._known.remember(one["id"], one)

    def _on_row(self, row: Mapping[str, Any], now_s: float) -> None:
        if self._feed is None:
            return
        data = row["data"]
        self._presence.saw(row)
        match row["type"]:
            case "notice_recorded":
                self._known.remember(row["id"], data)
                # An old row that the feed's answer did not list was settled, or was written meanwhile: old rows tell.
                self._outbox.add(row, now_s, is_held=row["seq"] <= self._feed["head"]["seq"])
                self._dialler.hurry()
            case "notice_stage":
                self._outbox.settle(data["notice"], data["stage"], now_s)
            case "alarm_raised":
                self._known.remember(data["alarm"], data)
        self._events.add(row, is_wanted=projection.concerns_dispatch(row))
        if row["seq"] >= self._feed["head"]["seq"]:
            self._outbox.release()

    def _on_fix(self, fix: Mapping[str, Any], now_s: float) -> None:
        link = self._dialler.link
        send = self._fix_sender(link, now_s) if link is not None and not self._outbox.is_preparing(now_s) else None
        self._fixes.take(fix, projection.trip_of(self._snapshot), now_s, send)

    def _fix_sender(self, link: Link, now_s: float) -> Send:
        def send(channel: str, payload: bytes, subject: Kept | Batch) -> bool:
            return self._flights.send(link, Flight(channel, now_s, subject), self._topic(channel), payload)

        return send

    # The broker's side.

    def _make_link(self, post: Callable[[Link, LinkEvent], None], is_v5: bool) -> Link:
        now_s = time.monotonic()
        will = Will(self._topic("session"), self._presence.will(self._wall.text(now_s)))
        mine, trusted_utc = topics.receipt_filter(self._vehicle), self._wall.trusted(now_s)
        return Link(self._options.address, will, mine, post, is_v5=is_v5, trusted_utc=trusted_utc)

    def _on_link(self, event: LinkEvent) -> None:
        now_s = time.monotonic()
        match event:
            case Connected():
                self._presence.is_born = False
                self._state.connected()
                self._outbox.connected(now_s)
                self._fixes.connected()
            case Lost():
                self._fixes.connection_lost()
                self._flights.connection_lost()
                self._events.connection_lost()
            case Acked():
                self._on_acked(event, now_s)
            case Arrived():
                self._on_arrived(event, now_s)
        if not isinstance(event, Acked):
            self._wake.set()

    def _on_acked(self, acked: Acked, now_s: float) -> None:
        flight = self._flights.landed(acked.mid)
        if flight is None:
            return
        if not acked.is_ok:
            self._complain(f"the broker refuses a {flight.kind}: reason {acked.code:#x}; check its access rules")
        match flight.subject:
            case Owed() as owed:
                self._outbox.answered(owed.notice)
                if acked.is_ok and not owed.is_at_broker:
                    owed.is_at_broker = True
                    self._reports.put(f"at_broker {owed.notice}", "at_broker", {"notice": owed.notice})
            case Entry() as entry:
                self._events.answered(entry, now_s, is_ok=acked.is_ok)
            case Kept() as kept:
                self._fixes.live_answered(kept)
            case Batch() as batch:
                self._fixes.track_answered(batch, now_s, is_ok=acked.is_ok)
        if flight.kind == "goodbye":
            self._said_goodbye.set()
        if flight.kind != "position":
            self._wake.set()

    def _on_arrived(self, arrived: Arrived, now_s: float) -> None:
        receipt = self._intake.take(arrived, now_s)
        if receipt is None:
            return

        def answered(status: int, _body: Mapping[str, Any]) -> None:
            if status == 200:
                self._outbox.settle(receipt.notice, receipt.stage, time.monotonic())

        fields = {name: getattr(receipt, name) for name in ("notice", "stage", "by", "post", "at", "sha256", "unit")}
        self._reports.put(f"receipt {receipt.notice} {receipt.stage}", "receipt", fields, answered)

    # What is due.

    async def _loop(self) -> None:
        while True:
            now_s = time.monotonic()
            self._pump(now_s)
            notify("WATCHDOG=1")
            pause_s = TICK_S
            if self._dialler.link is not None:
                due_s = min(self._outbox.next_due_s(), self._events.next_due_s())
                pause_s = max(MOMENT_S, min(TICK_S, due_s - now_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            self._wake.clear()

    def _pump(self, now_s: float) -> None:
        link = self._dialler.link
        if link is not None:
            if self._flights.is_overdue(now_s) or not link.is_alive:
                self._dialler.drop("no answer to a message")
            for send in (self._send_notices, self._send_birth, self._send_state, self._send_events, self._send_track):
                try:  # one kind of content that is not as agreed must not keep the others from going out
                    send(link, now_s)
                except BAD_DATA as error:
                    self._complain(f"{send.__name__}: {error!r}")
        self._report(now_s)
        if self._events.has_overflowed and self._events.is_empty:
            self._wants_feed = True

    def _send_notices(self, link: Link, now_s: float) -> None:
        for owed in self._outbox.due(now_s):
            if not owed.message:
                self._ask_lateness(owed, now_s)
                continue
            topic = topics.notice_topic(owed.recipient, self._vehicle)
            if self._flights.send(link, Flight("notice", now_s, owed), topic, owed.message):
                self._outbox.published(owed, now_s)

    def _ask_lateness(self, owed: Owed, now_s: float) -> None:
        """Have control store how late it is before its first byte leaves: two versions of it would be a fork."""
        key = f"sending {owed.notice}"
        if self._feed is None or self._reports.is_waiting(key):
            return
        owed.asked_s = now_s
        late_by_s = round(self._wall.age_s(owed.row, self._feed["boot_id"], now_s), 3)

        def answered(status: int, body: Mapping[str, Any]) -> None:
            if status == 200:
                self._outbox.set_lateness(owed.notice, float(body["late_by_s"]))
            elif status == 404:
                self._outbox.forget(owed.notice)
            self._wake.set()

        self._reports.put(key, "notice_sending", {"notice": owed.notice, "late_by_s": late_by_s}, answered)

    def _send_birth(self, link: Link, now_s: float) -> None:
        at = self._wall.text(now_s)
        if self._presence.is_born or at is None:
            return
        flight = Flight("birth", now_s)
        self._presence.is_born = self._flights.send(
            link, flight, self._topic("session"), self._presence.birth(at), retain=True
        )

    def _send_state(self, link: Link, now_s: float) -> None:
        at = self._wall.text(now_s)
        if self._snapshot is None or at is None or self._flights.has("state"):
            return
        is_control_alive = now_s - self._reports.last_answer_s < CONTROL_ALIVE_S
        event = self._state.due(self._snapshot, self._figures(now_s), at, now_s, is_control_alive=is_control_alive)
        if event is not None:
            self._flights.send(link, Flight("state", now_s), self._topic("state"), event.to_bytes(), retain=True)

    def _send_events(self, link: Link, now_s: float) -> None:
        if self._outbox.is_preparing(now_s):
            return
        for entry in self._events.due(now_s):
            try:
                payload = projection.row_event(self._vehicle, entry.row, self._known.facts).to_bytes()
            except BAD_DATA as error:
                log.error("row %d cannot be published: %r", entry.seq, error)
                self._events.answered(entry, now_s, is_ok=True)
                continue
            entry.is_in_flight = self._flights.send(link, Flight("event", now_s, entry), self._topic("events"), payload)

    def _send_track(self, link: Link, now_s: float) -> None:
        # Last of all: a batch on a slow line must not stand before a notice or an event.
        if not self._events.is_empty or not self._outbox.is_clear:
            return
        if self._fixes.send_track(now_s, self._fix_sender(link, now_s)):
            asyncio.get_running_loop().call_soon(self._wake.set)  # what has come in is heard first

    def _figures(self, now_s: float) -> dict[str, Any]:
        """Contract's `uplink` but for `connected`, which goes without saying in a message of ours."""
        boot_id = self._feed["boot_id"] if self._feed else ""
        pending = self._outbox.pending
        waiting = [owed.row for owed in pending]
        if (oldest := self._fixes.oldest) is not None:
            waiting.append(oldest.row)
        ages = [self._wall.age_s(row, boot_id, now_s) for row in waiting]
        return {
            "pending_notices": len(pending),
            "pending_positions": self._fixes.waiting,
            "oldest_pending_s": round(max(ages), 1) if ages else None,
        }

    def _report(self, now_s: float) -> None:
        """Tell control how far the events have come and how the link is: on a change, and every 5 s."""
        if self._feed is None:
            return
        cursor = self._events.cursor
        if cursor > self._reported_cursor and not self._reports.is_waiting("cursor"):
            self._reported_cursor = cursor
            self._reports.put("cursor", "cursor", {"seq": cursor})
        state = {"connected": self._dialler.link is not None, **self._figures(now_s)}
        state["refused_messages"] = self._intake.refused
        key = {**state, "oldest_pending_s": None, "pending_positions": self._fixes.told_late // TOLD_EVERY}
        if key != self._reported or now_s - self._reported_s >= REPORT_INTERVAL_S:
            self._reported, self._reported_s = key, now_s
            self._reports.put("uplink_state", "uplink_state", state | {"told": self._fixes.told})

    async def _say_goodbye(self) -> None:
        link, now_s = self._dialler.link, time.monotonic()
        if link is None:
            return
        payload = self._presence.death(self._wall.text(now_s))
        if self._flights.send(link, Flight("goodbye", now_s), self._topic("session"), payload, retain=True):
            try:
                async with asyncio.timeout(GOODBYE_S):
                    await self._said_goodbye.wait()
            except TimeoutError:
                log.warning("the broker did not take the death message")
        await asyncio.to_thread(link.close, 0.5)

    def _topic(self, channel: str) -> str:
        return topics.vehicle_topic(self._vehicle, channel)

    def _complain(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self._fault_logged_s >= FAULT_LOG_S:
            self._fault_logged_s = now_s
            log.error("%s", text)
