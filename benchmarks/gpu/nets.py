"""What nets cost: ticks in which some of the rows are steered, beside plain ones.

Must not know how nets are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .engines import job_of, model_of
from .rungs import ends
from .ticks import PLAIN, in_turns
from .working import Found, Setting

if TYPE_CHECKING:
    from realtime.engine.models.load import Model
    from realtime.engine.models.nets import Net

    from ..engine.tapped import TappedEngine

COUNTS = (1, 4, 8)
"""Rows of eight that are steered."""
KINDS = ("controlnet", "depth", "union", "adapter")
"""A ControlNet; the same with the hint that is made here; a union; a full T2I-Adapter."""


def nets(setting: Setting, found: Found) -> None:
    """On SD-Turbo's shape."""
    _nets(setting, found, setting.engines().eager, KINDS)


def sdxl_nets(setting: Setting, found: Found) -> None:
    """On SDXL-Turbo's shape."""
    from ..engine.tapped import TappedEngine

    _, rows = ends(setting)
    ours = TappedEngine(setting.model("sdxl-turbo"), "off", setting.machine(), rows)
    _nets(setting, found, ours, ("controlnet", "union", "adapter"))


def _nets(setting: Setting, found: Found, ours: TappedEngine, kinds: tuple[str, ...]) -> None:
    import torch

    from realtime.control import Hint

    model = model_of(ours)
    with torch.inference_mode(False):
        estimators = {Hint.DEPTH: random_depth(model, small=setting.dry)}
        model = replace(model, nets=random_nets(model, kinds), estimators=estimators)
    found["shares"] = {net.name: round(net.share, 4) for net in model.nets}
    setting.keep(found)
    _, rows = ends(setting)
    plain = [job_of(ours, row, row, num_inference_steps=1) for row in range(rows)]
    arms = {PLAIN: plain}
    for net in model.nets:
        fields: Mapping[str, Any] = {"control": [{"net": net.controls[0].name}]}
        for count in counts(rows):
            steered = [replace(job, params=job.params.patched(fields, job.params)) for job in plain[:count]]
            arms[arm_of(net.name, count, rows)] = [*steered, *plain[count:]]
    in_turns(setting, found, "nets", model, arms, rows)


def counts(rows: int) -> list[int]:
    """How many of the rows are steered, in turn."""
    return [count for count in COUNTS if count < rows] + [rows]


def arm_of(kind: str, count: int, rows: int) -> str:
    """The name of an arm."""
    return f"{kind}, {count} of {rows}"


def random_nets(model: Model, kinds: tuple[str, ...]) -> tuple[Net, ...]:
    """Nets in the shape of the published ones for this UNet, each shown the picture itself but for depth."""
    from realtime.control import Hint
    from realtime.engine import ControlInfo, NetKind
    from realtime.engine.models.flops import share_of
    from realtime.engine.models.nets import Net

    from ..engine.models import drawn

    unet: Any = model.unet
    shapes = shapes_beside(unet)
    made: dict[str, Net] = {}
    for kind in kinds:
        how = NetKind.ADAPTER if kind == "adapter" else NetKind.CONTROLNET
        hint = Hint.DEPTH if kind == "depth" else Hint.PICTURE
        if kind == "depth":
            network = made["controlnet"].network
        else:
            network = drawn(*shapes[kind], dtype=model.dtype, device=model.device)
        info = ControlInfo(kind, hint, kind, kind=how)
        made[kind] = Net(kind, network, (info,), {kind: 3} if kind == "union" else {}, share_of(network, unet))
    return tuple(made.values())


def shapes_beside(unet: Any) -> Mapping[str, tuple[Any, dict[str, Any]]]:
    """The class and the settings of each kind of net beside a UNet."""
    from diffusers import (
        ControlNetModel,  # pyright: ignore[reportPrivateImportUsage]
        ControlNetUnionModel,  # pyright: ignore[reportPrivateImportUsage]
        T2IAdapter,  # pyright: ignore[reportPrivateImportUsage]
    )

    names = (
        "in_channels", "down_block_types", "block_out_channels", "layers_per_block", "attention_head_dim",
        "cross_attention_dim", "norm_num_groups", "use_linear_projection", "addition_embed_type",
        "addition_time_embed_dim", "transformer_layers_per_block", "projection_class_embeddings_input_dim",
    )  # fmt: skip
    blocks = {name: unet.config[name] for name in names}
    widths = list(unet.config["block_out_channels"])
    is_xl = unet.config["addition_embed_type"] is not None
    union = {"num_trans_channel": widths[0], "num_proj_channel": widths[0], "num_control_type": 6}
    union |= {"addition_time_embed_dim": unet.config["addition_time_embed_dim"] or 256}
    adapter = {"channels": [*widths, widths[-1]][:4], "downscale_factor": 16 if is_xl else 8}
    adapter |= {"adapter_type": "full_adapter_xl" if is_xl else "full_adapter"}
    return {
        "controlnet": (ControlNetModel, blocks),
        "union": (ControlNetUnionModel, blocks | union),
        "adapter": (T2IAdapter, adapter),
    }


def random_depth(model: Model, *, small: bool) -> Any:
    """An estimator of the published one's shape."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    from realtime.engine.models.depth import DepthEstimator

    from ..engine.models import drawn

    width, layers, heads = (16, 4, 2) if small else (384, 12, 6)
    settings: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": 518,
        "patch_size": 14,
        "out_indices": [layers // 4 * number for number in (1, 2, 3, 4)],
        "reshape_hidden_states": False,
        "apply_layernorm": True,
    }
    backbone = Dinov2Config(**settings)
    neck: dict[str, Any] = {}
    if small:
        neck = {"neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8, "head_hidden_size": 8}
    config = DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=width, **neck)
    network = drawn(DepthAnythingForDepthEstimation, {"config": config}, dtype=model.dtype, device=model.device)
    return DepthEstimator(network).eval().requires_grad_(False).to(model.device)
