"""Ticks of several kinds that take turns, in graphs: what each takes, and beside a plain one of the same round.

Must not know what makes the kinds differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from .engines import graphs_over, now_ms
from .rungs import ROUNDS, ROUNDS_DRY
from .working import Found, Setting

if TYPE_CHECKING:
    from realtime.engine.diffusion import DiffusionEngine
    from realtime.engine.models.load import Model
    from realtime.frame import Job

PLAIN = "plain"
WARMUP = 2
"""Rounds before the first that counts, behind the one in which graphs are captured."""
LEFT_S = 3.0
"""Of a part's time, so that it ends by itself."""


def in_turns(
    setting: Setting, found: Found, name: str, model: Model, arms: Mapping[str, Sequence[Job]], rows: int
) -> None:
    """Milliseconds of ticks of one step, by arm, as `NAME_tick_ms`, and their ratios to `PLAIN` in the same round, as
    `NAME_to_plain`: medians, kept after each round. An arm that the device lacks memory for is named and left out.

    Args:
        model: on its device.
        arms: the jobs of a tick of each, `PLAIN` among them.
        rows: the largest tick.
    """
    from realtime.engine.diffusion import DiffusionEngine

    backend = graphs_over(model, rows)
    engine = DiffusionEngine(model, backend, max_rows=rows)
    took: dict[str, list[float]] = {arm: [] for arm in arms}
    notes: Found = found.setdefault("notes", {})
    begin_ms = now_ms()
    side = setting.machine().side_px
    backend.prepare(side, side)
    for arm, jobs in arms.items():
        if why := _failure(engine, jobs):
            notes[arm] = why
            del took[arm]
    backend.prepared()
    found[f"{name}_ready_s"] = round((now_ms() - begin_ms) / 1000, 2)
    for round_ in range(WARMUP + (ROUNDS_DRY if setting.dry else ROUNDS)):
        if setting.rest_s < LEFT_S:
            break
        for arm in took:
            ms = _tick_ms(engine, arms[arm])
            if round_ >= WARMUP:
                took[arm].append(ms)
        if round_ >= WARMUP:
            _tell(setting, found, name, took)
    engine.close()


def _tell(setting: Setting, found: Found, name: str, took: Mapping[str, Sequence[float]]) -> None:
    found[f"{name}_tick_ms"] = {arm: round(median(times), 3) for arm, times in took.items()}
    plain = took.get(PLAIN, ())
    found[f"{name}_to_plain"] = {
        arm: round(median(ms / other for ms, other in zip(times, plain, strict=True)), 4)
        for arm, times in took.items()
        if arm != PLAIN and plain
    }
    setting.keep(found)


def _failure(engine: DiffusionEngine, jobs: Sequence[Job]) -> str:
    """Why a tick of these jobs makes no pictures; empty where it makes all."""
    from realtime.frame import Failure

    failed = [one for one in engine.tick(jobs).collect() if isinstance(one, Failure)]
    return str(failed[0].error) if failed else ""


def _tick_ms(engine: DiffusionEngine, jobs: Sequence[Job]) -> float:
    begin_ms = now_ms()
    made = engine.tick(jobs).collect()
    assert len(made) == len(jobs)
    return now_ms() - begin_ms
