"""Nets that steer: their names, what else lies in their files, and those of other families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from .case import Case
from .loras import sd, silent


def load(*controls: str) -> Callable[[], object]:
    """Load nets beside a tiny model of SD 1.x."""

    def run() -> object:
        import torch

        from realtime.engine.models.control import load_nets, parse_controls

        return load_nets(sd(), parse_controls(controls), torch.float32, prefer_fp16=False, progress=silent)

    return run


def folder(network: Callable[[], Any]) -> Callable[[], object]:
    """Load a net that is a folder `net`."""

    def run() -> object:
        network().save_pretrained("net")
        return load("canny=net")()

    return run


def file(tensors: Mapping[str, tuple[int, ...]], then: Callable[[], object] | None = None) -> Callable[[], object]:
    """Load a net that is a file of these tensors."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        save_file({name: torch.ones(*shape) for name, shape in tensors.items()}, "net.safetensors")
        return (then or load("canny=net.safetensors"))()

    return run


def controlnet(**options: Any) -> Any:
    from diffusers import ControlNetModel

    from tests.checkpoints import tiny_unet

    return ControlNetModel.from_unet(
        tiny_unet(**options), load_weights_from_unet=False, conditioning_embedding_out_channels=(4, 4, 4, 4)
    )


def adapter() -> Any:
    from diffusers import T2IAdapter

    return T2IAdapter(3, [32, 64], 1, 8, "full_adapter")


def with_sizes() -> Any:
    from diffusers import ControlNetModel

    config = {name: value for name, value in controlnet().config.items() if name[0] != "_"}
    sizes = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 56,
    }
    return ControlNetModel(**{**config, **sizes})


def an_empty_folder() -> object:
    Path("net").mkdir()
    return load("canny=net")()


def a_part_of_a_model() -> object:
    from tests.checkpoints import tiny_unet

    tiny_unet().save_pretrained("unet")
    return load("canny=unet")()


def beside_the_painter() -> object:
    import torch

    from realtime.engine.models.control import load_nets, parse_controls
    from realtime.engine.models.family import PAINTER

    parts = replace(sd(), family=PAINTER, unet=mock.Mock())
    return load_nets(parts, parse_controls(["canny"]), torch.float32, prefer_fp16=False, progress=silent)


def steering(control: dict[str, Any], has_net: bool) -> Callable[[], object]:
    """Run a frame, and say why it failed."""

    def run() -> str:
        from tests.engine.tiny_models import make_engine, make_job, make_model, make_params
        from tests.engine.tiny_models import run as run_all
        from tests.engine.tiny_nets import a_net, make_controlnet

        nets = (a_net(make_controlnet()),) if has_net else ()
        (failed,) = run_all(make_engine(make_model(nets=nets))[0], [make_job(make_params(control=[control]))])
        return str(failed.error)  # type: ignore[union-attr]

    return run


_WIDE = "models whose text has 32 numbers a token"

CASES = [
    Case(
        "control: '=canny' is not NAME[=SOURCE[:WEIGHT]]: write canny, or canny=org/name:0.8",
        "'=canny'",
        load("=canny"),
    ),
    Case(
        "control: 'canny=org/name:3': a weight is a number from 0 to 2: write canny=org/name:0.8",
        "org/name:3",
        load("canny=org/name:3"),
    ),
    Case(
        "control: two nets have the name canny: give each its own, as edges=canny",
        "canny",
        load("canny", "canny=org/name"),
    ),
    Case(
        "control: models of this family (painter) see their input without nets: leave --control out",
        "--control",
        beside_the_painter,
    ),
    Case(
        "there is no net 'union' for models of the family sd: its presets are canny, depth, lineart, scribble, tile, "
        "openpose; or name a source, as union=org/name",
        "'union'",
        load("union"),
    ),
    Case(
        "control mine: there is no net 'nowhere': give a preset, a hub id, a folder or a .safetensors file",
        "'nowhere'",
        load("mine=nowhere"),
    ),
    Case(
        "control canny: an adapter for SD 1.x, which does not fit the model: take one for its family",
        "canny",
        folder(adapter),
    ),
    Case(
        "control canny: its blocks are not those of the model: take a net that was made for its family",
        "canny",
        folder(lambda: controlnet(block_out_channels=(32, 32))),
    ),
    Case(
        "control canny: it hears other sizes than the model does: take a net that was made for its family",
        "canny",
        folder(with_sizes),
    ),
    Case(
        "control canny: there is no net in it (no config.json): name its file, or another folder",
        "canny",
        an_empty_folder,
    ),
    Case(
        "control canny: net.safetensors: a T2I-Adapter in its original layout: take it in diffusers' (a folder, "
        "config.json)",
        "net.safetensors",
        file({"body.0.block1.weight": (1,)}),
    ),
    Case(
        "control canny: unet: a 'UNet2DConditionModel' is no net that steers here: take a ControlNet or a T2I-Adapter",
        "unet",
        a_part_of_a_model,
    ),
    Case(
        "control canny: net.safetensors: no ControlNet, and no Control-LoRA: give one's file, or the folder of a net",
        "net.safetensors",
        file({"a.weight": (1,)}),
    ),
    Case(
        f"control canny: net: a net for SD 1.x, and the model is one of {_WIDE}: take one for {_WIDE}",
        "SD 1.x",
        folder(lambda: controlnet(cross_attention_dim=768)),
    ),
    Case(
        "control canny: net.safetensors: its weight input_blocks.0.0.weight is missing: fetch it again",
        "input_blocks.0.0.weight",
        file({"zero_convs.0.0.weight": (1,)}),
    ),
    Case(
        f"these params can't be used: the picture of {'a' * 32} is missing",
        "the picture",
        steering({"net": "canny", "source": "a" * 32}, has_net=True),
    ),
    Case(
        "these params can't be used: there is no net 'canny' here",
        "'canny'",
        steering({"net": "canny"}, has_net=False),
    ),
]
