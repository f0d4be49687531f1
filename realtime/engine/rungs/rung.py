"""The interface of a rung: a way to run a model faster than PyTorch's eager mode, as one value.

`tests/engine/rungs/test_registry.py` has the smallest one: a `Rung`, its `Starter` and its `Specialiser`. Must not know
which rungs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch

    from .. import Progress
    from ..backend import Backend
    from ..models.load import Model
    from .upgrade import Work


class Start(NamedTuple):
    """What a model is served with at first.

    Attributes:
        backend: runs the first frames.
        finish: called after the warm-up, before the first frame, with a progress callback; None for nothing.
        upgrade: work that makes something faster while frames flow; None for nothing.
        anew: makes another start of the same model when its weights have changed in place, for a rung that has copies
            of them; None for one that runs on the model's own.
    """

    backend: Backend
    finish: Callable[[Progress], None] | None = None
    upgrade: Work | None = None
    anew: Callable[[], Start] | None = None


class Starter(Protocol):
    """Starts a model on a rung."""

    def __call__(
        self, model: Model, max_rows: int, progress: Progress, *, may_wait: bool, avoided: Collection[str]
    ) -> Start:
        """Make the backend for the first frame.

        Args:
            max_rows: the largest batch.
            progress: called with the stages.
            may_wait: whether this may take longer than a few seconds. If not, that is left to `Start.upgrade`, and a
                slower backend serves until then.
            avoided: names of rungs that are not to run, for one that runs over or under others.

        Raises:
            Exception: of any class: the rung can't run this model.
        """
        ...


def capability_of(device: torch.device) -> tuple[int, int] | None:
    """A GPU's compute capability; None for other devices than NVIDIA's."""
    import torch

    is_nvidia = device.type == "cuda" and torch.version.cuda is not None
    return torch.cuda.get_device_capability(device) if is_nvidia else None


def no_obstacle(model: Model) -> str:
    """The `Rung.obstacle` of a rung that runs every model on its devices: none."""
    return ""


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to run a model faster than in eager mode.

    Attributes:
        name: a value of `--accelerate`.
        devices: the device types that it supports, as torch names them.
        auto_on: those of them on which `--accelerate auto` may choose it.
        start: starts a model on it.
        obstacle: why it can't run a model that is on one of its devices, and what to do; empty where it can.
        takes_variants: whether PyTorch runs the regions on it, so that variants of them help.
    """

    name: str
    devices: tuple[str, ...]
    auto_on: tuple[str, ...]
    start: Starter
    obstacle: Callable[[Model], str] = no_obstacle
    takes_variants: bool = False
