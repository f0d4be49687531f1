"""Draws training batches from the shards; knows their files, not what networks make of them.

A crop's corner is a multiple of 16 pixels: strokes of the coarsest layer stand on that grid, and the UNet's strides
tell it where the grid lies.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import styles
import torch
from chance import CELL, CHANNELS, Chance
from data import FAMILY, SHARD, SIZE, TEACHER, Label
from paths import SHARDS

Tensor = torch.Tensor
Image = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

STYLES, MOODS = list(styles.STYLES), list(styles.MOODS)
CORNER = 16
#: What an eye or a mouth weighs beside the rest of the picture.
SPOT_WEIGHT = 4.0
MOST_SPOTS = 3
#: These are learnt last: fine marks, or much chance. Drawn twice as often.
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


class Resident(Examples):
    """The same with all shards in the device's memory: for an accelerator, which files would keep waiting.

    50 MB a shard, and 6 for its noise.
    """

    def __init__(self, seed: int, where: torch.device, shards: int, rescan_every: int = 100) -> None:
        """Make room for so many shards; later ones are left out."""
        shape = (shards * SHARD, SIZE, SIZE, 3)
        self._pictures = {name: torch.empty(shape, dtype=torch.uint8, device=where) for name in ("seen", "target")}
        side = SIZE // CELL
        self._noise = torch.empty((shards * SHARD, CHANNELS, side, side), device=where)
        self._labels: dict[str, Tensor] = {}
        super().__init__(seed, where, rescan_every)

    def take_in(self, shard: Shard) -> None:
        """Copy one shard to the device."""
        start = len(self.shards) * SHARD
        if start == len(self._noise):
            return
        part = slice(start, start + SHARD)
        for name, kept in self._pictures.items():
            kept[part] = torch.from_numpy(np.array(getattr(shard, name)))
        self._noise[part] = torch.from_numpy(np.stack([Chance.of(int(s), SIZE, SIZE).noise for s in shard.seeds]))
        super().take_in(shard)
        for name in ("style", "mood", "spots"):
            values = np.concatenate([getattr(s, name) for s in self.shards])
            self._labels[name] = torch.from_numpy(values).to(self.where)

    def _indices(self, rows: Integers, corners: Integers, side: int) -> tuple[Tensor, Tensor, Tensor]:
        """Row, y and x of every value of crops, broadcast against each other to [B, side, side]."""
        at = torch.arange(side, device=self.where)
        row, corner = torch.from_numpy(rows).to(self.where), torch.from_numpy(corners).to(self.where)
        return row[:, None, None], (corner[:, :1] + at)[:, :, None], (corner[:, 1:] + at)[:, None, :]

    def pictures(self, file: str, rows: Integers, corners: Integers, side: int) -> Tensor:
        return self._pictures[file][self._indices(rows, corners, side)]

    def noise(self, rows: Integers, corners: Integers, side: int) -> Tensor:
        row, y, x = self._indices(rows, corners // CELL, side // CELL)
        return self._noise.permute(0, 2, 3, 1)[row, y, x].permute(0, 3, 1, 2).contiguous()

    def _label(self, name: str, rows: Integers) -> Tensor:
        return self._labels[name][torch.from_numpy(rows).to(self.where)]


def examples(seed: int, where: torch.device, shards: int = 256) -> Examples:
    """What suits the device: files for a CPU, its own memory for an accelerator."""
    return Examples(seed, where) if where.type == "cpu" else Resident(seed, where, shards)
