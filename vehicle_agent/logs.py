"""Logging of every process: one line on standard error, with the priority prefix that journald reads."""

from __future__ import annotations

import logging
import sys

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)  # syslog's numbers; anything lower is debug, 7


class _Formatter(logging.Formatter):
    """`<4>uplink: what happened`. One record is one line: journald would read a second line as another record."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        text = super().format(record).replace("\n", " | ")
        return f"<{priority}>{record.name}: {text}"


def setup(name: str) -> None:
    """Send the whole process's log to standard error; `name` is the process, and names the root logger's lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.name = name
