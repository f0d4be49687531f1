"""The type of pictures in the host's memory. Apart from everything else because it needs numpy, which is not imported
for a list of models.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""A plane [H, W]; a picture, RGB [H, W, 3] or RGBA [H, W, 4]."""
