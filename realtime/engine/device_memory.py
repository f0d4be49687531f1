"""What a device's memory suffices for: how much is free, and how much a model's weights take.

Must not know rungs, rows or sessions.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

BUILDER_BYTES = 2**30
"""What a builder takes of a GPU beside the weights: CUDA's context, and what a region calculates."""


def free_bytes(device: torch.device) -> int | None:
    """Memory of a GPU that no process has; None of other devices, whose memory is not asked for."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def weights_bytes(networks: Iterable[torch.nn.Module]) -> int:
    """Memory of the networks' weights; those that several share count once."""
    tensors = {id(one): one for network in networks for one in (*network.parameters(), *network.buffers())}
    return sum(tensor.numel() * tensor.itemsize for tensor in tensors.values())


def builder_obstacle(device: torch.device, networks: Iterable[torch.nn.Module]) -> str:
    """Why no builder, which loads these networks a second time, has room on the device; empty where one has."""
    free = free_bytes(device)
    needed = weights_bytes(networks) + BUILDER_BYTES
    if free is None or free >= needed:
        return ""
    return f"its builder takes {gigabytes(needed)} of the GPU's memory, and {gigabytes(free)} are free"


def gigabytes(size: int) -> str:
    """For people, for example `2.7 GB`."""
    return f"{size / 1e9:.1f} GB"
