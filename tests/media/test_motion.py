"""Motion between scenes: planted shifts are found, what can't be known is not trusted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.media.motion import SCENE_PX, Motion, motion_between, places_of, scene_of
from realtime.pixels import Pixels
from tests.fakes.pictures import pixels

WINDOW = 256


def world(seed: int = 0, side: int = WINDOW + 64) -> Pixels:
    """A picture with something to see everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def view(picture: Pixels, x: float, y: float, noise: float = 0.0, seed: int = 0) -> Pixels:
    """What a camera at (x, y) sees, with sensor noise."""
    way = np.array([[1, 0, x], [0, 1, y]], np.float64)
    seen = cv2.warpAffine(picture, way, (WINDOW, WINDOW), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    grain = np.random.default_rng(seed).standard_normal(seen.shape) * noise
    return np.clip(np.rint(seen + grain), 0, 255).astype(np.uint8)


def seen_motion(before: Pixels, now: Pixels) -> Motion:
    return motion_between(scene_of(before), scene_of(now))


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-1.5, 0.25), (6, 5)])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_planted_shift_is_found_and_trusted(shift: tuple[float, float], noise: float) -> None:
    before = view(world(), 20, 20, noise, seed=1)
    now = view(world(), 20 + shift[0], 20 + shift[1], noise, seed=2)

    motion = seen_motion(before, now)

    inner = slice(16, -16)
    error = np.abs(motion.flow[inner, inner] - np.float32(shift))
    assert np.percentile(error, 90) < 0.4
    assert motion.trust[inner, inner].mean() > 0.8


def test_what_was_outside_the_picture_is_not_trusted() -> None:
    motion = seen_motion(view(world(), 20, 20), view(world(), 26, 20))

    assert not motion.trust[:, -5:].any()
    assert motion.trust[:, 8:16].mean() > 0.5


def test_another_scene_is_not_trusted() -> None:
    assert seen_motion(view(world(1), 0, 0), view(world(2), 0, 0)).trust.mean() < 0.1


def test_ground_that_was_covered_is_not_trusted() -> None:
    ground, thing = view(world(1), 0, 0), view(world(2), 0, 0)
    before, now = ground.copy(), ground.copy()
    before[96:160, 90:150] = thing[96:160, 90:150]
    now[96:160, 96:156] = thing[96:160, 90:150]

    motion = seen_motion(before, now)

    assert motion.trust[104:152, 91:95].mean() < 0.1
    assert motion.trust[:64].mean() > 0.9


def test_thing_that_moves_and_ground_that_does_not_have_their_own_motion() -> None:
    ground, thing = view(world(1), 0, 0), view(world(2), 0, 0)
    before, now = ground.copy(), ground.copy()
    before[64:192, 64:192] = thing[64:192, 64:192]
    now[64:192, 67:195] = thing[64:192, 64:192]

    motion = seen_motion(before, now)

    assert np.median(motion.flow[96:160, 100:160], axis=(0, 1)) == pytest.approx((-3, 0), abs=0.3)
    assert np.median(motion.flow[:48], axis=(0, 1)) == pytest.approx((0, 0), abs=0.1)


def test_trust_is_a_share_and_nothing_next_to_nothing() -> None:
    trust = seen_motion(view(world(1), 0, 0, 3), view(world(1), 2, 0, 3, seed=1)).trust

    assert trust.dtype == np.float32
    assert trust.max() <= 1
    assert trust[trust > 0].min() >= 1e-3


@pytest.mark.parametrize(("width", "height"), [(64, 64), (512, 512), (2048, 64), (64, 2048), (1280, 720)])
def test_scenes_keep_the_shape_and_cost_alike(width: int, height: int) -> None:
    scene = scene_of(pixels(width, height))

    assert scene.dtype == np.uint8
    assert scene.size == pytest.approx(SCENE_PX**2, rel=0.02)
    assert scene.shape[1] / scene.shape[0] == pytest.approx(width / height, rel=0.02)
    assert motion_between(scene, scene).trust.min() == pytest.approx(1, abs=1e-3)


def test_places_are_shared_and_can_not_be_written_to() -> None:
    assert places_of(8, 4)[2, 3].tolist() == [3, 2]
    with pytest.raises(ValueError, match="read-only"):
        places_of(8, 4)[0, 0] = 1
