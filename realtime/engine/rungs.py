"""Which rung a model is served on at once, and the way up from there.

Must not know rows or the scheduler.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..config import Accelerate
from ..errors import ConfigError
from ..params import Params
from . import aoti, networks
from .accelerate import Backend, EagerBackend, choose_backend, openvino_obstacle
from .cache import cache_folder
from .climb import Climb
from .compiled import CompiledBackend, Demand
from .networks import Signature
from .packages import PackageCache
from .toolchain import compiler_obstacle

if TYPE_CHECKING:
    from . import Progress
    from .models import Model

_log = logging.getLogger(__name__)

#: How often the climb looks whether new sizes or batches are in use.
LOOK_EVERY_S = 1.0

Work = Callable[[Climb], None]


class Start(NamedTuple):
    """The rung to serve on at once, and the work that leads to the next; None where there is none."""

    backend: Backend
    work: Work | None = None


def start(accelerate: Accelerate, model: Model, progress: Progress) -> Start:
    """Where to begin, with what the configuration asks for.

    `auto` never waits: it serves on what is ready. `openvino` and `compile` make their rung before the first frame;
    `aoti` serves in eager mode until its packages are there.

    Raises:
        ConfigError: the rung that was asked for is not to be had.
    """
    if accelerate in (Accelerate.COMPILE, Accelerate.AOTI):
        if obstacle := compiler_obstacle(model.device.type):
            raise ConfigError(f"accelerate {accelerate}: {obstacle}")
        lower = EagerBackend(model)
        return Start(compiled(model, lower, progress)) if accelerate is Accelerate.COMPILE else packages(model, lower)
    if accelerate is Accelerate.AUTO and model.device.type == "cuda":
        lower = choose_backend(accelerate, model, progress)
        return Start(lower) if compiler_obstacle("cuda") else packages(model, lower)
    if accelerate is Accelerate.AUTO and not openvino_obstacle(model):
        from .openvino_backend import is_converted

        if not is_converted(model):
            return Start(EagerBackend(model, "until openvino is ready"), functools.partial(to_openvino, model))
    return Start(choose_backend(accelerate, model, progress))


def to_openvino(model: Model, climb: Climb) -> None:
    """Have the networks converted, then take them."""
    from .openvino_backend import OpenVinoBackend, is_converted

    what = "openvino's conversion"
    order = {"make": "openvino", "threads": torch.get_num_threads()}
    if not climb.make(what, order, lambda message: None):
        return
    if not is_converted(model):  # converting in this process instead would make frames take seconds
        climb.give_up(what, f"it can't be kept in {cache_folder('openvino')}")
        return
    climb.arrive(OpenVinoBackend(model, lambda stage, percent: None))


def compiled(model: Model, lower: Backend, progress: Progress) -> Backend:
    """`torch.compile` for one frame of the model's own size; other shapes stay on the rung below.

    Raises:
        ConfigError: it can't be compiled, or gives other results.
    """
    backend = CompiledBackend(model, lower, f"torch.compile on {model.device.type}")
    signatures, modules = _first(model), networks.of_model(model)
    for i, signature in enumerate(signatures):
        progress(f"compiling the {signature.network}", 100 * i / len(signatures))
        module = modules[signature.network]
        options = aoti.OPTIONS[model.device.type]
        call: Any = torch.compile(module, fullgraph=True, dynamic=False, options=options)
        try:
            _check(call, model, module, signature)
        except Exception as error:  # whatever a compiler raises
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(f"accelerate compile: this model can't be compiled: {first_line}") from error
        backend.put(signature, call)
    return backend


def packages(model: Model, lower: Backend) -> Start:
    """AOTInductor's packages, kept on disk: what is there is loaded while frames flow, what is missing is built."""
    demand = Demand()
    backend = CompiledBackend(model, lower, f"aoti on {model.device.type}", demand)

    def work(climb: Climb) -> None:
        _Packages(climb, model, backend, demand).work()

    return Start(backend, work)


class _Packages:
    """Loads and builds packages in the climb's thread: those of one frame first, then what is in use."""

    def __init__(self, climb: Climb, model: Model, backend: CompiledBackend, demand: Demand) -> None:
        self._climb = climb
        self._model = model
        self._backend = backend
        self._demand = demand
        self._modules = networks.of_model(model)
        self._cache = PackageCache(cache_folder("aoti"))

    def work(self) -> None:
        wanted = _first(self._model)
        while not self._climb.closing.is_set():
            if wanted and (missing := [signature for signature in wanted if not self._load(signature)]):
                self._build(missing)
            self._climb.closing.wait(LOOK_EVERY_S)
            wanted = self._demand.settled()

    def _build(self, missing: list[Signature]) -> None:
        order = {
            "make": "packages",
            "threads": torch.get_num_threads(),
            "signatures": [signature.wire() for signature in missing],
        }

        def on_message(message: dict[str, Any]) -> None:
            if "built" in message:
                self._load(Signature.parse(message["built"]))

        if not self._climb.make(f"aoti for {', '.join(map(str, missing))}", order, on_message):
            for signature in missing:  # once is enough to know
                self._demand.refuse(signature)
        elif all(signature in self._backend for signature in missing):
            self._climb.say("")

    def _load(self, signature: Signature) -> bool:
        """Take a package from the cache, if it is there and right."""
        module = self._modules[signature.network]
        key = aoti.key_of(module, networks.example(self._model, signature))
        if (path := self._cache.find(key)) is None:
            return False
        try:
            call = aoti.load(path, module)
            _check(call, self._model, module, signature)
        except RuntimeError as error:
            _log.warning("the compiled package for %s is thrown away: %s", signature, error)
            self._cache.drop(key)
            return False
        self._backend.put(signature, call)
        _log.info("now compiled: %s", signature)
        return True


def _first(model: Model) -> list[Signature]:
    params = Params.model_validate({**dict(Params()), **model.defaults})
    return networks.first_signatures(model, params.width, params.height)


def _check(call: Callable[..., Any], model: Model, module: torch.nn.Module, signature: Signature) -> None:
    """Compare with eager PyTorch.

    Raises:
        RuntimeError: the results differ too much.
    """
    difference = aoti.difference(call, module, networks.example(model, signature))
    if not difference <= aoti.TOLERANCE[model.dtype]:
        raise RuntimeError(f"its results differ from eager PyTorch's by {difference:.2g}")
