"""Which tests there are and which hazards each names: read from the sources, so that nothing has to run for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache

from tests.tidy.source_tree import ROOT, modules

_IN_NAME = re.compile(r"_H(\d{2})(?=_|$)")
_IN_TITLE = re.compile(r"H(\d{2})")


@cache
def all_tests() -> Mapping[str, frozenset[str]]:
    """Every test function and every scenario, with the hazards that its name or its first line gives."""
    found = dict(_functions())
    for path in sorted((ROOT / "simulators" / "scenarios").glob("*.scn")):
        title = path.read_text(encoding="utf-8").split("\n", 1)[0]
        found[str(path.relative_to(ROOT))] = frozenset(f"H{number}" for number in _IN_TITLE.findall(title))
    return found


def tests_of(hazard: str) -> list[str]:
    return sorted(test for test, hazards in all_tests().items() if hazard in hazards)


def _functions() -> Iterator[tuple[str, frozenset[str]]]:
    for module in modules().values():
        if not module.path.name.startswith("test_") or module.path.relative_to(ROOT).parts[0] != "tests":
            continue
        for node in module.tree.body:
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
            for function in inner:
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test"):
                    hazards = frozenset(f"H{number}" for number in _IN_NAME.findall(function.name))
                    yield f"{module.place}::{prefix}{function.name}", hazards
