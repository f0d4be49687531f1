"""Recipes: params compiled to tensors, which are the coefficient table, prompt embeddings, guidance and noise.

Must not know frames, rows or sessions: sessions with equal params share a recipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..control import HintKey
from ..errors import FrameError, ParamsError
from ..params import GuidanceMode, Params, SeedFactor
from ..prompts import Prompt, Reference
from ..references import NO_REFERENCES
from . import Guidance, sampler
from .amount import with_amount, with_amount_once
from .beside import Making
from .models.nets import by_name, works_of
from .models.prompt import Conditioning, equally_long, weighted_sum
from .staging import join
from .work import RowWork, weights_by_step

if TYPE_CHECKING:
    from ..pixels import Pixels
    from .models.ip_adapter.adapter import IpAdapter, ShownPicture
    from .models.load import Model

RECIPES_KEPT, NOISES_KEPT, MIXES_KEPT = 64, 64, 16
"""Recipes, seeds' noise and mixes of noise cached: several for every session of a full server, for a slider that moves
back and forth. A session whose params glide has a new recipe for each frame, which is made of what is cached of its
texts, its seeds and its timesteps.
"""

GUIDANCE = sampler.PM + 1
"""The column of `Recipe.steps` behind those of `sampler.Table.steps`."""


class Steering(NamedTuple):
    """One net of a recipe.

    Attributes:
        net: the network's name.
        name: the control's, which the params name.
        key: what the net is shown.
        weights: of each step, float32 [1, 1]; None where it is not called.
    """

    net: str
    name: str
    key: HintKey
    weights: tuple[torch.Tensor | None, ...]


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a row needs besides its picture. Immutable and shared by rows; tensors are on the model's device.

    Each tensor is one row of a batch and stays the same object, so that a graph's input buffer that holds it already is
    not filled again.

    Attributes:
        steps: n of float32 [1, 10]: a row of `sampler.Table.steps`, and the guidance scale (1 without a second row).
        start: float32 [1, 2]: (ka, kb) of `sampler.Table`.
        noise: n of float32 [1, C, h, w]: the first is the start's, noise[i + 1] is added in step i.
        prompt: embeddings of the prompt.
        negative: embeddings of the negative prompt, of the prompt's length; None where there is no second row.
        timestep_cond: [1, time_cond_proj_dim] in the model's dtype, for embedded guidance; else None.
        time_ids: [1, 6] in the model's dtype for SDXL's UNet, see `Recipes`; else None.
        is_once: whether only the first of several steps has the second row, whose x0 the later ones take as anchor.
        avoided: embeddings of a negative prompt that acts in attention, of the prompt's length; None where none does.
        negative_scale: float32 [1, 1], see `Params`: how much `avoided` acts.
        pictures: what the picture is to be like, beside the prompt.
        nets: what steers it.
    """

    steps: tuple[torch.Tensor, ...]
    start: torch.Tensor
    noise: tuple[torch.Tensor, ...]
    prompt: Conditioning
    negative: Conditioning | None
    timestep_cond: torch.Tensor | None
    time_ids: torch.Tensor | None
    is_once: bool
    negative_scale: torch.Tensor
    avoided: Conditioning | None = None
    pictures: tuple[ShownPicture, ...] = ()
    nets: tuple[Steering, ...] = ()

    @property
    def step_count(self) -> int:
        """Number of UNet calls for a frame."""
        return len(self.steps)

    def has_second(self, step: int) -> bool:
        """True if a row has a second row, with the negative prompt, in this step."""
        return self.negative is not None and (step == 0 or not self.is_once)

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

    prompt: Prompt
    negative: Prompt | None
    timesteps: tuple[int, ...]
    amount: float
    guidance_scale: float
    is_once: bool
    noise: tuple[SeedFactor, ...]
    width: int
    height: int
    negative_scale: float
    references: tuple[Reference, ...]
    control: tuple[tuple[str, str, tuple[float, ...]], ...]
    """Name, source and weights by step of each net."""


def _prompts(key: RecipeKey) -> list[Prompt]:
    return [key.prompt] if key.negative is None else [key.prompt, key.negative]


