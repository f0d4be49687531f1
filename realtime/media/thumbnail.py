"""Thumbnails: the mean colours of a grid of cells, which are compared in the place of pictures.

Pure numpy and OpenCV. Must not know which pictures are compared, or why.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

CELLS = 32
"""Cells a side. Of 16x16 pixels in a 512x512 picture: noise averages out in one, a pen stroke does not."""
FINE_PX = 192
"""Larger pictures are first halved as uint8, which is twice as fast as one resize in float32. Below this size the
rounding would be as large as the noise."""

Thumbnail = npt.NDArray[np.float32]


def thumbnail(picture: npt.NDArray[np.uint8]) -> Thumbnail:
    """The mean colour of each cell of a picture.

    Args:
        picture: uint8 [height, width, 3], RGB, both multiples of 8.

    Returns:
        float32 [CELLS, CELLS, 3], 0 to 255.
    """
    small = picture
    height, width = picture.shape[:2]
    while min(height, width) > FINE_PX:
        height, width = height // 2, width // 2
        small = cast("npt.NDArray[np.uint8]", cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA))
    return cast(Thumbnail, cv2.resize(small.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA))
