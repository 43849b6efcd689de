"""TETRA PEI, the radio's serial dialogue (EN 300 392-5), from bytes to answers (Rules 3 and 15: the radio station).

Answers and unsolicited lines interleave, so everything is read line by line. Only the questions in `QUESTIONS` are ever
sent: none of them changes the radio's mode, group or power.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

QUESTIONS = ("AT", "AT+CREG?", "AT+CSQ?", "AT+CTOM?", "AT+CTGS?")
# Asked instead of AT+CSQ? by radios that refuse the question mark.
SIGNAL_ALTERNATIVE = "AT+CSQ"
ALLOWED = frozenset({*QUESTIONS, SIGNAL_ALTERNATIVE})

LINE_CHARS_MAX = 1024  # the longest short data message is 2047 bits: 512 hexadecimal digits
REGISTERED = frozenset({1, 5})  # home, visited network
MODES = {0: "tmo", 1: "dmo", 5: "gateway", 6: "repeater"}
SIGNAL_UNKNOWN = 99

# The number ends at a comma or with its line: "0052" is no 5.
_VALUE = re.compile(r"\+(CREG|CSQ|CTOM|CTGS): ?([0-9]{1,3})(?=,|$)(?:,([0-9]{0,24}))?")
_DATA = re.compile(r"[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the radio said since the round began. `final` is OK or the error that ended the newest question."""

    final: str | None = None
    registered: bool | None = None
    rssi_dbm: int | None = None
    mode: str | None = None
    talkgroup: str | None = None


class PeiReader:
    """Bytes in; `answers` is what they added up to. Raises nothing, whatever the bytes."""

    def __init__(self) -> None:
        self._half = b""
        self._message_follows = False
        self.answers = Answers()
        self.unsolicited = 0
        self.rejected = 0

    def begin_round(self) -> None:
        self.answers = Answers()

    def begin_question(self) -> None:
        self.answers = replace(self.answers, final=None)

    def feed(self, data: bytes) -> None:
        *lines, half = re.split(rb"[\r\n]", self._half + data)
        self._half = half if len(half) <= LINE_CHARS_MAX else b""
        for line in lines:
            text = line.decode("ascii", errors="replace").strip()
            if text and len(text) <= LINE_CHARS_MAX:
                self._line(text)

    def _line(self, text: str) -> None:
        follows, self._message_follows = self._message_follows, False
        value = _VALUE.match(text)
        if text in {"OK", "ERROR"} or text.startswith(("+CME ERROR:", "+CMS ERROR:")):
            self.answers = replace(self.answers, final=text)
        elif value is not None:
            self._value(value[1], int(value[2]), value[3] or "")
        elif text.startswith("+CTSDSR:"):
            # A short data message: its content is the next line and could look like anything.
            self._message_follows = True
            self.unsolicited += 1
        elif text.startswith("+") or (follows and _DATA.fullmatch(text)):
            self.unsolicited += 1
        elif text not in ALLOWED:  # our own question, echoed
            self.rejected += 1

    def _value(self, name: str, number: int, rest: str) -> None:
        match name:
            case "CREG" if number <= 5:
                self.answers = replace(self.answers, registered=number in REGISTERED)
            case "CSQ" if number <= 31:
                self.answers = replace(self.answers, rssi_dbm=-113 + 2 * number)
            case "CSQ" if number == SIGNAL_UNKNOWN:
                self.answers = replace(self.answers, rssi_dbm=None)
            case "CTOM" if number in MODES:
                self.answers = replace(self.answers, mode=MODES[number])
            case "CTGS" if rest:
                self.answers = replace(self.answers, talkgroup=rest)
            case _:
                self.rejected += 1
