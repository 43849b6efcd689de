"""A deliberate sabotage of the product, tried in a copy of the tree: the checkout itself is never touched."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("vehicle_agent", "hw", "simulators", "config", "tests", "systemd", "pyproject.toml")
RUN_LIMIT_S = 180.0  # a sabotage that hangs its tests has not been noticed by an assertion
_UNCOPIED = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")


@dataclass(frozen=True, slots=True)
class Sabotage:
    """`before` stands exactly once in `file` and is replaced by `after`; `tests` are the node ids that must notice."""

    name: str
    hazard: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text with the sabotage in it. AssertionError when the anchor is gone or no longer unique."""
        found = text.count(self.before)
        assert found == 1, (
            f"{self.name}: its anchor stands {found} times in {self.file}; adapt the sabotage:\n{self.before}"
        )
        assert self.before != self.after, self.name
        return text.replace(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What pytest said: its exit code, the tests that failed, and its whole output for whoever wonders why."""

    code: int
    failed: tuple[str, ...]
    output: str

    @property
    def is_noticed(self) -> bool:
        """A test failed. An error of collection, of a fixture or of usage is no verdict on the product."""
        return self.code == 1 and bool(self.failed)


class Copy:
    """A copy of the tree in a directory of its own, whose code and tests run there."""

    def __init__(self, place: Path) -> None:
        self.place = place / "tree"
        self.place.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.place / name, ignore=_UNCOPIED)
            else:
                shutil.copy2(source, self.place / name)
        # Compiled once, and no run writes bytecode: a file that is sabotaged has another time than its bytecode says.
        compileall.compile_dir(self.place, quiet=2, maxlevels=20)

    def run(self, *arguments: str) -> Verdict:
        """pytest in the copy, stopping at the first failure."""
        options = ("-p", "no:cacheprovider", "-x", "-q", "--no-header", "--assert=plain")
        command = [sys.executable, "-m", "pytest", *options, *arguments]
        done = subprocess.run(
            command, cwd=self.place, env=self._env(), capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False
        )
        failed = tuple(re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE))
        return Verdict(done.returncode, failed, done.stdout + done.stderr)

    def imported_from(self, *modules: str) -> tuple[Path, ...]:
        """Where the copy's Python finds these modules: an installed checkout must not come first."""
        code = "import importlib, sys; [print(importlib.import_module(name).__file__) for name in sys.argv[1:]]"
        done = subprocess.run(
            [sys.executable, "-c", code, *modules],
            cwd=self.place,
            env=self._env(),
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=True,
        )
        return tuple(Path(line) for line in done.stdout.splitlines())

    @contextmanager
    def sabotaged(self, sabotage: Sabotage) -> Iterator[None]:
        """The copy with one sabotage in it, and whole again afterwards."""
        file = self.place / sabotage.file
        text = file.read_text(encoding="utf-8")
        file.write_text(sabotage.applied(text), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(text, encoding="utf-8")

    def _env(self) -> dict[str, str]:
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COVERAGE_", "COV_"))
        }
        ours = {"PYTHONPATH": str(self.place), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return env | ours
