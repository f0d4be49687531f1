"""Runs what sessions show through an engine that serves none yet: what it has to make ready for them is ready then.

Must not know why the engine is to serve them, or who does now.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..engine import Engine
from ..errors import EngineError
from ..frame import Failure, Format, Frame, Job, Result
from ..media.dissolve import dissolved
from ..media.fit import fit
from ..params import Params
from ..references import References
from ..scheduling.seats import next_number
from .fitting import ModelOffer, fitted

NAME = "rehearsal"
"""Of the session that the frames are of."""
TIMES = 2
"""How often each frame is run: the second time is as all others will be."""
KINDS_MAX = 8
"""So many kinds of frames are run: for any number of sessions it takes a moment only."""
ROUNDS_MAX = 64
"""Ticks behind which a frame must have left."""


class Shown(NamedTuple):
    """What a session shows.

    Attributes:
        newest: its newest frame that was run; None where there was none yet.
        params: its own.
        defaults: which it started with.
    """

    newest: Job | None
    params: Params
    defaults: Params


def rehearse(engine: Engine, offer: ModelOffer, shots: Sequence[Shown], references: References) -> None:
    """Run each kind of frame, as the engine will get them. On the engine's thread, before any scheduler has it.

    Raises:
        EngineError: not one of them becomes a picture, or the engine broke.
    """
    outcomes: list[Result | Failure] = []
    for job in _jobs(offer, shots, references):
        for _ in range(TIMES):
            outcomes += _run(engine, replace(job, number=next_number()))
        dissolved(
            job.picture, job.picture, job.picture, job.picture, 0.5
        )  # of OpenCV, too, the first time takes longest
    engine.forget(NAME)
    if all(isinstance(outcome, Failure) for outcome in outcomes):
        first = next(outcome for outcome in outcomes if isinstance(outcome, Failure))
        raise EngineError(f"it makes no picture of what is shown at the moment: {first.error}")


def _jobs(offer: ModelOffer, shots: Iterable[Shown], references: References) -> list[Job]:
    kinds: dict[Params, Job] = {}
    for shot in (*shots, Shown(None, offer.defaults, offer.defaults)):
        params = fitted(shot.params, shot.defaults, offer)[0]
        kind = params.model_copy(update={"version": 0})
        if kind not in kinds and len(kinds) < KINDS_MAX and not (shot.newest is None and kinds):
            kinds[kind] = _job(shot.newest, kind, references)
    return list(kinds.values())


def _job(newest: Job | None, params: Params, references: References) -> Job:
    if newest is None:
        picture = np.full((params.height, params.width, 3), 128, np.uint8)
    else:
        picture = fit(newest.input, params.width, params.height)
    now_ns = time.monotonic_ns()
    frame, named = Frame(0, Format.NONE, b"", 0, now_ns), references.named(params.pictures)
    return Job(frame, params, NAME, now_ns, next_number(), encode=False, references=named, picture=picture)


def _run(engine: Engine, job: Job) -> list[Result | Failure]:
    """Run one frame until it leaves."""
    engine.prepare(job)
    outcomes = engine.tick([job]).collect()
    for _ in range(ROUNDS_MAX):
        if not engine.busy_rows:
            break
        outcomes += engine.tick([]).collect()
    return outcomes
