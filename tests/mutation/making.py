"""Mutants of the core: mutmut makes them, one change each, as the source of the one function that is different.

mutmut's own runner leaves out properties, whatever runs at import, and constants of modules, and needs an hour for a
core of this size. So only its operators are used here; `hunting` runs the mutants.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import libcst
from mutmut.mutation.file_mutation import create_mutations

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "vehicle_agent" / "core"
# mutmut leaves decorated functions alone. Of those only properties are in the core, and these are worth a look.
_PROPERTY = re.compile(r"^( +)@property$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`function` is its name within the module (`Class.method`), `source` the whole mutated function.

    For a constant of a module `function` is its name and `source` the mutated statement.
    """

    module: str
    function: str
    line: int  # of the change, in the file
    before: str
    after: str
    source: str
    place: int = 1  # among equal changes in one function, from above

    @property
    def is_constant(self) -> bool:
        return not self.source.lstrip().startswith(("def ", "@"))

    @property
    def key(self) -> str:
        """What it is known by in the list of survivors: where and what, with no line number that moves."""
        said = f"{self.module}.{self.function}: {self.before} -> {self.after}"
        return said if self.place == 1 else f"{said} (place {self.place})"


def modules() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in CORE.glob("*.py") if path.stem != "__init__"))


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of one module of the core; functions first, each in the order of the file."""
    path = CORE / f"{module}.py"
    code = path.read_text(encoding="utf-8")
    found: list[Mutant] = []
    sources: dict[str, list[str]] = {}  # of the same change in other places; one that mutmut makes twice counts once
    for mutant in (*_of_functions(module, path, code), *_of_constants(module, code)):
        others = sources.setdefault(mutant.key, [])
        if mutant.source not in others:
            others.append(mutant.source)
            found.append(replace(mutant, place=len(others)))
    return found


def _of_functions(module: str, path: Path, code: str) -> Iterator[Mutant]:
    plain = _PROPERTY.sub(r"\1", code)
    tree, mutations, _, _ = create_mutations(str(path), plain)
    names, first_lines = _names(tree), _first_lines(plain)
    texts: dict[libcst.CSTNode, str] = {}
    for mutation in mutations:
        function = mutation.contained_by_top_level_function
        if not isinstance(function, libcst.FunctionDef):
            continue
        if function not in texts:
            texts[function] = _text(function)
        changed = function.deep_replace(mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, libcst.FunctionDef)
        source = _text(changed)
        if source.lower() != texts[function].lower():  # another case of a text is the same mistake as another text
            yield _mutant(module, names[function], first_lines[names[function]], texts[function], source)


def _text(function: libcst.FunctionDef) -> str:
    return libcst.Module([function.with_changes(leading_lines=[])]).code.strip("\n")


def _names(tree: libcst.Module) -> dict[libcst.CSTNode, str]:
    found: dict[libcst.CSTNode, str] = {}
    for node in tree.body:
        if isinstance(node, libcst.FunctionDef):
            found[node] = node.name.value
        elif isinstance(node, libcst.ClassDef):
            methods = (part for part in node.body.body if isinstance(part, libcst.FunctionDef))
            found |= {method: f"{node.name.value}.{method.name.value}" for method in methods}
    return found


def _first_lines(code: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node.lineno
        elif isinstance(node, ast.ClassDef):
            methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
            found |= {f"{node.name}.{method.name}": method.lineno for method in methods}
    return found


def _mutant(module: str, name: str, first_line: int, before: str, after: str) -> Mutant:
    """The one change, as the lines that it takes out and puts in."""
    old, new = before.split("\n"), after.split("\n")
    blocks = [op for op in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    begin, end = blocks[0][1], blocks[-1][2]
    new_begin, new_end = blocks[0][3], blocks[-1][4]
    was, is_now = (_joined(part) for part in (old[begin:end], new[new_begin:new_end]))
    return Mutant(module, name, first_line + begin, was, is_now, after)


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _of_constants(module: str, code: str) -> Iterator[Mutant]:
    """Each number and each text in a constant of the module, changed once."""
    lines = code.split("\n")
    for node in ast.parse(code).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if len(targets) != 1 or not isinstance(targets[0], ast.Name) or getattr(node, "value", None) is None:
            continue
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        assert node.value is not None
        for part in ast.walk(node.value):
            if isinstance(part, ast.Constant) and isinstance(part.value, str | int | float):
                was = part.value
                part.value = _changed(was)
                source = f"{targets[0].id} = {ast.unparse(node.value)}"
                part.value = was
                text = lines[part.lineno - 1].strip().rstrip(",")
                yield Mutant(module, targets[0].id, part.lineno, text, f"{_changed(was)!r} for {was!r}", source)


def _changed(value: str | int | float) -> str | int | float | bool:
    if isinstance(value, bool):
        return not value
    return f"XX{value}XX" if isinstance(value, str) else value + 1
