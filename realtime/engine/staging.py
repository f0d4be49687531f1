"""Copies between the host's memory and the device's that nobody waits for.

What CUDA copies while the host goes on must lie in pinned memory and stay untouched until the copy is done. The ring of
such memory is PyTorch's own: a block is given out again when the last tensor or array on it is gone *and* the events
behind all copies that use it have passed; only a size that was never there before costs an allocation. So a picture
that somebody still looks at is never overwritten, however long he looks.
Source: PyTorch's notes on CUDA semantics, "Use pinned memory buffers", and its `CachingHostAllocator`.

On the CPU nothing is copied. Must not know rows or regions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def join(column: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
    """Rows [1, …] as one batch [B, …] on the device; a single tensor is its own batch."""
    if device.type == "cuda" and column[0].device.type == "cpu":
        return _pinned(column).to(device, non_blocking=True)
    return (column[0] if len(column) == 1 else torch.cat(list(column))).to(device)


def join_into(batch: torch.Tensor, column: Sequence[torch.Tensor]) -> None:
    """Copy rows [1, …] into a batch [B, …] that is there already."""
    if batch.device.type == "cuda" and column[0].device.type == "cpu":
        batch.copy_(_pinned(column), non_blocking=True)
    else:
        torch.cat(list(column), out=batch)


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """In the host's memory; on CUDA once the device gets there."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)


def _pinned(column: Sequence[torch.Tensor]) -> torch.Tensor:
    """Rows of the host as one batch in pinned memory: one copy, where `pin_memory()` would be a second."""
    shape = (sum(map(len, column)), *column[0].shape[1:])
    return torch.cat(list(column), out=torch.empty(shape, dtype=column[0].dtype, pin_memory=True))
