"""Folding: layers of a UNet that depend on timestep, prompt and guidance only are computed once a recipe, not in steps.

Folded, without approximation, are the ResNets' projections of the time embedding (with the embedding itself), and the
keys and values of the prompt in the cross-attentions. Their results are two conditions of each row, `biases` and
`keys_values`, in all families. Divisions by 1 are left out.

Must not know rows, batches, or rungs.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from ..models.components import UNet2DConditionModel
from ..models.prompt import weighted_sum
from ..models.quiet import quiet
from ..sampler import T
from .contexts import (
    NEGATIVE_COLUMN,
    PICTURES_COLUMN,
    SCALE_COLUMN,
    ContextAttention,
    PictureContexts,
    Told,
    name_biases,
)
from .denoiser import Conditions, Contexts, Denoiser
from .residuals import Places

with quiet():
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.attention_processor import Attention, AttnProcessor2_0
    from diffusers.models.resnet import ResnetBlock2D

if TYPE_CHECKING:
    from ..models.load import Model
    from ..models.prompt import Conditioning
    from ..recipe import Recipe

M = TypeVar("M", bound=nn.Module)

BIASES_KEPT = 64
"""Timesteps and guidance (with SDXL sizes and prompts, too) whose biases are cached: 40 KB a step for Stable Diffusion
in half precision.
"""
KEYS_VALUES_BYTES = 2**29
"""Memory for the keys and values of texts: 3.8 MB each for Stable Diffusion in half precision, 26 MB for SDXL."""
TEXTS_MIN, TEXTS_MAX = 16, 128
"""Texts whose keys and values are cached in that memory: two for each of eight sessions that glide, at least."""
BLENDS_KEPT = 8
"""Blends whose keys and values, sums of their texts', are cached: as many as there are rows in flight by default."""

_BLOCKS = {"DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"}
_MID_BLOCKS = {"UNetMidBlock2DCrossAttn", "UNetMidBlock2D", None}
_UNUSUAL = (
    "class_embed_type",
    "encoder_hid_dim_type",
    "encoder_hid_dim",
    "dual_cross_attention",
    "mid_block_only_cross_attention",
    "cross_attention_norm",
)
"""Fields of a UNet's configuration which, if set, make other layers depend on the time or the prompt."""


def is_foldable(unet: nn.Module) -> bool:
    """True if a UNet consists of the layers that `FoldedDenoiser` supports, as those of SD 1, SD 2, SDXL and LCM do."""
    if not isinstance(unet, UNet2DConditionModel):
        return False
    config: Any = unet.config
    only_cross = config["only_cross_attention"]
    return (
        {*config["down_block_types"], *config["up_block_types"]} <= _BLOCKS
        and config["mid_block_type"] in _MID_BLOCKS
        and config["addition_embed_type"] in (None, "text_time")
        and config["resnet_time_scale_shift"] in ("default", "scale_shift")
        and config["attention_type"] == "default"
        and not (only_cross if isinstance(only_cross, bool) else any(only_cross))
        and not any(config[name] for name in _UNUSUAL)
    )


def hears_contexts(unet: nn.Module) -> bool:
    """True if a UNet that is folded hears contexts: it has cross-attentions, and all attentions can be replaced."""
    attentions = [module for module in unet.modules() if isinstance(module, Attention)]
    return is_foldable(unet) and bool(cross_attentions(unet)) and all(map(_is_plain_attention, attentions))


