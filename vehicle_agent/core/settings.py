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

    def cell_locks(self) -> tuple[str, ...]:
        """Checklist and equipment names of the cell locks, in the order of the cells."""
        return tuple(f"cell_lock_{cell}" for cell in self.cells)
