"""What an engine makes in a process of its own is what it makes in this one."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from realtime.control import INPUT, Hint, HintKey
from realtime.engine import Engine
from realtime.engine_process.engine import EngineProcess
from realtime.frame import Failure, Job, Result
from realtime.glide import Glide
from realtime.params import Matte
from tests.engine.tiny_models import make_engine, make_job, make_model, make_params
from tests.engine_process.loads import load_small, load_steered, with_poses
from tests.fakes.servers import a_config

pytestmark = pytest.mark.slow


def numbered(jobs: list[Job]) -> list[Job]:
    return [replace(job, number=number) for number, job in enumerate(jobs)]


def run_all(engine: Engine, jobs: list[Job], at_once: int) -> list[tuple[list[int], list[Result | Failure]]]:
    """Admit a few jobs with each tick, until all have left. Of each tick: free rows behind it, and what left."""
    ticks: list[tuple[list[int], list[Result | Failure]]] = []
    left = list(jobs)
    while left or engine.busy_rows:
        admitted = [left.pop(0) for _ in range(min(at_once, engine.free_rows, len(left)))]
        pending = engine.tick(admitted)
        rows = [engine.free_rows, engine.busy_rows]
        outcomes = pending.collect()
        assert [outcome.order for outcome in outcomes] == list(pending.jobs)
        ticks.append((rows, outcomes))
    return ticks


def content(outcome: Result | Failure) -> tuple[Any, ...]:
    if isinstance(outcome, Failure):
        return (outcome.order.number, outcome.error.code, str(outcome.error))
    mask = None if outcome.mask is None else outcome.mask.tobytes()
    return (outcome.order.number, outcome.picture.tobytes(), mask, outcome.picture is outcome.job.picture)


def test_pictures_are_bit_for_bit_those_of_an_engine_in_this_process() -> None:
    variety = [
        make_params(strength=s, num_inference_steps=n, prompt=p, matte=m)
        for s, n, p, m in [
            (0.5, 1, "a", Matte.OFF),
            (0.0, 4, "a", Matte.OFF),
            (1.0, 3, "b", Matte.PERSON),
            (0.7, 2, [{"text": "a", "weight": 1}, {"text": "b", "weight": 2}], Matte.OFF),
            (0.4, 4, "c", Matte.DRAWN),
        ]
    ]
    variety.append(make_params(width=128, num_inference_steps=2))
    glide = Glide.at_rest(make_params(prompt="a", seed=1), 0)
    variety.append(glide.toward(make_params(prompt="b", seed=2), 0, 1.0).at(400_000_000))  # between two texts and seeds
    jobs = [make_job(params, seed) for seed, params in enumerate(variety * 2)]
    mixed = make_job(make_params(matte=Matte.PERSON), 20)
    jobs.append(replace(mixed, original=make_job(make_params(), 21).picture))  # people are looked for in the original
    jobs = numbered(jobs)
    here, _ = make_engine(make_model(), max_rows=4)
    there = EngineProcess(a_config(max_rows=4), load=load_small)
    try:
        expected, found = run_all(here, jobs, 3), run_all(there, jobs, 3)
    finally:
        there.close()

    assert [rows for rows, _ in found] == [rows for rows, _ in expected]
    assert [list(map(content, left)) for _, left in found] == [list(map(content, left)) for _, left in expected]
    assert there.cost(variety[2]) == here.cost(variety[2])
    assert all(
        0 < outcome.stamps.denoise <= outcome.stamps.decode_latents
        for _, left in found
        for outcome in left
        if isinstance(outcome, Result) and outcome.job.params.strength
    )


def test_hints_that_were_made_come_back_with_the_picture() -> None:
    wanted = make_params(control=[{"net": "openpose"}])
    jobs = numbered([make_job(wanted, 1), make_job(make_params(), 2)])
    here, _ = make_engine(with_poses(), max_rows=2)
    there = EngineProcess(a_config(max_rows=2), load=load_steered)
    try:
        [expected, found] = [
            [one for _, left in run_all(engine, jobs, 2) for one in left if isinstance(one, Result)]
            for engine in (here, there)
        ]
    finally:
        there.close()

    assert [list(one.hints) for one in found] == [[HintKey(Hint.POSE, INPUT)], []]
    assert [list(map(content, [one])) for one in found] == [list(map(content, [one])) for one in expected]
    for key, view in expected[0].hints.items():
        np.testing.assert_array_equal(found[0].hints[key], view)
        assert view.any()


def test_job_that_fails_at_once_is_answered_when_it_was_to_leave(caplog: pytest.LogCaptureFixture) -> None:
    stages: list[tuple[str, float | None]] = []
    caplog.set_level(logging.INFO)
    engine = EngineProcess(a_config(), lambda stage, percent: stages.append((stage, percent)), load_small)
    try:
        bad, good = numbered([make_job(make_params(prompt="(", num_inference_steps=3)), make_job(make_params())])
        (first,) = engine.tick([bad, good]).collect()
        assert (engine.busy_rows, engine.tick([]).collect()) == (1, [])
        (last,) = engine.tick([]).collect()
        heard = engine.hear(make_params(prompt="<lora:x:1> a"))
    finally:
        engine.close()

    assert isinstance(first, Result) and first.job is good
    assert isinstance(last, Failure) and (last.order, last.error.code) == (bad, "invalid_params")
    assert heard == make_engine(make_model())[0].hear(make_params(prompt="<lora:x:1> a"))
    assert stages == [("ready soon", 99.0)]
    assert ("small", logging.WARNING, "loaded echo") in caplog.record_tuples
