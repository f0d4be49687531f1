"""Asynchronous copies between the host's memory and the device's.

What CUDA copies asynchronously must lie in pinned memory and stay unchanged until the copy is done. PyTorch caches
pinned blocks: one is reused when no tensor or array refers to it any more *and* the events behind all copies of it have
passed, so that a picture in use is never overwritten; only a new size costs an allocation.
Source: PyTorch's notes on CUDA semantics, "Use pinned memory buffers", and its `CachingHostAllocator`.

On the CPU both are the same memory. Must not know rows or regions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch


def join(column: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
    """Concatenate tensors [1, …] to a batch [B, …] on the device; a single one that is there already is not copied."""
    if device.type == "cuda" and column[0].device.type == "cpu":
        return _pinned(column).to(device, non_blocking=True)
    return (column[0] if len(column) == 1 else torch.cat(list(column))).to(device)


def join_into(batch: torch.Tensor, column: Sequence[torch.Tensor]) -> None:
    """Concatenate tensors [1, …] into the existing batch [B, …], whose shape they must have."""
    if batch.device.type == "cuda" and column[0].device.type == "cpu":
        batch.copy_(_pinned(column), non_blocking=True)
    else:
        torch.cat(list(column), out=batch)


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in the host's memory. On CUDA it is filled when the device gets there: wait for an event behind it."""
    return join_on_host([tensor]) if tensor.device.type == "cuda" else tensor.cpu()


def join_on_host(column: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate tensors [B, …] in memory of the host that is theirs no more; filled as in `to_host`."""
    if column[0].device.type != "cuda":
        return torch.cat(list(column)).cpu()
    host = _pinned_like(column)
    for place, one in zip(host.split(list(map(len, column))), column, strict=True):
        place.copy_(one, non_blocking=True)
    return host


def _pinned(column: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate the host's tensors [1, …] in pinned memory: one copy, where `pin_memory()` would make a second.

    numpy copies in this thread. PyTorch wakes all of OpenMP's for pictures, which takes longer than the copy.
    """
    host = _pinned_like(column)
    for place, one in zip(host.split(list(map(len, column))), column, strict=True):
        np.copyto(_octets(place), _octets(one.contiguous()))
    return host


def _pinned_like(column: Sequence[torch.Tensor]) -> torch.Tensor:
    """Pinned memory for tensors [B, …], one after another."""
    shape = (sum(map(len, column)), *column[0].shape[1:])
    return torch.empty(shape, dtype=column[0].dtype, pin_memory=True)


def _octets(tensor: torch.Tensor) -> npt.NDArray[np.uint8]:
    """The memory of a contiguous tensor; numpy has no bfloat16."""
    return tensor.view(torch.uint8).numpy()
