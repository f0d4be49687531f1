"""What is shown instead of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.media.slate import GROUND, SIGN, slate


@pytest.mark.parametrize(("width", "height"), [(64, 64), (512, 256), (64, 2048)])
def test_slate_is_dark_grey_with_two_equal_bars_about_its_middle(width: int, height: int) -> None:
    picture = slate(width, height)

    assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    assert set(np.unique(picture)) == {GROUND, SIGN}
    assert (picture == picture[:, ::-1]).all()
    assert (picture[height // 2, width // 2] == GROUND).all()
