"""realtime.bench.pictures: like photos, and the same every time."""

from __future__ import annotations

import cv2
import numpy as np

from realtime.bench import pictures


def test_pictures_differ_repeat_and_weigh_what_a_photo_weighs() -> None:
    first = pictures.photo_jpegs(3)
    assert len(set(first)) == 3
    assert first == pictures.photo_jpegs(3)
    assert all(20_000 < len(picture) < 100_000 for picture in first)


def test_noisy_pictures_show_the_same_and_are_never_the_same() -> None:
    first, second = pictures.noisy_jpegs(2, 128, 128)
    assert first != second
    decoded = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR).astype(float) for one in (first, second)]
    assert 1 < np.abs(decoded[0] - decoded[1]).mean() < 6
