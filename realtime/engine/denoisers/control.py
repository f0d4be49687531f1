"""Nets beside the UNet: folded ControlNets and unions, called in each step, and T2I-Adapters, called once a frame.

Must not know rows, batches, or rungs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from .. import NetKind
from ..models.quiet import quiet
from ..sampler import T
from .folding import BIASES_KEPT, BLENDS_KEPT, TEXTS_MIN, cross_attentions, folded_copy, projected, resnets
from .keys_values import KeysValues
from .residuals import Places, pack

with quiet():
    from diffusers import ControlNetUnionModel  # pyright: ignore[reportPrivateImportUsage]

if TYPE_CHECKING:
    from ..models.load import Model
    from ..models.nets import Net
    from ..recipe import Recipe
    from .denoiser import Conditions


def to_hint(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [0, 1], as nets take what they are shown."""
    return pictures.permute(0, 3, 1, 2).float() / 255


class FoldedControl(nn.Module):
    """A ControlNet or a union on the weights of its network, without the layers that are constant in a recipe.

    What a union's rows are of is a condition: rows of all its types share a call. Its own forward, as diffusers has it,
    has the rows of a batch attend to each other; here each is what it is alone.

    Args:
        net: whose network is a ControlNetModel or a ControlNetUnionModel.
        layout: memory layout that samples are converted to.

    Attributes:
        embed: hints, float [B, 3, H, W] in [0, 1], to what is added to the first samples, [B, C, h, w]: once a frame.
    """

    def __init__(self, net: Net, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        whole: Any = net.network
        whole.to(memory_format=layout)
        self.embed = Embedding(whole.controlnet_cond_embedding, whole.config, model.dtype, layout)
        self.network = folded_copy(whole)
        self.network.time_embedding = self.network.add_embedding = self.network.controlnet_cond_embedding = None
        self._whole = [whole]  # in a list: it is not to be a submodule, which would be exported
        self._net = net
        self._is_union = isinstance(whole, ControlNetUnionModel)
        self._places = Places(whole)
        self._dtype, self._layout = model.dtype, layout
        self._biases = lru_cache(BIASES_KEPT)(self._make_biases)
        layers = [layer for one in cross_attentions(whole) for layer in (one.to_k, one.to_v)]
        self._texts = KeysValues(layers, TEXTS_MIN, BLENDS_KEPT)

    def conditions(self, recipe: Recipe, step: int, name: str, *, is_second: bool) -> Conditions:
        """The conditions of one row that depend on its recipe: `biases` and `keys_values` as in `FoldedDenoiser`, and
        of a union `task` [1, D], what of its types it is to be.

        Args:
            name: of the control, which the params name.
        """
        prompt = recipe.prompt_of(is_second)
        of_type = self._net.types.get(name)
        told = {
            "biases": self._biases(recipe.steps, recipe.time_ids, prompt.pooled, of_type)[step],
            "keys_values": self._texts.of(prompt),
        }
        if self._is_union:
            whole: Any = self._whole[0]
            told["task"] = whole.task_embedding[of_type][None]
        return told

    def extra_repr(self) -> str:
        """What its code depends on beside its layers: a package's key has this text."""
        return f"{self._places}"

    def forward(
        self, sample: torch.Tensor, hint: torch.Tensor, weight: torch.Tensor, conditions: Conditions
    ) -> torch.Tensor:
        """What the net adds to the UNet's samples.

        Args:
            sample: noisy latents, [B, C, h, w].
            hint: of `embed`.
            weight: [B, 1].
            conditions: those of `conditions`, [B, …].

        Returns:
            [B, R] in the model's dtype, see `residuals`.
        """
        net: Any = self.network
        told, biases = conditions["keys_values"], conditions["biases"]
        hidden = net.conv_in(sample.to(self._dtype, memory_format=self._layout))
        hidden = hidden + (self._of_type(hidden, hint, conditions["task"]) if self._is_union else hint)
        found = [hidden]
        for block in net.down_blocks:
            attends = getattr(block, "has_cross_attention", False)
            hidden, more = block(hidden, biases, told) if attends else block(hidden, biases)
            found += more
        if net.mid_block is not None:
            attends = getattr(net.mid_block, "has_cross_attention", False)
            hidden = net.mid_block(hidden, biases, told) if attends else net.mid_block(hidden, biases)
        parts = [layer(one) for layer, one in zip(net.controlnet_down_blocks, found, strict=True)]
        parts.append(net.controlnet_mid_block(hidden))
        shapes = self._places.of_control(*sample.shape[-2:])
        if net.config.global_pool_conditions:
            parts = [part.mean((2, 3), keepdim=True) for part in parts]
        return pack(parts, shapes) * weight.to(self._dtype)

    def _of_type(self, hidden: torch.Tensor, hint: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        """A union's hint, shifted by how it looks beside the sample, as one of its types."""
        net: Any = self.network
        tokens = torch.stack([hint.mean((2, 3)) + task, hidden.mean((2, 3))], 1)  # [B, 2, D]
        # The layers attend along the first axis: each token alone to itself, as a row alone has it.
        one_by_one = tokens.flatten(0, 1)[None]
        for layer in net.transformer_layes:
            one_by_one = layer(one_by_one)
        shift = net.spatial_ch_projs(one_by_one[0].unflatten(0, (-1, 2))[:, 0])
        return hint + shift[:, :, None, None]

    def _make_biases(
        self,
        steps: tuple[torch.Tensor, ...],
        time_ids: torch.Tensor | None,
        pooled: torch.Tensor | None,
        of_type: int | None,
    ) -> tuple[torch.Tensor, ...]:
        """The biases of each step. Cached by the identity of what a `Recipe` and its prompt have under these names."""
        whole: Any = self._whole[0]
        timestep = torch.cat(steps)[:, T]
        embedding = whole.time_embedding(whole.time_proj(timestep).to(self._dtype))
        if whole.config.addition_embed_type == "text_time" and time_ids is not None and pooled is not None:
            sizes = whole.add_time_proj(time_ids.flatten()).reshape(1, -1).to(self._dtype)
            embedding = embedding + whole.add_embedding(torch.cat([pooled, sizes], 1))
        if of_type is not None:
            types = F.one_hot(torch.tensor([of_type], device=timestep.device), len(whole.task_embedding))
            told = whole.control_type_proj(types.flatten()).reshape(1, -1).to(self._dtype)
            embedding = embedding + whole.control_add_embedding(told)
        return torch.cat([projected(resnet, embedding) for resnet in resnets(whole)], 1).split(1)


class Embedding(nn.Module):
    """The part of a ControlNet that looks at its hint.

    Args:
        embed: the network.
        config: of the whole net.
    """

    def __init__(self, embed: nn.Module, config: Any, dtype: torch.dtype, layout: torch.memory_format) -> None:
        super().__init__()
        self.network = embed
        self._is_bgr = config["controlnet_conditioning_channel_order"] == "bgr"
        self._dtype, self._layout = dtype, layout

    def extra_repr(self) -> str:
        """See `FoldedControl`."""
        return "bgr" if self._is_bgr else "rgb"

    def forward(self, hint: torch.Tensor) -> torch.Tensor:
        """Float [B, 3, H, W] in [0, 1] to [B, C, h, w] in the model's dtype."""
        hint = hint.flip(1) if self._is_bgr else hint
        return self.network(hint.to(self._dtype, memory_format=self._layout))


class Adapter(nn.Module):
    """A T2I-Adapter.

    Args:
        net: whose network is a T2IAdapter.
        layout: memory layout that hints are converted to.
    """

    def __init__(self, net: Net, model: Model, layout: torch.memory_format) -> None:
        super().__init__()
        network: Any = net.network
        self.network: Any = network.to(memory_format=layout)
        self._places = Places(model.unet)
        self._scale_px = model.latent_scale_px
        self._is_grey = int(self.network.config["in_channels"]) == 1
        self._dtype, self._layout = model.dtype, layout

    def extra_repr(self) -> str:
        """See `FoldedControl`."""
        return f"{self._places}, {self._scale_px}"

    def forward(self, hint: torch.Tensor) -> torch.Tensor:
        """Hints, float [B, 3, H, W] in [0, 1], to what is added inside of the UNet's down blocks: [B, F] in the model's
        dtype, see `residuals`.
        """
        shapes = self._places.of_features(*(side // self._scale_px for side in hint.shape[-2:]))
        step = int(self.network.downscale_factor)
        more = [-side % step for side in hint.shape[-2:]]
        if any(more):
            hint = F.pad(hint, (0, more[1], 0, more[0]), mode="replicate")
        hint = hint.mean(1, keepdim=True) if self._is_grey else hint
        return pack(self.network(hint.to(self._dtype, memory_format=self._layout)), shapes)


def beside(model: Model, layout: torch.memory_format) -> dict[str, FoldedControl | Adapter]:
    """The nets of a model, by their networks' names."""
    return {
        net.name: (FoldedControl if net.kind is NetKind.CONTROLNET else Adapter)(net, model, layout)
        for net in model.nets
    }
