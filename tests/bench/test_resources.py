"""realtime.bench.resources: what a process uses."""

from __future__ import annotations

from realtime.bench import resources


def test_memory_growth_leaves_the_first_quarter_out() -> None:
    log = resources.MemoryLog(mb=[1.0, 50.0, 60.0, 60.0, 61.0, 61.0, 62.0, 62.0])
    assert log.growth_mb() == 2.0
    assert resources.MemoryLog().growth_mb() is None
