"""Prompts and pictures that are encoded beside the ticks: the same pictures, and nobody waits for another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine.backend import EagerBackend
from realtime.engine.beside import Beside, Making
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.encodings import FAILED_S, Encodings
from realtime.engine.models.load import Model
from realtime.engine.models.prompt import Conditioning
from realtime.errors import FrameError
from realtime.frame import Failure, Job, Result
from realtime.scheduling.scheduler import Scheduler
from tests.engine.test_contexts import SEEN, pictured_model
from tests.engine.tiny_models import (
    RecordingBackend,
    make_job,
    make_model,
    make_params,
    picture_of,
    run,
)
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.stepping import User

CPU = torch.device("cpu")


@contextmanager
def beside() -> Iterator[Beside]:
    made = Beside(CPU)
    try:
        yield made
    finally:
        made.close()


# -- what is kept --------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def encodings(most: int = 4) -> tuple[Encodings[torch.Tensor], Clock]:
    clock = Clock()
    return Encodings(most, lambda one: (one,), clock), clock


def make(makings: list[Making]) -> None:
    for making in makings:
        try:
            made: Any = making.make()
        except Exception as error:
            made = error
        making.keep(made)


def test_what_was_made_beside_is_found_and_made_once_whoever_asks() -> None:
    kept, _ = encodings()
    first, again = kept.beside("a", lambda: torch.ones(1)), kept.beside("a", lambda: torch.zeros(1))

    assert len(first) == 1 and again == [] and "a" not in kept
    make(first)

    assert "a" in kept and kept.beside("a", lambda: torch.zeros(1)) == []
    assert kept.get("a", lambda: torch.zeros(1)).item() == 1 and kept.encoded == 1


def test_what_was_asked_for_before_all_was_forgotten_is_thrown_away() -> None:
    kept, _ = encodings()
    old = kept.beside("a", lambda: torch.zeros(1))
    kept.forget()
    new = kept.beside("a", lambda: torch.ones(1))
    make([*new, *old])

    assert kept.get("a", lambda: torch.full((1,), 2.0)).item() == 1


def test_what_could_not_be_made_is_told_for_a_while_and_then_tried_again() -> None:
    kept, clock = encodings()

    def too_much() -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    make(kept.beside("a", too_much))

    for _ in range(2):
        assert "a" in kept, "nothing is to be made"
        with pytest.raises(FrameError, match="too little memory") as caught:
            kept.get("a", lambda: torch.ones(1))
        assert caught.value.code == "out_of_memory"
    clock.now_s += FAILED_S
    assert "a" not in kept and len(kept.beside("a", lambda: torch.ones(1))) == 1


def test_what_is_asked_for_stays_longer_than_what_is_not() -> None:
    kept, _ = encodings(2)
    for name in "ab":
        kept.get(name, lambda: torch.ones(1))
    assert "a" in kept

    kept.get("c", lambda: torch.ones(1))

    assert "a" in kept and "b" not in kept


def test_an_error_in_one_thing_costs_no_other_and_nobody_waits_for_ever() -> None:
    kept: list[Any] = []

    def bad() -> Any:
        raise ValueError("no")

    with beside() as thread:
        spent_ns = thread.submit([Making(bad, kept.append), Making(lambda: 1, kept.append)]).result(PATIENCE_S)

    assert spent_ns >= 0 and isinstance(kept[0], ValueError) and kept[1] == 1


# -- in an engine --------------------------------------------------------------------------------------------------


def noting_threads(model: Model) -> list[str]:
    """The threads in which texts are encoded from now on."""
    encoder: Any = model.prompt_encoder
    encode, threads = encoder._encode_text, list[str]()

    def note(text: str) -> Conditioning:
        threads.append(threading.current_thread().name)
        return encode(text)

    encoder._encode_text = note
    return threads


def prepared(engine: DiffusionEngine, job: Job) -> Job:
    """The job, once all that it needs is made."""
    assert not engine.is_prepared(job)
    engine.prepare_beside(job).result(PATIENCE_S)
    assert engine.is_prepared(job)
    return job


def test_prompts_made_beside_give_the_same_pictures_and_none_is_encoded_in_a_tick() -> None:
    fields: list[dict[str, Any]] = [
        {"prompt": "ink"},
        {"prompt": [{"text": "oil"}, {"text": "gold", "weight": 2}], "num_inference_steps": 2},
        {"prompt": "snow", "negative_prompt": "rain", "negative_scale": 3.0},
    ]
    jobs = [make_job(make_params(**one), i) for i, one in enumerate(fields)]
    plain = make_model(is_shared=True)
    expected = [picture_of(one) for one in run(DiffusionEngine(plain, RecordingBackend(plain)), jobs)]
    model = make_model(is_shared=True)
    with beside() as thread:
        engine = DiffusionEngine(model, RecordingBackend(model), beside=thread)
        assert engine.info.prepares_beside
        threads = noting_threads(model)
        for job in jobs:
            prepared(engine, job)
            engine.prepare(job)

        found = [picture_of(one) for one in run(engine, jobs)]

    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert len(threads) == 5 and all(name.startswith("beside") for name in threads)


def test_reference_pictures_are_encoded_beside_too(tmp_path: Path) -> None:
    params = make_params(references=[{"picture": picture, "weight": 0.8} for picture in SEEN][:2])
    job = replace(make_job(params), references=SEEN)
    plain = pictured_model(tmp_path)
    (expected,) = run(DiffusionEngine(plain, EagerBackend(plain)), [job])
    model = pictured_model(tmp_path)
    adapter = model.ip_adapter
    assert adapter is not None
    tokens, threads = adapter._tokens, list[str]()

    def note(picture: Any) -> Any:
        threads.append(threading.current_thread().name)
        return tokens(picture)

    adapter._tokens = note  # type: ignore[method-assign]
    with beside() as thread:
        engine = DiffusionEngine(model, EagerBackend(model), beside=thread)
        (found,) = run(engine, [prepared(engine, job)])

    assert np.array_equal(picture_of(found), picture_of(expected))
    assert len(threads) == 1 + len(SEEN) and all(name.startswith("beside") for name in threads)


def test_an_engine_without_a_thread_beside_is_always_prepared() -> None:
    model = make_model(is_shared=True)
    engine = DiffusionEngine(model, RecordingBackend(model))
    job = make_job(make_params(prompt="new"))

    assert engine.is_prepared(job) and not engine.info.prepares_beside
    assert engine.prepare_beside(job).result(0) == 0


def test_prompt_for_which_memory_does_not_suffice_costs_its_frames_alone() -> None:
    model = make_model(is_shared=True)
    encoder: Any = model.prompt_encoder
    encode = encoder._encode_text

    def too_much(text: str) -> Conditioning:
        if text == "much":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(text)

    encoder._encode_text = too_much
    with beside() as thread:
        engine = DiffusionEngine(model, RecordingBackend(model), beside=thread)
        engine.tick([make_job(make_params(num_inference_steps=3), 1)])
        much = prepared(engine, make_job(make_params(prompt="much"), 2))
        engine.prepare(much)
        failed = engine.tick([much]).collect()
        (made,) = [one for pending in (engine.tick([]),) for one in pending.collect()]

    assert [type(one) for one in failed] == [Failure] and isinstance(failed[0], Failure)
    assert failed[0].error.code == "out_of_memory"
    assert isinstance(made, Result) and made.job.frame.seq == 1, "a row in flight goes on"


def test_weights_that_change_while_a_prompt_is_encoded_have_it_encoded_anew() -> None:
    model = make_model(is_shared=True)
    encoder: Any = model.prompt_encoder
    encode, begun, may_end = encoder._encode_text, threading.Event(), threading.Event()

    def slow(text: str) -> Conditioning:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        return encode(text)

    encoder._encode_text = slow
    job = make_job(make_params(prompt="ink"))
    with beside() as thread:
        engine = DiffusionEngine(model, RecordingBackend(model), beside=thread)
        made = engine.prepare_beside(job)
        assert begun.wait(PATIENCE_S)
        may_end.set()
        with encoder.unused():  # as while weights are written: nobody encodes within
            engine._weights_changed(())
        made.result(PATIENCE_S)

        assert not engine.is_prepared(job)
        prepared(engine, job)


# -- for others ----------------------------------------------------------------------------------------------------


@contextmanager
def serving(engine: DiffusionEngine) -> Iterator[Scheduler]:
    scheduler = Scheduler(engine)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        yield scheduler
    finally:
        scheduler.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def send_until(user: User, condition: Callable[[], bool]) -> None:
    """Send frames as a camera does."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        user.send()
        time.sleep(0.002)


