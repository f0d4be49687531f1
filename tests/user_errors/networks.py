"""Models in folders whose parts are damaged, missing or of another kind, and options that don't fit a model."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from .case import Case

UNET = "unet/diffusion_pytorch_model.safetensors"


def load(**config: Any) -> object:
    from huggingface_hub import constants

    from realtime.config import Config, Device
    from realtime.engine.models.load import load_model

    with (
        mock.patch.object(constants, "HF_HUB_CACHE", "my-cache"),
        mock.patch.object(constants, "HF_HUB_OFFLINE", True),
    ):
        return load_model(Config(**{"model": "sd", "vae": "full", "device": Device.CPU, **config}))


def folder(harm: Callable[[Path], object] = lambda folder: None, **config: Any) -> Callable[[], object]:
    """A folder `sd` that something is wrong with, or with its use."""

    def run() -> object:
        from tests import checkpoints

        harm(checkpoints.build_sd(Path("sd")))
        return load(**config)

    return run


def edited(file: str, **fields: object) -> Callable[[], object]:
    """A folder with other fields in a configuration."""

    def harm(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return folder(harm)


def changed(lost: str = "", **more: float) -> Callable[[], object]:
    """A folder whose UNet lacks a weight, or has one more."""

    def harm(folder: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        state = load_file(folder / UNET)
        state.pop(lost, None)
        save_file(state | {name: torch.tensor(value) for name, value in more.items()}, folder / UNET)

    return folder(harm)


def written(file: str, content: bytes) -> Callable[[], object]:
    return folder(lambda folder: (folder / file).write_bytes(content))


def schedule(**config: Any) -> Callable[[], object]:
    def run() -> object:
        from realtime.engine.models.schedules import noise_schedule

        return noise_schedule(config)

    return run


def unreadable() -> object:
    from realtime.engine.models.components import one_line

    with one_line("my-model"):
        raise PermissionError(errno.EACCES, "Permission denied")


def out_of_memory(error: str) -> Callable[[], object]:
    def run() -> object:
        import torch

        from realtime.engine.models.components import one_line

        with one_line("my-model"):
            raise MemoryError if error == "host" else torch.OutOfMemoryError

    return run


def card(file: str = "", data: bytes = b"", **fields: object) -> Callable[[], object]:
    """A model's own `realtime.json`, and a file of its folder `pictures`."""

    def run() -> object:
        from realtime.engine.models.model_card import read_card

        Path("realtime.json").write_text(json.dumps(fields))
        if file:
            Path("pictures").mkdir(exist_ok=True)
            Path("pictures", file).write_bytes(data)
        return read_card(Path())

    return run


DAMAGED = [
    Case("sd/unet: 1 weights are missing (such as conv_out.weight): fetch it again", "sd", changed("conv_out.weight")),
    Case(
        "sd/unet: 1 of its weights are none that such a network has, such as 'conv_out.scale': it is "
        "quantised, or its config.json is another model's",
        "conv_out.scale",
        changed(**{"conv_out.scale": 1.0}),
    ),
    Case(
        "sd/unet: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again",
        "sd/unet",
        edited("unet/config.json", out_channels="many"),
    ),
    Case(
        "sd/unet: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again",
        "sd/unet",
        edited("unet/config.json", block_out_channels=[32, 96]),
    ),
    Case(
        "sd/tokenizer: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again",
        "tokenizer",
        written("tokenizer/vocab.json", b"{"),
    ),
    Case("my-model: not enough memory: take a smaller model", "my-model", out_of_memory("host")),
    Case("my-model: not enough GPU memory: take a smaller model, or --device cpu", "GPU", out_of_memory("GPU")),
    Case("my-model: can't be read (Permission denied): check its rights and its disk", "my-model", unreadable),
]


