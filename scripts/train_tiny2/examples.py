"""Draws training batches from the shards; knows their files, not what networks make of them.

A crop's corner is a multiple of 16 pixels: strokes of the coarsest layer stand on that grid, and the UNet's strides
tell it where the grid lies.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import styles
import torch
from chance import CELL, Chance
from data import FAMILY, SHARD, SIZE, TEACHER, Label
from paths import SHARDS

Tensor = torch.Tensor
Image = npt.NDArray[np.uint8]

STYLES, MOODS = list(styles.STYLES), list(styles.MOODS)
CORNER = 16
#: What an eye or a mouth weighs beside the rest of the picture.
SPOT_WEIGHT = 4.0
#: These are learnt last: fine marks, or much chance.
HARD = frozenset({"engraving", "pen and ink", "pencil sketch", "cross-stitch", "comic", "pop art", "stained glass"})


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples for one step.

    Attributes:
        seen, target: float32 [B, 3, S, S] in [-1, 1]: what the camera saw, and the teacher's picture of it.
        noise: float32 [B, 12, S / 8, S / 8], the start noise that the target's chance was drawn from.
        reference: float32 [B, 3, R, R], another picture of the same style, mood and manner.
        style, mood: int64 [B], numbers in `STYLES` and `MOODS`; style is -1 where only the reference tells.
        weight: float32 [B, 1, S, S], above 1 at eyes and mouth.
    """

    seen: Tensor
    target: Tensor
    noise: Tensor
    reference: Tensor
    style: Tensor
    mood: Tensor
    weight: Tensor

    def to(self, where: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, name).to(where, non_blocking=True) for name in self.__dataclass_fields__))


def to_unit(pictures: Sequence[Image] | Image) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1], channels last."""
    tensor = torch.from_numpy(np.ascontiguousarray(np.stack(list(pictures))))
    return tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).float().div(127.5).sub(1)


def spot_weight(label: Label) -> npt.NDArray[np.float32]:
    """[256, 256], 1 and up to `SPOT_WEIGHT` at eyes and mouth."""
    weight = np.ones((SIZE, SIZE), np.float32)
    if label.spots:
        rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
        for spot in label.spots:
            away = ((rows - spot.y) ** 2 + (columns - spot.x) ** 2) / (2 * (0.7 * spot.radius) ** 2 + 4)
            weight = np.maximum(weight, 1 + (SPOT_WEIGHT - 1) * np.exp(-away))
    return weight


@cache
def _labels(folder: Path) -> list[Label]:
    return [Label.read(fields) for fields in json.loads((folder / "labels.json").read_text("utf-8"))]


class Examples:
    """All shards that are there; new ones are found as they appear."""

    def __init__(self, seed: int, rescan_every: int = 500) -> None:
        self.rng = np.random.default_rng(seed)
        self._every, self._drawn = rescan_every, 0
        self.shards: list[Path] = []
        self.rescan()

    def rescan(self) -> None:
        """Look for new shards of the present teacher."""
        ready = (p for p in sorted(SHARDS.glob("[0-9]*")) if (p / "labels.json").exists())
        self.shards = [p for p in ready if _labels(p)[0].teacher == TEACHER]
        if not self.shards:
            raise FileNotFoundError(f"no shards in {SHARDS}: run the stage `data` first")

    def _row(self) -> tuple[Path, int]:
        """A random example; the hard styles twice as often."""
        while True:
            folder, row = self.shards[self.rng.integers(len(self.shards))], int(self.rng.integers(SHARD))
            if _labels(folder)[row].style in HARD or self.rng.random() < 0.5:
                return folder, row

    def batch(self, size: int, side: int, reference: int = 192) -> Batch:
        """Random crops of `side` pixels; references of `reference` pixels."""
        self._drawn += 1
        if self._drawn % self._every == 0:
            self.rescan()
        rows = [self._row() for _ in range(size)]
        seen, target, noise, other, weight, style, mood = [], [], [], [], [], [], []
        for folder, row in rows:
            label = _labels(folder)[row]
            top, left = (int(v) * CORNER for v in self.rng.integers(0, (SIZE - side) // CORNER + 1, 2))
            part = np.s_[top : top + side, left : left + side]
            targets = np.load(folder / "target.npy", mmap_mode="r")
            seen.append(np.load(folder / "seen.npy", mmap_mode="r")[row][part])
            target.append(targets[row][part])
            cell = np.s_[:, top // CELL : (top + side) // CELL, left // CELL : (left + side) // CELL]
            noise.append(Chance.of(label.seed, SIZE, SIZE).noise[cell])
            y, x = self.rng.integers(0, SIZE - reference + 1, 2)
            other.append(targets[row ^ 1][y : y + reference, x : x + reference])
            weight.append(spot_weight(label)[part])
            style.append(-1 if label.style == FAMILY else STYLES.index(label.style))
            mood.append(MOODS.index(label.mood))
        return Batch(
            to_unit(seen),
            to_unit(target),
            torch.from_numpy(np.stack(noise)),
            to_unit(other),
            torch.tensor(style),
            torch.tensor(mood),
            torch.from_numpy(np.stack(weight))[:, None],
        )

    def crops(self, size: int, side: int, source_share: float = 0.3) -> Tensor:
        """Plain pictures [B, 3, side, side] for the autoencoder, now and then with permuted colours."""
        found = []
        for _ in range(size):
            folder, row = self._row()
            file = "seen.npy" if self.rng.random() < source_share else "target.npy"
            top, left = self.rng.integers(0, SIZE - side + 1, 2)
            crop = np.load(folder / file, mmap_mode="r")[row][top : top + side, left : left + side]
            found.append(crop[..., self.rng.permutation(3)] if self.rng.random() < 0.1 else crop)
        return to_unit(found)
