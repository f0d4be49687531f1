"""What networks of diffusers calculate, counted without weights.

Must not know models, or what the numbers are for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .components import UNet2DConditionModel
from .control_files import ControlNetModel, ControlNetUnionModel

SIDE_PX, TOKENS = 512, 77
"""Of what is counted: shares of larger pictures are nearly the same."""


def share_of(network: nn.Module, unet: UNet2DConditionModel) -> float:
    """What a call of a net takes, as a share of a call of a UNet beside it."""
    return flops(network) / flops(unet)


def flops(network: nn.Module) -> int:
    """Floating point operations of a call with one row of `SIDE_PX` square pixels."""
    whole: Any = network
    config = whole.config
    with torch.device("meta"), torch.no_grad():
        probe: Any = type(network)(**_settings(network))
        hint = torch.zeros(1, int(config.get("conditioning_channels") or 3), SIDE_PX, SIDE_PX)
        with FlopCounterMode(display=False) as counter:
            if isinstance(network, UNet2DConditionModel | ControlNetModel | ControlNetUnionModel):
                _call(probe, config, hint)
            else:
                probe(torch.zeros(1, int(config["in_channels"]), SIDE_PX, SIDE_PX))
    return counter.get_total_flops()


def _call(probe: Any, config: Any, hint: torch.Tensor) -> None:
    """One call of a UNet or a ControlNet, of what it is told as much as decides on its cost."""
    latents = torch.zeros(1, int(config["in_channels"]), SIDE_PX // 8, SIDE_PX // 8)
    told = torch.zeros(1, TOKENS, int(config["cross_attention_dim"]))
    added: dict[str, torch.Tensor] = {}
    if config["addition_embed_type"] == "text_time":
        ids = 6 * int(config["addition_time_embed_dim"])
        pooled = int(config["projection_class_embeddings_input_dim"]) - ids
        added = {"text_embeds": torch.zeros(1, pooled), "time_ids": torch.zeros(1, 6)}
    more: tuple[Any, ...] = ()
    if isinstance(probe, ControlNetModel):
        more = (hint,)
    if isinstance(probe, ControlNetUnionModel):
        more = ([hint], torch.zeros(1, int(config["num_control_type"])), [0])
    probe(latents, torch.zeros(1), told, *more, added_cond_kwargs=added)


def _settings(network: nn.Module) -> dict[str, Any]:
    whole: Any = network
    return {name: value for name, value in whole.config.items() if not name.startswith("_")}
