"""The rung `openvino`: its obstacles, its start, and the upgrade to it while frames flow.

Must not import openvino before it is known to be installed, or know rows or the scheduler.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from ...backend import EagerBackend
from ..builder import Task
from ..folder_cache import not_kept
from ..rung import Rung, Start
from ..specialise import specialise
from ..upgrade import Upgrade

if TYPE_CHECKING:
    from ... import Progress
    from ...models.load import Model

SETTLED_S = 3.0
"""How long weights are left alone before they are converted, which takes seconds and gigabytes of disk: somebody may
still be moving a slider.
"""


def obstacle(model: Model) -> str:
    """See `Rung.obstacle`."""
    if model.dtype is not torch.float32:
        return "openvino reads float32 models, and takes bfloat16 by itself where the CPU has it; leave --dtype out"
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed: pip install 'realtime-img2img[openvino]' makes it about twice as fast"
    return ""


def _start(model: Model, max_rows: int, progress: Progress, *, may_wait: bool, avoided: Collection[str]) -> Start:
    from .backend import OpenVinoBackend, is_converted

    anew = functools.partial(_start_anew, model)
    if not may_wait and not is_converted(model):
        eager = EagerBackend(model, "until openvino is ready")
        return Start(eager, upgrade=functools.partial(_upgrade, model), anew=anew)
    backend = OpenVinoBackend(model, progress)
    return Start(backend, upgrade=functools.partial(specialise, backend), anew=anew)


def _start_anew(model: Model) -> Start:
    """See `Start.anew`: PyTorch has the new weights at once, until they have come to rest and are converted."""

    def upgrade(upgrade: Upgrade) -> None:
        if not upgrade.closing.wait(SETTLED_S):
            _upgrade(model, upgrade)

    return Start(EagerBackend(model, "until openvino has converted the model with its LoRAs"), upgrade=upgrade)


def _upgrade(model: Model, upgrade: Upgrade) -> None:
    """See `Work`: have the networks converted, hand over their backend, and specialise it."""
    from .backend import OpenVinoBackend, is_converted

    what = "openvino's conversion"
    if not upgrade.make(what, Task(convert), lambda message: None):
        return
    if not is_converted(model):  # converting in this process instead would make frames take seconds
        upgrade.give_up(what, not_kept("openvino"))
        return
    backend = OpenVinoBackend(model, lambda stage, percent: None)
    upgrade.arrive(backend)
    specialise(backend, upgrade)


def convert(model: Model) -> Iterable[Mapping[str, Any]]:
    """A builder's task: convert the networks, check their results, and keep both in the cache. Yields nothing."""
    from .backend import OpenVinoBackend

    OpenVinoBackend(model, lambda stage, percent: None)
    return ()


OPENVINO = Rung("openvino", ("cpu",), ("cpu",), _start, obstacle)