def test_a_text_encoder_that_is_slow_stops_no_other_session() -> None:
    """However long it takes: the other has pictures until it is let go on."""
    model = make_model(is_shared=True)
    encoder: Any = model.prompt_encoder
    encode, begun, may_end = encoder._encode_text, threading.Event(), threading.Event()

    def slow(text: str) -> Conditioning:
        if text == "slow":
            begun.set()
            assert may_end.wait(PATIENCE_S)
        return encode(text)

    encoder._encode_text = slow
    params = make_params(skip_unchanged=False)
    with beside() as thread:
        engine = DiffusionEngine(model, RecordingBackend(model), beside=thread)
        try:
            with serving(engine) as scheduler:
                typing, other = (User(scheduler, name, params=params) for name in ("typing", "other"))
                for user in (typing, other):
                    user.send()
                    user.answer()
                typing.session.update({"prompt": "slow"})
                typing.send()
                assert begun.wait(PATIENCE_S)

                meanwhile = [other.send() == other.answer() for _ in range(20)]
                before = typing.session.newest
                send_until(typing, lambda: typing.session.newest is not before)
                newest = typing.session.newest
                assert newest is not None and newest.job.params.prompt == "", "it goes on with its last prompt"
                may_end.set()
                send_until(typing, lambda: typing.session.in_use.prompt == "slow")
        finally:
            may_end.set()

    assert meanwhile == [True] * 20
