"""The trained networks put together and run the way the server does; for evaluation and contact sheets.

Must not know how they were trained. Loads moving averages from the checkpoints of the furthest stage that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import autoencoder
import finish
import latents
import numpy as np
import numpy.typing as npt
import torch
from chance import Chance
from examples import to_unit
from model import Decoder, Encoder, PictureEncoder, StyleTable, UNet
from schedule import FULL, alphas_cumprod, level_at
from shards import MOODS, STYLES
from training import load

Tensor = torch.Tensor
Pictures = npt.NDArray[np.uint8]

#: The strength at which exactly the whole style is asked for.
WHOLE = 1 / FULL


def to_pictures(x: Tensor) -> Pictures:
    """float [B, 3, H, W] in [-1, 1] to uint8 [B, H, W, 3]."""
    return ((x.clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy()


@dataclass(frozen=True, eq=False)
class Painter:
    """All networks, in float32 on the CPU.

    Attributes:
        stage: the checkpoint that UNet and decoder come from.
        minutes: work that was spent on it.
    """

    encoder: Encoder
    decoder: Decoder
    unet: UNet
    table: StyleTable
    picture: PictureEncoder
    stage: str
    minutes: float

    @classmethod
    def trained(cls, path: Path | None = None) -> Painter:
        """From the checkpoint of `finish`, or of `latents` while that isn't there yet, or from `path`."""
        if path is None:
            path = finish.PATH if finish.PATH.exists() else latents.PATH
        state = load(path)
        base = state if "encoder" in state else load(autoencoder.PATH)
        parts = [Encoder(), Decoder(), UNet(), StyleTable(len(STYLES), len(MOODS)), PictureEncoder()]
        for name, part in zip(("encoder", "decoder", "unet", "table", "picture"), parts, strict=True):
            part.load_state_dict(state[name] if name in state else base[name])
            part.eval().requires_grad_(False)
        return cls(*parts, path.stem, state["spent_s"] / 60)  # type: ignore[arg-type]

    def named(self, style: str, mood: str = "") -> Tensor:
        """The style vector [1, 48] of a name."""
        return self.table(torch.tensor([STYLES.index(style)]), torch.tensor([MOODS.index(mood)]))

    def read(self, picture: Pictures) -> Tensor:
        """The style vector [1, 48] of a picture uint8 [H, W, 3]."""
        return self.picture(to_unit(picture[None]))

    @torch.no_grad()
    def __call__(
        self, pictures: Pictures, style: Tensor, noise: Tensor, strength: float = WHOLE, steps: int = 1
    ) -> Pictures:
        """Repaint.

        Args:
            pictures: uint8 [B, H, W, 3], H and W multiples of 32.
            style: [1, 48] or [B, 48].
            noise: float32 [steps, 12, H / 8, W / 8], the first of which is the painting's chance.
            strength: 0 to 1.
            steps: UNet calls, evenly spread from the start's timestep down.
        """
        source = self.encoder(to_unit(pictures))
        style = style.expand(len(source), -1)
        levels, start = alphas_cumprod(), max(1, round(1000 * strength) - 1)
        clean = source
        for index in range(steps):
            t = torch.full((len(source),), round(start * (1 - index / steps)))
            level = level_at(t, levels)
            noisy = level.noised(clean, noise[index].expand_as(source))
            modulation = self.unet.modulation(t, style)
            change = self.unet(level.noise(noisy, source), source, modulation)
            clean = level.denoised(source, change)
        return to_pictures(self.decoder(clean))

    @torch.no_grad()
    def through_autoencoder(self, pictures: Pictures) -> Pictures:
        """Only encoded and decoded: the best that the latents could hold."""
        return to_pictures(self.decoder(self.encoder(to_unit(pictures))))


def noise_of(seeds: Sequence[int], height: int, width: int) -> Tensor:
    """Start noise of seeds, [len(seeds), 12, H / 8, W / 8], the same that `Chance.of` draws from."""
    return torch.from_numpy(np.stack([Chance.of(seed, height, width).noise for seed in seeds]))
