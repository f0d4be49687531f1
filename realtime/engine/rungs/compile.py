"""Regions that were compiled, call by call, over eager ones that answer what is not compiled yet.

Must not know who compiles, or when.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch
from torch import nn

from ..backend import PlainBackend, name_of
from ..regions import Kind, Outputs, Regions
from ..state import CallShape, RungState

if TYPE_CHECKING:
    from ..models.load import Model

#: A signature is worth building after it has been in use this long, without a pause longer than the other.
SETTLED_NS = 4_000_000_000
PAUSE_NS = 1_500_000_000

Compiled = Callable[..., Outputs]


class Signature(NamedTuple):
    """A region and the form of its inputs: what one compiled package serves.

    Attributes:
        inputs: shape and dtype of each.
    """

    kind: Kind
    guided: int
    inputs: tuple[tuple[tuple[int, ...], str], ...]

    @classmethod
    def of(cls, kind: Kind, guided: int, inputs: Sequence[torch.Tensor]) -> Signature:
        """The signature of a call."""
        forms = ((tuple(tensor.shape), name_of(tensor.dtype)) for tensor in inputs)
        return cls(kind, guided, tuple(forms))

    def wire(self) -> list[Any]:
        """As JSON has it."""
        return [self.kind.value, self.guided, [[list(shape), dtype] for shape, dtype in self.inputs]]

    @classmethod
    def parse(cls, wire: list[Any]) -> Signature:
        """What `wire` gave, on its way through JSON."""
        kind, guided, inputs = wire
        return cls(Kind(kind), guided, tuple((tuple(shape), dtype) for shape, dtype in inputs))

    def example(self, device: torch.device) -> tuple[torch.Tensor, ...]:
        """Random inputs of this form, the same every time."""
        generator = torch.Generator().manual_seed(0)

        def one(shape: tuple[int, ...], name: str) -> torch.Tensor:
            dtype: torch.dtype = getattr(torch, name)
            if dtype is torch.uint8:
                return torch.randint(0, 256, shape, generator=generator, dtype=dtype)
            return torch.randn(shape, generator=generator).to(dtype)

        return tuple(one(shape, name).to(device) for shape, name in self.inputs)

    def __str__(self) -> str:
        """For people: `step 1×12×32×32`."""
        guided = f" ({self.guided} guided)" if self.guided else ""
        return f"{self.kind} {'×'.join(map(str, self.inputs[0][0]))}{guided}"

    def call_shape(self, latent_scale_px: int) -> CallShape:
        """As data that leaves the process; `latent_scale_px` as in `Model`."""
        return call_shape(self.kind, self.inputs[0][0], latent_scale_px, self.guided)


def call_shape(kind: Kind, first: tuple[int, ...], latent_scale_px: int, guided: int = 0) -> CallShape:
    """The form of a call by its first input.

    Args:
        first: shape of the pictures [B, H, W, 3] of `open`, of the latents [B, C, h, w] of the other regions.
        latent_scale_px: pixels to a latent's side.
    """
    height, width = first[1:3] if kind is Kind.OPEN else (side * latent_scale_px for side in first[2:])
    return CallShape(kind.value, first[0], guided, width, height)


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
        self._calls: dict[Signature, Compiled] = {}

    def __contains__(self, signature: Signature) -> bool:
        return signature in self._calls

    def __iter__(self) -> Iterator[Signature]:
        return iter(self._calls)

    def put(self, signature: Signature, call: Compiled) -> None:
        """Answer these calls with it from now on. From any thread."""

        def contiguous(*inputs: torch.Tensor) -> Outputs:
            # Compiled code trusts that strides are those it was compiled for; rows that left a convolution have others.
            return call(*(tensor.contiguous() for tensor in inputs))

        self._calls = {**self._calls, signature: contiguous}  # swapped whole: the engine's thread reads it

    def module(self, signature: Signature) -> nn.Module:
        """The eager region that a signature calls."""
        return self.eager.region(signature.kind, signature.guided)

    def answer(self, kind: Kind, guided: int, inputs: Sequence[torch.Tensor]) -> Compiled:
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

    def answer(self, kind: Kind, guided: int, inputs: Sequence[torch.Tensor]) -> Compiled:
        """See `Backend`."""
        return self.compiled.answer(kind, guided, inputs)
