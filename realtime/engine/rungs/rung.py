"""What a rung is: a way to run a model faster than PyTorch's eager mode, as one value.

The smallest one stands in `tests/engine/rungs/test_registry.py`: a `Rung`, what starts it, and a `Specialiser` of what
it makes. Must not know which rungs there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .. import Progress
    from ..backend import Backend
    from ..models.load import Model
    from .upgrade import Work


class Start(NamedTuple):
    """How a model is served at first.

    Attributes:
        backend: answers at once.
        finish: what is to be done between the warm-up and the first frame; None where there is nothing.
        upgrade: leads to something faster while frames flow; None where nothing does.
    """

    backend: Backend
    finish: Callable[[Progress], None] | None = None
    upgrade: Work | None = None


class Starter(Protocol):
    """Begins to serve a model on a rung."""

    def __call__(self, model: Model, max_rows: int, progress: Progress, *, may_wait: bool) -> Start:
        """Make what answers the first frame.

        Args:
            max_rows: the largest batch.
            progress: told about the stages of what takes long.
            may_wait: whether the rung may be made before the first frame. If not, what takes seconds is left to the
                upgrade, and a slower rung serves until then.

        Raises:
            Exception: whatever a converter of foreign graphs may raise: the rung can't run this model.
        """
        ...


def no_obstacle(model: Model) -> str:
    """Of a rung that runs every model on its devices."""
    return ""


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to be faster than eager mode.

    Attributes:
        name: a value of `--accelerate`.
        devices: torch's names of the types of device that it is made for.
        auto_on: those on which `--accelerate auto` takes it where nothing faster can run the model.
        start: begins to serve a model on it.
        obstacle: why it can't run a model that is on one of its devices, and what to do; empty where it can.
    """

    name: str
    devices: tuple[str, ...]
    auto_on: tuple[str, ...]
    start: Starter
    obstacle: Callable[[Model], str] = no_obstacle
