"""The journal of a trip that is about to depart: where every world begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.core.world import World
from vehicle_agent.control.chain import Head
from vehicle_agent.control.journal import seal
from vehicle_agent.control.store import FILE_NAME, Store
from vehicle_agent.messages.events import unix_ms, uuid7


class Prepared(World):
    """A trip up to its departure, with identifiers as control makes them."""

    def now(self) -> Any:
        moment = super().now()

        def new_id() -> str:
            return uuid7(unix_ms(self.utc), next(self.numbers).to_bytes(10, "big"))

        return type(moment)(moment.mono_s, moment.utc, moment.source, moment.uncertainty_s, moment.boot_id, new_id)


def prepare(directory: Path) -> World:
    """A state directory whose journal tells of a trip that is secured; the world that it was."""
    world = Prepared()
    world.to_secured()
    store(directory, world)
    return world


def store(directory: Path, world: World) -> None:
    """Write the journal of what happened in this world."""
    file, rows, head = Store(directory / FILE_NAME), [], Head()
    for envelope in world.envelopes:
        row = seal(envelope, head)
        head = Head(row["seq"], row["hash"])
        rows.append(row)
    file.write(rows, [])
    file.close()
