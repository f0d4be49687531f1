"""One picture going over into the next: its share, where it lies, and what sealing makes of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from realtime.frame import Dissolve, Result, Stamps
from realtime.media.dissolve import dissolved
from realtime.media.pipeline import Pipeline
from realtime.params import Params
from tests.fakes.frames import a_job
from tests.fakes.pictures import pixels

MS = 1_000_000


def grey(level: int, width: int = 64, height: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_share_of_the_last_falls_in_a_straight_line_whatever_the_times_of_the_pictures() -> None:
    dissolve = Dissolve(1000 * MS, 500 * MS)
    times = [990, 1003, 1050, 1051, 1300, 1490, 1520]

    left = 1.0
    for last, now in itertools.pairwise(times):
        left *= dissolve.share(last * MS, now * MS)
        assert left == pytest.approx(max(0, 1500 - now) / 500)


def test_share_is_none_behind_the_end_and_never_more_than_all() -> None:
    dissolve = Dissolve(0, 500 * MS)

    assert dissolve.share(100 * MS, 500 * MS) == 0
    assert dissolve.share(499 * MS, 900 * MS) == 0
    assert dissolve.share(300 * MS, 200 * MS) == 1  # a row that was overtaken


def test_pictures_are_mixed_by_the_share() -> None:
    scene = pixels(64, 64)

    mixed = dissolved(grey(200), scene, grey(100), scene, 0.25)

    assert np.unique(mixed).tolist() == [175]


def test_nothing_of_the_last_is_the_picture_itself() -> None:
    picture, scene = grey(200), pixels(64, 64)

    assert dissolved(picture, scene, grey(0), scene, 0.0) is picture


def test_last_picture_moves_as_the_input_has_moved() -> None:
    field = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    field = np.kron(field, np.ones((8, 8, 1), np.uint8))  # 320 x 320
    before, now = np.ascontiguousarray(field[:256, :256]), np.ascontiguousarray(field[:256, 6:262])

    moved = dissolved(np.zeros_like(now), now, before, before, 1.0)

    inner = np.s_[32:-32, 32:-32]
    moving, staying = (np.abs(one[inner].astype(int) - now[inner]).mean() for one in (moved, before))
    assert moving < staying / 3


@pytest.mark.parametrize(("width", "height"), [(32, 32), (128, 64), (64, 128), (96, 96)])
def test_last_picture_of_another_size_or_shape_is_made_to_fit(width: int, height: int) -> None:
    mixed = dissolved(grey(200), pixels(64, 64), grey(100, width, height), pixels(width, height), 0.5)

    assert mixed.shape == (64, 64, 3)
    assert np.unique(mixed).tolist() == [150]


def test_last_picture_of_another_scene_stays_where_it_is() -> None:
    ramp = np.repeat(np.arange(0, 256, 4, np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)

    assert np.array_equal(dissolved(grey(0), grey(255), ramp, pixels(64, 64), 1.0), ramp)


def a_picture(level: int, admitted_ms: int, dissolve: Dissolve | None, **params: object) -> Result:
    job = a_job(params=Params.model_validate({"width": 64, "height": 64, **params}), picture=pixels(64, 64))
    job = replace(job, admitted_ns=admitted_ms * MS, encode=False, dissolve=dissolve)
    return Result(job, grey(level), Stamps(0))


def sealed(result: Result, past: Result | None) -> Result:
    pipeline = Pipeline(threads=0)
    try:
        (done,) = pipeline.seal([(result, past)])
    finally:
        pipeline.close()
    assert isinstance(done.outcome, Result)
    return done.outcome


def test_sealing_mixes_the_last_picture_in_also_where_the_params_are_calm() -> None:
    dissolve = Dissolve(100 * MS, 100 * MS)
    past = sealed(a_picture(0, 90, None), None)

    first = sealed(a_picture(200, 150, dissolve, calm=0.9), past)
    second = sealed(a_picture(200, 175, dissolve), first)
    third = sealed(a_picture(200, 210, dissolve), second)

    assert [int(each.picture.mean()) for each in (first, second, third)] == [100, 150, 200]


def test_first_picture_of_a_connection_has_nothing_to_go_over_from() -> None:
    assert sealed(a_picture(200, 110, Dissolve(100 * MS, 100 * MS)), None).picture.mean() == 200


def test_matte_is_of_the_mixed_picture() -> None:
    dissolve = Dissolve(100 * MS, 100 * MS)
    past = sealed(a_picture(0, 90, None), None)
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    result = replace(a_picture(200, 150, dissolve, matte="person", beyond="black"), mask=mask)

    picture = sealed(result, past).picture

    assert abs(int(picture[4, 32, 0]) - 100) <= 1
    assert picture[60, 32, 0] == 0


def test_no_frame_is_still_while_pictures_go_over() -> None:
    pipeline = Pipeline(threads=0)
    still, moving = (
        replace(a_job(params=Params(width=64, height=64)), dissolve=one) for one in (None, Dissolve(0, MS))
    )
    (first, second) = [done.outcome for done in pipeline.open([(still, None), (moving, None)])]
    pipeline.close()

    assert getattr(first, "thumbnail", None) is not None
    assert getattr(second, "thumbnail", "not opened") is None
    assert getattr(second, "dissolve", None) == Dissolve(0, MS)
