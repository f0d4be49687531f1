"""The way up on a CPU while frames flow: OpenVINO's conversion, then compilations for the shapes that are in use.

Must not know rows or the scheduler.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import torch

from ...backend import Backend
from ..climb import LOOK_EVERY_S, Climb
from ..folder_cache import cache_folder
from .backend import OpenVinoBackend
from .conversion import is_converted
from .known import Shapes

if TYPE_CHECKING:
    from ...models.load import Model

_log = logging.getLogger(__name__)


def convert(model: Model, climb: Climb) -> None:
    """Have the networks converted, then take them."""
    what = "openvino's conversion"
    order = {"make": "openvino", "threads": torch.get_num_threads()}
    if not climb.make(what, order, lambda message: None):
        return
    if not is_converted(model):  # converting in this process instead would make frames take seconds
        climb.give_up(what, f"it can't be kept in {cache_folder('openvino')}")
        return
    backend = OpenVinoBackend(model, lambda stage, percent: None)
    climb.arrive(backend)
    compile_for_shapes(backend, climb)


def compile_for_shapes(backend: Backend, climb: Climb) -> None:
    """Compile the networks for what is in use, until the end: for the warm-up's frame first.

    A child process tries each once on a machine: it is no server's end if OpenVINO crashes.
    """
    openvino = cast(OpenVinoBackend, backend)

    def hear(message: dict[str, Any]) -> None:
        openvino.learn(Shapes.parse(message["proven"]))

    wanted = openvino.demand.so_far()
    while not climb.closing.is_set():
        if unproven := [shapes for shapes in wanted if not openvino.is_proven(shapes)]:
            order = {
                "make": "openvino shapes",
                "threads": torch.get_num_threads(),
                "shapes": [shapes.wire() for shapes in unproven],
            }
            climb.make(f"openvino for {', '.join(map(str, unproven))}", order, hear)
        for shapes in wanted:
            if openvino.is_proven(shapes):
                if openvino.take(shapes):
                    continue
                _log.info("%s stays with what serves all sizes, slower: too many sizes are in use", shapes)
            openvino.demand.refuse(shapes)
        climb.closing.wait(LOOK_EVERY_S)
        wanted = openvino.demand.settled()
