"""The tolerance between a rung's results and those of PyTorch's eager mode.

Must not import torch, or know models, regions or rungs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LIMITS = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-2, "int8": 0.12}
"""Largest relative L2 error, by the dtype that networks calculate in. Measured on the embedded model in OpenVINO: 2e-6
in float32, 0.005 to 0.01 in bfloat16; in int8 0.11 of the latents, 0.02 of a step and 0.05 of the pictures. What ships
in int8 was measured on pictures where it was made; here only what went wrong is to be found.
"""

ROUNDING = 5e-4
"""Least tolerance for integer outputs: a value between two grey levels may be rounded either way."""


def relative_l2(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """‖ours − theirs‖₂ / ‖theirs‖₂ in float64; not-a-number if either contains one."""
    norm = float(theirs.double().norm())
    return float((ours.double() - theirs.double()).norm()) / (norm or 1.0)


def fault(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor], precision: str) -> str:
    """Compare a call's outputs.

    Args:
        ours: the rung's, by name.
        theirs: eager mode's for the same inputs.
        precision: a key of `LIMITS`.

    Returns:
        The first error above the tolerance, for example `differ from PyTorch's by 0.02`; empty where there is none.
    """
    for name, their in theirs.items():
        limit = LIMITS[precision] if their.is_floating_point() else max(LIMITS[precision], ROUNDING)
        if not (found := relative_l2(ours[name], their)) <= limit:  # written so that not-a-number is a fault
            return f"differ from PyTorch's by {found:.2g}"
    return ""
