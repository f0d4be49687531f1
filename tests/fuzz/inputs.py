"""How many inputs the fuzz targets try, and the chance that makes them."""

from __future__ import annotations

import os
import random

_WANTED = os.environ.get("REALTIME_FUZZ_INPUTS")
"""Read at import: no test sees the user's environment."""


def count(default: int = 2000) -> int:
    """Inputs of one target: `REALTIME_FUZZ_INPUTS`, or this many."""
    return default if _WANTED is None else int(_WANTED)


def rng(name: str) -> random.Random:
    """A target's own chance, the same in every run."""
    return random.Random(name)
