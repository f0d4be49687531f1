"""How the engine's process has ended, in words, and whether that was its own doing.

Must not know what runs in it.
"""

from __future__ import annotations

from typing import NamedTuple

from .. import exits


class End(NamedTuple):
    """How a process has ended.

    Attributes:
        how: in words.
        blames_frames: see `EngineError`.
    """

    how: str
    blames_frames: bool = True


def gave_no_answer(for_s: float, *, is_stopped: bool) -> End:
    """How a process has ended that was killed as it gave no answer; one that is stopped can give none."""
    why = f": it {exits.STOPPED.how}" if is_stopped else ""
    return End(f"the engine's process gave no answer for {for_s:.1f} s{why}", blames_frames=not is_stopped)


def how_ended(code: int | None, *, was_memory_short: bool) -> End:
    """How a process has ended by itself; see `exits.how_ended`."""
    found = exits.how_ended(code, was_memory_short=was_memory_short)
    return End(f"the engine's process {found.how}", blames_frames=found.is_own_doing)
