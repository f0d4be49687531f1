"""Sessions that come, end, move to another scheduler, or get another connection while their frames are under way."""

from __future__ import annotations

from realtime.scheduling.scheduler import Scheduler
from tests.fakes.engine import ScriptedEngine
from tests.scheduling.stepping import User, names, running, seqs


def test_engine_forgets_a_session_that_is_removed_though_no_frame_waits_anywhere() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    user, other = User(scheduler, "a"), User(scheduler, "b")

    with running(scheduler, engine):
        for one in (user, other):
            one.send()
            one.answer()
        scheduler.remove(user.session)
        engine.wait_for(lambda engine: "forget a" in engine.notes)
        other.send()
        other.answer()

    assert [note for note in engine.notes if note.startswith("forget")] == ["forget a"]


def test_session_is_forgotten_behind_its_last_row_and_before_the_next_of_its_name() -> None:
    engine = ScriptedEngine(steps=2, synchronous=True)
    scheduler = Scheduler(engine)
    old = User(scheduler, "a")
    new = User(scheduler, "a", joined=False)
    old.send()
    new.skip_to(10)

    def replace() -> None:
        if len(engine.ticks) == 1:
            scheduler.remove(old.session)
            scheduler.add(new.session)
            new.send()

    engine.tick_hook = replace
    with running(scheduler, engine):
        assert new.answer() == 11

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [], [11], []]
    notes = [note for note in engine.notes if note != "collect"]
    assert notes == ["tick", "tick", "forget a", "tick", "tick"]


def test_session_that_moves_is_forgotten_and_then_served_by_the_next_behind_all_that_was_under_way() -> None:
    engine, other = ScriptedEngine(steps=2, synchronous=True), ScriptedEngine(synchronous=True)
    scheduler, heir = Scheduler(engine), Scheduler(other)
    user = User(scheduler, "a")
    answered: list[int] = []

    def then() -> None:
        answered.append(user.channel.last_delivered)
        engine.notes.append("moved")
        heir.add(user.session)

    def move() -> None:
        if len(engine.ticks) == 1:
            scheduler.remove(user.session, then)
            user.send()

    engine.tick_hook = move
    user.send()
    with running(scheduler, engine), running(heir, other):
        while user.answer() < 2:  # the first may have been replaced by then
            pass

    assert answered == [1]
    assert [seqs(jobs) for jobs in (*engine.ticks, *other.ticks)] == [[1], [], [2]]
    assert engine.notes[-2:] == ["forget a", "moved"]


def test_session_added_while_running_is_served() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)

    with running(scheduler, engine):
        user = User(scheduler, "a")
        user.send()
        assert user.answer() == 1


def test_removed_session_is_served_no_more_and_others_are() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    gone, user = User(scheduler, "gone"), User(scheduler, "a")

    with running(scheduler, engine):
        scheduler.remove(gone.session)
        gone.send()
        user.send()
        assert user.answer() == 1

    assert [names(jobs) for jobs in engine.ticks] == [["a"]]


def test_rows_of_a_removed_session_run_out_without_harm() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    gone, user = User(scheduler, "gone"), User(scheduler, "a")

    with running(scheduler, engine):
        gone.send()
        engine.wait_for_ticks(1)
        gone.session.detach(gone.channel)
        scheduler.remove(gone.session)
        engine.finish_next()
        user.send()
        engine.finish_next()
        assert user.answer() == 1

    assert gone.channel.outbox.take() is None
    assert scheduler.jobs == 0


def test_frame_of_a_connection_that_was_replaced_is_not_answered_to_the_new_one() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        user.channel = user.session.attach(user.arrived.set)
        user.send()
        engine.finish_next()
        engine.finish_next()
        assert user.answer() == 2


def test_waiting_frame_of_a_replaced_connection_is_not_admitted() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()
    user.channel = user.session.attach(user.arrived.set)
    user.send()

    with running(scheduler, engine):
        assert user.answer() == 2

    assert [seqs(jobs) for jobs in engine.ticks] == [[2]]
