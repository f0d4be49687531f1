"""What counts as a change: played with synthetic cameras over real pictures, through JPEG as a browser sends it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.bench.pictures import photo_like
from realtime.media.stillness import NOISE_MAX, Stillness
from realtime.media.thumbnail import CELLS, Thumbnail, thumbnail
from realtime.pixels import Pixels

pytestmark = pytest.mark.slow

ASTRONAUT = Path(__file__).parents[1] / "data" / "frames" / "astronaut.jpg"
SECOND = 30
LEARNING = 5
"""Frames at the start of a camera that may be run before its noise is known."""


@functools.cache
def photo(name: str) -> Pixels:
    if name == "astronaut":
        return cv2.cvtColor(cv2.imread(str(ASTRONAUT)), cv2.COLOR_BGR2RGB)
    return photo_like(3, 1024, 1024)


@functools.cache
def scene(name: str, side: int) -> npt.NDArray[np.float32]:
    return cv2.resize(photo(name), (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def through_jpeg(picture: npt.NDArray[np.float32], noise: npt.NDArray[np.float32] | float = 0.0) -> Pixels:
    pixels = np.ascontiguousarray(np.clip(picture + noise, 0, 255).astype(np.uint8))
    return simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(pixels, quality=80, colorspace="RGB", colorsubsampling="420"))


@functools.cache
def grain() -> npt.NDArray[np.float32]:
    """Normal noise to cut pictures' noise from: making it anew takes most of the time."""
    return np.random.default_rng(7).standard_normal(2**21, np.float32)


class Camera:
    """Noise that is another in every picture, as strong as the light (shot noise) where it is uneven."""

    def __init__(self, deviation: float, seed: int = 0, *, uneven: bool = False) -> None:
        self._deviation, self._uneven = deviation, uneven
        self._random = np.random.default_rng(seed)

    def __call__(self, picture: npt.NDArray[np.float32]) -> Pixels:
        start = self._random.integers(len(grain()) - picture.size)
        noise = grain()[start : start + picture.size].reshape(picture.shape) * self._deviation
        return through_jpeg(picture, noise * np.sqrt(picture / 128 + 0.05) if self._uneven else noise)


class Viewer:
    """Runs what is changed, as the scheduler does: compares with the newest picture that was run."""

    def __init__(self) -> None:
        self.stillness = Stillness()
        self.run: Thumbnail | None = None

    def sees(self, picture: Pixels) -> bool:
        """Whether this one is run."""
        seen = thumbnail(picture)
        runs = self.run is None or not self.stillness.is_unchanged(seen, self.run)
        self.stillness.learn(seen)
        if runs:
            self.run = seen
        return runs

    def watch(self, pictures: Iterable[Pixels]) -> list[bool]:
        return [self.sees(picture) for picture in pictures]


def used_to(camera: Callable[[npt.NDArray[np.float32]], Pixels], picture: npt.NDArray[np.float32]) -> Viewer:
    """A viewer that has seen a second of a still scene."""
    viewer = Viewer()
    viewer.watch(camera(picture) for _ in range(SECOND))
    return viewer


SCENES = [("astronaut", 256), ("astronaut", 512), ("photo", 256), ("photo", 512)]


def moved(picture: npt.NDArray[np.float32], x: int, y: int, side: int = 8) -> npt.NDArray[np.float32]:
    """The scene with a small square in it, white on dark and black on light."""
    changed = picture.copy()
    patch = changed[y : y + side, x : x + side]
    patch[...] = 255.0 if patch.mean() < 128 else 0.0
    return changed


# -- still ---------------------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(SCENES), st.floats(0, 6), st.booleans(), st.integers(0, 2**16))
@pytest.mark.slow
def test_still_scene_is_run_a_tenth_of_the_time_at_most_whatever_the_noise(
    which: tuple[str, int], deviation: float, uneven: bool, seed: int
) -> None:
    camera = Camera(deviation, seed, uneven=uneven)

    runs = Viewer().watch(camera(scene(*which)) for _ in range(3 * SECOND))

    assert sum(runs) <= 3 * SECOND // 10


@pytest.mark.parametrize("which", SCENES)
def test_mains_light_that_flickers_by_two_levels_is_no_change(which: tuple[str, int]) -> None:
    camera, picture = Camera(2), scene(*which)
    light = [1 + np.sin(2 * np.pi * frame * 100.01 / 30) / 128 for frame in range(2 * SECOND)]

    runs = Viewer().watch(camera(np.asarray(picture * level, np.float32)) for level in light)

    assert sum(runs) <= 2 * SECOND // 10


def test_camera_that_is_slower_than_its_sender_is_still_all_the_same() -> None:
    camera, picture = Camera(3), scene("astronaut", 256)

    runs = Viewer().watch(frame for _ in range(2 * SECOND) for frame in [camera(picture)] * 2)

    assert sum(runs) <= 2 * LEARNING


@given(st.integers(0, 255), st.integers(0, 255))
def test_same_picture_is_unchanged_from_the_first_one_on(level: int, other: int) -> None:
    picture = np.full((64, 64, 3), level, np.uint8)
    picture[:, 32:] = other

    assert Viewer().watch([picture] * 5) == [True, False, False, False, False]