class Recipes:
    """Compiles recipes and caches the last `RECIPES_KEPT`. Engine's thread only.

    Args:
        hears_contexts: see `Denoiser`.
    """

    def __init__(self, model: Model, *, hears_contexts: bool = False) -> None:
        self._model = model
        self._hears_contexts = hears_contexts
        self._work = RowWork(model.guidance, works_of(model.nets))
        self._controls = by_name(model.nets)
        self._compiled = lru_cache(RECIPES_KEPT)(self._compile)
        self._noise = lru_cache(NOISES_KEPT)(self._make_noise)
        self._mixed_noise = lru_cache(MIXES_KEPT)(self._mix_noise)
        # All that recipes consist of stays the same object where it is equal: what is computed from it is cached by
        # identity, and a graph's buffer that holds it is not filled again.
        self._coefficients = lru_cache(RECIPES_KEPT)(self._make_coefficients)
        self._timestep_cond = lru_cache(RECIPES_KEPT)(self._make_timestep_cond)
        self._time_ids = lru_cache(RECIPES_KEPT)(self._make_time_ids)
        self._weight = lru_cache(RECIPES_KEPT)(self._make_weight)
        self._negative_scale = lru_cache(RECIPES_KEPT)(self._make_negative_scale)
        self._equally_long = lru_cache(RECIPES_KEPT)(lambda *pair: equally_long(pair))

    def forget(self) -> None:
        """Compile all recipes anew from now on: what prompts are encoded to has changed."""
        self._compiled.cache_clear()
        self._equally_long.cache_clear()

    @property
    def compiled(self) -> int:
        """Number of recipes that were compiled, and not found in the cache."""
        return self._compiled.cache_info().misses

    @property
    def seeds_drawn(self) -> int:
        """Number of times that noise was drawn of a seed."""
        return self._noise.cache_info().misses

    def get(self, params: Params, references: Mapping[str, Pixels] = NO_REFERENCES) -> Recipe | None:
        """The recipe of these params; None where the strength is too low for a step and the frame passes through.

        Args:
            references: the pictures that the params name, see `Order`.

        Raises:
            FrameError: these params can't be compiled, for example the prompt can't be encoded.
        """
        key = self._key(params)
        if key is None:
            return None
        try:
            self._model.prompt_encoder.look(references)
            if (adapter := self._adapter) is not None:
                adapter.look(references)
            return self._compiled(key)
        except ParamsError as error:
            raise FrameError(f"these params can't be used: {error}", "invalid_params") from error

    def lacks(self, params: Params, references: Mapping[str, Pixels] = NO_REFERENCES) -> bool:
        """Whether these params need encoding of what is not kept; see `get`. False where they can't be compiled."""
        key = self._key_or_none(params)
        if key is None:
            return False
        adapter = self._adapter
        lacks = self._model.prompt_encoder.lacks(_prompts(key), references)
        return lacks or (adapter is not None and adapter.lacks(references))

    def beside(self, params: Params, references: Mapping[str, Pixels] = NO_REFERENCES) -> list[Making]:
        """What encodes beside the ticks what these params lack. See `get`."""
        key = self._key_or_none(params)
        if key is None:
            return []
        made = self._model.prompt_encoder.beside(_prompts(key), references)
        return made + (self._adapter.beside(references) if self._adapter is not None else [])

    @property
    def _adapter(self) -> IpAdapter | None:
        return self._model.ip_adapter if self._hears_contexts else None

    def _key_or_none(self, params: Params) -> RecipeKey | None:
        try:
            return self._key(params)
        except FrameError:
            return None

    def _key(self, params: Params) -> RecipeKey | None:
        """What the recipe of these params depends on; None where there is none. Raises FrameError."""
        timesteps = sampler.timesteps(params.strength, params.num_inference_steps)
        if not timesteps:
            return None
        mode = self._work.mode(params)
        has_second = mode in (GuidanceMode.FULL, GuidanceMode.ONCE)
        embedded = self._model.guidance is Guidance.EMBEDDED
        avoids = self._hears_contexts and not has_second and params.negative_scale > 1
        return RecipeKey(
            params.prompt,
            params.negative if has_second or avoids else None,
            timesteps,
            # Where the source stands for the second row's x0, to be guided is to have more of the model's.
            params.amount * (params.guidance_scale if mode is GuidanceMode.SELF else 1.0),
            params.guidance_scale if has_second or embedded else 1.0,
            mode is GuidanceMode.ONCE and len(timesteps) > 1,
            params.noise,
            params.width,
            params.height,
            params.negative_scale if avoids else 1.0,
            tuple(one for one in params.references if one.weight) if self._adapter is not None else (),
            self._control(params, len(timesteps)),
        )

    def _control(self, params: Params, steps: int) -> tuple[tuple[str, str, tuple[float, ...]], ...]:
        """The nets that steer in some step, in an order of their own. Raises FrameError."""
        if unknown := [one.net for one in params.control if one.net not in self._controls]:
            raise FrameError(f"these params can't be used: there is no net {unknown[0]!r} here", "invalid_params")
        weighted = [(one.net, one.source, weights_by_step(one, steps)) for one in params.control]
        return tuple(sorted(one for one in weighted if any(one[2])))

    def _steering(self, name: str, source: str, weights: tuple[float, ...]) -> Steering:
        info, net = self._controls[name]
        tensors = tuple(self._weight(weight) if weight else None for weight in weights)
        return Steering(net.name, name, HintKey(info.hint, source), tensors)

    def _compile(self, key: RecipeKey) -> Recipe:
        model = self._model
        encoder = model.prompt_encoder
        prompt = encoder.encode(key.prompt)
        avoids = key.negative_scale > 1
        encode_negative = encoder.encode if avoids else encoder.encode_negative
        negative = None if key.negative is None else encode_negative(key.negative)
        if negative is not None:
            prompt, negative = self._equally_long(prompt, negative)
        negative, avoided = (None, negative) if avoids else (negative, None)
        adapter = model.ip_adapter
        scale = 1.0 if negative is None else key.guidance_scale
        steps, start = self._coefficients(key.timesteps, key.amount, scale, key.is_once)
        return Recipe(
            steps=steps,
            start=start,
            noise=self._mixed_noise(key.noise, len(key.timesteps), key.width, key.height),
            prompt=prompt,
            negative=negative,
            timestep_cond=self._timestep_cond(key.guidance_scale) if "timestep_cond" in model.conditions else None,
            time_ids=self._time_ids(key.width, key.height) if "time_ids" in model.conditions else None,
            is_once=key.is_once,
            negative_scale=self._negative_scale(key.negative_scale),
            avoided=avoided,
            pictures=tuple(adapter.shown(one) for one in key.references) if adapter is not None else (),
            nets=tuple(self._steering(*one) for one in key.control),
        )

    def _make_negative_scale(self, scale: float) -> torch.Tensor:
        return join([torch.tensor([[scale]], dtype=torch.float32)], self._model.device)

    def _make_coefficients(
        self, timesteps: tuple[int, ...], amount: float, guidance_scale: float, is_once: bool
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """`Recipe.steps` and `Recipe.start`."""
        device = self._model.device
        table = sampler.table(self._model.sampler, self._model.schedule, timesteps)
        table = with_amount_once(table, amount, guidance_scale) if is_once else with_amount(table, amount)
        guidance = torch.full((len(timesteps), 1), guidance_scale)
        steps = torch.cat([torch.from_numpy(table.steps).float(), guidance], 1)
        return join([steps], device).split(1), join([torch.tensor([table.start], dtype=torch.float32)], device)

    def _make_timestep_cond(self, guidance_scale: float) -> torch.Tensor:
        model = self._model
        embedding = guidance_embedding(guidance_scale - 1, int(model.unet.config["time_cond_proj_dim"]))
        return join([embedding.to(model.dtype)], model.device)

    def _make_time_ids(self, width: int, height: int) -> torch.Tensor:
        """SDXL's size conditioning [1, 6]: original size, crop (0, 0) and target size, height first.

        Source: Podell et al. 2023, "SDXL", section 2.2.
        """
        ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=self._model.dtype)
        return join([ids], self._model.device)

    def _make_weight(self, weight: float) -> torch.Tensor:
        return join([torch.tensor([[weight]])], self._model.device)

    def _mix_noise(self, mix: tuple[SeedFactor, ...], count: int, width: int, height: int) -> tuple[torch.Tensor, ...]:
        """The noise of several seeds, each times its factor: of unit variance, as the factors' squares sum to 1."""
        noises = [self._noise(seed, count, width, height) for seed, _ in mix]
        if len(mix) == 1:
            return noises[0]
        factors = [factor for _, factor in mix]
        return tuple(weighted_sum(zip(same, factors, strict=True)) for same in zip(*noises, strict=True))

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
