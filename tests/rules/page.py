"""The page: every rule and every hazard with its tests and their last result, for a lawyer as for an engineer.

`tests/check --page` takes over what the last runs here recorded and writes the page.
A test compares the page with what this module would write, so it cannot grow old unnoticed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from tests.rules import results, trace
from tests.rules.ledger import LANGUAGES, STATUSES, Clause, Hazard, Ledger, read_ledger
from tests.rules.order_text import Seal, read_seal
from vehicle_agent import texts

PAGE = Path(__file__).with_name("PROOF.md")
HEAD = Path(__file__).with_name("head.md")
STATUS_WORDS = {
    "done": "**орындалады (?) · исполнено · done**",
    "exempt": "қолданылмайды (?) · не относится · exempt",
    "open": "**ашық (?) · не сделано · open**",
}
LONG = 6  # tests: longer lists begin with their sum
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def render(ledger: Ledger, runs: Mapping[str, results.Run], seal: Seal) -> str:
    """The whole page; a function of what is tracked, of nothing else."""
    last = _last_results(runs.values())
    lines = [*_head(ledger, runs, seal), *_rules(ledger, last), *_hazards(ledger.hazards, last)]
    return "\n".join(lines) + "\n"


def _last_results(runs: Iterable[results.Run]) -> dict[str, Counter[str]]:
    last: dict[str, Counter[str]] = {}
    for run in runs:
        for test, outcomes in run.tests.items():
            last[test] = last.get(test, Counter()) + Counter(outcomes)
    return last


def _head(ledger: Ledger, runs: Mapping[str, results.Run], seal: Seal) -> Iterator[str]:
    numbers = Counter(clause.status for clause in ledger.clauses)
    whole = sum(not hazard.missing and bool(trace.tests_of(hazard.id)) for hazard in ledger.hazards)
    yield from (
        HEAD.read_text(encoding="utf-8")
        .format(
            **STATUS_WORDS,
            sha256=seal.sha256,
            clauses=len(ledger.clauses),
            statuses=", ".join(f"{numbers[status]} {status}" for status in STATUSES),
            hazards=len(ledger.hazards),
            whole=whole,
            gaps=len(ledger.hazards) - whole,
        )
        .splitlines()
    )
    yield "## Іске қосу (?) · Прогоны · Runs"
    yield ""
    yield "| command | date | Python | software | cases | time | counted |"
    yield "|---|---|---|---|---|---|---|"
    for run in runs.values():
        counted = "<br>".join(f"{name}: {number:,}" for name, number in sorted(run.counts.items())) or "–"
        cells = (
            f"`{run.command}`",
            run.date,
            run.python,
            f"`{run.software}`",
            _outcome(run.outcomes),
            f"{run.seconds} s",
        )
        yield f"| {' | '.join(cells)} | {counted} |"
    if not runs:
        yield "| none yet | – | – | – | – | – | – |"
    yield ""


def _hazards(hazards: Sequence[Hazard], last: Mapping[str, Counter[str]]) -> Iterator[str]:
    yield "## Қауіптер (?) · Опасности · Hazards"
    yield ""
    yield "A: someone endangered or escaped; B: a duty under the Rules not met; C: degraded."
    yield ""
    yield "| no. | | hazard | promise | tests and last result | not yet proven |"
    yield "|---|---|---|---|---|---|"
    for hazard in hazards:
        tests = trace.tests_of(hazard.id)
        missing = _both(hazard.missing) if tests or hazard.missing else "нет проверок · no test yet"
        yield (
            f"| {hazard.id} | {hazard.severity} | {_both(hazard.hazard)} | {_both(hazard.promise)} | "
            f"{_tests(tests, last)} | {missing or '–'} |"
        )


def _rules(ledger: Ledger, last: Mapping[str, Counter[str]]) -> Iterator[str]:
    yield "## Тармақтар · Пункты · Rules"
    for part, clauses in groupby(ledger.clauses, _part):
        yield ""
        yield f"### {_title(part)}"
        yield ""
        yield "| clause | the Order says | status | tests and last result |"
        yield "|---|---|---|---|"
        for clause in clauses:
            yield f"| {clause.id} | {_says(clause)} | {_status(clause, ledger)} | {_tests(clause.tests, last)} |"
    yield ""


def _part(clause: Clause) -> str:
    return "O" if clause.key.startswith("O") else clause.key.partition(".")[0]


def _title(part: str) -> str:
    number = part[1:]
    if part.startswith("A"):
        return f"{number}-қосымша · Приложение {number} · Appendix {number}"
    if part.startswith("O"):
        return "Бұйрықтың өзі (?) · Сам приказ · The Minister's order itself"
    return f"{number}-тармақ · Пункт {number} · Rule {number}"


def _says(clause: Clause) -> str:
    return _cell([f"«{clause.kk}»", f"ru: {clause.texts['ru']}", f"en: {clause.texts['en']}"])


def _status(clause: Clause, ledger: Ledger) -> str:
    lines = [STATUS_WORDS[clause.status]]
    if clause.reason is not None:
        lines += [ledger.reasons[clause.reason][language] for language in LANGUAGES]
    lines += [clause.comment[language] for language in LANGUAGES if language in clause.comment]
    for key in clause.words:
        lines.append("«" + " · ".join(_PLACEHOLDER.sub("…", words_of(language, key)) for language in LANGUAGES) + "»")
    if clause.code:
        lines.append(", ".join(f"`{place}`" for place in clause.code))
    return _cell(lines)


def words_of(language: str, key: str) -> str:
    """The words on the screen: a row's name and its sentence, or the text; the key itself when there is none."""
    group, _, code = key.partition(".")
    if group == "item":
        name = texts.load()[language]["item"].get(code, key)
        sentence = texts.load()[language]["sentence"].get(code)
        return name if sentence is None else f"{name} → {sentence}"
    return texts.load()[language].get(group, {}).get(code, key)


def _both(words: Mapping[str, str]) -> str:
    return _cell([words[language] for language in LANGUAGES if language in words])


def _tests(tests: Sequence[str], last: Mapping[str, Counter[str]]) -> str:
    lines = [f"`{test.removeprefix('tests/')}` {_outcome(last.get(test, Counter()))}" for test in tests]
    if len(tests) > LONG:
        whole = sum((last.get(test, Counter()) for test in tests), Counter())
        lines.insert(0, f"**{len(tests)} tests: {_outcome(whole)}**")
    return _cell(lines) or "–"


def _outcome(outcomes: Counter[str]) -> str:
    marks = (("failed", "✗"), ("passed", "✓"), ("skipped", "–"))
    told = [f"{outcomes[name]:,} {mark}" for name, mark in marks if outcomes[name]]
    return ", ".join(told) or "*not run yet*"


def _cell(lines: Iterable[str]) -> str:
    return "<br>".join(line.replace("|", "\\|") for line in lines)


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--software"]:
        print(results.software())
        return 0
    taken = results.keep_fresh()
    PAGE.write_text(render(read_ledger(), results.read_kept(), read_seal()), encoding="utf-8")
    print(f"{PAGE.name}: written; results of {', '.join(taken) or 'no new run'}")
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
