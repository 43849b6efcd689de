"""The Order's Kazakh text, cut into its paragraphs, and the seal that keeps quotations true where the text is absent.

The official text is not part of this repository. Where it lies beside the checkout, in `shared/rules`, every quotation
of the ledger is compared with it, and `python -m tests.rules.order_text` writes what was compared into `order.toml`.
Everywhere else a quotation must still be the one that was compared then.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEAL = Path(__file__).with_name("order.toml")
NAME = Path("shared") / "rules" / "order-354.kk.txt"
GAP = " … "  # a quotation may leave words out; its pieces stand in this order

_NUMBER = re.compile(r"(\d+)\. ")
_SUB = re.compile(r"(\d+)\) ")
# Each part of the text begins with the line that is, or begins with, these words.
_PARTS = (
    ("O", "Қазақстан Республикасы Қорғаныс министрінің 2023 жылғы"),
    ("R", "1-тарау."),
    ("A1", "Айдауыл бастығына бер"),
    ("A2", "Жол жүру журналы"),
    ("A3", "Орган мөртаңбасы"),
    ("A4", "Кiмге"),
)
# The table of Appendix 2: the cells that follow each of these lines, up to the first number, are the columns' headings.
_COLUMNS = (("(2-ші және одан", 1), ("(3-ші және одан", 9))


def find_text() -> Path | None:
    """The official text beside the checkout, or beside a folder that holds it."""
    return next((folder / NAME for folder in ROOT.parents if (folder / NAME).is_file()), None)


def plain(text: str) -> str:
    """One space for every run of spaces: the official copy indents with unbreakable ones."""
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Order:
    """`paragraphs`: `R15`, `R12.2`, `A2.13` and their words; what follows sub-items belongs to the paragraph."""

    sha256: str
    paragraphs: dict[str, str]

    def quotes(self, key: str, quotation: str) -> bool:
        """Whether the pieces of this quotation stand in the paragraph, letter by letter, in their order."""
        place = 0
        for piece in quotation.split(GAP):
            place = self.paragraphs[key].find(piece, place)
            if place < 0:
                return False
            place += len(piece)
        return True


def read_order(path: Path) -> Order:
    text = path.read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    part, number = "", ""
    waiting = list(_PARTS)
    for raw in text.splitlines():
        line = plain(raw)
        if waiting and line.startswith(waiting[0][1]):
            part, number = waiting.pop(0)[0], ""
        if part in ("O", "R", "A1") and (match := _NUMBER.match(line)):
            number = match[1]
        key = _key(part, number)
        # Paragraphs are indented with unbreakable spaces; headings and signatures are not.
        if not key or (part in ("O", "R") and not raw.strip(" ").startswith("\xa0")):
            continue
        if number and (match := _SUB.match(line)):
            key = f"{key}.{match[1]}"
        if line:
            found.setdefault(key, []).append(line)
    paragraphs = {key: " ".join(lines) for key, lines in found.items()}
    paragraphs |= dict(_columns(text))
    return Order(hashlib.sha256(text.encode()).hexdigest(), paragraphs)


def _key(part: str, number: str) -> str:
    if part in ("O", "R"):
        return f"{part}{number}" if number else ""
    return f"{part}.{number}" if number else part


def _columns(text: str) -> Iterator[tuple[str, str]]:
    lines = [plain(line) for line in text.splitlines()]
    for opening, first in _COLUMNS:
        start = next(n for n, line in enumerate(lines) if line.startswith(opening)) + 1
        end = next(n for n, line in enumerate(lines) if n > start and line == str(first))
        cells = [line for line in lines[start:end] if line]
        yield from ((f"A2.{first + n}", cell) for n, cell in enumerate(cells))


def digest(text: str) -> str:
    """Sixteen hexadecimal digits: enough to notice a changed word, short enough to read over."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Seal:
    """What was compared with the official text: the text itself, its paragraphs, every quotation."""

    sha256: str
    paragraphs: dict[str, str]
    quotations: dict[str, str]


def read_seal() -> Seal:
    data = tomllib.loads(SEAL.read_text(encoding="utf-8"))
    return Seal(data["sha256"], data["paragraphs"], data["quotations"])


def write_seal(order: Order, quotations: dict[str, str]) -> None:
    lines = [
        "# Written by `python -m tests.rules.order_text` beside the official text; see that module. Each digest is the",
        "# beginning of the SHA-256 of the words with single spaces; that of the text is the whole one of the file.",
        f'sha256 = "{order.sha256}"',
    ]
    for title, words in (("paragraphs", order.paragraphs), ("quotations", quotations)):
        lines += ["", f"[{title}]", *(f'"{key}" = "{digest(text)}"' for key, text in words.items())]
    SEAL.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    from tests.rules.ledger import read_ledger

    path = find_text()
    if path is None:
        print(f"there is no {NAME} beside this checkout: nothing to compare with", file=sys.stderr)
        return 1
    order, clauses = read_order(path), read_ledger().clauses
    wrong = [c.id for c in clauses if c.key not in order.paragraphs or not order.quotes(c.key, c.kk)]
    if wrong:
        print(f"not in the Order's words: {', '.join(wrong)}", file=sys.stderr)
        return 1
    write_seal(order, {clause.id: clause.kk for clause in clauses})
    print(f"{len(clauses)} quotations from {len(order.paragraphs)} paragraphs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
