"""Group norm with SiLU in two Triton kernels, channels last: PyTorch copies to NCHW, and the next convolution back.

The first kernel has each program look at some pixels of all channels, and leaves mean and sum of squares about it of
each group; the second puts these together and writes the result. Both calculate in float32, and the sums are those of
differences from a mean, never of squares alone: no digits cancel.

Imported only where Triton is installed. Must not know modules.
"""

# pyright: basic, reportIndexIssue=false
# Triton's language has no types, and kernels are written in it.

from __future__ import annotations

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]

TILE = 4096
"""Numbers that a program looks at together: sixteen for each thread of eight warps."""
MOST_PARTS = 128
"""Programs a picture in the first kernel, a power of two: about one a processor. Each of the second reads as many means
and sums of each group.
"""
WARPS = 8


def group_norm(
    x: torch.Tensor, groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float, *, silu: bool
) -> torch.Tensor:
    """Group norm of [B, C, h, w], and SiLU behind it where that is wanted.

    Args:
        weight, bias: [C].

    Returns:
        [B, C, h, w], channels last, in the dtype of `x`.

    Source of the combination of means: Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances".
    """
    x = x.contiguous(memory_format=torch.channels_last)
    rows, channels, height, width = x.shape
    pixels, width_of_group = height * width, channels // groups
    groups_padded, group_padded = _next_power_of_2(groups), _next_power_of_2(width_of_group)
    at_once = max(1, TILE // (groups_padded * group_padded))
    parts = max(1, min(MOST_PARTS, -(-pixels // at_once)))
    tiles = -(-pixels // (parts * at_once))
    parts = -(-pixels // (tiles * at_once))
    found = torch.empty(rows, parts, groups, 2, dtype=torch.float32, device=x.device)
    y = torch.empty_like(x, memory_format=torch.channels_last)
    shape = (groups, groups_padded, width_of_group, group_padded, at_once)
    _statistics[(parts, rows)](x, found, pixels, tiles, *shape, num_warps=WARPS)
    # Sizes and batches are no constants: a kernel is compiled once for a width of groups and a dtype.
    _apply[(parts, rows)](
        x, y, weight, bias, found, pixels, tiles, parts, eps, *shape, MOST_PARTS, silu, num_warps=WARPS
    )
    return y


def _next_power_of_2(number: int) -> int:
    return 1 << (number - 1).bit_length()


@triton.jit(do_not_specialize=["pixels", "tiles"])
def _statistics(
    x,
    found,
    pixels,
    tiles,
    GROUPS: tl.constexpr,
    GROUPS_PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    WIDTH_PADDED: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """Mean, and sum of squares about it, of each group over this program's pixels."""
    part, row = tl.program_id(0), tl.program_id(1)
    group, channel = tl.arange(0, GROUPS_PADDED), tl.arange(0, WIDTH_PADDED)
    inside = (group < GROUPS)[None, :, None] & (channel < WIDTH)[None, None, :]
    at = group[None, :, None] * WIDTH + channel[None, None, :]
    begin = part * tiles * AT_ONCE
    picture = x + row.to(tl.int64) * pixels * (GROUPS * WIDTH)
    count = tl.zeros([GROUPS_PADDED], tl.float32)
    mean = tl.zeros([GROUPS_PADDED], tl.float32)
    squares = tl.zeros([GROUPS_PADDED], tl.float32)
    for tile in range(tiles):
        pixel = begin + tile * AT_ONCE + tl.arange(0, AT_ONCE)
        mask = (pixel < pixels)[:, None, None] & inside
        value = tl.load(picture + pixel[:, None, None] * (GROUPS * WIDTH) + at, mask=mask, other=0.0).to(tl.float32)
        new = tl.minimum(tl.maximum(pixels - begin - tile * AT_ONCE, 0), AT_ONCE).to(tl.float32) * WIDTH
        new_mean = tl.sum(tl.sum(value, 2), 0) / tl.maximum(new, 1.0)
        off = tl.where(mask, value - new_mean[None, :, None], 0.0)
        both = tl.maximum(count + new, 1.0)
        apart = new_mean - mean
        squares += tl.sum(tl.sum(off * off, 2), 0) + apart * apart * count * new / both
        mean += apart * new / both
        count += new
    to = found + ((row * tl.num_programs(0) + part) * GROUPS + group) * 2
    tl.store(to, mean, mask=group < GROUPS)
    tl.store(to + 1, squares, mask=group < GROUPS)


@triton.jit(do_not_specialize=["pixels", "tiles", "parts", "eps"])
def _apply(
    x,
    y,
    weight,
    bias,
    found,
    pixels,
    tiles,
    parts,
    eps,
    GROUPS: tl.constexpr,
    GROUPS_PADDED: tl.constexpr,
    WIDTH: tl.constexpr,
    WIDTH_PADDED: tl.constexpr,
    AT_ONCE: tl.constexpr,
    MOST: tl.constexpr,
    SILU: tl.constexpr,
):
    """Normalise this program's pixels, by what all programs of the first kernel have found."""
    part, row = tl.program_id(0), tl.program_id(1)
    group, channel = tl.arange(0, GROUPS_PADDED), tl.arange(0, WIDTH_PADDED)
    inside = (group < GROUPS)[None, :, None] & (channel < WIDTH)[None, None, :]
    at = group[None, :, None] * WIDTH + channel[None, None, :]
    each = tl.arange(0, MOST)
    of = (each < parts)[:, None] & (group < GROUPS)[None, :]
    left_there = found + ((row * parts + each[:, None]) * GROUPS + group[None, :]) * 2
    means, squares = tl.load(left_there, mask=of, other=0.0), tl.load(left_there + 1, mask=of, other=0.0)
    left = tl.maximum(pixels - each * tiles * AT_ONCE, 0)
    counts = tl.minimum(left, tiles * AT_ONCE).to(tl.float32)[:, None] * WIDTH
    counts = tl.where(of, counts, 0.0)
    whole = pixels.to(tl.float32) * WIDTH
    mean = tl.sum(means * counts, 0) / whole
    apart = means - mean[None, :]
    variance = tl.sum(squares + apart * apart * counts, 0) / whole
    scale = 1.0 / tl.sqrt(variance + eps)
    gain = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32) * scale[None, :, None]
    shift = tl.load(bias + at, mask=inside, other=0.0).to(tl.float32) - mean[None, :, None] * gain
    begin = row.to(tl.int64) * pixels * (GROUPS * WIDTH)
    for tile in range(tiles):
        pixel = (part * tiles + tile) * AT_ONCE + tl.arange(0, AT_ONCE)
        mask = (pixel < pixels)[:, None, None] & inside
        place = begin + pixel[:, None, None] * (GROUPS * WIDTH) + at
        value = tl.load(x + place, mask=mask, other=0.0).to(tl.float32) * gain + shift
        if SILU:
            value = value / (1.0 + tl.exp(-value))
        tl.store(y + place, value.to(y.dtype.element_ty), mask=mask)
