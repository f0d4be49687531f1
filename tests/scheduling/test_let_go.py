"""An engine that gives no answer: its sessions are let go of, its frames given back, what comes late is nobody's."""

from __future__ import annotations

import pytest

from realtime.errors import EngineError
from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from realtime.scheduling.suspects import Suspects
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.scheduling.stepping import User, names, running, seqs

PARAMS = Params(skip_unchanged=False)


def waiting(user: User) -> int | None:
    """The seq of the frame that waits."""
    frame = user.channel.inbox.take()
    return None if frame is None else frame.seq


def drops(user: User) -> dict[str, list[int]]:
    return {reason.value: list(seqs) for reason, seqs in user.channel._drops.items()}


class Hanging:
    """A scheduler whose engine hangs in the tick of the first frame, with a newer one of the first user waiting."""

    def __init__(self, engine: ScriptedEngine, scheduler: Scheduler) -> None:
        self.first, self.second = (User(scheduler, name, params=PARAMS) for name in ("first", "second"))
        self.engine, self.scheduler = engine, scheduler

    def begin(self) -> None:
        for user in (self.first, self.second):
            user.send()
        self.engine.wait_for_ticks(1)
        self.first.send()


def test_frames_that_it_had_wait_again_unless_a_newer_one_does() -> None:
    engine = ScriptedEngine(max_rows=2)
    scheduler = Scheduler(engine)
    case = Hanging(engine, scheduler)
    with running(scheduler, engine):
        case.begin()
        scheduler.let_go()
        kept = [waiting(user) for user in (case.first, case.second)]
        lost = [drops(user) for user in (case.first, case.second)]

    assert kept == [2, 1]
    assert lost == [{"engine_restarted": [1]}, {}]


def test_what_comes_late_is_thrown_away_and_the_engine_forgets_the_sessions() -> None:
    engine = ScriptedEngine(max_rows=2)
    scheduler = Scheduler(engine)
    case = Hanging(engine, scheduler)
    with running(scheduler, engine):
        case.begin()
        scheduler.let_go()
        had = scheduler.jobs
        engine.finish_next()
        engine.wait_for(lambda engine: {"forget first", "forget second"} <= set(engine.notes))

    assert (had, scheduler.jobs) == (2, 0)
    assert case.first.channel.outbox.take() is None
    assert case.second.channel.outbox.take() is None
    assert len(engine.ticks) == 1


def test_sessions_that_come_back_are_served_as_before() -> None:
    engine = ScriptedEngine(max_rows=2)
    scheduler = Scheduler(engine)
    case = Hanging(engine, scheduler)
    with running(scheduler, engine):
        case.begin()
        scheduler.let_go()
        for user in (case.first, case.second):
            scheduler.add(user.session)
        engine.finish_all()
        answers = case.first.answer(), case.second.answer()

    assert answers == (2, 1)
    assert sorted(names(jobs) for jobs in engine.ticks[1:]) == [["first"], ["second"]], "suspects run alone"
    assert [drops(user) for user in (case.first, case.second)] == [{"engine_restarted": [1]}, {}]


def test_frame_at_which_it_hangs_again_alone_is_set_aside() -> None:
    engine, suspects = ScriptedEngine(max_rows=1), Suspects()
    scheduler = Scheduler(engine, suspects=suspects)
    user = User(scheduler, "bad", params=PARAMS)
    with running(scheduler, engine):
        user.send()
        for ticks in (1, 2):
            engine.wait_for_ticks(ticks)
            scheduler.let_go()
            scheduler.add(user.session)
            engine.finish_next()
        user.arrived.wait(10)
        texts = user.channel.take_texts()

    assert [text for text in texts if "set_aside" in text]
    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [1]]


def test_engine_that_breaks_behind_a_hang_gives_back_nothing_twice() -> None:
    engine = ScriptedEngine(max_rows=1)
    scheduler = Scheduler(engine)
    user = User(scheduler, "s", params=PARAMS)
    with running(scheduler, engine) as life:
        user.send()
        engine.wait_for_ticks(1)
        scheduler.let_go()
        taken = waiting(user)
        user.session.offer(user.channel, a_frame(2))
        engine.finish_next(EngineError("broken"))
    blamed = scheduler.give_up()

    assert isinstance(life.error, EngineError)
    assert (taken, blamed, scheduler.jobs) == (1, None, 0)
    assert waiting(user) == 2
    assert drops(user) == {}


@pytest.mark.parametrize("steps", [1, 3])
def test_rows_that_are_left_of_a_hang_run_to_their_end_before_their_session_is_served_again(steps: int) -> None:
    engine = ScriptedEngine(max_rows=4, steps=steps)
    scheduler = Scheduler(engine)
    user = User(scheduler, "s", params=PARAMS)
    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        scheduler.let_go()
        scheduler.add(user.session)
        engine.finish_all()
        answer = user.answer()

    assert answer == 1
    assert [seqs(jobs) for jobs in engine.ticks if jobs] == [[1], [1]]
    assert len(engine.ticks) == 2 * steps
