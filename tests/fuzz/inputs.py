"""How many inputs the fuzz targets try, and the chance that makes them."""

from __future__ import annotations

import os
import random


def count(default: int = 2000) -> int:
    """Inputs of one target: `REALTIME_FUZZ_INPUTS`, or this many."""
    return int(os.environ.get("REALTIME_FUZZ_INPUTS", default))


def rng(name: str) -> random.Random:
    """A target's own chance, the same in every run."""
    return random.Random(name)
