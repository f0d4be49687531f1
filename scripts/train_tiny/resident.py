"""Training batches from the device's own memory: for an accelerator, which files would keep waiting.

Must not know what networks make of them.
"""

from __future__ import annotations

import numpy as np
import torch
from chance import CELL, CHANNELS, Chance
from data import SHARD, SIZE
from examples import Examples
from shards import Integers, Shard

Tensor = torch.Tensor


class Resident(Examples):
    """`Examples` with all shards in the device's memory: 50 MB a shard, and 6 for its noise."""

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
