"""An echo engine whose pictures have a frame checker's scores: white ones are unsafe, black ones are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from realtime.config import Config, EngineConfig
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine, EchoPending
from realtime.frame import Failure, Job, Result
from realtime.pixels import Pixels


def brightness(picture: Pixels) -> float:
    return float(picture.mean()) / 255


class CheckedPending(EchoPending):
    def __init__(self, pending: EchoPending, score: Callable[[Job], float | None]) -> None:
        super().__init__(pending.jobs, pending._outcomes, pending.finished_ns)
        self._score = score

    def collect(self) -> list[Result | Failure]:
        return [
            replace(outcome, score=self._score(outcome.job)) if isinstance(outcome, Result) else outcome
            for outcome in super().collect()
        ]


class CheckedEcho(EchoEngine):
    """Its pictures are the inputs, darkened to a half where the prompt is "dark".

    Attributes:
        score: of a job's picture; None where there is none.
    """

    def __init__(self, max_rows: int = 8) -> None:
        super().__init__(0.0, max_rows)
        self.score: Callable[[Job], float | None] = self._score_of

    def _score_of(self, job: Job) -> float:
        seen = [brightness(job.picture)] if job.params.prompt != "dark" else [brightness(job.picture) / 8]
        return max(seen + ([brightness(job.input)] if job.checks_input else []))

    def _admit(self, job: Job) -> Result | Failure:
        outcome = super()._admit(job)
        if isinstance(outcome, Result) and job.params.prompt == "dark":
            return replace(outcome, picture=(outcome.picture // 8).astype(np.uint8))
        return outcome

    def tick(self, admitted: Sequence[Job]) -> CheckedPending:
        return CheckedPending(super().tick(admitted), lambda job: self.score(job))


def load_checked(config: Config, progress: Progress) -> Engine:
    return CheckedEcho(config.max_rows)


def load_checked_in_a_process(config: EngineConfig, progress: Progress) -> Engine:
    """For a process of its own: by its prompt, the checker is broken."""
    engine = CheckedEcho(config.max_rows)
    score = engine.score
    engine.score = lambda job: math.nan if job.params.prompt == "broken" else score(job)
    return engine
