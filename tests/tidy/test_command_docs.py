"""Every command is in the README, and every option is explained where it is used."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from tests.tidy.source_tree import ROOT
from vehicle_agent.cli import build_parser

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


@pytest.mark.parametrize(
    ("name", "parser"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_command_is_in_the_readme_and_explains_its_options(name: str, parser: argparse.ArgumentParser) -> None:
    assert f"vehicle-agent {name}" in README
    help_text = parser.format_help()
    assert "exit codes" in help_text
    for action in parser._actions:
        assert action.help or action.choices, f"{name}: {action.dest} has no help"
        for option in action.option_strings:
            assert option in help_text


@pytest.mark.parametrize(
    "words",
    [
        *("simulators/demo", "tests/check", "tests/check --quick", "tests/check --full", "dispatch-desk run"),
        *("vehicle-bench run", "systemd/install.sh", "fail-silent advisory interlock"),
    ],
)
def test_the_readme_names_what_a_newcomer_needs(words: str) -> None:
    assert words in README


def test_every_file_that_the_readme_links_to_exists() -> None:
    import re

    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
