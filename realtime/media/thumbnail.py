"""What is compared in a picture's place: the means of its cells.

Pure numpy and OpenCV. Must not know what is compared, or why.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

CELLS = 32
"""Cells a side: 16 pixels square of a 512x512 picture. Noise averages out in them, a stroke of a pen does not."""
FINE_PX = 192
"""Larger pictures are halved first, in bytes: twice as fast as one resize. From here on rounding would be as large as
the noise."""

Thumbnail = npt.NDArray[np.float32]


def thumbnail(picture: npt.NDArray[np.uint8]) -> Thumbnail:
    """What is compared in a picture's place.

    Args:
        picture: uint8 [height, width, 3], RGB, both multiples of 8.

    Returns:
        float32 [32, 32, 3]: the mean of each cell.
    """
    small = picture
    height, width = picture.shape[:2]
    while min(height, width) > FINE_PX:
        height, width = height // 2, width // 2
        small = cast("npt.NDArray[np.uint8]", cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA))
    return cast(Thumbnail, cv2.resize(small.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA))