OTHER_KINDS = [
    Case(
        "sd/unet/config.json: a 'SD3Transformer2DModel'; this server runs UNet2DConditionModel there: "
        "take another model",
        "SD3Transformer2DModel",
        edited("unet/config.json", _class_name="SD3Transformer2DModel"),
    ),
    Case(
        "sd/vae/config.json: a 'AutoencoderKLWan'; this server runs AutoencoderKL or AutoencoderTiny "
        "there: take another model",
        "AutoencoderKLWan",
        edited("vae/config.json", _class_name="AutoencoderKLWan"),
    ),
    Case(
        "sd/text_encoder: a 't5' text encoder; this server runs those of SD 1.x, 2.x and SDXL: take such a model",
        "'t5'",
        edited("text_encoder/config.json", model_type="t5"),
    ),
    Case(
        "sd: it has no unet: this server runs SD 1.x, SD 2.x and SDXL models",
        "sd",
        folder(lambda folder: shutil.rmtree(folder / "unet")),
    ),
    Case(
        "sd: tokenizer_2 is missing: fetch the model again",
        "sd",
        folder(lambda folder: shutil.copytree(folder / "text_encoder", folder / "text_encoder_2")),
    ),
    Case(
        "its scheduler is FlowMatchEulerDiscreteScheduler: this server runs SD 1.x, SD 2.x and SDXL "
        "models, not flow-matching or EDM ones",
        "FlowMatch",
        schedule(_class_name="FlowMatchEulerDiscreteScheduler"),
    ),
    Case(
        "scheduler_config.json: its prediction_type 'sigma' isn't known here: take another model",
        "'sigma'",
        schedule(prediction_type="sigma"),
    ),
    Case(
        "scheduler_config.json: its beta_schedule 'exponential' isn't known here: take another model",
        "'exponential'",
        schedule(beta_schedule="exponential"),
    ),
    Case(
        "scheduler_config.json: its beta_end is 'much', and a number is wanted: mend it",
        "beta_end",
        schedule(beta_end="much"),
    ),
    Case(
        "scheduler_config.json: its trained_betas are no numbers: fetch it again",
        "trained_betas",
        schedule(trained_betas=["a"]),
    ),
    Case(
        "scheduler_config.json: not a schedule of 1000 rising noise levels: fetch it again",
        "scheduler_config.json",
        schedule(beta_start=1.0, beta_end=-1.0),
    ),
    Case(
        "scheduler_config.json: trained on 200 timesteps; the samplers here take 1000: take another model",
        "200",
        schedule(num_train_timesteps=200),
    ),
]


USES = [
    Case("realtime.json: num_inference_steps: must be at most 8, not 99", "realtime.json", card(default_steps=99)),
    Case("realtime.json: pictures is a list of at most 32: shorten it", "realtime.json", card(pictures=3)),
    Case(
        "realtime.json: a picture has a name and a file (of the folder pictures), not {'name': 'a'}",
        "realtime.json",
        card(pictures=[{"name": "a"}]),
    ),
    Case(
        "pictures/a.png: No such file or directory: fetch the model again",
        "a.png",
        card(pictures=[{"name": "a", "file": "a.png"}]),
    ),
    Case(
        "pictures/large.png: a picture may have 100000 bytes: make it smaller",
        "large.png",
        card("large.png", bytes(100_001), pictures=[{"name": "a", "file": "large.png"}]),
    ),
    Case("sampler: 'heun' is not one of lcm, tcd, euler, euler_a, ddim", "'heun'", folder(sampler="heun")),
    Case("there is no autoencoder 'nonsense': give a hub id, a folder or `full`", "'nonsense'", folder(vae="nonsense")),
    Case(
        "README: there is no autoencoder in it (no config.json): give one's folder or a whole model's",
        "README",
        folder(lambda folder: Path("README").mkdir(), vae="README"),
    ),
    Case(
        "base: only a single .safetensors file needs one, and 'sd' is none: leave --base out", "sd", folder(base="sd")
    ),
    Case(
        "sd has no autoencoder of its own: leave --vae out, or name one",
        "sd",
        folder(lambda folder: shutil.rmtree(folder / "vae")),
    ),
    Case(
        "madebyollin/taesd is not in the local cache and HF_HUB_OFFLINE is set: unset it to download "
        "it; and sd has no autoencoder of its own",
        "sd",
        folder(lambda folder: shutil.rmtree(folder / "vae"), vae=None),
    ),
    Case(
        "vae: the embedded model runs with its own autoencoder only: leave --vae out",
        "vae",
        lambda: load(model="tiny", vae="org/vae"),
    ),
]

CASES = [*DAMAGED, *OTHER_KINDS, *USES]
