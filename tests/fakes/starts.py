"""The ways in which the server's processes are started: the one of Linux, and that of all other systems."""

from __future__ import annotations

import sys

import pytest

from realtime import forked

SPAWNED = ("-m", "scripts.endurance.spawning")
"""What Python is to run in place of `-m realtime`, for processes that are spawned."""
METHODS = ["forkserver", "spawn"] if sys.platform == "linux" else ["spawn"]


def start_by(method: str, patch: pytest.MonkeyPatch) -> None:
    """Have processes started in a way; where they are spawned, their memory is opened as on other systems too."""
    patch.setattr(forked, "START_METHOD", method)
    if method == "spawn":
        patch.setattr(forked, "unnamed", forked.by_unlinked_name)