# -- changes -------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([64, 256, 512, 520, 768]), st.floats(0, 1), st.floats(0, 1), st.integers(0, 191))
def test_dot_of_two_by_two_pixels_on_a_canvas_is_a_change(side: int, x: float, y: float, ink: int) -> None:
    canvas = np.full((side, side, 3), 255, np.uint8)
    viewer = Viewer()
    viewer.watch([canvas] * 3)
    left, top = int(x * (side - 2)), int(y * (side - 2))
    drawn = canvas.copy()
    drawn[top : top + 2, left : left + 2] = ink

    assert viewer.sees(drawn)
    assert not viewer.sees(drawn)


def test_every_stroke_is_run_however_long_one_draws() -> None:
    canvas, viewer = np.full((512, 512, 3), 255.0, np.float32), Viewer()

    def strokes() -> Iterable[Pixels]:
        for step in range(3 * SECOND):
            cv2.line(canvas, (step, 100), (step + 4, 104), (200.0, 190.0, 180.0), 2)
            yield through_jpeg(canvas)

    assert all(viewer.watch(strokes()))
    assert viewer.stillness.noise == 0


@pytest.mark.parametrize("deviation", [0, 1, 3, 6])
@pytest.mark.parametrize("which", SCENES)
def test_small_thing_that_comes_into_a_still_noisy_room_is_run_at_once(which: tuple[str, int], deviation: int) -> None:
    camera, picture = Camera(deviation), scene(*which)
    viewer, side = used_to(camera, picture), which[1]

    assert viewer.sees(camera(moved(picture, side // 3, side // 2, side=side // 24)))


def test_thing_that_moves_through_a_noisy_room_is_run_all_the_way() -> None:
    camera, picture = Camera(2), scene("photo", 512)
    viewer = used_to(camera, picture)

    runs = viewer.watch(camera(moved(picture, 20 + 16 * step, 200, side=24)) for step in range(SECOND - 3))

    assert all(runs)


@pytest.mark.parametrize("deviation", [0, 2])
@pytest.mark.parametrize("name", ["astronaut", "photo"])
@pytest.mark.parametrize("step_px", [3, 8])
@pytest.mark.slow
def test_pan_is_run_for_as_long_as_it_lasts_and_teaches_nothing(name: str, deviation: int, step_px: int) -> None:
    camera, picture, viewer = Camera(deviation), scene(name, 1024), Viewer()
    lefts = [(step_px * step) % 500 for step in range(3 * SECOND)]

    runs = viewer.watch(camera(picture[200:712, left : left + 512]) for left in lefts)

    assert all(runs)
    assert viewer.stillness.noise == 0


def test_pan_that_is_too_slow_to_be_told_from_noise_adds_up() -> None:
    camera, picture, viewer = Camera(2), scene("photo", 1024), Viewer()

    runs = viewer.watch(camera(picture[200:712, left : left + 512]) for left in range(3 * SECOND))

    gaps = np.diff(np.flatnonzero(runs))
    assert gaps.max() <= 4
    assert viewer.stillness.noise <= NOISE_MAX


def test_cut_is_run_at_once() -> None:
    camera = Camera(4)
    viewer = used_to(camera, scene("astronaut", 256))

    assert viewer.sees(camera(scene("photo", 256)))


@pytest.mark.slow
def test_light_that_fades_slowly_is_run_again_and_again() -> None:
    camera, picture = Camera(2), scene("astronaut", 256)
    viewer = used_to(camera, picture)
    faded = [np.asarray(picture * (1 - step / 1500), np.float32) for step in range(5 * SECOND)]

    runs = viewer.watch(camera(light) for light in faded)

    # A tenth of the light is gone: 25 levels, in steps of the tolerance.
    assert 5 <= sum(runs) <= SECOND


def test_noise_is_forgotten_when_the_source_becomes_clean() -> None:
    picture = scene("astronaut", 256)
    viewer = used_to(Camera(6), picture)
    canvas = np.full((256, 256, 3), 255.0, np.float32)

    for step in range(3 * SECOND):
        canvas[100:102, step : step + 2] = 0
        viewer.sees(through_jpeg(canvas))

    assert viewer.stillness.noise == 0


# -- thumbnails ----------------------------------------------------------------------------------------------------


@given(st.integers(8, 160), st.integers(8, 160), st.integers(0, 255))
def test_thumbnail_of_any_size_is_the_mean_of_its_cells(columns: int, rows: int, level: int) -> None:
    cells = thumbnail(np.full((rows * 8, columns * 8, 3), level, np.uint8))

    assert cells.shape == (CELLS, CELLS, 3)
    assert cells.dtype == np.float32
    np.testing.assert_allclose(cells, level, atol=1e-3)


def test_cells_lie_where_the_picture_has_them() -> None:
    picture = np.zeros((512, 256, 3), np.uint8)
    picture[160:176, 80:88, 1] = 200

    cells = thumbnail(picture)

    assert cells[10, 10, 1] == pytest.approx(200, abs=1)
    assert np.count_nonzero(cells) == 1
