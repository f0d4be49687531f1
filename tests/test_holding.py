"""Which pictures are held: hysteresis by session, and nothing that was not checked."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from realtime.errors import FrameError
from realtime.frame import Air, Failure, Result
from realtime.holding import UNCHECKED, UNSAFE, Holding
from tests.fakes.frames import a_job, a_result


def scored(score: float | None, session: str = "s") -> Result:
    return replace(a_result(a_job(session=session)), score=score)


def judged(holding: Holding, *scores: float | None, session: str = "s") -> list[str]:
    """What becomes of pictures with these scores: empty where they are seen, else why not."""
    outcomes = [holding.judged(scored(score, session)) for score in scores]
    return [outcome.error.code if isinstance(outcome, Failure) else "" for outcome in outcomes]


def test_picture_is_held_from_the_upper_threshold_until_one_is_below_the_lower() -> None:
    holding = Holding(0.6, 0.4)

    assert judged(holding, 0.1, 0.59, 0.6, 0.5, 0.4, 0.39, 0.5) == ["", "", UNSAFE, UNSAFE, UNSAFE, "", ""]


def test_with_both_thresholds_alike_there_is_no_hysteresis() -> None:
    assert judged(Holding(0.5, 0.5), 0.5, 0.49, 0.5, 0.49) == [UNSAFE, "", UNSAFE, ""]


@pytest.mark.parametrize("score", [None, math.nan, math.inf])
def test_picture_without_a_score_is_held_and_changes_nothing_for_the_next(score: float | None) -> None:
    holding = Holding(0.6, 0.4)

    assert judged(holding, score, 0.5, 0.7, score, 0.5, 0.1) == [UNCHECKED, "", UNSAFE, UNCHECKED, UNSAFE, ""]


def test_sessions_are_held_each_for_itself() -> None:
    holding = Holding(0.6, 0.4)

    assert judged(holding, 0.9) == [UNSAFE]
    assert judged(holding, 0.5, session="other") == [""]
    assert judged(holding, 0.5) == [UNSAFE]


def test_session_that_is_over_begins_anew() -> None:
    holding = Holding(0.6, 0.4)
    judged(holding, 0.9)

    holding.forget("s")

    assert judged(holding, 0.5) == [""]


def test_session_that_comes_from_another_engine_is_held_until_a_picture_is_below_the_lower_threshold() -> None:
    holding = Holding(0.6, 0.4)

    codes = [
        outcome.error.code if isinstance(outcome := holding.judged(scored(score), was_held=True), Failure) else ""
        for score in (0.5, 0.45, 0.39, 0.5)
    ]

    assert codes == [UNSAFE, UNSAFE, "", ""]


def test_frame_without_a_picture_stays_what_it_is() -> None:
    failure = Failure(a_job(), FrameError("no", "nan"))

    assert Holding(0.6, 0.4).judged(failure) is failure


@pytest.mark.parametrize(
    ("score", "checks_input", "is_black"), [(None, False, False), (0.1, True, False), (0.1, False, True)]
)
def test_input_is_on_air_only_where_it_was_checked_or_nothing_is(
    score: float | None, checks_input: bool, is_black: bool
) -> None:
    job = replace(a_job(), checks_input=checks_input)

    shown = replace(a_result(job), score=score).on_air(Air.INPUT)

    assert (shown.picture.max() == 0) == is_black
