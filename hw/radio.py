"""The radio station on its serial wire: is it there, registered, and how strong (Rules 3 and 15; hazard H22).

A health report is made every round, also of silence; whoever reads it judges its age. A lost radio is told within 3 s.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from hw.pei import ALLOWED, QUESTIONS, SIGNAL_ALTERNATIVE, Answers, PeiReader
from hw.serial_port import Backoff, SerialWire, WireError

ANSWER_S_MAX = 1.0  # a healthy radio answers within 0.1 s; with a round a second this keeps "lost" below 3 s
READ_TIMEOUT_S = 0.1
# After so many rounds of silence the port is opened anew: the cure for an adapter that came back under the same name.
SILENT_ROUNDS_MAX = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RadioHealth:
    """One round of questions. `reason` says in words why the radio is not at its best; None is the good case."""

    at_s: float  # monotonic, end of the round
    answered: bool
    registered: bool | None = None
    rssi_dbm: int | None = None
    mode: str | None = None  # tmo, dmo, gateway, repeater
    talkgroup: str | None = None
    reason: str | None = None


class RadioStation:
    """`start()`, then `latest()` from any thread, `stop()` at the end."""

    def __init__(self, port: str, baud: int = 9600, poll_s: float = 1.0) -> None:
        self._wire = SerialWire(str(port), baud)
        self._poll_s = poll_s
        self._pei = PeiReader()
        self._signal_question = QUESTIONS[2]
        self._latest: RadioHealth | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="radio", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the port is closed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def latest(self) -> RadioHealth | None:
        """None until the first round has ended."""
        return self._latest

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                self._session(backoff)
            except WireError as problem:
                self._report(RadioHealth(time.monotonic(), answered=False, reason=str(problem)))
            except Exception as problem:  # noqa: BLE001  the radio may be lost, the thread that finds it again may not
                self._report(
                    RadioHealth(time.monotonic(), answered=False, reason=f"{self._wire.port}: unexpected {problem!r}")
                )
            self._wire.close()
            self._stopping.wait(backoff.next_s())

    def _session(self, backoff: Backoff) -> None:
        """From opening the port to losing it, round after round."""
        self._wire.open()
        self._pei = PeiReader()
        silent = 0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            health = self._round()
            if self._stopping.is_set():
                return
            self._report(health)
            if health.answered:
                backoff.reset()
            silent = 0 if health.answered else silent + 1
            if silent >= SILENT_ROUNDS_MAX:
                raise WireError(f"{self._wire.port}: no answer in {silent} rounds")
            # Between rounds unsolicited lines keep coming; read them so that they never pile up.
            while not self._stopping.is_set() and time.monotonic() - began_s < self._poll_s:
                self._pei.feed(self._wire.read(READ_TIMEOUT_S))

    def _round(self) -> RadioHealth:
        self._pei.begin_round()
        refused: list[str] = []
        for question in QUESTIONS:
            asked = self._signal_question if question == QUESTIONS[2] else question
            final = self._ask(asked)
            if final is None:
                return RadioHealth(time.monotonic(), answered=False, reason=f"no answer to {asked}")
            if final != "OK":
                refused.append(f"{final} to {asked}")
                if question == QUESTIONS[2]:
                    self._signal_question = SIGNAL_ALTERNATIVE if asked == question else question
        return _health(self._pei.answers, refused)

    def _ask(self, question: str) -> str | None:
        """OK, the error, or None for silence."""
        if question not in ALLOWED:
            raise ValueError(f"{question!r} is not among the questions a radio may be asked")
        self._pei.begin_question()
        self._wire.write(question.encode("ascii") + b"\r")
        deadline_s = time.monotonic() + ANSWER_S_MAX
        while self._pei.answers.final is None and not self._stopping.is_set():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                return None
            self._pei.feed(self._wire.read(min(left_s, READ_TIMEOUT_S)))
        return self._pei.answers.final

    def _report(self, health: RadioHealth) -> None:
        was = self._latest
        if health.reason and (was is None or was.reason != health.reason):
            _log.warning("radio: %s", health.reason)
        self._latest = health


def _health(answers: Answers, refused: list[str]) -> RadioHealth:
    if refused:
        reason: str | None = refused[0]
    elif answers.registered is None:
        reason = "registration not told"
    elif not answers.registered:
        reason = "not registered"
    elif answers.mode not in (None, "tmo"):
        reason = f"in mode {answers.mode}"
    else:
        reason = None
    return RadioHealth(
        time.monotonic(),
        answered=True,
        registered=answers.registered,
        rssi_dbm=answers.rssi_dbm,
        mode=answers.mode,
        talkgroup=answers.talkgroup,
        reason=reason,
    )
