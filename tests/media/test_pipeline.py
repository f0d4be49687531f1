"""ToOpen and sealing: order, failures of one frame, one alone without a hop, several in threads."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image

from realtime.errors import FrameError
from realtime.frame import Failure, Format, Job, Order, Result
from realtime.media import codec
from realtime.media.pipeline import Done, Pipeline
from realtime.params import Beyond, Matte, OutputFormat, Params
from tests.fakes.clock import FakeClock
from tests.fakes.frames import a_frame, a_job, a_result
from tests.fakes.pictures import a_jpeg, a_plain_jpeg, encoded, pixels
from tests.fakes.waiting import PATIENCE_S

SMALL = Params(width=64, height=96)


def an_order(seq: int, data: bytes | None = None, params: Params = SMALL) -> Order:
    return Order(a_frame(seq, data), params, "s", 0, seq)


T = TypeVar("T")


def unseen(*items: T) -> list[tuple[T, None]]:
    """Orders or outcomes of clients that have no picture yet."""
    return [(item, None) for item in items]


def outcomes(done: Iterable[Done[Any]]) -> list[Any]:
    return [one.outcome for one in done]


@pytest.fixture(params=[0, 2])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    pipeline = Pipeline(128 * 128, clock=FakeClock(7), threads=request.param)
    request.addfinalizer(pipeline.close)
    return pipeline


def test_opened_frames_are_jobs_with_pictures_of_their_params_size_in_their_order(pipeline: Pipeline) -> None:
    orders = [an_order(seq) for seq in range(5)]

    opened = outcomes(pipeline.open(unseen(*orders)))

    for order, job in zip(orders, opened, strict=True):
        assert isinstance(job, Job)
        assert (job.frame, job.params, job.number, job.opened_ns) == (order.frame, SMALL, order.number, 7)
        assert job.picture.shape == (96, 64, 3)
        assert abs(int(job.picture.mean()) - order.frame.seq * 97 % 256) <= 1
        assert job.thumbnail is not None


def test_frames_that_are_all_run_have_no_thumbnail(pipeline: Pipeline) -> None:
    (job,) = outcomes(pipeline.open(unseen(an_order(1, params=SMALL.model_copy(update={"skip_unchanged": False})))))

    assert isinstance(job, Job)
    assert job.thumbnail is None


MOVING = SMALL.model_copy(update={"feedback": 0.5})


def test_picture_before_is_mixed_in_where_that_is_asked_for(pipeline: Pipeline) -> None:
    past = a_result(a_job(1, SMALL))
    bright = a_plain_jpeg(200)

    moving, first, still = outcomes(
        pipeline.open(
            [(an_order(2, bright, MOVING), past), (an_order(3, bright, MOVING), None), (an_order(4, bright), past)]
        )
    )

    assert np.abs(moving.picture.astype(int) - 100).max() <= 1
    assert np.abs(moving.input.astype(int) - 200).max() <= 1
    for job in (first, still):
        assert job.original is None
        assert np.abs(job.picture.astype(int) - 200).max() <= 1
    assert moving.thumbnail is None
    assert first.thumbnail is None
    assert still.thumbnail is not None


def test_mixing_counts_for_what_takes_long(pipeline: Pipeline) -> None:
    large = SMALL.model_copy(update={"width": 2048, "height": 1024})

    assert not pipeline.is_heavy_to_open(an_order(1, params=large))
    assert pipeline.is_heavy_to_open(an_order(1, params=large.model_copy(update={"feedback": 0.1})))


@pytest.mark.parametrize(
    ("data", "code"), [(b"junk", "invalid_frame"), (a_jpeg(136, 136), "too_many_pixels"), (b"", "invalid_frame")]
)
def test_bad_picture_is_a_failure_of_its_own(pipeline: Pipeline, data: bytes, code: str) -> None:
    good, bad, other = outcomes(pipeline.open(unseen(an_order(1), an_order(2, data), an_order(3))))

    assert isinstance(good, Job)
    assert isinstance(other, Job)
    assert isinstance(bad, Failure)
    assert (bad.error.code, bad.order.number) == (code, 2)


def test_sealed_results_have_the_format_that_their_params_ask_for(pipeline: Pipeline) -> None:
    wanted = [SMALL.model_copy(update={"output_format": kind}) for kind in OutputFormat]

    sealed = outcomes(pipeline.seal(unseen(*(a_result(a_job(seq, params), b"") for seq, params in enumerate(wanted)))))

    results = [outcome for outcome in sealed if isinstance(outcome, Result)]
    assert [result.format for result in results] == [Format.JPEG, Format.WEBP, Format.PNG]
    assert [Format.sniff(result.data) for result in results] == [result.format for result in results]
    assert [result.stamps.encode for result in results] == [7] * 3


def test_who_wants_pixels_gets_no_encoding(pipeline: Pipeline) -> None:
    job = Job(a_frame(), SMALL, "s", 0, encode=False, picture=np.zeros((96, 64, 3), np.uint8))

    (result,) = outcomes(pipeline.seal(unseen(Result(job, job.picture, a_result().stamps))))

    assert isinstance(result, Result)
    assert (result.format, result.data) == (Format.NONE, b"")


def test_failures_pass_through_the_sealing(pipeline: Pipeline) -> None:
    failure = Failure(an_order(1), FrameError("bad"))

    assert outcomes(pipeline.seal(unseen(failure))) == [failure]


def test_nothing_is_nothing(pipeline: Pipeline) -> None:
    assert list(pipeline.open([])) == []


def threads_of_stages() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("pipeline")}


def test_one_alone_takes_no_thread() -> None:
    before = threads_of_stages()
    pipeline = Pipeline(threads=2)

    list(pipeline.open(unseen(an_order(1))))

    assert threads_of_stages() <= before
    pipeline.close()


def test_several_take_threads_that_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threads_of_stages()
    pipeline = Pipeline(threads=2)
    all_three = threading.Barrier(3)
    decode = codec.decode_with_alpha

    def together(*arguments: Any) -> Any:
        all_three.wait(PATIENCE_S)
        return decode(*arguments)

    monkeypatch.setattr(codec, "decode_with_alpha", together)
    list(pipeline.open(unseen(*(an_order(seq) for seq in range(3)))))

    assert len(threads_of_stages() - before) == 2
    assert pipeline.concurrency == 3
    pipeline.close()
    assert threads_of_stages() <= before


def test_time_that_each_took_is_told_whatever_became_of_it() -> None:
    ticks = iter(range(0, 1000, 10))
    pipeline = Pipeline(threads=0, cpu_clock=lambda: next(ticks))

    opened = list(pipeline.open(unseen(an_order(1), an_order(2, b"junk"))))
    sealed = list(pipeline.seal(unseen(a_result(), Failure(an_order(1), FrameError("bad")))))

    assert [done.spent_ns for done in (*opened, *sealed)] == [10] * 4
    pipeline.close()


@pytest.mark.parametrize(
    ("data", "is_heavy"),
    [
        (a_jpeg(1280, 720), False),
        (encoded(pixels(512, 512), "PNG"), False),
        (encoded(pixels(256, 256), "WEBP"), False),
        (encoded(pixels(1280, 720), "PNG"), True),
        (encoded(pixels(1280, 720), "WEBP"), True),
        (encoded(pixels(1280, 720), "JPEG", progressive=True), True),
        (b"no picture", False),
    ],
)
def test_what_takes_long_to_open_is_told_from_its_header(pipeline: Pipeline, data: bytes, is_heavy: bool) -> None:
    frame = dataclasses.replace(a_frame(1, data), format=Format.sniff(data))

    assert pipeline.is_heavy_to_open(Order(frame, SMALL, "s", 0)) is is_heavy


def test_calming_counts_for_what_takes_long_whether_or_not_it_is_encoded(pipeline: Pipeline) -> None:
    for encode in (True, False):
        job = dataclasses.replace(a_job(1, Params(calm=0.5, width=1024, height=1024)), encode=encode)
        assert pipeline.is_heavy_to_seal(a_result(job))
        plain = dataclasses.replace(job, params=job.params.model_copy(update={"calm": 0.0}))
        assert not pipeline.is_heavy_to_seal(a_result(plain))


@pytest.mark.parametrize("kind", list(OutputFormat))
def test_what_takes_long_to_seal_is_told_from_its_params(pipeline: Pipeline, kind: OutputFormat) -> None:
    params = Params(output_format=kind)

    assert pipeline.is_heavy_to_seal(a_result(a_job(1, params))) is (kind is not OutputFormat.JPEG)
    assert not pipeline.is_heavy_to_seal(a_result(a_job(1, params.model_copy(update={"width": 64, "height": 64}))))
    assert not pipeline.is_heavy_to_seal(a_result(dataclasses.replace(a_job(1, params), encode=False)))
    assert not pipeline.is_heavy_to_seal(Failure(an_order(1), FrameError("bad")))


def test_what_is_aside_is_opened_and_sealed_as_ever(pipeline: Pipeline) -> None:
    rung = threading.Semaphore(0)
    opening = pipeline.open_aside((an_order(1), None), rung.release)
    sealing = pipeline.seal_aside((a_result(a_job(1, SMALL), b""), None), rung.release)
    assert rung.acquire(timeout=PATIENCE_S)
    assert rung.acquire(timeout=PATIENCE_S)

    job, result = opening.result().outcome, sealing.result().outcome
    assert isinstance(job, Job)
    assert isinstance(result, Result)
    assert job.picture.shape == (96, 64, 3)
    assert Format.sniff(result.data) is Format.JPEG


def keyed(picture: Any, mask: Any, **fields: Any) -> Result:
    """An engine's result whose frame showed the same."""
    params = SMALL.model_copy(update={"matte": Matte.PERSON, **fields})
    job = a_job(1, params, picture=picture)
    return dataclasses.replace(a_result(job, b""), picture=picture, mask=mask)


