"""What SQLite does not say of a write-ahead log: whether commits follow a frame that is damaged (hazard H19).

SQLite takes the log's frames up to the first whose checksum is wrong, and drops the rest in silence. After a power cut
that is right: each commit is flushed before the next begins, so behind a torn frame lies at most the one commit that
nobody was promised. Two whole commits behind a broken frame were promised: something has changed what was on the disk.

Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

_HEADER_BYTES, _FRAME_BYTES = 32, 24
_MAGIC = 0x377F0682  # its last bit says in which byte order checksums were computed
_PAGE_BYTES_MIN, _PAGE_BYTES_MAX = 512, 65536
_WORD = 0xFFFFFFFF
COMMITS_OF_A_POWER_CUT = 1


def damage(path: Path) -> str | None:
    """Why the log at `path` cannot be trusted; None for a good one, or none at all. Raises OSError.

    The last two commits of a log are beyond it: damage there looks like a power cut.
    """
    try:
        log = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(log) < _HEADER_BYTES:
        return None
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = struct.unpack_from(">8I", log)
    order = ">" if magic & 1 else "<"
    is_page = page_bytes & (page_bytes - 1) == 0 and _PAGE_BYTES_MIN <= page_bytes <= _PAGE_BYTES_MAX
    if magic & ~1 != _MAGIC or not is_page or _checksum(log[:24], order, (0, 0)) != (sum_1, sum_2):
        return _damage_of_header(log)
    salts = (salt_1, salt_2)
    running, broken_at, behind = (sum_1, sum_2), None, 0
    for number, start in enumerate(
        range(_HEADER_BYTES, len(log) - _FRAME_BYTES - page_bytes + 1, _FRAME_BYTES + page_bytes)
    ):
        _, size_after, frame_1, frame_2, *found = struct.unpack_from(">6I", log, start)
        if (frame_1, frame_2) != salts:
            if broken_at is None:
                broken_at = number
            continue
        if broken_at is None:
            running = _checksum(log[start : start + 8], order, running)
            running = _checksum(log[start + _FRAME_BYTES : start + _FRAME_BYTES + page_bytes], order, running)
            if running != (found[0], found[1]):
                broken_at = number
        elif size_after:
            behind += 1
    if broken_at is None or behind <= COMMITS_OF_A_POWER_CUT:
        return None
    return f"the write-ahead log is damaged at frame {broken_at + 1}: {behind} later commits cannot be read"


def _damage_of_header(log: bytes) -> str | None:
    """A header is written and flushed before the first frame; frames that agree among themselves had a good one."""
    for page_bytes in (4096,):  # SQLite's own, and ours
        span = _FRAME_BYTES + page_bytes
        frames = [struct.unpack_from(">4I", log, start) for start in range(_HEADER_BYTES, len(log) - span + 1, span)]
        # The first frame may be as damaged as the header is: most commits tell whose log it was.
        counted = Counter(frame[2:] for frame in frames if frame[1] and frame[2:] != (0, 0))
        commits = max(counted.values(), default=0)
        if commits > COMMITS_OF_A_POWER_CUT:
            return f"the write-ahead log's header is damaged: {commits} commits cannot be read"
    return None


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    first, second = start
    for even, odd in struct.iter_unpack(f"{order}2I", data):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second
