"""How far what one engine makes is from what another makes.

Must not know who made it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from realtime.engine.rungs.exactness import relative_l2
from realtime.pixels import Pixels

Floats = npt.NDArray[np.float32]


def difference(pictures: Sequence[Pixels], reference: Sequence[Pixels]) -> dict[str, float]:
    """How far pictures are from those that they should be.

    Returns:
        The relative error in the 2-norm around the reference's mean grey, and the largest difference in levels of 255.
    """
    ours = np.stack(pictures).astype(np.float64)
    theirs = np.stack(reference).astype(np.float64)
    norm = float(np.linalg.norm(theirs - theirs.mean()))
    error = float(np.linalg.norm(ours - theirs)) / (norm or 1.0)
    return {"relative": round(error, 6), "largest_levels": float(np.abs(ours - theirs).max())}


def relative(latents: Sequence[Floats], reference: Sequence[Floats]) -> float:
    """How far latents are from those that they should be: in the 2-norm, to the reference's."""
    ours, theirs = (torch.from_numpy(np.stack(each)) for each in (latents, reference))
    return round(relative_l2(ours, theirs), 7)
