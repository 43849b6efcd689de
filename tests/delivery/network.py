"""A broker and the lines to it, as bad as they get: what is promised by MQTT is broken as well as what is not.

Within one connection bytes keep their order, as TCP has it. Between connections and inside the broker messages are
lost, doubled and held back; a line may die loudly or silently, the broker may restart and forget everything.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.delivery.virtual_time import BEHIND_S

OK, NOBODY_LISTENS, REFUSED = 0x00, 0x10, 0x97
DIAL_TIMEOUT_S = 5.0
SILENCE_FACTOR = 2.0  # a half-open line is noticed after about twice the keepalive, on both sides
QUEUE_MAX = 1000


@dataclass(slots=True)
class Weather:
    """Shares of messages, and how long the way is."""

    lost: float = 0.0
    doubled: float = 0.0
    held: float = 0.0
    refused: float = 0.0
    held_max_s: float = 20.0
    way_max_s: float = 0.2


@dataclass(slots=True)
class Peer:
    """One program that dials the broker. Its callbacks run in the loop."""

    name: str
    filters: tuple[str, ...]
    keepalive_s: float
    is_kept: bool  # the broker keeps the session while it is away
    on_up: Callable[[], None]
    on_down: Callable[[str], None]
    on_acked: Callable[[int, int], None]
    on_message: Callable[[str, bytes, bool], None]
    will: tuple[str, bytes] | None = None
    is_gone: bool = False  # its process was killed: it hears nothing any more


@dataclass(slots=True)
class _Session:
    filters: tuple[str, ...]
    waiting: deque[tuple[str, bytes, bool]] = field(default_factory=deque)


class Line:
    """One connection of one peer."""

    def __init__(self, broker: Broker, peer: Peer) -> None:
        self.peer = peer
        self.is_open = True
        self.is_silent = False
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._free_s = {"up": 0.0, "down": 0.0}
        self.unanswered: dict[int, tuple[str, bytes, bool]] = {}
        self._numbers = 0

    def up(self, do: Callable[[], None]) -> None:
        self._carry("up", do)

    def down(self, do: Callable[[], None]) -> None:
        self._carry("down", do)

    def deliver(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """To the peer, whose answer frees the broker of it."""
        self._numbers += 1
        number = self._numbers
        self.unanswered[number] = (topic, payload, retain)

        def arrive() -> None:
            self.peer.on_message(topic, payload, retain)
            self.up(answered)

        def answered() -> None:
            self.unanswered.pop(number, None)

        self.down(arrive)

    def cut(self, reason: str) -> None:
        """Both sides learn of it at once."""
        if self.is_open:
            self.is_open = False
            self._broker.lost(self)
            if not self.peer.is_gone:
                self._loop.call_soon(self.peer.on_down, reason)

    def silence(self) -> None:
        """What is sent from now on arrives nowhere, and both sides take a while to notice."""
        if self.is_open and not self.is_silent:
            self.is_silent = True
            self._loop.call_later(self.peer.keepalive_s * SILENCE_FACTOR, self.cut, "no answer to a ping")

    def _carry(self, way: str, do: Callable[[], None]) -> None:
        now_s = self._loop.time()
        free_s = self._free_s[way] + BEHIND_S
        at_s = max(free_s, now_s + self._broker.random.uniform(0.001, self._broker.weather.way_max_s))
        self._free_s[way] = at_s

        def arrive() -> None:
            if self.is_open and not self.is_silent and not self.peer.is_gone:
                do()

        self._loop.call_at(at_s, arrive)


class Broker:
    """One broker; `publish` is what a peer sends."""

    def __init__(self, random_: random.Random, weather: Weather) -> None:
        self.random, self.weather = random_, weather
        self.is_up = True
        self._loop = asyncio.get_running_loop()
        self._lines: dict[str, Line] = {}
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, bytes] = {}
        self.messages = self.lost_count = self.doubled_count = self.held_count = 0
        self.on_taken: Callable[[str, bytes], None] = lambda *_: None  # what is accepted

    def dial(self, peer: Peer) -> None:
        """`on_up`, or `on_down` after a while."""
        if not self.is_up:
            self._loop.call_later(self.random.uniform(0.1, DIAL_TIMEOUT_S), self._refuse, peer)
            return
        self._loop.call_later(self.random.uniform(0.005, 0.5), self._accept, peer)

    def line_of(self, name: str) -> Line | None:
        return self._lines.get(name)

    def names(self) -> list[str]:
        return sorted(self._lines)

    def publish(self, line: Line, number: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """A message of a peer, answered when it has come so far."""
        line.up(lambda: self._take(line, number, topic, payload, retain=retain))

    def lost(self, line: Line) -> None:
        """A connection has ended; what was not answered waits for the next one, if the session is kept."""
        if self._lines.get(line.peer.name) is not line:
            return
        del self._lines[line.peer.name]
        session = self._sessions.get(line.peer.name)
        if session is not None and line.peer.is_kept:
            session.waiting.extendleft(reversed(line.unanswered.values()))
        elif session is not None:
            del self._sessions[line.peer.name]
        if line.peer.will is not None and self.is_up:
            self._retained[line.peer.will[0]] = line.peer.will[1]
            self._pass_on(*line.peer.will, retain=True)

    def hang_up(self, peer: Peer) -> None:
        """The peer's process was killed: the kernel closes its connection."""
        peer.is_gone = True
        line = self._lines.get(peer.name)
        if line is not None and line.peer is peer:
            line.cut("the process has ended")

    def stop(self, *, forgets: bool) -> None:
        """It goes down. A broker with its default persistence forgets all that was acknowledged."""
        self.is_up = False
        for line in list(self._lines.values()):
            line.cut("the broker went away")
        if forgets:
            self._sessions.clear()
            self._retained.clear()

    def start(self) -> None:
        self.is_up = True

    def _accept(self, peer: Peer) -> None:
        if peer.is_gone or not self.is_up:
            self._refuse(peer)
            return
        old = self._lines.get(peer.name)
        if old is not None:
            old.cut("taken over")
        line = self._lines[peer.name] = Line(self, peer)
        session = self._sessions.setdefault(peer.name, _Session(peer.filters))
        line.down(peer.on_up)
        for topic, payload in sorted(self._retained.items()):
            if _is_wanted(topic, session.filters):
                line.deliver(topic, payload, retain=True)
        while session.waiting:
            topic, payload, retain = session.waiting.popleft()
            line.deliver(topic, payload, retain=retain)

    def _refuse(self, peer: Peer) -> None:
        if not peer.is_gone:
            peer.on_down("no connection")

    def _take(self, line: Line, number: int, topic: str, payload: bytes, *, retain: bool) -> None:
        self.messages += 1
        if self.random.random() < self.weather.refused:
            line.down(lambda: line.peer.on_acked(number, REFUSED))
            return
        self.on_taken(topic, payload)
        is_heard = any(_is_wanted(topic, session.filters) for session in self._sessions.values())
        if retain:
            self._retained[topic] = payload
        if self.random.random() < self.weather.lost:
            self.lost_count += 1
        else:
            copies = 2 if self.random.random() < self.weather.doubled else 1
            self.doubled_count += copies - 1
            for _ in range(copies):
                self._hold(topic, payload)
        line.down(lambda: line.peer.on_acked(number, OK if is_heard else NOBODY_LISTENS))

    def _hold(self, topic: str, payload: bytes) -> None:
        if self.random.random() < self.weather.held:
            self.held_count += 1
            self._loop.call_later(self.random.uniform(0.1, self.weather.held_max_s), self._pass_on, topic, payload)
        else:
            self._pass_on(topic, payload)

    def _pass_on(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        del retain  # a live message reaches its subscribers without the flag
        for name, session in sorted(self._sessions.items()):
            if not _is_wanted(topic, session.filters):
                continue
            line = self._lines.get(name)
            if line is not None:
                line.deliver(topic, payload, retain=False)
            elif len(session.waiting) < QUEUE_MAX:
                session.waiting.append((topic, payload, False))


def _is_wanted(topic: str, filters: tuple[str, ...]) -> bool:
    """Whether a filter with `+` for one level names the topic."""
    levels = topic.split("/")
    return any(
        len(levels) == len(wanted := one.split("/"))
        and all(want in ("+", level) for want, level in zip(wanted, levels, strict=True))
        for one in filters
    )
