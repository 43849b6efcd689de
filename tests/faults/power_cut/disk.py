"""A disk that may lose its power: what is surely there, and what was written since and not flushed.

As pessimistic as POSIX lets a file system be, and a little kinder than nothing at all:
- a write that was not followed by a flush of its file is kept, dropped, or kept in part, sector by sector, whatever
  became of the writes before and after it;
- a flush makes a file's bytes and its length sure, not its name; names (made, renamed, removed) are sure when their
  directory was flushed. Until then each change of a name is kept or dropped, but those of one directory in their order,
  as a journalling file system does it (ext4, data=ordered);
- a sector of 512 bytes is old or new, never a mixture.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.faults.power_cut.trace import Call

SECTOR_BYTES = 512


@dataclass(slots=True)
class _File:
    sure: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes] | int] = field(default_factory=list)  # a write, or a new length

    def now(self) -> bytes:
        return self._with(self.pending)

    def flush(self) -> None:
        self.sure = bytearray(self._with(self.pending))
        self.pending = []

    def after(self, choose: random.Random, keep: float, tear: float) -> bytes:
        """One of the contents that a power cut may leave."""
        kept: list[tuple[int, bytes] | int] = []
        for one in self.pending:
            if choose.random() >= keep:
                continue
            if isinstance(one, int) or choose.random() >= tear:
                kept.append(one)
                continue
            offset, data = one
            kept += [
                (offset + start, data[start : start + SECTOR_BYTES])
                for start in range(0, len(data), SECTOR_BYTES)
                if choose.random() < 0.5
            ]
        return self._with(kept)

    def _with(self, changes: list[tuple[int, bytes] | int]) -> bytes:
        content = bytearray(self.sure)
        for one in changes:
            if isinstance(one, int):
                del content[one:]
                content.extend(bytes(one - len(content)))
            else:
                offset, data = one
                content.extend(bytes(max(0, offset - len(content))))
                content[offset : offset + len(data)] = data
        return bytes(content)


@dataclass(frozen=True, slots=True)
class _Rename:
    """A name now stands for this file, or for none."""

    name: str
    file: _File | None


class Disk:
    """One directory; the state grows with each call."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._names: dict[str, _File] = {}  # as the process sees them
        self._sure_names: dict[str, _File] = {}
        self._pending_names: list[tuple[_Rename, ...]] = []  # each a change that is done as a whole

    def do(self, call: Call) -> None:
        """One call of the process."""
        name = self._name(call.path)
        match call.name:
            case "open":
                if name and call.creates and name not in self._names:
                    self._set(_Rename(name, _File()))
            case "write" if name in self._names:
                self._names[name].pending.append((call.offset, call.data))
            case "ftruncate" if name in self._names:
                self._names[name].pending.append(call.size)
            case "fallocate" if name in self._names:
                self._names[name].pending.append(max(call.size, len(self._names[name].now())))
            case "flush" if not name:
                self._sure_names = dict(self._names)
                self._pending_names = []
            case "flush" if name in self._names:
                self._names[name].flush()
            case "rename" if name in self._names:
                self._set(_Rename(self._name(call.target), self._names[name]), _Rename(name, None))
            case "unlink" if name in self._names:
                self._set(_Rename(name, None))

    def as_it_is(self) -> dict[str, bytes]:
        """What a kill leaves: the kernel has everything."""
        return {name: file.now() for name, file in self._names.items()}

    def after_power_cut(self, choose: random.Random, keep: float, tear: float) -> dict[str, bytes]:
        """One of the states that a power cut may leave; `keep` and `tear` are the shares of what was not flushed."""
        names = dict(self._sure_names)
        kept = (
            choose.randint(0, len(self._pending_names)) if 0.0 < keep < 1.0 else round(len(self._pending_names) * keep)
        )
        for change in self._pending_names[:kept]:
            _apply(names, change)
        contents: dict[int, bytes] = {}
        return {
            name: contents.setdefault(id(file), file.after(choose, keep, tear)) for name, file in sorted(names.items())
        }

    @property
    def is_settled(self) -> bool:
        """Whether a power cut could take nothing."""
        return not self._pending_names and not any(file.pending for file in self._names.values())

    def _set(self, *change: _Rename) -> None:
        self._pending_names.append(change)
        _apply(self._names, change)

    def _name(self, path: str) -> str:
        """Relative to the directory; empty for the directory itself."""
        return "" if path.rstrip("/") == self._root else str(PurePosixPath(path).relative_to(self._root))


def _apply(names: dict[str, _File], change: tuple[_Rename, ...]) -> None:
    for one in change:
        if one.file is None:
            names.pop(one.name, None)
        else:
            names[one.name] = one.file
