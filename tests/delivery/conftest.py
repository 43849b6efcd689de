"""The journal of a trip that is about to depart, made once and copied into every world."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.world import World
from tests.delivery.prepared import prepare


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """Its state directory and the core's world at that moment."""
    template = tmp_path_factory.mktemp("prepared") / "state"
    template.mkdir()
    return template, prepare(template)
