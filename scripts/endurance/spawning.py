"""The command line of a server whose processes are spawned, as on macOS and Windows: `python -m
scripts.endurance.spawning serve`.

Must not know what it serves.
"""

from __future__ import annotations

from realtime import forked
from realtime.__main__ import main


def spawn_from_now_on() -> None:
    """Start processes, and open the memory that they share, as on other systems than Linux."""
    forked.START_METHOD = "spawn"
    forked.unnamed = forked.by_unlinked_name


if __name__ == "__main__":
    spawn_from_now_on()
    main()