def test_picture_is_put_together_by_its_mask_and_what_comes_after_it_is_made_from_all_of_it(pipeline: Pipeline) -> None:
    whole, half = pixels(64, 96, seed=3), np.zeros((256, 256), np.uint8)
    half[:, :128] = 255

    (first,) = outcomes(pipeline.seal([(keyed(whole, half, beyond=Beyond.BLACK), None)]))
    (second,) = outcomes(pipeline.seal([(keyed(whole, half, beyond=Beyond.BLACK, calm=0.9), first)]))

    assert first.picture[:, 40:].max() == 0
    assert np.array_equal(first.whole, whole)
    assert np.abs(second.whole.astype(int) - whole).mean() < 2, "a still picture calmed by itself, not by black"
    assert second.picture[:, 40:].max() == 0


def test_mask_is_steadied_by_the_one_before(pipeline: Pipeline) -> None:
    picture, unsure, sure = pixels(64, 96), np.full((256, 256), 128, np.uint8), np.full((256, 256), 255, np.uint8)

    (first,) = outcomes(pipeline.seal([(keyed(picture, sure), None)]))
    (second,) = outcomes(pipeline.seal([(keyed(picture, unsure), first)]))

    assert np.array_equal(first.mask, sure)
    assert second.mask.min() > 200


def test_transparent_picture_is_sealed_with_its_key_and_stacked_in_a_jpeg(pipeline: Pipeline) -> None:
    half = np.zeros((256, 256), np.uint8)
    half[:, :128] = 255

    (sealed,) = outcomes(pipeline.seal([(keyed(pixels(64, 96), half, beyond=Beyond.KEY), None)]))

    assert sealed.picture.shape == (96, 64, 3)
    assert sealed.key.shape == (96, 64)
    assert codec.inspect(sealed.data, Format.JPEG, 2**20) == (64, 192)


def test_opacity_of_a_frame_is_told(pipeline: Pipeline) -> None:
    clear = np.dstack([pixels(64, 96), np.zeros((96, 64), np.uint8)])
    data = encoded(Image.fromarray(clear), "PNG")
    frame = dataclasses.replace(a_frame(1, data), format=Format.PNG)

    opaque, transparent = outcomes(pipeline.open(unseen(an_order(1), Order(frame, SMALL, "s", 0))))

    assert opaque.alpha is None
    assert transparent.alpha.shape == (96, 64) and transparent.alpha.max() == 0
