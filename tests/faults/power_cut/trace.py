"""A process's system calls on its files, as strace saw them, in the order in which they were done.

strace writes each call with its bytes in hexadecimal; a call that another thread's line cuts in two is put together.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CALLS = "openat,close,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat"
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_UNFINISHED = re.compile(r"(?P<head>.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<tail>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)(?: .*)?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One call that succeeded. `path` is of its file, absolute; `data` what it wrote."""

    name: str
    path: str
    data: bytes = b""
    offset: int = 0
    size: int = 0
    target: str = ""  # of a rename
    creates: bool = False


def record(command: Sequence[str], log: Path, told: bytes = b"") -> str:
    """Run a Python module under strace until it ends; its standard output. Raises CalledProcessError."""
    strace = ["strace", "-f", "-xx", "-s", "2000000", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log)]
    done = subprocess.run(
        [*strace, sys.executable, "-m", *command], input=told, stdout=subprocess.PIPE, check=True, timeout=120
    )
    return done.stdout.decode()


def calls(log: Path, root: Path) -> Iterator[Call]:
    """What was done to files below `root`, and what was written to standard output (path "stdout")."""
    files: dict[int, str] = {1: "stdout"}
    offsets: dict[int, int] = {}
    for text in _whole(log):
        found = _CALL.fullmatch(text)
        if found is None or (result := int(found["result"])) < 0:
            continue
        name, arguments = found["name"], found["arguments"]
        texts = [bytes.fromhex(one.replace("\\x", "")) for one in _TEXT.findall(arguments)]
        numbers = [int(one) for one in re.findall(r"(?<![\w\\])-?\d+(?![\w])", _TEXT.sub("", arguments))]
        match name:
            case "openat":
                path = texts[0].decode()
                files.pop(result, None)
                if path.startswith(str(root)):
                    files[result], offsets[result] = path, 0
                    if "O_TRUNC" in arguments:
                        yield Call("ftruncate", path, size=0)
                    yield Call("open", path, creates="O_CREAT" in arguments)
            case "close":
                files.pop(numbers[0], None)
            case "write" if numbers[0] in files:
                number = numbers[0]
                yield Call("write", files[number], texts[0], offsets.get(number, 0))
                offsets[number] = offsets.get(number, 0) + len(texts[0])
            case "pwrite64" if numbers[0] in files:
                yield Call("write", files[numbers[0]], texts[0], numbers[-1])
            case "fsync" | "fdatasync" if numbers[0] in files:
                yield Call("flush", files[numbers[0]])
            case "ftruncate" if numbers[0] in files:
                yield Call("ftruncate", files[numbers[0]], size=numbers[1])
            case "fallocate" if numbers[0] in files:
                yield Call("fallocate", files[numbers[0]], size=numbers[-2] + numbers[-1])
            case "rename" | "renameat" | "renameat2" if texts[0].decode().startswith(str(root)):
                yield Call("rename", texts[0].decode(), target=texts[1].decode())
            case "unlink" | "unlinkat" if texts[0].decode().startswith(str(root)):
                yield Call("unlink", texts[0].decode())


def _whole(log: Path) -> Iterator[str]:
    """Each call on one line, at the moment at which it was over."""
    begun: dict[str, str] = {}
    with log.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            found = _LINE.fullmatch(line.rstrip("\n"))
            if found is None:
                continue
            pid, rest = found["pid"], found["rest"]
            if unfinished := _UNFINISHED.fullmatch(rest):
                begun[pid] = unfinished["head"]
            elif resumed := _RESUMED.fullmatch(rest):
                yield begun.pop(pid, "") + resumed["tail"]
            else:
                yield rest
