"""Gives a single file's quantised weights back their values, where their format is known, and refuses all others.

Known are plain fp8 and ComfyUI's scaled fp8, in its two spellings. Must not know families or networks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch

from ...errors import ModelError
from .header import Header, shown

_FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_SCALES = ("scale_weight", "weight_scale")
_NO_WEIGHTS = re.compile(r"(?:^|\.)(?:scale_input|input_scale|scaled_fp8|comfy_quant)$")
"""Beside the weights: scales for calculating in fp8, which isn't done here, and marks."""
_COUNTERS = re.compile(r"(?:^|\.)(?:position_ids|num_batches_tracked|model_ema\.num_updates)$")
"""What are whole numbers in unquantised models too."""
_FP8 = {"float8_e4m3fn", "float8_e5m2"}


def check_quantised(header: Header, is_read: Callable[[str], bool]) -> None:
    """Check by a file's header that its weights are numbers, or of a quantisation that `dequantised` knows.

    Args:
        header: of the file.
        is_read: True for the names of weights that will be read.

    Raises:
        ModelError: a weight is quantised otherwise.
    """
    for name, dtype in header.dtypes.items():
        if dtype not in _FLOATS and is_read(name) and not _COUNTERS.search(name) and not _NO_WEIGHTS.search(name):
            raise _unknown(name, dtype)
    try:
        stated = json.loads(header.metadata.get("_quantization_metadata", "{}")).get("layers", {})
        formats = {name: layer.get("format") for name, layer in stated.items()}
    except (ValueError, AttributeError, RecursionError):
        raise ModelError("its _quantization_metadata can't be read: take the unquantised model") from None
    for name, kind in cast("dict[str, object]", formats).items():
        if kind not in _FP8:
            raise _unknown(name, kind)


def dequantised(state: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights times their scales, without the scales.

    Args:
        state: a file's tensors by name. A layer's scale is one number, or one for each of the weight's rows.
        dtype: of weights that were scaled; all others are as they were.

    Raises:
        ModelError: a scale has another shape, is not finite, or is of no weight.
    """
    result = {name: tensor for name, tensor in state.items() if not _NO_WEIGHTS.search(name)}
    for name, mark in state.items():
        if name.endswith(".comfy_quant"):
            _check_mark(name, mark)
    for name, scale in state.items():
        layer, _, part = name.rpartition(".")
        if part not in _SCALES:
            continue
        del result[name]
        weight = result.get(f"{layer}.weight")
        if weight is None or not weight.is_floating_point():
            raise ModelError(f"{shown(name)} is the scale of a weight that isn't there: take the unquantised model")
        result[f"{layer}.weight"] = _scaled(name, weight, scale).to(dtype)
    return result


def _scaled(name: str, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    is_by_row = scale.ndim > 0 and scale.shape[0] == scale.numel() == weight.shape[0]
    if scale.numel() != 1 and not is_by_row:
        shapes = f"{tuple(scale.shape)} for a weight of {tuple(weight.shape)}"
        raise ModelError(f"{shown(name)} has a scale by block ({shapes}): take the unquantised model")
    factor = scale.float()
    if not factor.isfinite().all():
        raise ModelError(f"{shown(name)} isn't finite: the file is damaged, fetch it again")
    return weight.float() * factor.reshape(-1, *(1,) * (weight.ndim - 1))


def _check_mark(name: str, mark: torch.Tensor) -> None:
    """Check ComfyUI's mark of a layer: JSON in bytes. Raises ModelError where it isn't plain fp8."""
    try:
        fields: Any = json.loads(bytes(mark.to(torch.uint8).flatten().tolist()))
        kind = fields.pop("format", None)
        fields.pop("full_precision_matrix_mult", None)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise ModelError(f"{shown(name)} can't be read: take the unquantised model") from None
    if kind not in _FP8 or fields:
        raise _unknown(name, ", ".join((str(kind), *map(str, fields))))


def _unknown(name: str, kind: object) -> ModelError:
    return ModelError(
        f"{shown(name)} is quantised ({shown(str(kind))}), which this server can't read: "
        "take the unquantised model, or one in fp8"
    )
