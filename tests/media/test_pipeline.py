"""Opening and sealing: order, failures of one frame, one alone without a hop, several in threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from realtime.errors import FrameError
from realtime.frame import Failure, Format, Job, Order, Result
from realtime.media import codec
from realtime.media.pipeline import Pipeline
from realtime.params import OutputFormat, Params
from tests.fakes.clock import FakeClock
from tests.fakes.frames import a_frame, a_job, a_result
from tests.fakes.pictures import a_jpeg
from tests.fakes.waiting import PATIENCE_S

SMALL = Params(width=64, height=96)


def an_order(seq: int, data: bytes | None = None, params: Params = SMALL) -> Order:
    return Order(a_frame(seq, data), params, "s", 0, seq)


@pytest.fixture(params=[0, 2])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    pipeline = Pipeline(128 * 128, clock=FakeClock(7), threads=request.param)
    request.addfinalizer(pipeline.close)
    return pipeline


def test_opened_frames_are_jobs_with_pictures_of_their_params_size_in_their_order(pipeline: Pipeline) -> None:
    orders = [an_order(seq) for seq in range(5)]

    opened = list(pipeline.open(orders))

    for order, job in zip(orders, opened, strict=True):
        assert isinstance(job, Job)
        assert (job.frame, job.params, job.number, job.opened_ns) == (order.frame, SMALL, order.number, 7)
        assert job.picture.shape == (96, 64, 3)
        assert abs(int(job.picture.mean()) - order.frame.seq * 97 % 256) <= 1
        assert job.thumbnail is not None


def test_frames_that_are_all_run_have_no_thumbnail(pipeline: Pipeline) -> None:
    (job,) = pipeline.open([an_order(1, params=SMALL.model_copy(update={"skip_unchanged": False}))])

    assert isinstance(job, Job)
    assert job.thumbnail is None


@pytest.mark.parametrize(
    ("data", "code"), [(b"junk", "invalid_frame"), (a_jpeg(136, 136), "too_many_pixels"), (b"", "invalid_frame")]
)
def test_bad_picture_is_a_failure_of_its_own(pipeline: Pipeline, data: bytes, code: str) -> None:
    good, bad, other = pipeline.open([an_order(1), an_order(2, data), an_order(3)])

    assert isinstance(good, Job)
    assert isinstance(other, Job)
    assert isinstance(bad, Failure)
    assert (bad.error.code, bad.order.number) == (code, 2)


def test_sealed_results_have_the_format_that_their_params_ask_for(pipeline: Pipeline) -> None:
    wanted = [SMALL.model_copy(update={"output_format": kind}) for kind in OutputFormat]

    sealed = list(pipeline.seal([a_result(a_job(seq, params), b"") for seq, params in enumerate(wanted)]))

    results = [outcome for outcome in sealed if isinstance(outcome, Result)]
    assert [result.format for result in results] == [Format.JPEG, Format.WEBP, Format.PNG]
    assert [Format.sniff(result.data) for result in results] == [result.format for result in results]
    assert [result.stamps.encode for result in results] == [7] * 3


def test_who_wants_pixels_gets_no_encoding(pipeline: Pipeline) -> None:
    job = Job(a_frame(), SMALL, "s", 0, encode=False, picture=np.zeros((96, 64, 3), np.uint8))

    (result,) = pipeline.seal([Result(job, job.picture, a_result().stamps)])

    assert isinstance(result, Result)
    assert (result.format, result.data) == (Format.NONE, b"")


def test_failures_pass_through_the_sealing(pipeline: Pipeline) -> None:
    failure = Failure(an_order(1), FrameError("bad"))

    assert list(pipeline.seal([failure])) == [failure]


def test_nothing_is_nothing(pipeline: Pipeline) -> None:
    assert list(pipeline.open([])) == []


def threads_of_stages() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("pipeline")}


def test_one_alone_takes_no_thread() -> None:
    before = threads_of_stages()
    pipeline = Pipeline(threads=2)

    list(pipeline.open([an_order(1)]))

    assert threads_of_stages() <= before
    pipeline.close()


def test_several_take_threads_that_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threads_of_stages()
    pipeline = Pipeline(threads=2)
    all_three = threading.Barrier(3)
    decode = codec.decode

    def together(*arguments: Any) -> Any:
        all_three.wait(PATIENCE_S)
        return decode(*arguments)

    monkeypatch.setattr(codec, "decode", together)
    list(pipeline.open([an_order(seq) for seq in range(3)]))

    assert len(threads_of_stages() - before) == 2
    assert pipeline.concurrency == 3
    pipeline.close()
    assert threads_of_stages() <= before
