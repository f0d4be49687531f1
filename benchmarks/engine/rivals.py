"""Those that are run beside ours: diffusers' pipeline and StreamDiffusion, as something to call for a frame.

Must not know which of them is better, or how numbers are shown.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
import torch
from PIL import Image

from realtime.bench.engine_under_test import PROMPT, STRENGTH
from realtime.engine.models.components import load_autoencoder, load_text_encoder, load_tokenizer, load_unet
from realtime.engine.models.quiet import quiet

from .machine import Machine
from .models import kl_autoencoder

with quiet():
    from diffusers import (
        AutoPipelineForImage2Image,  # pyright: ignore[reportPrivateImportUsage]
        EulerDiscreteScheduler,  # pyright: ignore[reportPrivateImportUsage]
        LCMScheduler,  # pyright: ignore[reportPrivateImportUsage]
        StableDiffusionImg2ImgPipeline,  # pyright: ignore[reportPrivateImportUsage]
        StableDiffusionPipeline,  # pyright: ignore[reportPrivateImportUsage]
    )
    from transformers import CLIPTextModel

T_INDICES = {1: [35], 2: [35, 45], 4: [18, 26, 35, 45]}
"""Of StreamDiffusion's fifty timesteps, by step count: those of its examples."""


def diffusers_pipeline(folder: Path, machine: Machine, *, with_taesd: bool) -> Callable[[], object]:
    """diffusers' image-to-image pipeline as its documentation has it: Pillow in and out, one step, a prompt a frame.

    Args:
        with_taesd: take the small autoencoder; else Stable Diffusion's own.
    """
    pipeline: Any = StableDiffusionImg2ImgPipeline(
        vae=_autoencoder(folder, machine, with_taesd),
        text_encoder=_text_encoder(folder, machine),
        tokenizer=load_tokenizer(folder / "tokenizer"),
        unet=_unet(folder, machine),
        scheduler=cast(Any, EulerDiscreteScheduler(timestep_spacing="trailing", steps_offset=1)),
        safety_checker=cast(Any, None),
        feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )
    pipeline = AutoPipelineForImage2Image.from_pipe(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    picture = _picture(machine)

    def frame() -> object:
        # Two steps at half strength are one call of the UNet.
        return pipeline(PROMPT, image=picture, num_inference_steps=2, strength=STRENGTH, guidance_scale=0.0)

    return frame


def stream_diffusion(folder: Path, steps: int, machine: Machine, *, batched: bool = True) -> Callable[[], object]:
    """StreamDiffusion's own package on the same weights, with its stream batch; a tensor in and a tensor out.

    Kinder than its own server: no picture is converted, and the prompt is encoded once.

    Raises:
        ImportError: the package is not here (`pip install --no-deps streamdiffusion==0.1.1`).
    """
    package: Any = importlib.import_module("streamdiffusion")
    pipeline: Any = StableDiffusionPipeline(
        vae=_autoencoder(folder, machine, True),
        text_encoder=cast(Any, None),
        tokenizer=cast(Any, None),
        unet=_unet(folder, machine),
        scheduler=cast(Any, LCMScheduler(steps_offset=1)),
        safety_checker=cast(Any, None),
        feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )
    side = machine.side_px
    stream: Any = package.StreamDiffusion(
        pipeline,
        T_INDICES[steps],
        torch_dtype=machine.dtype,
        width=side,
        height=side,
        use_denoising_batch=batched,
        cfg_type="none",
    )
    width = int(pipeline.unet.config["cross_attention_dim"])
    embeds = torch.randn(1, 77, width, dtype=machine.dtype, device=machine.device)
    pipeline.encode_prompt = lambda **kwargs: (embeds, embeds)  # pyright: ignore[reportUnknownLambdaType]
    stream.prepare(PROMPT, num_inference_steps=50, guidance_scale=1.0, generator=torch.Generator())
    pixels = torch.rand(1, 3, side, side, dtype=machine.dtype, device=machine.device)

    def frame() -> object:
        with _events(machine):
            return stream(pixels)

    return frame


@contextlib.contextmanager
def _events(machine: Machine) -> Generator[None]:
    """CUDA's events, which it asks for on any device."""
    if machine.device.type == "cuda":
        yield
        return
    with mock.patch("torch.cuda.Event"), mock.patch("torch.cuda.synchronize"):
        yield


def _unet(folder: Path, machine: Machine) -> Any:
    unet = load_unet(folder / "unet", machine.dtype, None)
    return cast(Any, unet).to(machine.device).eval().requires_grad_(False)


def _autoencoder(folder: Path, machine: Machine, with_taesd: bool) -> Any:
    if not with_taesd:
        with quiet():
            return kl_autoencoder(machine.dtype, machine.device, machine.small)
    return cast(Any, load_autoencoder(folder, machine.dtype, False)).to(machine.device).eval()


def _text_encoder(folder: Path, machine: Machine) -> Any:
    return cast(Any, load_text_encoder(CLIPTextModel, folder / "text_encoder", machine.dtype, None)).to(machine.device)


def _picture(machine: Machine) -> Image.Image:
    side = machine.side_px
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))
