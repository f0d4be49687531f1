"""Admit, tick, deliver: rows in flight, what goes with a frame, ends. The engine is stepped by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from realtime.control import INPUT, Hint, HintKey
from realtime.engine import ControlInfo, EngineInfo
from realtime.engine.state import RungState
from realtime.errors import EngineError
from realtime.params import Params
from realtime.references import References
from realtime.scheduling.scheduler import Scheduler
from realtime.session import Session
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.scheduling.stepping import User, running, seqs


def test_frame_that_is_shown_as_it_is_passes_through_under_the_sessions_version() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    plain, blank = (User(scheduler, name, params=Params(feedback=0.5, calm=0.5, version=3)) for name in "ab")
    plain.send()
    blank.session.offer(blank.channel, replace(a_frame(1), is_as_is=True))

    with running(scheduler, engine):
        engine.wait_for_ticks(1)

    (restyled, passed) = (job.params for job in engine.ticks[0])
    assert (restyled.strength, restyled.feedback, restyled.calm) == (Params().strength, 0.5, 0.5)
    assert (passed.strength, passed.feedback, passed.calm, passed.version) == (0, 0, 0, 3)
    assert blank.session.params.strength == Params().strength


def test_session_has_one_row_in_flight_by_default() -> None:
    engine = ScriptedEngine(steps=2, synchronous=True)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()
    engine.tick_hook = lambda: user.send() if len(engine.ticks) <= 2 else None

    with running(scheduler, engine):
        engine.wait_for_ticks(4)

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [], [3], []]


def test_stream_batch_has_as_many_rows_in_flight_as_it_may() -> None:
    engine = ScriptedEngine(steps=2, synchronous=True)
    scheduler = Scheduler(engine, rows_per_session=2)
    user = User(scheduler, "a")
    user.send()
    engine.tick_hook = lambda: user.send() if len(engine.ticks) <= 3 else None

    with running(scheduler, engine):
        engine.wait_for_ticks(5)

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [2], [3], [4], []]


def test_engine_ticks_on_by_itself_while_rows_have_steps_left() -> None:
    engine = ScriptedEngine(steps=4, synchronous=True)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()

    with running(scheduler, engine):
        assert user.answer() == 1

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [], [], []]
    assert scheduler.jobs == 0


def test_params_in_force_at_admission_go_with_the_frame() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.session.update({"prompt": "ink"})
    user.send()

    with running(scheduler, engine):
        engine.finish_next()
        user.answer()
        user.session.update({"prompt": "oil"})
        user.send()
        engine.wait_for_ticks(2)

    assert [jobs[0].params.prompt for jobs in engine.ticks] == ["ink", "oil"]
    assert [jobs[0].params.version for jobs in engine.ticks] == [1, 2]


def test_failed_frame_costs_that_frame_and_nothing_else() -> None:
    engine = ScriptedEngine(synchronous=True, failures=frozenset({1}))
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine) as life:
        user.send()
        engine.wait_for_ticks(1)
        engine.wait_for(lambda engine: "collect" in engine.notes)
        user.send()
        assert user.answer() == 2

    assert life.error is None
    assert user.session.stats.snapshot(0)["dropped"] == {"invalid": 1}


def test_stop_delivers_what_is_under_way_and_returns() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine) as life:
        user.send()
        engine.wait_for_ticks(1)
        scheduler.stop()
        engine.finish_next()
        assert user.answer() == 1

    assert life.error is None
    assert scheduler.jobs == 0


def test_stop_before_run_returns_at_once() -> None:
    scheduler = Scheduler(ScriptedEngine())
    scheduler.stop()

    scheduler.run()


@pytest.mark.parametrize("error", [EngineError("broken"), ValueError("a bug"), MemoryError()])
def test_engine_that_breaks_in_tick_ends_run_with_its_error(error: Exception) -> None:
    engine = ScriptedEngine()
    engine.tick_error = error
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()

    with pytest.raises(type(error)) as caught:
        scheduler.run()

    assert caught.value is error


@pytest.mark.parametrize("error", [EngineError("broken"), ValueError("a bug")])
def test_engine_that_breaks_in_collect_ends_run_with_its_error(error: Exception) -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine) as life:
        user.send()
        engine.finish_next(error)
        engine.wait_for(lambda engine: "collect" in engine.notes)

    assert life.error is error


def test_engine_that_breaks_while_no_frame_comes_is_asked_why() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    engine.tick_error = EngineError("its process is gone")
    engine.breaks()

    with pytest.raises(EngineError, match="its process is gone"):
        scheduler.run()


def test_jobs_bring_the_hints_that_the_engines_nets_are_shown_of_inputs_and_pictures() -> None:
    controls = (ControlInfo("edges", Hint.CANNY, "Edges"), ControlInfo("drawn", Hint.PICTURE, "As it is"))
    info = EngineInfo("scripted", "echo", "none", RungState("echo", "scripted"), controls=controls)
    engine = ScriptedEngine(info=info)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    references = References()
    picture = references.add(np.full((9, 9, 3), 7, np.uint8))
    user.session = Session("b", Params(width=64, height=64), 2**22, references=references, nets=("edges", "drawn"))
    user.channel = user.session.attach(user.arrived.set)
    control = [{"net": "edges"}, {"net": "edges", "source": picture}, {"net": "drawn", "source": picture}]
    user.session.update({"control": control})
    scheduler.add(user.session)
    user.send()

    with running(scheduler, engine):
        engine.finish_next()
        user.answer()

    (job,) = engine.ticks[0]
    assert set(job.hints) == {
        HintKey(Hint.CANNY, INPUT),
        HintKey(Hint.CANNY, str(picture)),
        HintKey(Hint.PICTURE, str(picture)),
    }
    assert {hint.shape for hint in job.hints.values()} == {(64, 64, 3)}
    assert user.session.pictures_in_use == {picture}
