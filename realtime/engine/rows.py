"""Rows, and what a tick does to them: three batched calls and one fused expression.

Everything here only launches work: no value is read back from the device. Must not know caches, failures of devices,
or where rows come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch

from ..errors import FrameError
from ..frame import Job, Stamps
from .accelerate import Backend
from .recipe import GUIDANCE, KIN, KM, KX, KZ, Recipe, T, to_device

V = TypeVar("V")

#: A moment on the clock, or on a CUDA stream one that is known when the device gets there.
Mark = int | torch.cuda.Event


@dataclass(slots=True, eq=False)
class Row:
    """One frame in flight. Owned by the engine's thread.

    Attributes:
        recipe: None where the frame passes through.
        error: why this frame gets no picture.
        step: steps done.
        x: the noisy latents, float32 [C, h, w] in the sampler's space.
        source: the input's latents, float32 [C, h, w]: some UNets see them beside the noisy ones.
        marks: when the stages on the device were passed.
        output: the result, uint8 [H, W, 3] in memory of the host that the device may still have to fill.
        finite: bool [], likewise: whether all latents and pixels were finite numbers.
    """

    job: Job
    stamps: Stamps
    recipe: Recipe | None = None
    error: FrameError | None = None
    step: int = 0
    x: torch.Tensor | None = None
    source: torch.Tensor | None = None
    marks: dict[str, Mark] = field(default_factory=dict[str, Mark])
    output: torch.Tensor | None = None
    finite: torch.Tensor | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do but to deliver."""
        return self.error is not None or self.recipe is None or self.step == self.recipe.step_count


def by_size(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows in groups of one picture size each: what one batch can hold."""
    groups: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.job.params.width, row.job.params.height), []).append(row)
    return list(groups.values())


def encode_latents(rows: Sequence[Row], backend: Backend, device: torch.device) -> None:
    """Pictures to noisy latents: `x0 = ka·latents + kb·noise`, for new rows of one size."""
    pictures = torch.from_numpy(np.stack([row.job.picture for row in rows]))
    latents = backend.encode_latents(to_pixels(to_device(pictures, device))).float()
    start = torch.stack([_of(row.recipe).start for row in rows])[:, :, None, None, None]
    noise = torch.stack([_of(row.recipe).noise[0] for row in rows])
    x = start[:, 0] * latents + start[:, 1] * noise
    for i, row in enumerate(rows):
        row.x, row.source = x[i], latents[i]


def denoise(rows: Sequence[Row], backend: Backend, concat_source: bool) -> None:
    """Move rows of one size one step on, in one UNet call.

    Rows of classifier-free guidance stand last and have their second row behind all: [plain, guided, second rows].

    Args:
        concat_source: whether the UNet takes the source latents beside the noisy ones (InstructPix2Pix's layout).
    """
    rows = sorted(rows, key=lambda row: _of(row.recipe).negative is not None)
    recipes = [_of(row.recipe) for row in rows]
    plain = sum(recipe.negative is None for recipe in recipes)

    scalars = torch.stack([recipe.steps[row.step] for row, recipe in zip(rows, recipes, strict=True)])
    k = scalars[:, :, None, None, None]
    x = torch.stack([_of(row.x) for row in rows])
    # The last step's kz is 0: any noise will do there.
    z = torch.stack([r.noise[(row.step + 1) % r.step_count] for row, r in zip(rows, recipes, strict=True)])

    sample = k[:, KIN] * x
    if concat_source:
        sample = torch.cat([sample, torch.stack([_of(row.source) for row in rows])], 1)
    m = _unet(recipes, plain, sample, scalars[:, T], backend)
    if plain < len(rows):
        guided = m[: len(rows)]
        second = torch.cat([m[:plain], m[len(rows) :]])
        m = second + k[:, GUIDANCE] * (guided - second)

    x = k[:, KX] * x + k[:, KM] * m + k[:, KZ] * z
    for i, row in enumerate(rows):
        row.x = x[i]
        row.step += 1


def _unet(
    recipes: Sequence[Recipe], plain: int, sample: torch.Tensor, timestep: torch.Tensor, backend: Backend
) -> torch.Tensor:
    """What the UNet says of [rows, second rows of the guided ones], as float32 [rows + guided, C, h, w]."""
    again = recipes[plain:]
    prompts = [recipe.prompt for recipe in recipes] + [_of(recipe.negative) for recipe in again]
    every = [*recipes, *again]
    if again:
        sample, timestep = torch.cat([sample, sample[plain:]]), torch.cat([timestep, timestep[plain:]])
    added = None
    if recipes[0].time_ids is not None:
        added = {
            "text_embeds": torch.cat([_of(prompt.pooled) for prompt in prompts]),
            "time_ids": torch.cat([_of(recipe.time_ids) for recipe in every]),
        }
    timestep_cond = None
    if recipes[0].timestep_cond is not None:
        timestep_cond = torch.cat([_of(recipe.timestep_cond) for recipe in every])
    embeds = torch.cat([prompt.prompt_embeds for prompt in prompts])
    return backend.unet(sample, timestep, embeds, timestep_cond, added).float()


def decode_latents(rows: Sequence[Row], backend: Backend) -> None:
    """Latents to pictures in the host's memory, for finished rows of one size.

    Not-a-number is looked for here, on the device: the cast to uint8 would hide it.
    """
    latents = torch.stack([_of(row.x) for row in rows])
    pixels = backend.decode_latents(latents).float()
    finite = torch.isfinite(latents).flatten(1).all(1) & torch.isfinite(pixels).flatten(1).all(1)
    pictures, finite = _to_host(to_pictures(pixels)), _to_host(finite)
    for i, row in enumerate(rows):
        row.output, row.finite = pictures[i], finite[i]
        row.x = row.source = None


def to_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(pixels: torch.Tensor) -> torch.Tensor:
    """Float [B, 3, H, W], nominally in [-1, 1], to uint8 [B, H, W, 3], rounded and clamped."""
    scaled = ((pixels + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.device.type != "cuda":
        return tensor.cpu()
    # PyTorch's pinned memory is pooled, and returns to the pool only behind the copies that use it.
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)


def _of(value: V | None) -> V:
    """A part of a row that is there by the time this stage runs."""
    assert value is not None
    return value
