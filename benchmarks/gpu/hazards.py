"""Whether pictures stay each their own under everything at once: two ticks in flight, batches, sizes, prompts, seeds
and steps that mix, and a capture in between. Every picture is held against eager mode's of the same job, alone.
"""

from __future__ import annotations

import random
from statistics import median
from typing import TYPE_CHECKING, Any

from .plan import BATCHES
from .working import Found, Setting

if TYPE_CHECKING:
    from realtime.engine import Pending
    from realtime.frame import Job, Result
    from realtime.pixels import Pixels

    from ..engine.tapped import TappedEngine

TICKS, TICKS_DRY = 200, 40
JOBS, LATE_JOBS = 20, 4
"""Different jobs, and those of a size that comes in the middle, to be captured while others are in flight."""
BATCH_CHOICES = (1, 3, 5, 8)
WHOLE_SHARE = 0.5
"""Of the ticks that nothing is in flight at: those whose frames one graph may make."""
MIXED_UP = 0.1
"""Relative difference above which a picture is another's, or broken: rounding makes some thousandths."""


def hazards(setting: Setting, found: Found) -> None:
    """See the module."""
    engines = setting.engines()
    rng, side = random.Random(5), setting.machine().side_px
    jobs = [_job(engines.eager, number, side, rng) for number in range(JOBS)]
    late = [_job(engines.eager, JOBS + number, side, rng, late=True) for number in range(LATE_JOBS)]
    expected = {job.number: _alone(engines.eager, job) for job in (*jobs, *late)}
    told: Found = found.setdefault("hazards", {})
    told |= {"ticks": 0, "pictures": 0, "failures": 0, "wrong": 0, "largest": 0.0, "different_jobs": len(expected)}
    differences: list[float] = []
    wanted = TICKS_DRY if setting.dry else TICKS
    flight = _Flight(engines.graphs, rng)
    while told["ticks"] < wanted and setting.rest_s > 4:
        pool = jobs if told["ticks"] < wanted // 2 else [*jobs, *late]
        for number, picture in flight.tick(pool):
            _compare(told, differences, picture, expected[number])
        told["ticks"] += 1
        if told["ticks"] % 20 == 0:
            setting.keep(found)
    for number, picture in flight.land():
        _compare(told, differences, picture, expected[number])
    told["median"] = round(median(differences), 6) if differences else None
    told["mixed_up_above"] = MIXED_UP
    told["is_whole"] = told["ticks"] >= wanted


class _Flight:
    """An engine with two ticks in flight, to which jobs are given at random."""

    def __init__(self, ours: TappedEngine, rng: random.Random) -> None:
        self._ours = ours
        self._rng = rng
        self._last: Pending | None = None

    def tick(self, pool: list[Job]) -> list[tuple[int, Pixels | None]]:
        """Admit some jobs, launch a tick, and collect the one before. Some ticks are of one size and one step."""
        free = self._ours.engine.free_rows
        count = min(free, self._rng.choice(BATCH_CHOICES), max(BATCHES))
        if not self._ours.engine.busy_rows and self._rng.random() < WHOLE_SHARE:
            first = self._rng.choice([job for job in pool if job.params.num_inference_steps == 1])
            pool = [job for job in pool if _is_like(job, first)]
        pending = self._ours.engine.tick([self._rng.choice(pool) for _ in range(count)])
        last, self._last = self._last, pending
        return _collected(last)

    def land(self) -> list[tuple[int, Pixels | None]]:
        """Tick until nothing is in flight."""
        made: list[tuple[int, Pixels | None]] = []
        while self._ours.engine.busy_rows:
            pending = self._ours.engine.tick([])
            made += _collected(self._last)
            self._last = pending
        return made + _collected(self._last)


def _is_like(job: Job, other: Job) -> bool:
    mine, its = job.params, other.params
    return (mine.width, mine.height, mine.num_inference_steps) == (its.width, its.height, its.num_inference_steps)


def _collected(pending: Pending | None) -> list[tuple[int, Pixels | None]]:
    """Pictures by their jobs' numbers; None for one that failed."""
    from realtime.frame import Result

    outcomes = pending.collect() if pending is not None else []
    return [(one.order.number, one.picture if isinstance(one, Result) else None) for one in outcomes]


def _job(ours: TappedEngine, number: int, side: int, rng: random.Random, *, late: bool = False) -> Job:
    from .engines import job_of

    other = side * 3 // 4 if side >= 128 else side + 8
    fields: dict[str, Any] = {
        "prompt": f"a painting, number {number % 6}",
        "seed": number,
        "strength": rng.uniform(0.3, 0.9),
        "num_inference_steps": 1 + number % 3,
        "guidance_scale": 1.0 if number % 4 else 2.0,
        "width": other if late or number % 5 == 4 else side,
        "height": other if late else side,
    }
    return job_of(ours, number, number, **fields)


def _alone(ours: TappedEngine, job: Job) -> Pixels:
    from realtime.frame import Result

    pending = ours.engine.tick([job])
    outcomes: list[Any] = pending.collect()
    while ours.engine.busy_rows:
        outcomes += ours.engine.tick([]).collect()
    (outcome,) = outcomes
    if not isinstance(outcome, Result):
        raise RuntimeError(f"eager mode has no picture of job {job.number}: {outcome.error}")
    made: Result = outcome
    return made.picture.copy()


def _compare(told: Found, differences: list[float], picture: Pixels | None, expected: Pixels) -> None:
    from ..engine.likeness import difference

    if picture is None:
        told["failures"] += 1
        return
    found = difference([picture], [expected])["relative"] if picture.shape == expected.shape else 1.0
    differences.append(found)
    told["pictures"] += 1
    told["wrong"] += not found <= MIXED_UP
    told["largest"] = max(told["largest"], found)
