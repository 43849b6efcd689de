"""The escort commander at the cab display: signs in with the PIN, gives commands, looks at the snapshot.

As a person would, he reloads and repeats a command when the view has changed under his finger (`stale_view`).
"""

from __future__ import annotations

import threading
import time
from typing import Any

from simulators.scenario.errors import NotMetError
from simulators.stack import variants
from simulators.stack.calls import Answer, call

Arguments = dict[str, Any]
STARTING_S = 3.0  # a person tries again for so long
REPEATS_MAX = 5  # while tests run, rows change several times a second


class Commander:
    """One cab display's person; keeps the last answers for `EXPECT ANSWER` and `EXPECT REFUSED`."""

    def __init__(self, display: str) -> None:
        self._display = display
        self._cookie: str | None = None
        self._signs_in_himself = True
        self.remembered_rev = 0
        self.answers: list[Answer] = []

    @property
    def refusals(self) -> list[dict[str, Any]]:
        """What the last command was refused for."""
        body = self.answers[-1].body if self.answers else None
        return list(body.get("refusals", [])) if isinstance(body, dict) else []

    def look(self) -> dict[str, Any] | None:
        """The snapshot, or None while the display has no data."""
        answer = call("GET", self._display, "/api/v1/snapshot")
        return answer.body if answer.status == 200 and isinstance(answer.body, dict) else None

    def must_look(self) -> dict[str, Any]:
        answer = call("GET", self._display, "/api/v1/snapshot")
        if answer.status != 200:
            raise NotMetError(f"the display has no data: {answer.status} {answer.text}")
        return dict(answer.body)

    def sign_in(self, pin: str) -> None:
        """Type a PIN; the answer is kept, right or wrong."""
        self._signs_in_himself = True
        answer, self._cookie = self._open_session(pin)
        self.answers = [answer]

    def sign_out(self) -> None:
        """Forget the session and do not sign in again until told."""
        self._cookie = None
        self._signs_in_himself = False

    def must(self, name: str, arguments: Arguments) -> None:
        """Give a command that has to be accepted."""
        answer = self._command(name, arguments)
        if answer.status != 200:
            raise NotMetError(f"{name} was answered {answer.status}: {refusals_text(answer)}")

    def attempt(self, name: str, arguments: Arguments, *, old_view: bool = False) -> None:
        """Give a command that may be refused; with `old_view`, as a screen that was not reloaded would."""
        if old_view:
            self.answers = [self._post(name, {"rev": self.remembered_rev, **arguments}, self._session())]
        else:
            self._command(name, arguments)

    def race(self, name: str, arguments: Arguments) -> None:
        """Two commanders give the same command at the same instant with the same view."""
        cookies = [self._session(), self._open_session(variants.PIN)[1]]
        body = {"rev": self.must_look()["rev"], **arguments}
        ready = threading.Barrier(len(cookies))
        answers: list[Answer] = []

        def give(cookie: str | None) -> None:
            ready.wait()
            answers.append(self._post(name, body, cookie))

        hands = [threading.Thread(target=give, args=(cookie,)) for cookie in cookies]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        self.answers = answers

    def session_headers(self) -> dict[str, str]:
        """What a request carries that comes from this commander's screen."""
        cookie = self._session()
        return {"Cookie": cookie} if cookie else {}

    def _command(self, name: str, arguments: Arguments) -> Answer:
        answer = self._post_now(name, arguments)
        if answer.status == 401 and self._signs_in_himself:  # control was restarted: sessions do not survive that
            self._cookie = None
            answer = self._post_now(name, arguments)
        for _ in range(REPEATS_MAX):
            if not any(refusal.get("code") == "stale_view" for refusal in _refusals(answer)):
                break
            answer = self._post_now(name, arguments)
        self.answers = [answer]
        return answer

    def _post_now(self, name: str, arguments: Arguments) -> Answer:
        cookie = self._session()
        return self._post(name, {"rev": self.must_look()["rev"], **arguments}, cookie)

    def _post(self, name: str, body: Arguments, cookie: str | None) -> Answer:
        headers = {"Cookie": cookie} if cookie else {}
        return call("POST", self._display, f"/api/v1/commands/{name}", body, headers=headers)

    def _session(self) -> str | None:
        if self._cookie is None and self._signs_in_himself:
            answer, self._cookie = self._open_session(variants.PIN)
            if self._cookie is None:
                raise NotMetError(f"the display did not accept the PIN: {answer.status} {answer.text}")
        return self._cookie

    def _open_session(self, pin: str) -> tuple[Answer, str | None]:
        answer = call("POST", self._display, "/api/v1/session", {"pin": pin})
        deadline_s = time.monotonic() + STARTING_S
        while answer.status == 503 and time.monotonic() < deadline_s:  # control, or its journal, is not there yet
            time.sleep(0.1)
            answer = call("POST", self._display, "/api/v1/session", {"pin": pin})
        cookie = answer.headers.get("set-cookie", "").split(";")[0]
        return answer, cookie if answer.status == 200 and cookie else None


def _refusals(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.body.get("refusals", [])) if isinstance(answer.body, dict) else []


def refusals_text(answer: Answer) -> str:
    """What an answer says, in short."""
    short = [f"{refusal.get('code')} {refusal.get('item') or ''}".strip() for refusal in _refusals(answer)]
    return ", ".join(short) or answer.text
