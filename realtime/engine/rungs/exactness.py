"""How far results of a rung may be from those of PyTorch's eager mode.

Must not import torch, or know models, regions or rungs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LIMITS = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2}
"""Relative L2 that is near enough, by the number format in which networks calculate, as torch names it. Measured on the
embedded model in OpenVINO: 2e-6 in float32, 0.005 to 0.01 in bfloat16.
"""

ROUNDING = 5e-4
"""The same of whole numbers: a value that lies between two grey levels may be rounded either way."""


def relative_l2(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The 2-norm of the difference over the norm of `theirs`, in float64; not-a-number where either holds one."""
    norm = float(theirs.double().norm())
    return float((ours.double() - theirs.double()).norm()) / (norm or 1.0)


def fault(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor], precision: str) -> str:
    """What is wrong with the results of a call.

    Args:
        ours: of the rung, by name.
        theirs: of eager mode for the same inputs.
        precision: a key of `LIMITS`.

    Returns:
        For example `differ from PyTorch's by 0.02`; empty where all of them are near enough.
    """
    for name, their in theirs.items():
        limit = LIMITS[precision] if their.is_floating_point() else max(LIMITS[precision], ROUNDING)
        if not (found := relative_l2(ours[name], their)) <= limit:  # so written, not-a-number is a fault
            return f"differ from PyTorch's by {found:.2g}"
    return ""
