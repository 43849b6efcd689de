"""Swapped wires are refused by name or are new wiring that has to be commissioned (H34); no lock by hand (H35)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.contract.config_files import REFERENCE, Tree, changed, tree, write
from vehicle_agent.config import ConfigError, load_config, wiring_sha256


def _places(files: Tree) -> list[tuple[str, dict[str, Any], str]]:
    """Every wire with one terminal: its name, and where its terminal is written."""
    wiring = files["vehicle"]["wiring"]
    found = [(f"cell_{cell['number']}", cell, "loop") for cell in wiring["cells"]]
    found.append(("body_door", wiring, "body_door"))
    found += [(name, wiring[kind], name) for kind in ("inputs", "outputs") for name in wiring[kind]]
    return found


@pytest.mark.slow
def test_H34_two_wires_that_were_swapped_are_refused_or_have_to_be_commissioned_again(
    tmp_path: Path, tell: Callable[[str, int], None]
) -> None:
    """Every pair of wires. What is accepted has another wiring's digest, so `not_commissioned` refuses boarding."""
    commissioned = wiring_sha256(load_config(REFERENCE))
    number = len(_places(tree()))
    accepted = 0
    for one, two in combinations(range(number), 2):
        files = tree()
        (name, table, key), (other, its_table, its_key) = _places(files)[one], _places(files)[two]
        table[key], its_table[its_key] = its_table[its_key], table[key]
        try:
            config = load_config(write(tmp_path, files))
        except ConfigError as error:
            assert any(word in str(error) for word in (name, other, "wiring.")), (name, other)
            continue
        accepted += 1
        assert wiring_sha256(config) != commissioned, (name, other)
    tell("swapped pairs of wires", number * (number - 1) // 2)
    assert 0 < accepted < number * (number - 1) // 2


def test_H34_a_turned_polarity_is_refused_or_has_to_be_commissioned_again(tmp_path: Path) -> None:
    commissioned = wiring_sha256(load_config(REFERENCE))
    refused = 0
    for name, table, key in _places(tree()):
        files = tree()
        _, place, _ = next(entry for entry in _places(files) if entry[0] == name)
        place[key] = f"!{table[key]}" if "!" not in table[key] else table[key].replace("!", "")
        try:
            assert wiring_sha256(load_config(write(tmp_path, files))) != commissioned, name
        except ConfigError as error:
            refused += 1
            assert "wiring." in str(error), name
    assert refused > 0


@pytest.mark.parametrize("item", ["cell_lock_1", "body_door", "order_valid", "driver", "permit_output", "at_door"])
def test_H35_no_lock_and_no_report_may_be_named_for_confirmation_by_hand(tmp_path: Path, item: str) -> None:
    with pytest.raises(ConfigError, match="a lock and the driver's report are never confirmed by hand"):
        load_config(write(tmp_path, changed("vehicle.limits.manual_fallback", ["ventilation", item])))