class FoldedDenoiser(Denoiser):
    """A `Denoiser` on the weights of the model's UNet, without the folded layers.

    Args:
        model: `is_foldable(model.unet)` is true.
        layout: memory layout that samples are converted to.
    """

    def __init__(self, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        self.unet = _without_constants(model.unet)
        self._whole = [model.unet]  # in a list: it is not to be a submodule, which would be exported
        self._places = Places(model.unet)
        self._dtype, self._layout = model.dtype, layout
        self._biases = lru_cache(BIASES_KEPT)(self._make_biases)
        layers = [layer for one in cross_attentions(model.unet) for layer in (one.to_k, one.to_v)]
        self._to_keys_values: list[nn.Linear] = layers
        self._keys_values = lru_cache(self._texts_kept())(self._make_keys_values)
        self._blended = lru_cache(BLENDS_KEPT)(self._blend)
        self.hears_contexts = hears_contexts(model.unet)
        self._pictures = PictureContexts(model.ip_adapter, next(model.unet.parameters())) if model.ip_adapter else None
        self._unguided = torch.ones(1, 1, device=model.device)

    def forget(self) -> None:
        """See `Denoiser`: whatever is cached here was computed of weights."""
        for cached in vars(self).values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        """See `Denoiser`: `biases` [1, S], all ResNets' side by side, and `keys_values` [1, L, K], all attentions', in
        the model's dtype.
        """
        prompt = recipe.prompt_of(is_second)
        biases = self._biases(recipe.steps, recipe.timestep_cond, recipe.time_ids, prompt.pooled)
        return {"biases": biases[step], "keys_values": self._told(prompt)}

    def contexts(self, recipe: Recipe, step: int, is_second: bool, contexts: Contexts) -> Conditions:
        """See `Denoiser`: columns as in `contexts`."""
        told: dict[str, torch.Tensor] = {}
        if contexts.has_negative:
            avoided = None if is_second else recipe.avoided
            told[NEGATIVE_COLUMN] = self._told(recipe.prompt_of(is_second) if avoided is None else avoided)
            told[SCALE_COLUMN] = self._unguided if avoided is None else recipe.negative_scale
        if contexts.pictures and self._pictures is not None:
            told[PICTURES_COLUMN] = self._pictures.column(recipe.pictures, contexts.pictures, is_second=is_second)
        return told

    def _told(self, prompt: Conditioning) -> torch.Tensor:
        return self._blended(prompt) if self._is_blend(prompt) else self._keys_values(prompt)

    @property
    def texts_projected(self) -> int:
        """Number of texts whose keys and values were computed, and not found in the cache."""
        return self._keys_values.cache_info().misses

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """See `Denoiser`; `timestep` is not used, as the biases contain it."""
        unet: Any = self.unet
        sample = sample.to(self._dtype, memory_format=self._layout)
        biases, keys_values = conditions["biases"], conditions["keys_values"]
        contexts = Told.of(conditions)
        more = {} if contexts is None else {"cross_attention_kwargs": {"contexts": contexts}}
        more |= self._places.told(conditions, sample)
        return unet(sample, biases, encoder_hidden_states=keys_values, return_dict=False, **more)[0]

    def _make_biases(
        self,
        steps: tuple[torch.Tensor, ...],
        timestep_cond: torch.Tensor | None,
        time_ids: torch.Tensor | None,
        pooled: torch.Tensor | None,
    ) -> tuple[torch.Tensor, ...]:
        """The biases of each step. Cached by the identity of what a `Recipe` and its prompt have under these names."""
        unet: Any = self._whole[0]
        timestep = torch.cat(steps)[:, T]
        embedding = unet.time_embedding(unet.get_time_embed(timestep.to(self._dtype), timestep), timestep_cond)
        if time_ids is not None:
            added = {"text_embeds": pooled, "time_ids": time_ids}
            embedding = embedding + unet.get_aug_embed(embedding, None, added)  # "text_time" takes no hidden states
        if unet.time_embed_act is not None:
            embedding = unet.time_embed_act(embedding)
        return torch.cat([projected(resnet, embedding) for resnet in resnets(unet)], 1).split(1)

    def _texts_kept(self) -> int:
        """How many texts' keys and values fit into `KEYS_VALUES_BYTES`, at 77 tokens."""
        size = 77 * sum(layer.out_features for layer in self._to_keys_values) * self._dtype.itemsize
        return max(TEXTS_MIN, min(TEXTS_MAX, KEYS_VALUES_BYTES // max(1, size)))

    def _is_blend(self, prompt: Conditioning) -> bool:
        """Whether a prompt's keys and values are mixed of its parts': exactly, as the projections are linear."""
        return bool(prompt.parts) and bool(self._to_keys_values)

    def _blend(self, prompt: Conditioning) -> torch.Tensor:
        parts = [(self._keys_values(part), share) for part, share in prompt.parts]
        return weighted_sum((one.repeat(1, prompt.length // one.shape[1], 1), share) for one, share in parts)

    def _make_keys_values(self, prompt: Conditioning) -> torch.Tensor:
        # A UNet without cross-attention ignores this condition, which must be there all the same.
        embeds, layers = prompt.prompt_embeds, self._to_keys_values
        return torch.cat([layer(embeds) for layer in layers], 2) if layers else embeds


class _FoldedUnet(UNet2DConditionModel):
    """A UNet whose `timestep` argument is the biases, passed to the ResNets as they are."""

    def get_time_embed(self, sample: torch.Tensor, timestep: Any) -> torch.Tensor:
        return timestep

    def get_aug_embed(self, emb: torch.Tensor, encoder_hidden_states: torch.Tensor, added_cond_kwargs: Any) -> None:
        return None


class _First(nn.Module):
    """Replaces the time embedding: returns the biases as they are."""

    def forward(self, biases: torch.Tensor, timestep_cond: None = None) -> torch.Tensor:
        return biases


class _Part(nn.Module):
    """Replaces a folded layer: returns its result, a slice of the last dimension of the condition."""

    def __init__(self, start: int, length: int) -> None:
        super().__init__()
        self._start, self._length = start, length

    def extra_repr(self) -> str:
        return f"{self._start}, {self._length}"

    def forward(self, folded: torch.Tensor) -> torch.Tensor:
        return folded.narrow(-1, self._start, self._length)


class _PlainResnet(ResnetBlock2D):
    """A block whose result is not divided by anything: diffusers divides by 1, a pass over memory of its own."""

    def forward(self, input_tensor: torch.Tensor, temb: torch.Tensor) -> torch.Tensor:
        block: Any = self
        hidden = block.conv1(block.nonlinearity(block.norm1(input_tensor)))
        hidden = block.norm2(hidden + block.time_emb_proj(temb)[:, :, None, None])
        hidden = block.conv2(block.nonlinearity(hidden))
        return (input_tensor if block.conv_shortcut is None else block.conv_shortcut(input_tensor)) + hidden


def _without_constants(unet: nn.Module) -> UNet2DConditionModel:
    """A copy of a UNet on the same weights in which the folded layers are replaced by `_First` and `_Part`."""
    folded = folded_copy(unet)
    folded.__class__ = _FoldedUnet
    folded.time_embedding, folded.time_embed_act = _First(), None
    folded.add_embedding = None
    return folded


def on_same_weights(network: M) -> M:
    """A copy of a network whose modules can be changed, on the same weights."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, memo)


def folded_copy(network: nn.Module) -> Any:
    """A copy of a network on the same weights in which the folded layers of its blocks are replaced by `_Part`."""
    folded: Any = on_same_weights(network)
    start = 0
    for resnet in resnets(folded):
        length = int(resnet.time_emb_proj.out_features)
        resnet.time_emb_proj, resnet.skip_time_act = _Part(start, length), True
        if _is_plain_resnet(resnet):
            resnet.__class__ = _PlainResnet
        start += length
    start = 0
    for attention in cross_attentions(folded):
        length = int(attention.to_k.out_features)
        attention.to_k, attention.to_v = _Part(start, length), _Part(start + length, length)
        start += 2 * length
    name_biases(cross_attentions(folded), _Part, start)
    attentions: list[Any] = [module for module in folded.modules() if isinstance(module, Attention)]
    for attention in filter(_is_plain_attention, attentions):
        attention.processor = ContextAttention()
    return folded


def _is_plain_resnet(resnet: Any) -> bool:
    is_same_size = resnet.upsample is None and resnet.downsample is None
    return is_same_size and resnet.time_embedding_norm == "default" and resnet.output_scale_factor == 1


def _is_plain_attention(attention: Any) -> bool:
    norms = (attention.spatial_norm, attention.group_norm, attention.norm_cross, attention.norm_q, attention.norm_k)
    is_only_product = not attention.residual_connection and attention.rescale_output_factor == 1
    return type(attention.processor) is AttnProcessor2_0 and is_only_product and not any(norms)


def resnets(network: nn.Module) -> list[Any]:
    """The ResNets that hear the timestep, in their order."""
    return [m for m in network.modules() if isinstance(m, ResnetBlock2D) and m.time_emb_proj is not None]


def cross_attentions(network: nn.Module) -> list[Any]:
    """The attentions to the prompt, in their order."""
    return [m.attn2 for m in network.modules() if isinstance(m, BasicTransformerBlock) and m.attn2 is not None]


def projected(resnet: Any, embedding: torch.Tensor) -> torch.Tensor:
    """What the timestep adds to a ResNet's samples."""
    return resnet.time_emb_proj(embedding if resnet.skip_time_act else resnet.nonlinearity(embedding))
