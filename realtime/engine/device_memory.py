"""What a device's memory suffices for: how much is free, and how much a model's weights take.

Must not know rungs, rows or sessions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

ROW_BYTES = 300_000_000
"""What a row of 512×512 pixels takes in half precision, with a tiny autoencoder: 110 MB of activations at the peak,
computed of a UNet of Stable Diffusion's shape, in eager mode, in graphs' pool and where graphs are made.
"""
FULL_AUTOENCODER = 4
"""As so many rows counts one with a full autoencoder, which works on 128 channels at the pictures' own size."""
RESERVE_BYTES = 500_000_000
"""Left free: workspaces of libraries, graphs, and what is kept of prompts."""
COMFORT_BYTES = RESERVE_BYTES + 4 * ROW_BYTES
"""Where less is free beside the whole model, text encoders visit the device only."""
SIZE_BYTES = 2**26
"""What graphs of one picture size take, beside the memory pool that all share."""
SIZES_SHARE = 8
"""One of so many parts of the free memory is for graphs of many sizes."""
LARGER_TRIED = 2
"""Pictures are refused only from so many times the pixels on that should fit: the sizes here are estimates."""
BUILDER_BYTES = 2**30
"""What a builder takes of a GPU beside the weights: CUDA's context, and what a region calculates."""


def free_bytes(device: torch.device) -> int | None:
    """Memory of a GPU that no process has; None of other devices, whose memory is not asked for."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def give_back(device: torch.device) -> None:
    """Give a GPU back what PyTorch keeps of its memory for later. Costs milliseconds, and those that take it anew."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


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


@dataclass(frozen=True, slots=True)
class DeviceRoom:
    """What fits into a device's memory beside a model.

    Attributes:
        pixels: of all rows of a tick together; None where memory is not asked for.
    """

    pixels: int | None = None

    def rows(self, wanted: int, pixels: int) -> int:
        """How many of the wanted rows, of so many pixels each, fit; 1 at least, which is tried."""
        return wanted if self.pixels is None else max(1, min(wanted, self.pixels // pixels))

    def max_output_pixels(self, wanted: int | None, pixels: int) -> int | None:
        """Largest picture to offer.

        Args:
            wanted: the model's own limit; None for none.
            pixels: of its default size, which is offered in any case.
        """
        if self.pixels is None:
            return wanted
        offered = max(LARGER_TRIED * self.pixels, pixels)
        return offered if wanted is None else min(wanted, offered)


def room_beside(
    device: torch.device, dtype: torch.dtype, *, is_tiny: bool, visiting_bytes: int, more_row_bytes: int = 0
) -> DeviceRoom:
    """What fits beside a model that is loaded.

    Args:
        dtype: of the networks.
        is_tiny: whether the autoencoder is a tiny one.
        visiting_bytes: memory that networks take at times which are not on the device now.
        more_row_bytes: what a row of 512×512 pixels takes beyond a plain one's.
    """
    free = free_bytes(device)
    if free is None:
        return DeviceRoom()
    row = ROW_BYTES * dtype.itemsize // 2 * (1 if is_tiny else FULL_AUTOENCODER) + more_row_bytes
    return DeviceRoom(max(0, free - RESERVE_BYTES - visiting_bytes) * 512 * 512 // row)


def must_visit(device: torch.device, networks: Iterable[torch.nn.Module]) -> bool:
    """Whether memory is too short for these networks to stay on the device, beside what is there already."""
    free = free_bytes(device)
    return free is not None and free - weights_bytes(networks) < COMFORT_BYTES


def sizes_with_graphs(device: torch.device, most: int) -> int:
    """How many picture sizes may have CUDA graphs: `most`, or fewer where memory is short; two at least."""
    free = free_bytes(device)
    return most if free is None else max(2, min(most, free // SIZES_SHARE // SIZE_BYTES))
