"""Draws training batches from the shards; knows their files, not what networks make of them.

A crop's corner is a multiple of 16 pixels: strokes of the coarsest layer stand on that grid, and the UNet's strides
tell it where the grid lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from chance import CELL, Chance
from data import SHARD, SIZE
from paths import SHARDS
from shards import Shard

Tensor = torch.Tensor
Image = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

CORNER = 16
#: What an eye or a mouth weighs beside the rest of the picture.
SPOT_WEIGHT = 4.0


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


def to_unit(pictures: Sequence[Image] | Image | Tensor) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1], channels last."""
    tensor = pictures if isinstance(pictures, Tensor) else torch.from_numpy(np.stack(list(pictures)))
    return tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).float().div(127.5).sub(1)


def spot_weight(spots: Tensor, corners: Tensor, side: int) -> Tensor:
    """Weights of pixels, [B, 1, side, side]: 1, and up to `SPOT_WEIGHT` at eyes and mouth.

    Args:
        spots: [B, 3, 3], see `Shard`.
        corners: [B, 2], top and left of each crop in pixels.
        side: of the crops.
    """
    at = torch.arange(side, device=spots.device, dtype=torch.float32)
    x, y, radius = spots.unbind(-1)
    width = 2 * (0.7 * radius[..., None]) ** 2 + 4
    down = torch.exp(-((at + corners[:, None, :1] - y[..., None]) ** 2) / width)
    across = torch.exp(-((at + corners[:, None, 1:] - x[..., None]) ** 2) / width) * (radius > 0)[..., None]
    return 1 + (SPOT_WEIGHT - 1) * (down[..., :, None] * across[..., None, :]).amax(1, keepdim=True)


class Examples:
    """All shards that are there, read from their files; new ones are found as they appear."""

    def __init__(self, seed: int, where: torch.device | None = None, rescan_every: int = 500) -> None:
        """Open the shards.

        Args:
            seed: of what is drawn.
            where: the batches' device; the CPU if None.
            rescan_every: batches between two looks for new shards.
        """
        self.rng = np.random.default_rng(seed)
        self.where = where or torch.device("cpu")
        self._every, self._drawn = rescan_every, 0
        self.shards: list[Shard] = []
        self._known: set[str] = set()
        self.rescan()
        if not self.shards:
            raise FileNotFoundError(f"no shards in {SHARDS}: run the stage `data` first")

    def rescan(self) -> None:
        """Look for new shards of the present teacher."""
        for folder in sorted(SHARDS.glob("[0-9]*")):
            if folder.name in self._known:
                continue
            self._known.add(folder.name)
            if shard := Shard.open(folder):
                self.take_in(shard)
        if self.shards:
            odds = np.concatenate([shard.odds for shard in self.shards])
            self._odds = np.cumsum(odds) / odds.sum()

    def take_in(self, shard: Shard) -> None:
        """Add one shard to what is drawn from."""
        self.shards.append(shard)

    def pictures(self, file: str, rows: Integers, corners: Integers, side: int) -> Tensor:
        """Crops uint8 [B, side, side, 3] of `seen` or `target`, on the device; rows count through all shards."""
        crops = [
            getattr(self.shards[row // SHARD], file)[row % SHARD][y : y + side, x : x + side]
            for row, (y, x) in zip(rows.tolist(), corners.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(crops)).to(self.where)

    def noise(self, rows: Integers, corners: Integers, side: int) -> Tensor:
        """Start noise of crops, [B, 12, side / 8, side / 8], on the device."""
        cut = []
        for row, (y, x) in zip(rows.tolist(), (corners // CELL).tolist(), strict=True):
            whole = Chance.of(int(self.shards[row // SHARD].seeds[row % SHARD]), SIZE, SIZE).noise
            cut.append(whole[:, y : y + side // CELL, x : x + side // CELL])
        return torch.from_numpy(np.stack(cut)).to(self.where)

    def _draw(self, size: int) -> Integers:
        self._drawn += 1
        if self._drawn % self._every == 0:
            self.rescan()
        return np.searchsorted(self._odds, self.rng.random(size)).clip(max=len(self._odds) - 1)

    def _label(self, name: str, rows: Integers) -> Tensor:
        values = np.stack([getattr(self.shards[row // SHARD], name)[row % SHARD] for row in rows.tolist()])
        return torch.from_numpy(values).to(self.where)

    def batch(self, size: int, side: int, reference: int = 192) -> Batch:
        """Random crops of `side` pixels; references of `reference` pixels."""
        rows = self._draw(size)
        corners = CORNER * self.rng.integers(0, (SIZE - side) // CORNER + 1, (size, 2))
        elsewhere = self.rng.integers(0, SIZE - reference + 1, (size, 2))
        places = torch.from_numpy(corners).to(self.where)
        return Batch(
            to_unit(self.pictures("seen", rows, corners, side)),
            to_unit(self.pictures("target", rows, corners, side)),
            self.noise(rows, corners, side),
            to_unit(self.pictures("target", rows ^ 1, elsewhere, reference)),
            self._label("style", rows),
            self._label("mood", rows),
            spot_weight(self._label("spots", rows), places, side),
        )

    def crops(self, size: int, side: int, source_share: float = 0.3) -> Tensor:
        """Plain pictures [B, 3, side, side] for the autoencoder, now and then with permuted colours."""
        rows, corners = self._draw(size), self.rng.integers(0, SIZE - side + 1, (size, 2))
        sources = max(1, round(size * source_share))
        made = torch.cat(
            [
                self.pictures("seen", rows[:sources], corners[:sources], side),
                self.pictures("target", rows[sources:], corners[sources:], side),
            ]
        )
        made[-1] = made[-1][..., torch.from_numpy(self.rng.permutation(3)).to(self.where)]
        return to_unit(made)
