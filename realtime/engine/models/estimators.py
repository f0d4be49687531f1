"""The networks that make hints here, as nets need them: which are loaded, and what goes without one.

Must not know how a hint is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from ...control import Hint
from ...errors import ConfigError, ModelError
from .depth import load_depth
from .nets import Net
from .pose.load import load_pose

if TYPE_CHECKING:
    from .. import Progress

Estimators = Mapping[Hint, nn.Module]
"""By the hint that each makes."""


def load_estimators(
    nets: tuple[Net, ...], pose_detector: str | None, dtype: torch.dtype, progress: Progress
) -> tuple[tuple[Net, ...], Estimators, tuple[str, ...]]:
    """Load what makes hints for nets, on the CPU. Where it can't be had, unions go without it, and a note says so.

    Args:
        pose_detector: see `ModelConfig`.

    Returns:
        The nets, what makes their hints, and notes.

    Raises:
        ModelError: it can't be had, and a net is for that hint alone.
        ConfigError: people are to be found, and no net is shown poses.
    """
    wanted = {one.hint for net in nets for one in net.controls if not one.hint.is_on_host}
    if pose_detector is not None and Hint.POSE not in wanted:
        raise ConfigError("pose_detector: no net is shown poses: add --control openpose, or leave --pose-detector out")
    made: dict[Hint, nn.Module] = {}
    notes: list[str] = []
    for hint in sorted(wanted):
        try:
            made[hint] = _load(hint, pose_detector, dtype, progress)
        except ModelError as error:
            left = tuple(_without(net, hint) for net in nets)
            if not all(net.controls for net in left):
                raise
            nets = left
            notes.append(f"Nets are not shown {_NAMES[hint]}, because {error}")
    return nets, made, tuple(notes)


_NAMES = {Hint.DEPTH: "depth", Hint.POSE: "poses"}


def _load(hint: Hint, pose_detector: str | None, dtype: torch.dtype, progress: Progress) -> nn.Module:
    if hint is Hint.DEPTH:
        return load_depth(dtype, progress)
    return load_pose(pose_detector, dtype, progress)


def _without(net: Net, hint: Hint) -> Net:
    return replace(net, controls=tuple(one for one in net.controls if one.hint is not hint))
