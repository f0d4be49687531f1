"""A model that only takes its time, in the place of StreamDiffusion's in its own demo server.

Must not know the demo.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image


class StandInStream:
    """What StreamDiffusion's wrapper calls on a stream: the picture comes back as it is, after exactly `model_ms`.

    It sleeps, so the interpreter is free meanwhile: kinder to a server than a model that launches kernels.

    Attributes:
        image_processor: diffusers' own, as StreamDiffusion has it.
    """

    def __init__(self, model_ms: float) -> None:
        self.image_processor = VaeImageProcessor(vae_scale_factor=8)
        self._model_s = model_ms / 1000
        # Small operations on threads that wait for each other cost the demo 150 ms a frame on a busy machine.
        torch.set_num_threads(1)

    def prepare(self, *args: Any, **kwargs: Any) -> None:
        """No prompt to encode."""

    def update_prompt(self, prompt: str) -> None:
        """The real one encodes the prompt again for every frame; here that is free."""

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Take the time of a frame; [B, 3, H, W] comes back as it is."""
        time.sleep(self._model_s)
        return pixels


def postprocess_image(pixels: torch.Tensor, output_type: str = "pil") -> list[Image.Image]:
    """The steps of StreamDiffusion's function of this name, for pictures: to [0, 1], to numpy, to uint8, to Pillow.

    Args:
        pixels: [B, 3, H, W] in [-1, 1], on the CPU.
        output_type: `pil`, the demo's.
    """
    assert output_type == "pil"
    unit = (pixels / 2 + 0.5).clamp(0, 1)
    pictures = (unit.permute(0, 2, 3, 1).float().numpy() * 255).round().astype(np.uint8)
    return [Image.fromarray(picture) for picture in pictures]
