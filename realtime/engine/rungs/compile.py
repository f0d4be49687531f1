"""Regions that were compiled, call by call, over eager ones that answer what is not compiled yet.

Must not know who compiles, or when.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch
from torch import nn

from ..backend import PlainBackend, name_of
from ..regions import Inputs, Kind, Outputs, Regions, Run
from ..state import CallShape, RungState

if TYPE_CHECKING:
    from ..models.load import Model

#: A signature is worth building after it has been in use this long, without a pause longer than the other.
SETTLED_NS = 4_000_000_000
PAUSE_NS = 1_500_000_000

Shape = tuple[int, ...]

#: Inputs that tell batch and picture size: of the encode region, of the two others, of a denoiser alone.
MAIN_INPUTS = ("pictures", "x", "sample")


class Signature(NamedTuple):
    """A region and the form of its inputs: what one compiled package serves.

    Attributes:
        inputs: name, shape and dtype of each, in the names' order.
    """

    kind: Kind
    guided: int
    inputs: tuple[tuple[str, Shape, str], ...]

    @classmethod
    def of(cls, kind: Kind, guided: int, inputs: Inputs) -> Signature:
        """The signature of a call."""
        forms = ((name, tuple(tensor.shape), name_of(tensor.dtype)) for name, tensor in sorted(inputs.items()))
        return cls(kind, guided, tuple(forms))

    def wire(self) -> list[Any]:
        """As JSON has it."""
        return [self.kind.value, self.guided, [[name, list(shape), dtype] for name, shape, dtype in self.inputs]]

    @classmethod
    def parse(cls, wire: list[Any]) -> Signature:
        """What `wire` gave, on its way through JSON."""
        kind, guided, inputs = wire
        return cls(Kind(kind), guided, tuple((name, tuple(shape), dtype) for name, shape, dtype in inputs))

    def example(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Random inputs of this form, the same every time."""
        generator = torch.Generator().manual_seed(0)

        def one(shape: Shape, dtype_name: str) -> torch.Tensor:
            dtype: torch.dtype = getattr(torch, dtype_name)
            if dtype is torch.uint8:
                return torch.randint(0, 256, shape, generator=generator, dtype=dtype)
            return torch.randn(shape, generator=generator).to(dtype)

        return {name: one(shape, dtype).to(device) for name, shape, dtype in self.inputs}

    def __str__(self) -> str:
        """For people: `step 1×12×32×32`."""
        guided = f" ({self.guided} guided)" if self.guided else ""
        return f"{self.kind} {'×'.join(map(str, self._main_shape))}{guided}"

    def call_shape(self, latent_scale_px: int) -> CallShape:
        """As data that leaves the process; `latent_scale_px` as in `Model`."""
        return call_shape(self.kind, self._main_shape, latent_scale_px, self.guided)

    @property
    def _main_shape(self) -> Shape:
        return main_shape({name: shape for name, shape, _ in self.inputs})


def main_shape(inputs: Mapping[str, Shape]) -> Shape:
    """Shape of the input that tells batch and picture size of a call."""
    return next(inputs[name] for name in MAIN_INPUTS if name in inputs)


def call_shape(kind: Kind, main: Shape, latent_scale_px: int, guided: int = 0) -> CallShape:
    """The form of a call by its main input.

    Args:
        main: shape of the pictures [B, H, W, 3] that are encoded, or of the latents [B, C, h, w] of the other regions.
        latent_scale_px: pixels to a latent's side.
    """
    height, width = main[1:3] if kind is Kind.ENCODE else (side * latent_scale_px for side in main[2:])
    return CallShape(kind.value, main[0], guided, width, height)


Wanted = TypeVar("Wanted", bound=Hashable)


class Demand(Generic[Wanted]):
    """Which calls are wanted compiled. The engine's thread notes, the climb's asks.

    A user who drags a slider through twenty sizes, or a batch size that occurs now and then, asks for nothing.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Wanted, tuple[int, int]] = {}
        self._refused: set[Wanted] = set()

    def note(self, wanted: Wanted) -> None:
        """It was called, and is not compiled."""
        now_ns = self._clock()
        with self._lock:
            first_ns, last_ns = self._seen.get(wanted, (now_ns, now_ns))
            self._seen[wanted] = (now_ns if now_ns - last_ns > PAUSE_NS else first_ns, now_ns)

    def refuse(self, wanted: Wanted) -> None:
        """It can't be compiled: don't ask again."""
        with self._lock:
            self._refused.add(wanted)

    def so_far(self) -> list[Wanted]:
        """All that was noted, in the order of a frame: behind a warm-up, what every frame of the default size calls."""
        with self._lock:
            return list(self._seen)

    def settled(self) -> list[Wanted]:
        """What has been in use for some seconds and still is; what is no longer in use is forgotten."""
        now_ns = self._clock()
        with self._lock:
            self._seen = {s: seen for s, seen in self._seen.items() if now_ns - seen[1] <= PAUSE_NS}
            wanted = [s for s, (first_ns, last_ns) in self._seen.items() if last_ns - first_ns >= SETTLED_NS]
            return [one for one in wanted if one not in self._refused]


class CompiledRegions:
    """What is compiled, over the eager regions of a model.

    Args:
        eager: answer all that is not compiled.
        demand: told about each call that they answered.
    """

    def __init__(self, eager: Regions, demand: Demand[Signature]) -> None:
        self.eager = eager
        self.demand = demand
        self._calls: dict[Signature, Run] = {}

    def __contains__(self, signature: Signature) -> bool:
        return signature in self._calls

    def __iter__(self) -> Iterator[Signature]:
        return iter(self._calls)

    def put(self, signature: Signature, call: Run) -> None:
        """Answer these calls with it from now on. From any thread."""

        def contiguous(**inputs: torch.Tensor) -> Outputs:
            # Compiled code trusts that strides are those it was compiled for; rows that left a convolution have others.
            return call(**{name: tensor.contiguous() for name, tensor in inputs.items()})

        self._calls = {**self._calls, signature: contiguous}  # swapped whole: the engine's thread reads it

    def module(self, signature: Signature) -> nn.Module:
        """The eager region that a signature calls."""
        return self.eager.region(signature.kind, signature.guided)

    def answer(self, kind: Kind, guided: int, inputs: Inputs) -> Run:
        """What runs a region on inputs of this form: compiled, or eager and noted."""
        signature = Signature.of(kind, guided, inputs)
        if (call := self._calls.get(signature)) is not None:
            return call
        self.demand.note(signature)
        return self.eager.region(kind, guided)


class CompiledBackend(PlainBackend):
    """A `Backend` of compiled regions.

    Args:
        name: of the rung.
        title: what the compiled calls are, for people.
    """

    def __init__(self, model: Model, name: str, title: str) -> None:
        self.compiled = CompiledRegions(Regions.of_model(model), Demand())
        self._name, self._title, self._latent_scale_px = name, title, model.latent_scale_px
        eager = RungState("eager", f"eager: torch on {model.device.type}", name_of(model.dtype))
        super().__init__(self.compiled.eager, model.device, eager)

    @property
    def rung(self) -> RungState:
        """What runs, and for which calls; eager mode answers all others."""
        eager, ready = super().rung, tuple(self.compiled)
        if not ready:
            return eager
        made_for = tuple(signature.call_shape(self._latent_scale_px) for signature in ready)
        what = f"{self._title} for {', '.join(map(str, ready))}"
        return replace(eager, name=self._name, what=what, made_for=made_for)

    def answer(self, kind: Kind, guided: int, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self.compiled.answer(kind, guided, inputs)
