"""The table of rungs, and the choice of the one that a model starts on.

Must not know how a rung works, rows, sessions or the scheduler.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

from ...config import AUTO_VARIANTS, KNOWN_VARIANTS, NO_VARIANTS, Accelerate
from ...errors import ConfigError
from ..backend import EagerBackend
from .compile import COMPILE
from .graphs import GRAPHS
from .openvino.rung import OPENVINO
from .packages import AOTI
from .rung import Rung, Start
from .trials import with_variants

if TYPE_CHECKING:
    from .. import Progress
    from ..models.load import Model

_log = logging.getLogger(__name__)

RUNGS: tuple[Rung, ...] = (OPENVINO, AOTI, GRAPHS, COMPILE)
"""All rungs, the fastest first. Their names are values of `Accelerate`."""


def start(
    accelerate: Accelerate,
    model: Model,
    progress: Progress,
    max_rows: int = 8,
    *,
    avoided: Collection[Accelerate] = (),
    variants: str = NO_VARIANTS,
) -> Start:
    """Start a model on the rung that the configuration asks for.

    With `auto` that is the first of `RUNGS` for the model's device that can run it, and it may not delay the first
    frame; where there is none it is eager mode, whose state says why. A rung that is asked for by name may delay it.
    One that is in `avoided` does not run; where it was asked for, the choice is that of `auto`.

    Args:
        variants: see `with_variants`. `Accelerate.OFF` is PyTorch as it is, but for those that are named.

    Raises:
        ConfigError: the rung, or a variant, that was asked for can't run this model here.
    """

    @functools.cache
    def varied() -> Model:
        in_graphs = GRAPHS.name not in avoided and accelerate is not Accelerate.OFF
        return with_variants(model, variants, progress, max_rows, in_graphs=in_graphs)

    if accelerate is Accelerate.OFF:
        is_as_it_is = variants in (AUTO_VARIANTS, KNOWN_VARIANTS)
        return Start(EagerBackend(model if is_as_it_is else varied()))
    is_auto = accelerate is Accelerate.AUTO or accelerate in avoided
    why = ""
    for rung in RUNGS:
        if rung.name in avoided or not (model.device.type in rung.auto_on if is_auto else rung.name == accelerate):
            continue
        obstacle, cause = _obstacle(rung, model), None
        if not obstacle:
            served = varied() if rung.takes_variants else model
            try:
                return rung.start(served, max_rows, progress, may_wait=not is_auto, avoided=avoided)
            except Exception as error:  # a converter may raise any exception, and a slower rung can serve
                _log.warning("%s can't run this model", rung.name, exc_info=error)
                obstacle, cause = f"{rung.name} can't run this model (the log says why)", error
        if not is_auto:
            raise ConfigError(f"accelerate {accelerate}: {obstacle}; --accelerate auto finds another rung") from cause
        why = why or obstacle
    return Start(EagerBackend(varied(), why))


def _obstacle(rung: Rung, model: Model) -> str:
    """Why a rung can't run a model on its device; empty where it can."""
    if model.device.type not in rung.devices:
        return f"it runs on {' and '.join(rung.devices)}, the model is on {model.device.type}"
    return rung.obstacle(model)
