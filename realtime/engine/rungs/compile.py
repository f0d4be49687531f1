"""A backend of compiled regions over eager ones, which run the calls that are not compiled; and the rung `compile`.

Must not know when, or by whom, calls are compiled after the start.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...errors import ConfigError
from ..backend import PlainBackend, name_of
from ..regions import Inputs, Outputs, Regions, Run
from ..state import CallShape, RungState, listed
from .aoti import OPTIONS
from .exactness import fault
from .graphs import captured
from .rung import Rung, Start, capability_of
from .specialise import Demand, Signature
from .toolchain import compiler_obstacle

if TYPE_CHECKING:
    from .. import Progress
    from ..models.load import Model

_log = logging.getLogger(__name__)


class CompiledRegions:
    """Compiled calls by signature, over the eager regions of a model.

    Args:
        eager: run what is not compiled.
        demand: notes each call that they ran.
    """

    def __init__(self, eager: Regions, demand: Demand) -> None:
        self.eager = eager
        self.demand = demand
        self._calls: dict[Signature, Run] = {}
        self._ran: tuple[str, ...] = ()

    @property
    def without(self) -> tuple[str, ...]:
        """The forms that ran and have nothing compiled for any batch or size, for people. Any thread."""
        made = {_form(signature.call) for signature in self._calls}
        return tuple(form for form in self._ran if form not in made)

    def __contains__(self, signature: Signature) -> bool:
        return signature in self._calls

    def __iter__(self) -> Iterator[Signature]:
        return iter(self._calls)

    def put(self, signature: Signature, call: Run) -> None:
        """Run calls of this signature by `call` from now on. Any thread."""

        def contiguous(**inputs: torch.Tensor) -> Outputs:
            # Compiled code does not check strides; outputs of a channels-last convolution have others.
            return call(**{name: tensor.contiguous() for name, tensor in inputs.items()})

        self._calls = {**self._calls, signature: contiguous}  # swapped whole: the engine's thread reads it

    def module(self, signature: Signature) -> nn.Module:
        """The eager region that calls of a signature run."""
        return self.eager.region_for(signature.call)

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """The callable for a call: compiled for its signature, else the eager region, which the demand notes."""
        signature = Signature.of(call, inputs)
        if (compiled := self._calls.get(signature)) is not None:
            return compiled
        self.demand.note(signature)
        if (form := _form(call)) not in self._ran:
            self._ran = (*self._ran, form)  # swapped whole: other threads read it
        return self.eager.region_for(call)


def _form(call: CallShape) -> str:
    return f"{call.kind}{call.added}"


class CompiledBackend(PlainBackend):
    """A `Backend` of compiled regions.

    Args:
        name: of the rung.
        title: what the compiled calls are, for people.
    """

    def __init__(self, model: Model, name: str, title: str) -> None:
        self.compiled = CompiledRegions(Regions.of_model(model), Demand())
        self._name, self._title = name, title
        what = f"eager: torch on {model.device.type}"
        eager = RungState("eager", what, name_of(model.dtype), variants=model.variants)
        super().__init__(self.compiled.eager, model.device, eager)

    @property
    def rung(self) -> RungState:
        """See `Backend`: the compiled calls, or eager mode until there are any."""
        eager, ready = super().rung, tuple(signature.call for signature in self.compiled)
        if not ready:
            return eager
        what = f"{self._title} for {listed(ready)}"
        if without := self.compiled.without:
            what += f"; eager for {', '.join(without)}"
        return replace(eager, name=self._name, what=what, made_for=ready)

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self.compiled.answer(call, inputs)


def check(call: Run, module: nn.Module, example: Inputs, dtype: torch.dtype) -> None:
    """Compare compiled code with the module that it was compiled from.

    Args:
        call: the compiled code.
        module: a region in eager mode.
        example: inputs for both.
        dtype: of the networks; decides the tolerance, see `exactness`.

    Raises:
        RuntimeError: the results differ by more than the tolerance.
    """
    with torch.inference_mode():
        ours, theirs = call(**example), module(**example)
    if wrong := fault(ours, theirs, name_of(dtype)):
        raise RuntimeError(f"its results {wrong}")


def _start(model: Model, max_rows: int, progress: Progress, *, may_wait: bool, avoided: Collection[str]) -> Start:
    """See `Starter`: compile, before the first frame, the calls of a single frame of the default size."""
    backend = CompiledBackend(model, COMPILE.name, f"torch.compile on {model.device.type}")

    def finish(progress: Progress) -> None:
        # Of larger batches, which graphs warm up too, each would take as long.
        signatures = [one for one in backend.compiled.demand.so_far() if one.call.batch == 1]
        for i, signature in enumerate(signatures):
            progress(f"compiling {signature}", 100 * i / len(signatures))
            try:
                call = _compiled(backend.compiled.module(signature), signature, model)
            except ConfigError:
                if signature.call.is_plain:
                    raise
                continue  # what nets add stays eager, which the rung says
            backend.compiled.put(signature, call)

    return Start(captured(backend, model, max_rows, avoided), finish)


def _compiled(region: nn.Module, signature: Signature, model: Model) -> Run:
    """Compile a region for a signature by `torch.compile`, and check the results.

    Raises:
        ConfigError: it can't be compiled, or its results differ.
    """
    call: Any = torch.compile(region, fullgraph=True, dynamic=False, options=OPTIONS[model.device.type])
    with torch.inference_mode():  # as in a tick: torch.compile would recompile for tensors made outside of it
        example = signature.example(model.device)
    try:
        check(call, region, example, model.dtype)
    except Exception as error:  # whatever a compiler raises
        _log.warning("this model can't be compiled", exc_info=error)
        raise ConfigError(
            "accelerate compile: it can't run this model (the log says why); --accelerate auto finds another rung"
        ) from error
    return call


def _obstacle(model: Model) -> str:
    return compiler_obstacle(model.device.type, capability_of(model.device))


COMPILE = Rung("compile", ("cpu", "cuda"), (), _start, _obstacle, takes_variants=True)
"""`torch.compile`. Never chosen by `auto`: the first frame waits for minutes."""
