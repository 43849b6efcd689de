"""The commander's sessions: who may give orders, and how long a wrong PIN locks everybody out.

Sessions live in memory only, so a restart ends them all; the lockout is journalled, so a restart does not end it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from vehicle_agent.control.pin import PinHash

SESSIONS_MAX = 16  # several screens may be open; a forgotten one is not kept for ever
_TOKEN_BYTES = 32
NAMELESS = "commander"  # the role, where nobody gave a name


@dataclass(frozen=True, slots=True)
class Opened:
    """The right PIN of a new session. The token is known to its holder alone; here only its hash is kept."""

    token: str
    expires_s: float


@dataclass(frozen=True, slots=True)
class Correct:
    """The right PIN, asked for again within a session."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong PIN, the `count`-th in a row; `lockout_s` says that it was one too many."""

    count: int
    lockout_s: float | None


@dataclass(frozen=True, slots=True)
class LockedOut:
    """Too many wrong PINs: no PIN is looked at for `retry_after_s`."""

    retry_after_s: float


class Sessions:
    """May be used by several threads; `open` and `check` take as long as scrypt does."""

    def __init__(
        self, pin_hash: PinHash, *, session_s: float, wrong_max: int, lockout_s: float, mono: Callable[[], float]
    ) -> None:
        self._pin_hash = pin_hash
        self._session_s = session_s
        self._wrong_max = wrong_max
        self._lockout_s = lockout_s
        self._mono = mono
        self._lock = threading.Lock()
        # SHA-256 of the token -> monotonic end, and who opened the session
        self._open: dict[bytes, tuple[float, str]] = {}
        self._wrong = 0
        self._locked_until_s: float | None = None
        self.is_restored = False  # before that nobody knows what wrong PINs have earned

    def open(self, pin: str, by: str | None = None) -> Opened | Wrong | LockedOut:
        """Check a PIN and open a session in the name of `by`; without a name it is the commander's."""
        found = self.check(pin)
        if not isinstance(found, Correct):
            return found
        token = os.urandom(_TOKEN_BYTES).hex()
        with self._lock:
            now_s = self._mono()
            alive = sorted((end, key, who) for key, (end, who) in self._open.items() if end > now_s)
            self._open = {key: (end, who) for end, key, who in alive[-(SESSIONS_MAX - 1) :]}
            self._open[_key(token)] = (now_s + self._session_s, by or NAMELESS)
        return Opened(token, self._session_s)

    def check(self, pin: str) -> Correct | Wrong | LockedOut:
        """Check a PIN. Checks go one at a time, so that many at once are no way around the count."""
        with self._lock:
            remaining_s = self._remaining_s()
            if remaining_s > 0.0:
                return LockedOut(remaining_s)
            if self._pin_hash.matches(pin):
                self._wrong = 0
                return Correct()
            self._wrong += 1
            count = self._wrong
            if count < self._wrong_max:
                return Wrong(count, None)
            self._wrong = 0
            self._locked_until_s = self._mono() + self._lockout_s
            return Wrong(count, self._lockout_s)

    def holder(self, token: str) -> str | None:
        """Who opened the session of this token; None when there is none, or it has ended."""
        end_s, who = self._open.get(_key(token), (None, None))
        return who if end_s is not None and self._mono() < end_s else None

    def restore(self, *, wrong: int, locked_for_s: float) -> None:
        """After a start: what the journal knows of wrong PINs before it."""
        with self._lock:
            self._wrong = wrong
            self._locked_until_s = self._mono() + min(locked_for_s, self._lockout_s) if locked_for_s > 0.0 else None
            self.is_restored = True

    def _remaining_s(self) -> float:
        return 0.0 if self._locked_until_s is None else max(self._locked_until_s - self._mono(), 0.0)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
