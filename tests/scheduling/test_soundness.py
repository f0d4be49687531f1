"""Whether an engine still calculates."""

from __future__ import annotations

from dataclasses import replace

from realtime.errors import FrameError
from realtime.frame import Failure, Result
from realtime.params import Params
from realtime.scheduling.soundness import TICKS_MAX, Soundness
from tests.fakes.frames import a_job, a_result


def good(session: str = "a", version: int = 0) -> Result:
    result = a_result(a_job(params=Params(version=version), session=session))
    return replace(result, stamps=replace(result.stamps, denoise=1))


def bad(session: str = "a", version: int = 0, code: str = "nan") -> Failure:
    return Failure(good(session, version).job, FrameError("no", code))


def breaks(soundness: Soundness, *outcomes: Result | Failure, ticks: int = TICKS_MAX) -> list[bool]:
    return [soundness.note(outcomes) for _ in range(ticks)]


def test_engine_that_made_pictures_of_these_params_and_makes_none_any_more_is_broken() -> None:
    soundness = Soundness()
    soundness.note([good()])

    assert breaks(soundness, bad()) == [False] * (TICKS_MAX - 1) + [True]


def test_picture_of_anybody_shows_that_it_is_not() -> None:
    soundness = Soundness()
    soundness.note([good("a"), good("b")])

    assert not any(breaks(soundness, bad("a"), good("b")))
    assert not any(breaks(soundness, bad("a"), ticks=TICKS_MAX - 1))
    soundness.note([good("b")])
    assert not any(breaks(soundness, bad("a"), ticks=TICKS_MAX - 1))


def test_params_that_there_was_no_picture_of_are_not_the_engines_fault() -> None:
    soundness = Soundness()
    soundness.note([good("a", 1)])

    assert not any(breaks(soundness, bad("a", 2), ticks=10 * TICKS_MAX))


def test_what_makes_no_picture_of_other_params_either_is_broken() -> None:
    soundness = Soundness()
    soundness.note([good("a", 1)])
    breaks(soundness, bad("a", 2))

    assert soundness.note([bad("a", 3)])


def test_engine_that_never_made_a_picture_is_left_alone() -> None:
    """Another would make none either."""
    soundness = Soundness()

    assert not any(breaks(soundness, bad("a"), bad("b")))


def test_pictures_that_pass_and_other_failures_say_nothing() -> None:
    soundness = Soundness()
    soundness.note([good()])
    passed = a_result(a_job())

    assert breaks(soundness, bad(), passed)[-1]
    assert not any(breaks(Soundness(), bad(code="black")))
    assert soundness.note([passed, bad(code="black")])  # nor that it is well again


def test_session_that_is_over_is_forgotten() -> None:
    soundness = Soundness()
    soundness.note([good()])
    soundness.forget("a")

    assert not any(breaks(soundness, bad()))
