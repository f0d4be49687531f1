"""The slate: what is shown instead of pictures while none can be made.

Must not know why there are none.
"""

from __future__ import annotations

import numpy as np

from ..pixels import Pixels

GROUND, SIGN = 40, 150
"""Grey values: dark, and not black, which would pass for a picture that is missing."""


def slate(width: int, height: int) -> Pixels:
    """Dark grey with the two bars of a pause in its middle, uint8 [height, width, 3]. Less than a millisecond."""
    picture = np.full((height, width, 3), GROUND, np.uint8)
    unit = max(1, min(width, height) // 24)
    top, middle = height // 2 - 3 * unit, width // 2
    for left in (middle - 3 * unit, middle + unit):
        picture[top : top + 6 * unit, left : left + 2 * unit] = SIGN
    return picture
