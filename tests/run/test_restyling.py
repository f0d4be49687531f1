"""A run whose pictures are checked: slates stand for those that are held, in their places."""

from __future__ import annotations

import contextlib

import av
import numpy as np
import pytest

from realtime.errors import EngineError, FrameError
from realtime.frame import Job
from realtime.holding import Holding
from realtime.media.pipeline import Pipeline
from realtime.media.slate import slate
from realtime.media.video import planes_of
from realtime.params import Params
from realtime.run.recording import Shot
from realtime.run.restyling import Restyling
from tests.fakes.checked import CheckedEcho

SIDE = 64
PARAMS = Params(width=SIDE, height=SIDE, strength=0.5)


def shots(*levels: int) -> list[Shot]:
    pictures = [np.full((SIDE, SIDE, 3), level, np.uint8) for level in levels]
    frames = [av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p") for picture in pictures]
    return [Shot(number, planes_of(frame), number, 1) for number, frame in enumerate(frames)]


def levels_of(engine: CheckedEcho, holding: Holding | None, *levels: int) -> list[int]:
    """The grey levels of a run's pictures; -1 for a slate."""
    with contextlib.closing(Pipeline()) as pipeline:
        restyling = Restyling(engine, PARAMS, pipeline, 1.0, holding=holding)
        made = list(restyling.pictures(shots(*levels)))
    assert [one.shot.number for one in made] == list(range(len(levels)))
    return [-1 if (one.picture == slate(SIDE, SIDE)).all() else round(float(one.picture.mean())) for one in made]


def test_slates_stand_for_pictures_that_are_held() -> None:
    found = levels_of(CheckedEcho(), Holding(0.6, 0.6), 50, 250, 100, 250, 60)

    assert found == pytest.approx([50, -1, 100, -1, 60], abs=2)


def test_live_runs_have_hysteresis() -> None:
    found = levels_of(CheckedEcho(), Holding(0.6, 0.3), 100, 250, 100, 50, 100)

    assert found == pytest.approx([100, -1, -1, 50, 100], abs=2)


def test_checker_that_fails_shows_nothing() -> None:
    engine = CheckedEcho()
    engine.score = lambda job: float("nan") if job.number == 1 else 0.0

    assert levels_of(engine, Holding(0.6, 0.6), 50, 60, 70) == pytest.approx([50, -1, 70], abs=2)


def test_without_a_checker_all_is_seen() -> None:
    assert levels_of(CheckedEcho(), None, 50, 250) == pytest.approx([50, 250], abs=3)


def test_frame_that_fails_otherwise_ends_the_run() -> None:
    def broken(job: Job) -> None:
        raise FrameError("not a number", "nan")

    engine = CheckedEcho()
    engine._fault = broken

    with pytest.raises(EngineError, match="frame 1 can't be restyled"):
        levels_of(engine, Holding(0.6, 0.6), 50)
