"""The ledger is whole and true: every paragraph is there, quoted in its own words, and every test it names exists."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.rules import page, results, trace
from tests.rules.ledger import LANGUAGES, Clause, read_ledger
from tests.rules.order_text import GAP, digest, find_text, read_order, read_seal
from tests.tidy.source_tree import ROOT
from vehicle_agent import texts
from vehicle_agent.core import rules

LEDGER = read_ledger()
SHORT = 8  # letters: what is shorter than this between two stops is a number or an abbreviation


def test_every_paragraph_of_the_order_has_a_clause() -> None:
    """Those of the seal, which the test below compares with the text where it is at hand."""
    paragraphs = read_seal().paragraphs
    assert {f"R{number}" for number in range(1, 22)} <= paragraphs.keys()
    assert {f"A2.{number}" for number in range(1, 15)} <= paragraphs.keys()
    assert paragraphs.keys() == {clause.key for clause in LEDGER.clauses}


@pytest.mark.parametrize("clause", LEDGER.clauses, ids=lambda clause: clause.id)
def test_a_quotation_is_the_one_that_was_compared_with_the_order(clause: Clause) -> None:
    assert read_seal().quotations.get(clause.id) == digest(clause.kk), "compare: python -m tests.rules.order_text"


def test_the_order_beside_the_checkout_says_what_is_quoted() -> None:
    """Where the official text is absent the seal stands for it; a seal of another text fails here."""
    path, seal = find_text(), read_seal()
    if path is None:
        assert seal.quotations.keys() == {clause.id for clause in LEDGER.clauses}
        return
    order = read_order(path)
    assert order.sha256 == seal.sha256
    assert {key: digest(text) for key, text in order.paragraphs.items()} == seal.paragraphs
    assert [clause.id for clause in LEDGER.clauses if not order.quotes(clause.key, clause.kk)] == []
    pieces = [(clause.key, piece) for clause in LEDGER.clauses for piece in clause.kk.split(GAP)]
    for key, text in order.paragraphs.items():
        for sentence in re.split(r"(?<=[.:;]) ", text):
            is_prose = key.startswith(("R", "A1")) and len(sentence) > SHORT
            assert not is_prose or any(k == key and (p in sentence or sentence in p) for k, p in pieces), (
                key,
                sentence,
            )


def test_every_test_that_the_ledger_names_exists() -> None:
    known = trace.all_tests()
    named = {test for clause in LEDGER.clauses for test in clause.tests}
    assert named - known.keys() == set()


def test_code_and_words_that_the_ledger_names_exist() -> None:
    for clause in LEDGER.clauses:
        assert [place for place in clause.code if not (ROOT / place).is_file()] == [], clause.id
        for language in LANGUAGES:
            assert [key for key in clause.words if page.words_of(language, key) == key] == [], (clause.id, language)


def test_translations_are_in_their_own_language() -> None:
    cyrillic, kazakh = re.compile(r"[А-Яа-яЁё]"), re.compile(r"[ӘәҒғҚқҢңӨөҰұҮүҺһ]")
    for clause in LEDGER.clauses:
        assert not cyrillic.search(clause.texts["en"] + clause.comment.get("en", "")), clause.id
        assert not kazakh.search(clause.texts["ru"] + clause.comment.get("ru", "")), clause.id
        assert clause.comment.keys() in (set(), {"ru", "en"}, {"kk", "ru", "en"}), clause.id
    for words in LEDGER.reasons.values():
        assert words.keys() == set(LANGUAGES)
        assert words["kk"].endswith("(?)"), "our own Kazakh waits for a native reader"


def test_whatever_the_vehicle_demands_stands_in_the_ledger_under_its_rule() -> None:
    """The other way round: each row of the checklist, each document and condition belongs to a clause that is done."""
    used: dict[str, set[str]] = {}
    for clause in LEDGER.clauses:
        for key in clause.words:
            used.setdefault(key, set()).add(clause.key)
    for row in rules.checklist(["cell_lock_N"], women_on_board=True):
        paragraphs = used.get(f"item.{row.item}", set())
        # What the Order itself asks for stands under the rule that the display shows; the order's date is Appendix 4's.
        shown = {"App. 1": "R12.2", "12.1": "A4"}.get(row.rule, f"R{row.rule}")
        our_own = row.stage == rules.BEFORE_CLOSE or row.item in ("body_door_closed", "counts_agree")
        assert shown in paragraphs or our_own, (row.item, row.rule, paragraphs)
    for part in rules.ACCEPTANCE_PARTS:
        assert any(key.startswith("R14.") for key in used[f"part.{part}"]), part
    for part in {p for kind in ("within_settlement", "outside_settlement", "medical") for p in _documents(kind)}:
        assert any(key.startswith("A1.") for key in used[f"part.{part}"]), part


def _documents(kind: str) -> tuple[str, ...]:
    return rules.documents(kind, takeover=True, to_court=False)


def test_every_hazard_is_listed_once_and_has_tests_or_says_what_is_missing() -> None:
    assert [hazard.id for hazard in LEDGER.hazards] == [f"H{number:02}" for number in range(1, 42)]
    assert [hazard.id for hazard in LEDGER.hazards if not trace.tests_of(hazard.id) and not hazard.missing] == []


def test_no_test_names_a_hazard_that_is_not_listed() -> None:
    listed = {hazard.id for hazard in LEDGER.hazards}
    assert {test: hazards - listed for test, hazards in trace.all_tests().items() if hazards - listed} == {}


def test_the_page_is_what_the_ledger_the_tests_and_the_kept_results_give() -> None:
    expected = page.render(LEDGER, results.read_kept(), read_seal())
    assert page.PAGE.read_text(encoding="utf-8") == expected, "out of date: tests/check --page"


def test_every_kept_result_is_of_a_test_that_exists() -> None:
    known = trace.all_tests().keys()
    assert {test for run in results.read_kept().values() for test in run.tests} - known == set()


@pytest.mark.parametrize(
    ("nodeid", "entry"),
    [
        ("tests/core/test_gate.py::test_x", "tests/core/test_gate.py::test_x"),
        ("tests/core/test_gate.py::test_x[a-[b]]", "tests/core/test_gate.py::test_x"),
        ("tests/a/test_b.py::TestC::test_d[1]", "tests/a/test_b.py::TestC::test_d"),
        (
            "tests/scenarios/test_scenario_files.py::test_every_line_comes_true[loop_faults_H01_H02_scn]",
            "simulators/scenarios/loop_faults.scn",
        ),
    ],
    ids=["function", "case", "class", "scenario"],  # a hazard's number in a case's name would count as its test
)
def test_cases_are_counted_under_their_function_or_scenario(nodeid: str, entry: str) -> None:
    assert results.test_of(nodeid) == entry


def test_a_failure_is_seen_on_the_page() -> None:
    recorder = results.Recorder()
    clause = next(clause for clause in LEDGER.clauses if clause.status == "done")
    for outcome in ("passed", "passed", "failed"):
        recorder.add(f"{clause.tests[0]}[case]", outcome)
    run = results.Run("tests/check", "2026-11-25", "3.11", "0" * 12, 1, Counter(states=7_000), recorder.tests)
    text = page.render(LEDGER, {results.ALL: run}, read_seal())
    assert f"`{clause.tests[0].removeprefix('tests/')}` 1 ✗, 2 ✓" in text
    assert "states: 7,000" in text
    assert texts.LANGUAGES == LANGUAGES
