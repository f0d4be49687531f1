"""What moves, and the times on it."""

from __future__ import annotations

import gc
import pickle
import weakref
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import FrameError
from realtime.frame import STAGES, Air, Failure, Format, Frame, Job, Order, Repeat, Result, Stamps
from realtime.planes import Planes
from tests.fakes.frames import a_job, a_result
from tests.fakes.pictures import pixels


def test_formats_are_numbered_as_on_the_wire() -> None:
    on_the_wire = {f.name: f.value for f in Format if f < 256}

    assert on_the_wire == {"NONE": 0, "JPEG": 1, "PNG": 2, "WEBP": 3}
    assert Format.WEBP.media_type == "image/webp"


@given(st.lists(st.integers(0, 10**9), min_size=len(STAGES), max_size=len(STAGES)))
def test_stages_add_up_to_the_whole(steps_ns: list[int]) -> None:
    now, marks = 1, {}
    for stage, step in zip(STAGES, steps_ns, strict=True):
        now += step
        marks[stage] = now

    durations = Stamps(received_ns=1, **marks).durations_ms()

    assert list(durations) == list(STAGES)
    assert sum(durations.values()) == pytest.approx((now - 1) / 1e6)


def test_skipped_stage_lasts_no_time_and_loses_none() -> None:
    stamps = Stamps(received_ns=1_000_000, queue=3_000_000, decode=4_000_000, encode=9_000_000)

    assert stamps.durations_ms() == {
        "queue": 2.0,
        "decode": 1.0,
        "encode_latents": 0.0,
        "denoise": 0.0,
        "decode_latents": 0.0,
        "encode": 5.0,
    }


def test_jobs_and_results_are_plain_data_that_can_go_to_another_process() -> None:
    result = a_result(a_job(3))

    assert pickle.loads(pickle.dumps(result)) == result


@pytest.mark.parametrize("cls", [Planes, Frame, Order, Job, Stamps, Result, Repeat, Failure])
def test_what_moves_is_frozen(cls: Any) -> None:
    with pytest.raises(AttributeError):
        setattr(object.__new__(cls), fields(cls)[0].name, None)


def test_result_is_itself_or_its_input_or_black_on_air() -> None:
    result = Result(a_job(1), pixels(512, 512), Stamps(0), b"encoded", Format.JPEG)

    black, bypassed = result.on_air(Air.BLACK), result.on_air(Air.INPUT)

    assert result.on_air(Air.OUTPUT) is result
    assert black.picture.shape == result.picture.shape
    assert not black.picture.any()
    assert bypassed.picture is result.job.picture
    assert {(one.data, one.format) for one in (black, bypassed)} == {(b"", Format.NONE)}


def test_what_failed_is_gone_with_its_failure_without_the_garbage_collector() -> None:
    gone: list[weakref.ref[Any]] = []

    def fail() -> Failure:
        job = replace(a_job(1), picture=np.zeros((8, 8, 3), np.uint8))
        gone.append(weakref.ref(job.picture))
        try:
            raise FrameError("bad") from ValueError("worse")
        except FrameError as error:
            return Failure(job, error)

    def call() -> None:
        failure = fail()  # this call's own frame is what a traceback would hold, and that the failure
        assert str(failure.error) == "bad"

    gc.disable()
    try:
        call()
    finally:
        gc.enable()

    assert gone[0]() is None
