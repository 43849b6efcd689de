"""The care watch: cell temperature, calls from the cells, and a timer that asks for a look at the people (hazard H36).

Optional equipment, on where it is configured. The Order asks for none of it; a prisoner who died of heat in such a
vehicle in 2008 does: the cooling had failed, nobody had to look, and he could not call.
"""

from __future__ import annotations

from .inputs import Now
from .settings import Settings
from .state import Live, Trip

Cause = tuple[str, str | None]

_BEFORE_BOARDING_IS_OVER = ("checking", "boarding")


def causes(trip: Trip, live: Live, now: Now, settings: Settings) -> set[Cause]:
    """What the care watch has to say now, before any delay."""
    found: set[Cause] = set()
    for cell in settings.call_cells:
        # A call counts whoever is thought to be aboard: somebody is pressing.
        if live.level(f"cell_call_{cell}") == "pressed":
            found.add(("cell_call", f"cell_call_{cell}"))
    for cell in settings.temperature_cells:
        name = f"cell_temperature_{cell}"
        if is_meant_for_people(trip, cell) and is_out_of_range(live.temperatures_c.get(name), settings):
            found.add(("cell_temperature", name))
    if trip.aboard > 0:
        found.update(("care_lost", name) for name in settings.care_equipment() if not live.is_working(name))
        if is_check_due(trip, now, settings):
            found.add(("welfare_due", None))
    return found


def is_meant_for_people(trip: Trip, cell: int) -> bool:
    """Somebody sits in this cell, or is about to: a cell like an oven is better known before boarding."""
    if trip.seated.get(cell, 0) > 0:
        return True
    if trip.plan is None or trip.phase not in _BEFORE_BOARDING_IS_OVER:
        return False
    return any(one["cell"] == cell and one["planned"] > 0 for one in trip.plan.cells)


def is_out_of_range(celsius: float | None, settings: Settings) -> bool:
    """Too cold or too hot; an unknown temperature is the sensor's fault and told as that."""
    low, high = settings.cell_temperature_c
    return celsius is not None and not low <= celsius <= high


def is_check_due(trip: Trip, now: Now, settings: Settings) -> bool:
    """Nobody has looked at the people for too long; after a reboot nobody knows when, so it is due."""
    if settings.welfare_check_s is None:
        return False
    if trip.checked is None or trip.checked[1] != now.boot_id:
        return True
    return now.mono_s - trip.checked[0] >= settings.welfare_check_s
