"""The repository as data: its tracked files, its modules and what they import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = ("vehicle_agent", "hw")
OURS = (*PRODUCTION, "simulators", "tests")


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file; `imports` holds dotted names, those for type checkers alone left out."""

    name: str
    path: Path
    tree: ast.Module
    imports: frozenset[str]

    @property
    def place(self) -> str:
        return str(self.path.relative_to(ROOT))


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, tracked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def modules() -> dict[str, Module]:
    """Every Python module of ours by its dotted name."""
    found = {}
    for path in files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if path.suffix == ".py" and parts[0] in OURS:
            name = ".".join(parts).removesuffix(".__init__")
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[name] = Module(name, path, tree, frozenset(_imports(tree, name, path.name == "__init__.py")))
    return found


def under(*packages: str) -> Iterator[Module]:
    for name, module in modules().items():
        if any(name == package or name.startswith(f"{package}.") for package in packages):
            yield module


def is_standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def reached_from(*starts: str) -> set[str]:
    """Everything that these modules import, directly or through modules of ours, wherever the import stands."""
    seen: set[str] = set()
    waiting = [start for start in starts if start in modules()]
    assert waiting, starts
    while waiting:
        module = modules()[waiting.pop()]
        for name in module.imports - seen:
            seen.add(name)
            if name in modules():
                waiting.append(name)
    return seen


def _imports(tree: ast.Module, own: str, is_package: bool) -> Iterator[str]:
    for node in _run_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = own.split(".")[: None if is_package and node.level == 1 else is_package - node.level]
                base = ".".join([*parents, base]).strip(".")
            yield base
            # `from package import module` imports the module too.
            yield from (f"{base}.{alias.name}" for alias in node.names if (ROOT / base.replace(".", "/")).is_dir())


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that can run: `if TYPE_CHECKING:` is for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from _run_nodes(other)
            continue
        yield child
        yield from _run_nodes(child)
