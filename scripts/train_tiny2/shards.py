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
from data import FAMILY, SHARD, TEACHER, Label

Image = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

STYLES, MOODS = list(styles.STYLES), list(styles.MOODS)
MOST_SPOTS = 3
#: These are learnt last: fine marks, or much chance. Drawn twice as often.
HARD = frozenset({"engraving", "pen and ink", "pencil sketch", "cross-stitch", "comic", "pop art", "stained glass"})


@dataclass(frozen=True, eq=False)
class Shard:
    """One shard's labels as arrays, a row an example.

    Attributes:
        seen, target: uint8 [128, 256, 256, 3], mapped files.
        style, mood: int64 [128]; style is -1 for a manner without a name.
        seeds: int64 [128], of the start noise.
        spots: float32 [128, 3, 3], x, y and radius of eyes and mouth in pixels; radius 0 for none.
        odds: float64 [128], how often a row is drawn, relative to others.
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
        """A finished shard, or None if it is of another teacher."""
        labels = [Label.read(fields) for fields in json.loads((folder / "labels.json").read_text("utf-8"))]
        if labels[0].teacher != TEACHER:
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
            np.array([2.0 if label.style in HARD else 1.0 for label in labels]),
        )
