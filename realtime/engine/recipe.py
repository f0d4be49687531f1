"""Recipes: params compiled to tensors, which are the coefficient table, prompt embeddings, guidance and noise.

Must not know frames, rows or sessions: sessions with equal params share a recipe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..errors import FrameError, ParamsError
from ..params import Params, WeightedPrompt
from . import Guidance, RowCost, sampler
from .models.prompt import Conditioning, equally_long
from .staging import join

if TYPE_CHECKING:
    from .models.load import Model

RECIPES_KEPT, NOISES_KEPT = 64, 64
"""Recipes and noise cached: several for every session of a full server, for a slider that moves back and forth."""

T, KIN, KX, KM, KZ, GUIDANCE = range(6)
"""Columns of `Recipe.steps`."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a row needs besides its picture. Immutable and shared by rows; tensors are on the model's device.

    Each tensor is one row of a batch and stays the same object, so that a graph's input buffer that holds it already is
    not filled again.

    Attributes:
        steps: n of float32 [1, 6]: a row of `sampler.Table.steps`, and the guidance scale (1 without a second row).
        start: float32 [1, 2]: (ka, kb) of `sampler.Table`.
        noise: n of float32 [1, C, h, w]: the first is the start's, noise[i + 1] is added in step i.
        prompt: embeddings of the prompt.
        negative: embeddings of the negative prompt, of the prompt's length; None where there is no second row.
        timestep_cond: [1, time_cond_proj_dim] in the model's dtype, for embedded guidance; else None.
        time_ids: [1, 6] in the model's dtype for SDXL's UNet, see `Recipes`; else None.
    """

    steps: tuple[torch.Tensor, ...]
    start: torch.Tensor
    noise: tuple[torch.Tensor, ...]
    prompt: Conditioning
    negative: Conditioning | None
    timestep_cond: torch.Tensor | None
    time_ids: torch.Tensor | None

    @property
    def step_count(self) -> int:
        """Number of UNet calls for a frame."""
        return len(self.steps)

    def prompt_of(self, is_second: bool) -> Conditioning:
        """The prompt's embeddings, or for the second row the negative prompt's.

        Raises:
            ValueError: there is no second row.
        """
        if not is_second:
            return self.prompt
        if self.negative is None:
            raise ValueError("this recipe has no second row")
        return self.negative


class RecipeKey(NamedTuple):
    """What a recipe depends on. Params that have no effect on it are normalised, so that equal recipes have one key."""

    prompt: str | tuple[WeightedPrompt, ...]
    negative_prompt: str | None
    timesteps: tuple[int, ...]
    guidance_scale: float
    seed: int
    width: int
    height: int


class Recipes:
    """Compiles recipes and caches the last `RECIPES_KEPT`. Engine's thread only, but for `cost`."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._compiled = lru_cache(RECIPES_KEPT)(self._compile)
        self._noise = lru_cache(NOISES_KEPT)(self._make_noise)
        # Equal prompts are to stay the same objects in all recipes: what is computed from them is cached by identity.
        self._equally_long = lru_cache(RECIPES_KEPT)(lambda *pair: equally_long(pair))

    def cost(self, params: Params) -> RowCost:
        """The cost of a job: work is its pixels, twice with a second row; ticks are its UNet calls. Any thread."""
        steps = len(sampler.timesteps(params.strength, params.num_inference_steps))
        rows = 2 if self._is_guided(params) else 1
        return RowCost(params.width * params.height * rows, steps) if steps else RowCost(work=0, ticks=1)

    def _is_guided(self, params: Params) -> bool:
        """True if classifier-free guidance adds a second row."""
        return self._model.guidance is Guidance.CFG and params.guidance_scale > 1

    def get(self, params: Params) -> Recipe | None:
        """The recipe of these params; None where the strength is too low for a step and the frame passes through.

        Raises:
            FrameError: these params can't be compiled, for example the prompt can't be encoded.
        """
        timesteps = sampler.timesteps(params.strength, params.num_inference_steps)
        if not timesteps:
            return None
        guided = self._is_guided(params)
        embedded = self._model.guidance is Guidance.EMBEDDED
        key = RecipeKey(
            params.prompt,
            params.negative_prompt if guided else None,
            timesteps,
            params.guidance_scale if guided or embedded else 1.0,
            params.seed,
            params.width,
            params.height,
        )
        try:
            return self._compiled(key)
        except ParamsError as error:
            raise FrameError(f"these params can't be used: {error}", "invalid_params") from error

    def _compile(self, key: RecipeKey) -> Recipe:
        model = self._model
        table = sampler.table(model.sampler, model.schedule, key.timesteps)
        encoder = model.prompt_encoder
        prompt = encoder.encode(key.prompt)
        negative = None if key.negative_prompt is None else encoder.encode_negative(key.negative_prompt)
        if negative is not None:
            prompt, negative = self._equally_long(prompt, negative)
        guidance = torch.full((len(key.timesteps), 1), 1.0 if negative is None else key.guidance_scale)
        steps = torch.cat([torch.from_numpy(table.steps).float(), guidance], 1)
        return Recipe(
            steps=join([steps], model.device).split(1),
            start=join([torch.tensor([table.start], dtype=torch.float32)], model.device),
            noise=self._noise(key.seed, len(key.timesteps), key.width, key.height),
            prompt=prompt,
            negative=negative,
            timestep_cond=self._timestep_cond(key.guidance_scale) if "timestep_cond" in model.conditions else None,
            time_ids=self._time_ids(key.width, key.height) if "time_ids" in model.conditions else None,
        )

    def _timestep_cond(self, guidance_scale: float) -> torch.Tensor:
        model = self._model
        embedding = guidance_embedding(guidance_scale - 1, int(model.unet.config["time_cond_proj_dim"]))
        return join([embedding.to(model.dtype)], model.device)

    def _time_ids(self, width: int, height: int) -> torch.Tensor:
        """SDXL's size conditioning [1, 6]: original size, crop (0, 0) and target size, height first.

        Source: Podell et al. 2023, "SDXL", section 2.2.
        """
        ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=self._model.dtype)
        return join([ids], self._model.device)

    def _make_noise(self, seed: int, count: int, width: int, height: int) -> tuple[torch.Tensor, ...]:
        scale = self._model.latent_scale_px
        noise = make_noise(seed, count, (self._model.latent_channels, height // scale, width // scale))
        return join([noise], self._model.device).split(1)


def make_noise(seed: int, count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Noise of a seed: equal on every device, and noise i does not depend on `count`.

    Args:
        seed: 0 to 2³² − 1.
        count: number of noises.
        shape: of the latents, [C, h, w].

    Returns:
        float32 [count, C, h, w] on the CPU, standard normal.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(shape, generator=generator) for _ in range(count)])


def guidance_embedding(w: float, size: int) -> torch.Tensor:
    """The sinusoidal embedding of a guidance weight, an input of UNets with embedded guidance.

    Computed in float32 and in this order, as in training: the angles reach 10⁴, where rounding makes a difference.
    Source: Meng et al. 2022, "On Distillation of Guided Diffusion Models"; diffusers'
    `pipeline_latent_consistency_img2img.py` (`get_guidance_scale_embedding`).

    Args:
        w: guidance scale − 1.
        size: the UNet's `time_cond_proj_dim`.

    Returns:
        float32 [1, size].
    """
    half = size // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000.0) / (half - 1)))
    angles = torch.tensor([[w]], dtype=torch.float32) * 1000.0 * frequencies
    embedding = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
    return torch.nn.functional.pad(embedding, (0, size - 2 * half))
