"""How long a tick may take, how long it is waited for, and how a process has ended."""

from __future__ import annotations

import signal

import pytest

from realtime.engine.state import CallShape, RungState
from realtime.engine_process.ending import gave_no_answer, how_ended
from realtime.engine_process.patience import NEWEST, Leeway, Limits, TickPatience, Wait, code_of

LIMITS = Limits(tick_s=1, tick_factor=10, climbing_s=5, first_s=30)


def patience(*ticks: tuple[str, int, float]) -> TickPatience:
    patience = TickPatience(LIMITS)
    for form, work, seconds in ticks:
        patience.note(form, "slow", work, seconds)
    return patience


def seconds(patience: TickPatience, form: str, work: int) -> float:
    leeway = patience.leeway(form, "slow", work, climbs=False)
    assert leeway.held_s == leeway.seconds
    return leeway.seconds


def test_first_tick_of_a_form_may_take_long() -> None:
    assert seconds(patience(), "a", 1) == 30
    assert seconds(patience(("a", 1, 0.01)), "b", 1) == 30


def test_tick_may_take_ten_times_what_ticks_take() -> None:
    assert seconds(patience(("a", 4, 0.3)), "a", 4) == pytest.approx(3)


def test_tick_of_more_work_may_take_as_much_more_and_one_of_less_as_long() -> None:
    known = patience(("a", 4, 0.3))

    assert seconds(known, "a", 8) == pytest.approx(6)
    assert seconds(known, "a", 1) == pytest.approx(3)


def test_short_ticks_may_take_a_second() -> None:
    assert seconds(patience(("a", 4, 0.001), ("b", 0, 0.0)), "a", 4) == 1


def test_what_ticks_took_long_ago_does_not_count() -> None:
    known = patience(("a", 1, 2.0), *[("a", 1, 0.2)] * NEWEST)

    assert seconds(known, "a", 1) == pytest.approx(2)


def test_first_tick_by_other_code_may_take_longer_and_the_next_not() -> None:
    known = patience(("a", 4, 0.001))

    assert known.leeway("a", "fast", 4, climbs=True) == Leeway(5, 5)
    known.note("a", "fast", 4, 3.0)
    known.note("b", "fast", 4, 0.001)
    assert known.leeway("b", "fast", 4, climbs=True).seconds == 30  # by what the first took, for a while


def test_while_a_faster_rung_may_come_only_a_process_that_is_held_up_may_take_longer() -> None:
    assert patience(("a", 4, 0.001)).leeway("a", "slow", 4, climbs=True) == Leeway(1, 5)


def test_code_is_what_runs_and_not_what_is_being_made() -> None:
    eager = RungState("eager", "torch", climbs=True)
    shape = CallShape("step", 1, 0, 64, 64)

    assert code_of(eager) == code_of(RungState("eager", "torch", doing="another", failed="one"))
    assert code_of(eager) != code_of(RungState("eager", "torch", made_for=(shape,)))


# -- waiting -----------------------------------------------------------------------------------------------------------

SHORT = Leeway(1.0, 3.0)


class Watched:
    """A process that is waited for, looked at ten times a second."""

    def __init__(self) -> None:
        self.now_s, self.signs, self.is_stopped, self.leeway = 0.0, 0, False, SHORT
        self._wait = Wait(0.0, 0.1)

    def over_after_s(self, within_s: float, *, beats: bool) -> float | None:
        begun_s = self.now_s
        while self.now_s < begun_s + within_s:
            self.now_s += 0.1
            if beats:
                self._wait.heard(self.now_s)
            if self.look():
                return round(self.now_s - begun_s, 1)
        return None

    def look(self, leeway: Leeway | None = None) -> bool:
        exceeded_s = self._wait.exceeded_s(self.now_s, leeway or self.leeway, self.signs, is_stopped=self.is_stopped)
        return exceeded_s is not None


def test_process_that_lives_and_gives_no_answer_is_given_up_after_its_time() -> None:
    assert Watched().over_after_s(9, beats=True) == pytest.approx(1.1, abs=0.15)


def test_process_that_is_held_up_gets_more_time_and_what_is_due_its_own_behind_it() -> None:
    process = Watched()

    assert process.over_after_s(3, beats=False) is None
    assert process.over_after_s(9, beats=True) == pytest.approx(1.1, abs=0.15)
    assert Watched().over_after_s(9, beats=False) == pytest.approx(3.6, abs=0.15)


def test_process_that_is_stopped_has_no_more_time_than_a_short_tick_whatever_is_due() -> None:
    process = Watched()
    process.is_stopped = True

    assert process.over_after_s(9, beats=False) == pytest.approx(1.1, abs=0.15)
    assert process.look(Leeway(30, 30))
    assert process.look(Leeway(0.5, 0.5))


def test_answer_begins_the_time_anew() -> None:
    process = Watched()

    for _ in range(5):
        assert process.over_after_s(0.9, beats=True) is None
        process.signs += 1
    assert process.over_after_s(0.9, beats=True) is None


@pytest.mark.parametrize(
    ("beats", "is_stopped", "after_s"), [(True, False, None), (False, False, 20.6), (False, True, 1.1)]
)
def test_process_that_has_nothing_to_do_is_given_up_where_it_gives_no_sign_or_is_stopped(
    beats: bool, is_stopped: bool, after_s: float | None
) -> None:
    process = Watched()
    process.is_stopped = is_stopped
    process.leeway = Leeway.of_idle(20)

    assert process.over_after_s(99, beats=beats) == (pytest.approx(after_s, abs=0.15) if after_s else None)


def test_time_in_which_this_process_stood_still_does_not_count() -> None:
    process = Watched()
    process.now_s += 100
    process.is_stopped = True

    assert not process.look()


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "was_memory_short", "words", "blames_frames"),
    [
        (-signal.SIGKILL, False, "was killed by somebody", False),
        (-signal.SIGKILL, True, "was killed: by the system, as memory was short", True),
        (-signal.SIGSEGV, False, "crashed: SIGSEGV", True),
        (1, False, "ended with 1", True),
        (None, False, "ended with None", True),
    ],
)
def test_end_of_a_process_is_told_in_words(
    code: int | None, was_memory_short: bool, words: str, blames_frames: bool
) -> None:
    end = how_ended(code, was_memory_short=was_memory_short)

    assert words in end.how
    assert end.blames_frames is blames_frames


def test_process_that_was_stopped_is_told_from_one_that_hangs() -> None:
    hung, stopped = (gave_no_answer(1.0, is_stopped=is_stopped) for is_stopped in (False, True))

    assert (hung.how.endswith("for 1.0 s"), hung.blames_frames) == (True, True)
    assert ("stopped by a signal" in stopped.how, stopped.blames_frames) == (True, False)
