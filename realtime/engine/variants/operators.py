"""Operators that PyTorch does not have in one call: a convolution with what is behind it, and a group norm with SiLU.

In eager mode they are functions. Where a region is exported or compiled they are the operators `realtime::conv_relu`
and `realtime::group_norm`, opaque to the compiler, which would else see what it can't call: cuDNN's fused convolutions
have no shape functions. Both work channels last, whatever layout comes.

Must not know modules, networks or regions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

_LIBRARY = torch.library.Library("realtime", "DEF")
_LIBRARY.define(
    "conv_relu(Tensor x, Tensor weight, Tensor? bias, Tensor? residual, int[] stride, int[] padding) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag,),
)
_LIBRARY.define(
    "group_norm(Tensor x, int groups, Tensor weight, Tensor bias, float eps, bool silu) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def conv_relu(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    residual: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
) -> torch.Tensor:
    """`relu(conv(x) + bias + residual)`, of one group and without dilation.

    Args:
        x: [B, C, h, w].
        weight, bias: of the convolution, [D, C, kh, kw] and [D].
        residual: [B, D, h', w'], of `x`'s dtype; None for none.

    Returns:
        [B, D, h', w'].
    """
    if torch.compiler.is_compiling():
        return torch.ops.realtime.conv_relu(x, weight, bias, residual, list(stride), list(padding))
    return _conv_relu(x, weight, bias, residual, stride, padding)


def group_norm(
    x: torch.Tensor, groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float, *, silu: bool
) -> torch.Tensor:
    """Group norm of [B, C, h, w], and SiLU behind it where that is wanted.

    Args:
        weight, bias: [C].
    """
    if torch.compiler.is_compiling():
        return torch.ops.realtime.group_norm(x, groups, weight, bias, eps, silu)
    return _group_norm(x, groups, weight, bias, eps, silu)


def has_cudnn(device: torch.device) -> bool:
    """Whether convolutions on a device are cuDNN's."""
    return device.type == "cuda" and torch.version.hip is None and torch.backends.cudnn.is_available()


def has_onednn(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether convolutions of this dtype on a device are oneDNN's, with what stands behind them in the same call."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    has_half = torch.ops.mkldnn._is_mkldnn_bf16_supported
    return dtype is torch.float32 or (dtype is torch.bfloat16 and bool(has_half()))


def _conv_relu(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    residual: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
) -> torch.Tensor:
    if has_cudnn(x.device):
        x = x.contiguous(memory_format=torch.channels_last)
        if residual is None:
            return torch.cudnn_convolution_relu(x, weight, bias, stride, padding, [1, 1], 1)
        residual = residual.contiguous(memory_format=torch.channels_last)
        return torch.cudnn_convolution_add_relu(x, weight, residual, 1.0, bias, stride, padding, [1, 1], 1)
    if has_onednn(x.device, x.dtype):
        fused = torch.ops.mkldnn._convolution_pointwise
        if residual is None:
            return fused(x, weight, bias, padding, stride, [1, 1], 1, "relu", [], "")
        return fused.binary(x, residual, weight, bias, padding, stride, [1, 1], 1, "add", 1.0, "relu", [], "")
    y = F.conv2d(x, weight, bias, list(stride), list(padding))
    return (y if residual is None else y.add_(residual)).relu_()


def _group_norm(
    x: torch.Tensor, groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float, silu: bool
) -> torch.Tensor:
    if x.device.type == "cuda":
        from .group_norm import group_norm as in_triton

        return in_triton(x, groups, weight, bias, eps, silu=silu)
    y = F.group_norm(x, groups, weight, bias, eps)
    return F.silu(y, inplace=True) if silu else y


def _channels_last(y: torch.Tensor) -> torch.Tensor:
    return y.contiguous(memory_format=torch.channels_last)


def _opaque_conv_relu(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    residual: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
) -> torch.Tensor:
    return _channels_last(_conv_relu(x, weight, bias, residual, stride, padding))


def _shape_of_conv_relu(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    residual: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
) -> torch.Tensor:
    like = F.conv2d(x, weight, bias, list(stride), list(padding))
    return torch.empty_like(like, memory_format=torch.channels_last)


def _opaque_group_norm(
    x: torch.Tensor, groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float, silu: bool
) -> torch.Tensor:
    return _channels_last(_group_norm(x, groups, weight, bias, eps, silu))


def _shape_of_group_norm(
    x: torch.Tensor, groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float, silu: bool
) -> torch.Tensor:
    return torch.empty_like(x, memory_format=torch.channels_last)


_LIBRARY.impl("conv_relu", _opaque_conv_relu, "CompositeExplicitAutograd")
_LIBRARY.impl("group_norm", _opaque_group_norm, "CompositeExplicitAutograd")
torch.library.register_fake("realtime::conv_relu", _shape_of_conv_relu, lib=_LIBRARY)
torch.library.register_fake("realtime::group_norm", _shape_of_group_norm, lib=_LIBRARY)
