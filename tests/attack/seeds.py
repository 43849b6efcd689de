"""The seed of an attack that is drawn by lot: printed, and given again in ATTACK_SEED to repeat one."""

from __future__ import annotations

import os
import secrets


def drawn_seed() -> int:
    """A fresh seed, or the one that is asked for."""
    seed = int(os.environ.get("ATTACK_SEED") or secrets.randbelow(2**32))
    print(f"ATTACK_SEED={seed}")
    return seed
