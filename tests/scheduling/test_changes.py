"""Changes of the engine between ticks: no frame has a part of one, and no picture repeats one from before."""

from __future__ import annotations

import threading

from realtime.frame import Repeat, Result
from realtime.scheduling.scheduler import Scheduler
from tests.fakes.engine import ScriptedEngine
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.stepping import User, names, running
from tests.scheduling.test_scheduler_still import BLACK, Painter


def test_a_change_waits_for_the_rows_in_flight_and_the_next_frame_for_the_change() -> None:
    engine = ScriptedEngine(steps=3)
    scheduler = Scheduler(engine)
    early, late = User(scheduler, "early"), User(scheduler, "late")
    early.send()

    with running(scheduler, engine):
        engine.wait_for_ticks(1)
        scheduler.change(lambda: engine.note("change"))
        late.send()
        for _ in range(4):
            engine.finish_next()
        engine.wait_for_ticks(4)

    told = [note for note in engine.notes if note in ("tick", "change")]
    assert told[:5] == ["tick", "tick", "tick", "change", "tick"]
    assert [names(jobs) for jobs in engine.ticks[:4]] == [["early"], [], [], ["late"]]


def test_an_idle_engine_is_changed_at_once() -> None:
    engine, changed = ScriptedEngine(), threading.Event()
    scheduler = Scheduler(engine)

    with running(scheduler, engine):
        scheduler.change(changed.set)
        assert changed.wait(PATIENCE_S)

    assert engine.ticks == []


def test_a_still_picture_is_run_once_behind_a_change() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    user, changed = Painter(scheduler), threading.Event()

    with running(scheduler, engine):
        before = [user.asks(BLACK)[0] for _ in range(2)]
        scheduler.change(changed.set)
        assert changed.wait(PATIENCE_S)
        behind = [user.asks(BLACK)[0] for _ in range(3)]

    assert before == [Result, Repeat]
    assert behind == [Result, Repeat, Repeat]


def test_what_a_change_raises_breaks_the_engine() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)

    def fail() -> None:
        raise ZeroDivisionError

    with running(scheduler, engine) as life:
        scheduler.change(fail)
        scheduler.ring()
        while life.error is None:
            threading.Event().wait(0.01)

    assert isinstance(life.error, ZeroDivisionError)
