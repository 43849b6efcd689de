"""NMEA framing: finds whole sentences in any bytes a serial wire may carry (hazard H21).

A sentence is `$`, printable characters without a second `$`, `*` and two hexadecimal digits. Anything else between two
sentences, binary protocols included, is skipped. Memory is bounded by one sentence and one read.
"""

from __future__ import annotations

import re

# The standard allows 82 characters; real multi-signal receivers and proprietary sentences exceed it, never by much. A
# longer run is two merged sentences or noise.
SENTENCE_CHARS_MAX = 256
# At 4800 baud the longest sentence takes 0.54 s: half a sentence older than this will not be finished any more.
HALF_SENTENCE_S_MAX = 2.0

# Between `$` and `*`: printable characters but those two.
_SENTENCE = re.compile(rb"\$[ -#%-)+-~]{5,252}\*[0-9A-Fa-f]{2}")


class Framer:
    """Bytes in, sentences out."""

    def __init__(self) -> None:
        self._half = b""
        self._half_at_s = 0.0
        self._skipped = 0

    def feed(self, data: bytes, at_s: float) -> list[str]:
        """`at_s` is monotonic; the sentences come without line ends, checksum not yet verified."""
        if self._half and at_s - self._half_at_s > HALF_SENTENCE_S_MAX:
            self._drop_half()
        text = self._half + data
        sentences: list[str] = []
        end = taken = 0
        for found in _SENTENCE.finditer(text):
            sentences.append(found.group().decode("ascii"))
            end = found.end()
            taken += end - found.start()
        start = text.rfind(b"$", end)
        half = text[start:] if start >= 0 else b""
        if len(half) >= SENTENCE_CHARS_MAX or b"\r" in half or b"\n" in half:
            half = b""  # over-long, or a line that ended without a checksum
        if half and (sentences or not self._half):
            self._half_at_s = at_s
        self._skipped += len(text) - taken - len(half)
        self._half = half
        return sentences

    def take_skipped(self) -> int:
        """Bytes that belonged to no sentence, since the last call."""
        skipped, self._skipped = self._skipped, 0
        return skipped

    def _drop_half(self) -> None:
        self._skipped += len(self._half)
        self._half = b""
