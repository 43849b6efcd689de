"""The bench's TETRA radio on a pty: answers to PEI questions with unsolicited lines in between (Rules 3 and 15: the
radio station)."""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from pathlib import Path
from typing import Any

from simulators.bench.pty_port import PtyPort

MODES = ("registered", "searching", "silent", "garbage", "unplug")
RSSI_DBM_MIN, RSSI_DBM_MAX, RSSI_DBM = -113, -51, -84
TALKGROUP = "09011638300000001"
ANSWER_S = 0.02
COMMANDS_KEPT_MAX = 10_000
COMMAND_BYTES_MAX = 256
# One of these is slipped in before every fourth answer, as a busy network does.
UNSOLICITED = (
    "+CTICN: 1,0,0,5,09011638300023404,1,1,0,1,1,5,09011638300000001,0",
    "+CTXG: 1,3,0,0,3,09011638300023404",
    "+CTSDSR: 12,23404,0,23401,0,112\r\n82040801476A61746A616A676A61",
    "+CDTXC: 1,0",
    "+CTCR: 1,13",
)


class RadioDevice:
    """`commands` is everything that was ever asked, for the proof that no question changes the radio."""

    def __init__(self, link: Path) -> None:
        self._port = PtyPort(Path(link))
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._mode = "registered"
        self._rssi_dbm = RSSI_DBM
        self._half = b""
        self._asked = 0
        self._random = random.Random(354)
        self.commands: deque[str] = deque(maxlen=COMMANDS_KEPT_MAX)

    def start(self) -> None:
        """Makes the pty and the symlink and starts the device's thread."""
        self._stopping.clear()
        self._port.plug()
        self._thread = threading.Thread(target=self._run, name="radio-device", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Removes the symlink."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._port.unplug()

    def set(self, body: dict[str, Any] | str) -> dict[str, Any]:
        """The body of `PUT radio`, or a mode alone. ValueError says what is allowed; nothing has changed then."""
        wanted = {"mode": body} if isinstance(body, str) else dict(body)
        mode, rssi_dbm = wanted.get("mode"), wanted.get("rssi_dbm", self._rssi_dbm)
        if mode not in MODES:
            raise ValueError(f"mode {mode!r}: allowed are {', '.join(MODES)}")
        if unknown := set(wanted) - {"mode", "rssi_dbm"}:
            raise ValueError(f"{', '.join(sorted(unknown))}: allowed are mode, rssi_dbm")
        if isinstance(rssi_dbm, bool) or not isinstance(rssi_dbm, int) or not RSSI_DBM_MIN <= rssi_dbm <= RSSI_DBM_MAX:
            raise ValueError(f"rssi_dbm {rssi_dbm!r}: a whole number from {RSSI_DBM_MIN} to {RSSI_DBM_MAX}")
        with self._lock:
            self._mode, self._rssi_dbm = mode, rssi_dbm
            if mode == "unplug":
                self._port.unplug()
                self._half = b""
            elif self._thread is not None and not self._stopping.is_set():
                self._port.plug()
        return self.state()

    def state(self) -> dict[str, Any]:
        with self._lock:
            return {
                "mode": self._mode,
                "rssi_dbm": self._rssi_dbm,
                "asked": self._asked,
                "link": str(self._port.link) if self._port.is_plugged else None,
            }

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                data = self._port.read(0.0)
                *commands, half = re.split(rb"[\r\n]", self._half + data)
                self._half = half[-COMMAND_BYTES_MAX:]
                for command in commands:
                    if command:
                        self._answer(command.decode("ascii", errors="replace"))
            # A radio takes about this long; the lock is free meanwhile, so that nobody unplugs a port that is being
            # read.
            self._stopping.wait(ANSWER_S)

    def _answer(self, command: str) -> None:
        self.commands.append(command)
        self._asked += 1
        if self._mode == "silent":
            return
        if self._mode == "garbage":
            self._port.write(self._random.randbytes(60) + b"+CREG: 1,\xff\r\n+CSQ: 999\r\n+CME")
            return
        lines = [*self._value(command)]
        if self._asked % 4 == 0:
            lines.insert(0, UNSOLICITED[self._asked // 4 % len(UNSOLICITED)])
        self._port.write("".join(f"\r\n{line}\r\n" for line in lines).encode("ascii"))

    def _value(self, command: str) -> tuple[str, ...]:
        registered = self._mode == "registered"
        match command:
            case "AT":
                return ("OK",)
            case "AT+CREG?":
                return (f"+CREG: {1 if registered else 2},1638", "OK")
            case "AT+CSQ?":
                return (f"+CSQ: {(self._rssi_dbm + 113) // 2 if registered else 99},99", "OK")
            case "AT+CTOM?":
                return ("+CTOM: 0", "OK")
            case "AT+CTGS?":
                return (f"+CTGS: 1,{TALKGROUP}", "OK")
            case _:
                return ("+CME ERROR: 35",)
