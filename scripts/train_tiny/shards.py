"""One shard of training examples, opened: its pictures as mapped files, its labels as arrays.

Must not know batches or devices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import styles
from data import FAMILY, SHARD, Label

Image = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

STYLES, MOODS = list(styles.STYLES), list(styles.MOODS)
MOST_SPOTS = 3
#: These are learnt last: fine marks, or much chance. Drawn twice as often.
HARD = frozenset(
    {
        *("oil painting", "impressionist", "van gogh", "pointillism", "fauvism", "palette knife", "pencil sketch"),
        *("engraving", "pen and ink", "cross-stitch", "comic", "pop art", "stained glass"),
    }
)


@dataclass(frozen=True, eq=False)
class Shard:
    """One shard's labels as arrays, a row an example.

    Attributes:
        seen, target: uint8 [128, 256, 256, 3], mapped files.
        style, mood: int64 [128]; style is -1 for a manner without a name.
        seeds: int64 [128], of the start noise.
        spots: float32 [128, 3, 3], x, y and radius of eyes and mouth in pixels; radius 0 for none.
        odds: float64 [128], how often a row is drawn, relative to others; 0 where the teacher makes something else of
            it by now.
    """

    seen: Image
    target: Image
    style: Integers
    mood: Integers
    seeds: Integers
    spots: npt.NDArray[np.float32]
    odds: npt.NDArray[np.float64]

    @classmethod
    def open(cls, folder: Path) -> Shard | None:
        """A finished shard, or None if the teacher makes something else of all of it by now."""
        labels = [Label.read(fields) for fields in json.loads((folder / "labels.json").read_text("utf-8"))]
        if not any(label.is_current for label in labels):
            return None
        spots = np.zeros((SHARD, MOST_SPOTS, 3), np.float32)
        for row, label in enumerate(labels):
            for k, spot in enumerate(label.spots[:MOST_SPOTS]):
                spots[row, k] = spot.x, spot.y, spot.radius
        return cls(
            np.load(folder / "seen.npy", mmap_mode="r"),
            np.load(folder / "target.npy", mmap_mode="r"),
            np.array([-1 if label.style == FAMILY else STYLES.index(label.style) for label in labels]),
            np.array([MOODS.index(label.mood) for label in labels]),
            np.array([label.seed for label in labels]),
            spots,
            np.array([label.is_current * (2.0 if label.style in HARD else 1.0) for label in labels]),
        )
