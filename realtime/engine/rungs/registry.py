"""The rungs of speed: which there are, on which one a model is served at once, and the way up from there.

Must not know rows, sessions or the scheduler.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ...config import Accelerate
from ...errors import ConfigError
from ..backend import Backend, EagerBackend
from . import aoti
from .capture import CudaCapture
from .climb import LOOK_EVERY_S, Climb
from .compile import CompiledBackend, CompiledRegions, Signature
from .folder_cache import cache_folder
from .graphs import GraphBackend
from .packages import PackageCache
from .toolchain import compiler_obstacle, packages_obstacle

if TYPE_CHECKING:
    from .. import Progress
    from ..models.load import Model

_log = logging.getLogger(__name__)

Work = Callable[[Climb], None]


class Start(NamedTuple):
    """How a model is served at first.

    Attributes:
        backend: answers at once.
        finish: what is to be done between the warm-up and the first frame; None where there is nothing.
        climb: leads to a higher rung while frames flow; None where there is none.
    """

    backend: Backend
    finish: Callable[[Progress], None] | None = None
    climb: Work | None = None


def start(accelerate: Accelerate, model: Model, progress: Progress, max_rows: int = 8) -> Start:
    """Where to begin, with what the configuration asks for.

    `auto` never waits: it serves on what is ready. `openvino` and `compile` make their rung before the first frame;
    `aoti` serves what is not compiled until its packages are there. On CUDA all of these are captured in graphs.

    Raises:
        ConfigError: the rung that was asked for is not to be had.
    """
    if accelerate in (Accelerate.COMPILE, Accelerate.AOTI):
        is_compile = accelerate is Accelerate.COMPILE
        if obstacle := (compiler_obstacle if is_compile else packages_obstacle)(model.device.type):
            raise ConfigError(f"accelerate {accelerate}: {obstacle}")
        return (_compile if is_compile else _packages)(model, max_rows)
    if accelerate is Accelerate.AUTO and model.device.type == "cpu" and not openvino_obstacle(model):
        from .openvino.climb import convert
        from .openvino.conversion import is_converted

        if not is_converted(model):
            return Start(EagerBackend(model, "until openvino is ready"), climb=functools.partial(convert, model))
    if accelerate is Accelerate.AUTO and model.device.type == "cuda" and not packages_obstacle("cuda"):
        return _packages(model, max_rows)
    backend = choose_backend(accelerate, model, progress, max_rows)
    if model.device.type == "cpu" and not isinstance(backend, EagerBackend):  # what else there is for a CPU is OpenVINO
        from .openvino.climb import compile_for_shapes

        return Start(backend, climb=functools.partial(compile_for_shapes, backend))
    return Start(backend)


def _captured(backend: Backend, model: Model, max_rows: int) -> Backend:
    """On CUDA, graphs of what a backend runs."""
    if model.device.type != "cuda":
        return backend
    return GraphBackend(backend, CudaCapture(model.device), max_rows, model.device)


def _compile(model: Model, max_rows: int) -> Start:
    """`torch.compile` for what the warm-up calls: frames of the model's own size."""
    backend = CompiledBackend(model, Accelerate.COMPILE.value, f"torch.compile on {model.device.type}")

    def finish(progress: Progress) -> None:
        signatures = backend.compiled.demand.so_far()
        for i, signature in enumerate(signatures):
            progress(f"compiling {signature}", 100 * i / len(signatures))
            region = backend.compiled.module(signature)
            options = aoti.OPTIONS[model.device.type]
            call: Any = torch.compile(region, fullgraph=True, dynamic=False, options=options)
            with torch.inference_mode():  # as in a tick: for other tensors torch.compile would compile once more
                example = signature.example(model.device)
            try:
                aoti.check(call, region, example, model.dtype)
            except Exception as error:  # whatever a compiler raises
                first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise ConfigError(f"accelerate compile: this model can't be compiled: {first_line}") from error
            backend.compiled.put(signature, call)

    return Start(_captured(backend, model, max_rows), finish)


def _packages(model: Model, max_rows: int) -> Start:
    """AOTInductor's packages, kept on disk: what is there is loaded while frames flow, what is missing is built."""
    backend = CompiledBackend(model, Accelerate.AOTI.value, f"aoti on {model.device.type}")

    def climb(climb: Climb) -> None:
        climb_by_packages(climb, backend.compiled, model.device, model.dtype)

    return Start(_captured(backend, model, max_rows), climb=climb)


