"""An engine in a process of its own: the same pictures as in this one, and an error however it ends."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import pytest

from realtime.config import Device
from realtime.control import INPUT, Hint, HintKey
from realtime.engine_process import engine as module
from realtime.engine_process.dialogue import Dialogue
from realtime.engine_process.engine import EngineProcess, wants_process
from realtime.engine_process.messages import LoadOrder
from realtime.errors import ConfigError, EngineError, ModelError
from realtime.frame import Failure, Job, Result
from realtime.params import Params
from scripts.endurance.census import shared_files
from tests.fakes.faulty import (
    QUICK,
    SLOW_S,
    in_a_process,
    load_and_crash,
    load_and_stop,
    load_climbing,
    load_dressing,
    load_for_two_rows,
    load_nothing,
    load_showing_hints,
)
from tests.fakes.frames import a_job
from tests.fakes.servers import a_config
from tests.fakes.starts import METHODS, start_by
from tests.fakes.waiting import PATIENCE_S

SMALL = Params(width=64, height=64)


@pytest.fixture(params=METHODS)
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineProcess]:
    start_by(request.param, monkeypatch)
    engine = in_a_process()(a_config())
    yield engine
    engine.close()


def prompted(prompt: str, number: int = 1) -> Job:
    return a_job(number, SMALL.model_copy(update={"prompt": prompt}))


def test_ticks_are_launched_behind_each_other_and_slots_come_back(faulty: EngineProcess) -> None:
    free = faulty.free_rows
    for _ in range(3):
        first = faulty.tick([prompted("a", number) for number in range(free)])
        second = faulty.tick([prompted("b", number) for number in range(free)])
        outcomes = [*first.collect(), *second.collect()]
        assert [outcome.order.number for outcome in outcomes] == [*range(free), *range(free)]
        assert first.finished_ns <= second.finished_ns
        assert list(second.preparing_ns) == list(range(free))


def test_more_jobs_than_rows_are_refused(faulty: EngineProcess) -> None:
    with pytest.raises(EngineError, match="9 jobs for 8 free rows"):
        faulty.tick([prompted("a", number) for number in range(9)])


def test_no_more_rows_are_there_than_the_engine_has() -> None:
    engine = EngineProcess(a_config(max_rows=4), load=load_for_two_rows)
    try:
        assert engine.free_rows == 2
    finally:
        engine.close()


def test_secrets_do_not_reach_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[LoadOrder] = []

    class Noted(Dialogue):
        def __init__(self, order: LoadOrder, *rest: Any) -> None:
            orders.append(order)
            super().__init__(order, *rest)

    monkeypatch.setattr(module, "Dialogue", Noted)
    EngineProcess(a_config(token="hush-hush", max_rows=3)).close()

    (order,) = orders
    assert b"hush-hush" not in pickle.dumps(order)
    assert (order.config.model, order.config.max_rows) == ("echo", 3)


# -- however it ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("abort", "crashed: SIGABRT"),
        ("null", "crashed: SIGSEGV"),
        ("kill", "was killed"),
        ("exit", "has ended with 3"),
        ("memory", "^MemoryError"),
        ("stop", "gave no answer for 0.5 s"),
        ("hang", "gave no answer for 0.5 s"),
    ],
)
def test_engine_that_ends_in_a_tick_breaks_it(faulty: EngineProcess, prompt: str, reason: str) -> None:
    pending = faulty.tick([prompted(prompt)])
    with pytest.raises(EngineError, match=reason):
        pending.collect()
    with pytest.raises(EngineError, match=reason):
        faulty.tick([])
    with pytest.raises(EngineError, match=reason):
        faulty.hear(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize(("prompt", "is_over"), [("climb", False), ("slow", True)])
def test_tick_by_other_code_than_before_may_take_longer_and_none_by_the_same(prompt: str, is_over: bool) -> None:
    limits = replace(QUICK, tick_s=SLOW_S / 2, tick_factor=1.0, climbing_s=PATIENCE_S, first_s=PATIENCE_S)
    engine = in_a_process(load_climbing, limits)(a_config())
    try:
        engine.tick([prompted("a")]).collect()
        pending = engine.tick([prompted(prompt)])
        with pytest.raises(EngineError, match="gave no answer") if is_over else contextlib.nullcontext():
            pending.collect()
    finally:
        engine.close()


@pytest.mark.slow
def test_tick_behind_loras_that_are_put_on_slowly_is_not_taken_for_one_that_hangs() -> None:
    limits = replace(QUICK, tick_s=SLOW_S / 3, loading_s=PATIENCE_S)
    engine = in_a_process(load_dressing, limits)(a_config())
    try:
        engine.tick([prompted("a")]).collect()
        put = engine.ready_loras(["one"]).put()
        (outcome,) = engine.tick([prompted("b")]).collect()
        assert put.done()
    finally:
        engine.close()

    assert isinstance(outcome, Result)


@pytest.mark.slow
def test_loras_that_are_put_on_without_end_are_seen_also_where_no_tick_waits() -> None:
    engine = in_a_process(load_dressing, replace(QUICK, loading_s=SLOW_S))(a_config())
    try:
        put = engine.ready_loras(["endless"]).put()
        with pytest.raises(EngineError, match="gave no answer"):
            put.result(PATIENCE_S)
    finally:
        engine.close()


def test_frame_error_in_the_process_fails_its_frame_alone(faulty: EngineProcess) -> None:
    bad, good = faulty.tick([prompted("nan", 1), prompted("a", 2)]).collect()

    assert isinstance(bad, Failure) and (bad.error.code, str(bad.error)) == ("nan", "not a number")
    assert isinstance(good, Result)


def test_engine_that_dies_while_it_has_nothing_to_do_says_so(faulty: EngineProcess) -> None:
    broken = threading.Event()
    faulty.when_broken(broken.set)

    os.kill(faulty.pid, signal.SIGKILL)

    assert broken.wait(PATIENCE_S)
    again = threading.Event()
    faulty.when_broken(again.set)
    assert again.is_set()


def test_engine_that_is_stopped_while_it_has_nothing_to_do_is_seen_and_one_that_gets_something_has_its_time(
    faulty: EngineProcess,
) -> None:
    broken = threading.Event()
    time.sleep(3 * QUICK.tick_s)  # longer than a tick may take
    assert faulty.tick([prompted("a")]).collect()
    faulty.when_broken(broken.set)

    os.kill(faulty.pid, signal.SIGSTOP)

    assert broken.wait(PATIENCE_S)
    with pytest.raises(EngineError, match=r"gave no answer for 1.0 s: it was stopped by a signal") as caught:
        faulty.tick([])
    assert not caught.value.blames_frames


def test_engine_that_has_nothing_to_do_is_left_alone_for_as_long_as_it_takes(faulty: EngineProcess) -> None:
    broken = threading.Event()
    faulty.when_broken(broken.set)

    assert not broken.wait(4 * QUICK.tick_s)
    assert faulty.tick([prompted("a")]).collect()


def test_engine_that_is_closed_is_not_broken() -> None:
    engine = in_a_process()(a_config())
    broken = threading.Event()
    engine.when_broken(broken.set)

    engine.close()

    assert not broken.is_set()


@pytest.mark.parametrize(
    ("load", "error", "reason"),
    [
        (load_nothing, ModelError, "there is no such model"),
        (load_and_crash, EngineError, "crashed: SIGABRT"),
        (load_and_stop, EngineError, "gave no answer for 1.0 s"),
    ],
)
def test_engine_that_cannot_be_loaded_raises(load: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        in_a_process(load)(a_config())


def test_name_that_is_none_is_the_configurations_error_in_the_process_too() -> None:
    with pytest.raises(ConfigError, match="--model echo:soon"):
        EngineProcess(a_config(model="echo:soon"))


# -- nothing is left ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_engines_that_were_killed_leave_nothing(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start_by(method, monkeypatch)
    dice = random.Random(5)
    in_a_process()(a_config()).close()  # with it begins what is kept for the next: the process that forks them
    before = left_here()
    for _ in range(12):
        engine = in_a_process()(a_config())
        pending = engine.tick([prompted(dice.choice(["a", "hang"]))])
        engine.tick([])
        os.kill(engine.pid, dice.choice([signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV]))
        if dice.random() < 0.5:
            with contextlib.suppress(EngineError):
                pending.collect()
        del pending
        engine.close()

    end_s = time.monotonic() + PATIENCE_S  # threads end a little after they were asked to
    while more := {name: count for name, count in left_here().items() if count > before[name]}:
        assert time.monotonic() < end_s, more
        time.sleep(0.05)


def left_here() -> dict[str, int]:
    process = psutil.Process()
    return {
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
        "processes": len(process.children(recursive=True)),
        "shared": len(shared_files()),
        "maps": sum("realtime-" in entry.path for entry in process.memory_maps()),
    }


@pytest.mark.parametrize(
    ("given", "device", "wanted"),
    [
        ({}, Device.CPU, False),
        ({}, Device.CUDA, True),
        ({"device": "mps"}, Device.CPU, True),
        ({"device": "cpu"}, Device.CUDA, False),
        ({"model": "echo"}, Device.CUDA, False),
        ({"model": "echo", "engine_process": True}, Device.CPU, True),
        ({"engine_process": False}, Device.CUDA, False),
    ],
)
def test_gpu_gets_a_process_by_default(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], device: Device, wanted: bool
) -> None:
    monkeypatch.setattr(module, "likely_device", lambda asked: device if asked is Device.AUTO else asked)

    assert wants_process(a_config(**{"model": "tiny", **given})) is wanted


def test_hints_cross_those_of_references_once() -> None:
    engine = EngineProcess(a_config(), load=load_showing_hints)

    def hinted(*hints: tuple[Hint, str, int]) -> Job:
        job = a_job(1, SMALL)
        return replace(
            job, hints={HintKey(hint, source): np.full((64, 64, 3), value, np.uint8) for hint, source, value in hints}
        )

    def shown(*jobs: Job) -> list[int]:
        return [int(one.picture.max()) for one in engine.tick(jobs).collect() if isinstance(one, Result)]

    try:
        of_inputs = [hinted((Hint.CANNY, INPUT, value), (Hint.LINES, INPUT, 1)) for value in (10, 20)]
        both = hinted((Hint.CANNY, INPUT, 5), (Hint.CANNY, "a", 30))
        changed_though_it_can_not = hinted((Hint.CANNY, "a", 99))

        assert shown(*of_inputs) == [11, 21]
        assert shown(both) == [35]
        assert shown(changed_though_it_can_not) == [30], "it was there already"
        assert shown(hinted()) == [0]
    finally:
        engine.close()
