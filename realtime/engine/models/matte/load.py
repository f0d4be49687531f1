"""Loads the network that finds the person, whose weights ship with the package.

Must not know models, or what the mask is for.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from .network import MatteNetwork

WEIGHTS = Path(__file__).parent / "selfie_segmentation.safetensors"
"""In half precision; made by scripts/port_matte."""


def load_matte(device: torch.device) -> MatteNetwork:
    """The network on a device, in float32 (its arithmetic is a twentieth of a frame's), for inference only."""
    network = MatteNetwork()
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(WEIGHTS).items()})
    return network.eval().requires_grad_(False).to(device)
