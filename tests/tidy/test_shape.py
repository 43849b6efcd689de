"""How the code is laid out: short modules and functions, a first line that says what a file is, nothing left lying."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.source_tree import PRODUCTION, ROOT, Module, files, modules, under

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# Put together, so that this file does not hold them itself.
PLACES = ["/" + name + "/" for name in ("work", "root", "home/[a-z]+", "farm", "opt/pypi", "opt/wheels")]
INDEXES = [
    r"py" + r"pi\.org",
    "python" + "hosted",
    r"registry\.npm" + "js",
    r"deb\.deb" + r"ian\.org",
    "piwheels" + r"\.org",
]
LEFTOVERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
TEXT = {
    ".py",
    ".toml",
    ".md",
    ".sh",
    ".service",
    ".js",
    ".html",
    ".css",
    ".json",
    ".yaml",
    ".conf",
    ".lock",
    ".scn",
    "",
}


def _texts() -> list[tuple[Path, str]]:
    return [(path, path.read_text(encoding="utf-8", errors="replace")) for path in files() if path.suffix in TEXT]


@pytest.mark.parametrize("module", list(modules().values()), ids=lambda module: module.name)
def test_a_module_fits_one_head(module: Module) -> None:
    lines = module.path.read_text(encoding="utf-8").count("\n")
    assert lines <= MODULE_LINES_MAX, f"{module.place} has {lines} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{module.place}:{node.lineno} {node.name} has {length} lines"


def test_each_module_says_what_it_is() -> None:
    for module in under(*PRODUCTION, "simulators", "tests"):
        if module.tree.body:
            text = ast.get_docstring(module.tree) or ""
            first = text.split("\n", 1)[0]
            assert len(first) > 20, f"{module.place}: its first line says nothing"


def test_no_file_names_a_package_index_or_a_place_of_one_machine() -> None:
    forbidden = re.compile("|".join([*INDEXES, *PLACES]))
    for path, text in _texts():
        found = forbidden.search(text)
        assert not found, f"{path.relative_to(ROOT)}: {found and found[0]}"


def test_no_file_holds_a_note_to_self() -> None:
    for path, text in _texts():
        if path.suffix in {".py", ".sh", ".js", ".toml"}:
            found = LEFTOVERS.search(text)
            assert not found, f"{path.relative_to(ROOT)}: {found and found[0]}"


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in files() if path.name.startswith("test_")]
    assert len(set(names)) == len(names), sorted({name for name in names if names.count(name) > 1})


def test_the_top_level_is_as_agreed() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in files()}
    allowed = {
        *("vehicle_agent", "hw", "config", "systemd", "tests", "simulators", "pyproject.toml", "README.md", "LICENSE"),
        *("requirements.lock", ".gitignore", ".gitattributes", ".ci", "docs"),
    }
    assert top <= allowed, top - allowed


def test_no_test_sleeps_for_luck() -> None:
    """A wait is for a condition with a deadline; a sleep inside a polling loop is the only one."""
    for module in under("tests"):
        loops = [node for node in ast.walk(module.tree) if isinstance(node, ast.While | ast.For)]
        polling = {call for loop in loops for call in _sleeps(loop)}
        outside = [call.lineno for call in _sleeps(module.tree) if call not in polling]
        assert not outside, f"{module.place}: sleeps in lines {outside}"


def _sleeps(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}:
            yield node