def climb_by_packages(climb: Climb, regions: CompiledRegions, device: torch.device, dtype: torch.dtype) -> None:
    """Load and build packages until the end: those of the warm-up's frame first, then what is in use."""
    cache = PackageCache(cache_folder("aoti"))

    def load(signature: Signature) -> bool:
        return signature in regions or _load(cache, regions, signature, device, dtype)

    def on_built(message: dict[str, Any]) -> None:
        load(Signature.parse(message["built"]))

    wanted = regions.demand.so_far()
    while not climb.closing.is_set():
        if missing := [signature for signature in wanted if not load(signature)]:
            order = {
                "make": "packages",
                "threads": torch.get_num_threads(),
                "signatures": [signature.wire() for signature in missing],
            }
            climb.make(f"aoti for {', '.join(map(str, missing))}", order, on_built)
            for signature in missing:
                if signature not in regions:
                    regions.demand.refuse(signature)  # trying once is enough to know
        climb.closing.wait(LOOK_EVERY_S)
        wanted = regions.demand.settled()


def _load(
    cache: PackageCache, regions: CompiledRegions, signature: Signature, device: torch.device, dtype: torch.dtype
) -> bool:
    """Take a package from the cache, if it is there and right."""
    region, example = regions.module(signature), signature.example(device)
    key = aoti.key_of(region, example)
    if (path := cache.find(key)) is None:
        return False
    try:
        call = aoti.load(path, region)
        aoti.check(call, region, example, dtype)
    except RuntimeError as error:
        _log.warning("the compiled package for %s is thrown away: %s", signature, error)
        cache.drop(key)
        return False
    regions.put(signature, call)
    _log.info("compiled now: %s", signature)
    return True


class Rung(NamedTuple):
    """A way to be faster than eager.

    Attributes:
        device: the type of device it is made for.
        obstacle: why it can't run this model here; empty where it can.
        build: makes its backend for up to so many rows. May raise whatever a converter of foreign graphs may.
    """

    accelerate: Accelerate
    device: str
    obstacle: Callable[[Model], str]
    build: Callable[[Model, int, Progress], Backend]


def choose_backend(accelerate: Accelerate, model: Model, progress: Progress, max_rows: int = 8) -> Backend:
    """The rung that was asked for, or with `auto` the fastest that this machine has for this model.

    Raises:
        ConfigError: the rung that was asked for is not to be had.
    """
    if accelerate is Accelerate.OFF:
        return EagerBackend(model)
    why = ""
    for rung in RUNGS:
        if accelerate not in (Accelerate.AUTO, rung.accelerate):
            continue
        if accelerate is Accelerate.AUTO and rung.device != model.device.type:
            continue
        obstacle, cause = _device_obstacle(rung, model) or rung.obstacle(model), None
        if not obstacle:
            try:
                return rung.build(model, max_rows, progress)
            except Exception as error:  # whatever a converter of foreign graphs may raise: there is a rung below
                _log.warning("%s can't run this model", rung.accelerate, exc_info=error)
                obstacle, cause = f"{rung.accelerate} can't run this model: {error}", error
        if accelerate is rung.accelerate:
            raise ConfigError(f"accelerate {accelerate}: {obstacle}") from cause
        why = why or obstacle
    return EagerBackend(model, why)


def _device_obstacle(rung: Rung, model: Model) -> str:
    if rung.device == model.device.type:
        return ""
    return f"it runs on {rung.device}, the model is on {model.device.type}"


def _no_obstacle(model: Model) -> str:
    return ""


def openvino_obstacle(model: Model) -> str:
    """Why OpenVINO can't run a model that is on the CPU; empty where it can."""
    if model.dtype is not torch.float32:
        return "openvino reads float32 models, and takes bfloat16 by itself where the CPU has it; leave --dtype out"
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed: pip install 'realtime[openvino]' makes it about twice as fast"
    return ""


def _openvino(model: Model, max_rows: int, progress: Progress) -> Backend:
    from .openvino.backend import OpenVinoBackend

    return OpenVinoBackend(model, progress)


def _graphs(model: Model, max_rows: int, progress: Progress) -> Backend:
    return GraphBackend(EagerBackend(model), CudaCapture(model.device), max_rows, model.device)


#: The fastest of a device first.
RUNGS = (
    Rung(Accelerate.OPENVINO, "cpu", openvino_obstacle, _openvino),
    Rung(Accelerate.GRAPHS, "cuda", _no_obstacle, _graphs),
)
