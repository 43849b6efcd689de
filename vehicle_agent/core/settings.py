"""What one vehicle decides about itself; what the Order decides is code in `rules`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Configuration as the core sees it. Durations in seconds, speeds in metres a second."""

    vehicle: str
    origin: str  # the sending unit's code (Rule 19)
    units: frozenset[str]  # every unit that can be told
    cells: tuple[int, ...]
    is_test: bool = False
    manual_fallback: frozenset[str] = frozenset()
    checklist_valid_s: float = 1800.0
    driver_report_valid_s: float = 120.0
    confirm_within_s: float = 120.0
    unscheduled_halt_s: float = 300.0
    gnss_stale_s: float = 3.0
    radio_stale_s: float = 3.0
    rssi_min_dbm: int = -105
    wiring_sha256: str = ""  # a commissioning counts only for the wiring it was made with
    # Care watch: fitted where configured; the Order asks for none of it.
    call_cells: tuple[int, ...] = ()  # cells with a call button
    temperature_cells: tuple[int, ...] = ()  # cells with a temperature sensor
    cell_temperature_c: tuple[float, float] = (10.0, 30.0)  # lowest and highest that raise no alarm
    welfare_check_s: float | None = None  # longest time without somebody looking at the people; None: no timer

    def cell_locks(self) -> tuple[str, ...]:
        """Checklist and equipment names of the cell locks, in the order of the cells."""
        return tuple(f"cell_lock_{cell}" for cell in self.cells)

    def care_equipment(self) -> tuple[str, ...]:
        """Equipment names of the care watch; empty where none is fitted."""
        calls = (f"cell_call_{cell}" for cell in self.call_cells)
        return (*calls, *(f"cell_temperature_{cell}" for cell in self.temperature_cells))
