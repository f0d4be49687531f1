"""The engine without a model: it decodes, waits as a device does, and encodes."""

from __future__ import annotations

import time

import pytest

from realtime.engine import RowCost
from realtime.engine.echo import EchoEngine
from realtime.errors import ConfigError, FrameError
from realtime.frame import Failure, Job, Result
from realtime.params import Params
from tests.fakes.frames import a_job

SMALL = Params(width=64, height=64)


def only_result(outcomes: list[Result | Failure]) -> Result:
    (outcome,) = outcomes
    assert isinstance(outcome, Result)
    return outcome


@pytest.mark.parametrize(("name", "tick_ms"), [("echo", 0), ("echo:", 0), ("echo:10", 10), ("echo:2.5", 2.5)])
def test_name_tells_the_milliseconds_of_a_tick(name: str, tick_ms: float) -> None:
    engine = EchoEngine.from_name(name, max_rows=3)

    assert (engine.tick_ms, engine.free_rows, engine.info.family) == (tick_ms, 3, "echo")


@pytest.mark.parametrize("name", ["echo:x", "echo:-1", "echo:nan", "echo:inf", "echo:60001", "echo:1:2"])
def test_name_without_a_number_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^--model .*write echo:MS"):
        EchoEngine.from_name(name, max_rows=1)


def test_picture_comes_back_as_it_is() -> None:
    job = a_job(5, SMALL)

    result = only_result(EchoEngine().tick([job]).collect())

    assert result.job is job
    assert result.picture is job.picture
    assert not result.data


def test_outcomes_come_in_the_order_of_the_jobs() -> None:
    pending = EchoEngine().tick([a_job(seq, SMALL) for seq in (3, 1, 2)])

    assert [job.frame.seq for job in pending.jobs] == [3, 1, 2]
    assert [outcome.order.frame.seq for outcome in pending.collect()] == [3, 1, 2]


def test_tick_returns_at_once_and_ticks_run_one_after_another() -> None:
    engine = EchoEngine(tick_ms=60_000)

    first, second = engine.tick([]), engine.tick([])

    assert not first.ready()
    assert second.finished_ns - first.finished_ns == 60_000_000_000


def test_collect_waits_for_its_tick() -> None:
    pending = EchoEngine(tick_ms=20).tick([a_job(1, SMALL)])

    result = only_result(pending.collect())

    assert time.monotonic_ns() >= pending.finished_ns
    assert pending.ready()
    assert result.stamps.denoise >= pending.finished_ns


def test_stages_add_up_to_the_time_from_arrival_to_the_last_mark() -> None:
    begin = time.monotonic_ns()
    result = only_result(EchoEngine().tick([a_job(1, SMALL, received_ns=begin)]).collect())

    assert sum(result.stamps.durations_ms().values()) <= (time.monotonic_ns() - begin) / 1e6


def test_fault_happens_to_the_frame_or_to_the_engine() -> None:
    def fault(job: Job) -> None:
        if job.frame.seq == 1:
            raise FrameError("a bad frame", "nan")
        if job.frame.seq == 2:
            raise ZeroDivisionError

    engine = EchoEngine(fault=fault)
    (failure,) = engine.tick([a_job(1)]).collect()

    assert isinstance(failure, Failure)
    assert failure.error.code == "nan"
    with pytest.raises(ZeroDivisionError):
        engine.tick([a_job(2)])


def test_nothing_stays_behind() -> None:
    engine = EchoEngine(max_rows=2)
    engine.tick([a_job(1, SMALL)])

    assert (engine.free_rows, engine.busy_rows) == (2, 0)
    engine.close()


def test_every_job_costs_the_same() -> None:
    engine = EchoEngine()

    assert engine.cost(Params()) == engine.cost(Params(width=1024, strength=0.0)) == RowCost((1,))
