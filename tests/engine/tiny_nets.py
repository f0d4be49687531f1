"""Random nets of real shapes and tiny widths for the UNets of `tiny_models`: without the zeros of untrained ones."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter

from realtime.control import Hint
from realtime.engine import ControlInfo, NetKind
from realtime.engine.models.nets import Net

from .tiny_models import WIDTH

SDXL: dict[str, Any] = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + WIDTH,
    "transformer_layers_per_block": (1, 2),
    "use_linear_projection": True,
}
BLOCKS: dict[str, Any] = {
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
    "conditioning_embedding_out_channels": (8, 8, 8, 8),
}
TYPES = {"openpose": 0, "depth": 1, "canny": 3}


def make_controlnet(family: str = "sd", seed: int = 1, **options: Any) -> ControlNetModel:
    return filled(ControlNetModel(**{**BLOCKS, **(SDXL if family == "sdxl" else {}), **options}), seed)


def make_union_network(family: str = "sdxl", seed: int = 1, **options: Any) -> ControlNetUnionModel:
    more = {"num_trans_channel": 16, "num_trans_head": 4, "num_proj_channel": 16, "num_control_type": 6}
    sizes = SDXL if family == "sdxl" else {"addition_time_embed_dim": 8}
    return filled(ControlNetUnionModel(**{**BLOCKS, **sizes, **more, **options}), seed)


def make_t2i(kind: str = "full_adapter_xl", seed: int = 1, in_channels: int = 3) -> T2IAdapter:
    """One that fits the tiny UNets: their first block shrinks before it takes features, as SDXL's does."""
    network = T2IAdapter(in_channels, [16, 32], num_res_blocks=1, downscale_factor=16, adapter_type=kind)
    return filled(network, seed)


def filled(network: Any, seed: int) -> Any:
    """Weights that keep the signal's size, everywhere."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1 and "task_embedding" not in name:
            gain = 0.8 / parameter[0].numel() ** 0.5
            parameter.data = gain * torch.randn(parameter.shape, generator=generator)
        elif parameter.ndim > 1:
            parameter.data = torch.randn(parameter.shape, generator=generator)
        else:
            parameter.data = parameter.data.round() + 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval().requires_grad_(False)


def a_net(network: Any, name: str = "canny", hint: Hint = Hint.PICTURE, share: float = 0.5) -> Net:
    kind = NetKind.ADAPTER if isinstance(network, T2IAdapter) else NetKind.CONTROLNET
    if isinstance(network, ControlNetUnionModel):
        controls = tuple(ControlInfo(f"{name}/{one}", hint, one) for one in TYPES)
        return Net(name, network, controls, {f"{name}/{one}": index for one, index in TYPES.items()}, share)
    return Net(name, network, (ControlInfo(name, hint, name, kind=kind),), share=share)
