"""Nets that steer a UNet, as they are loaded: ControlNets, unions of them, and T2I-Adapters.

Must not know how they are found, or called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import nn

from ...control import Hint
from .. import ControlInfo, NetKind
from ..work import DEPTH_WORK, PEOPLE_WORK, POSE_WORK, NetWork


@dataclass(frozen=True, eq=False)
class Net:
    """One network, and what params call it.

    Attributes:
        name: of the network.
        network: a ControlNetModel, a ControlNetUnionModel or a T2IAdapter.
        controls: what params may name: the net itself, or of a union each of its types.
        types: of a union, the index of each type by its control's name.
        share: of a UNet row's work: what a call takes for a row.
    """

    name: str
    network: nn.Module
    controls: tuple[ControlInfo, ...]
    types: Mapping[str, int] = field(default_factory=dict[str, int])
    share: float = 0.0

    @property
    def kind(self) -> NetKind:
        """How it steers."""
        return self.controls[0].kind


class NamedControl(NamedTuple):
    """What params name, and the net that it is of."""

    info: ControlInfo
    net: Net


def by_name(nets: tuple[Net, ...]) -> Mapping[str, NamedControl]:
    """What params may name."""
    return {info.name: NamedControl(info, net) for net in nets for info in net.controls}


def works_of(nets: tuple[Net, ...], *, finds_people: bool = False) -> Mapping[str, NetWork]:
    """What each costs, by the names that params have for it.

    Args:
        finds_people: see `Model`.
    """
    hints = {Hint.DEPTH: DEPTH_WORK, Hint.POSE: PEOPLE_WORK if finds_people else POSE_WORK}
    return {
        name: NetWork(
            control.net.share,
            is_once=control.info.kind is NetKind.ADAPTER,
            before=hints.get(control.info.hint, 0),
        )
        for name, control in by_name(nets).items()
    }
