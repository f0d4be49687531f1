"""Networks that were compiled, call by call, over a rung that answers what is not compiled yet.

Must not know who compiles, or when.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from .networks import Network, Signature

if TYPE_CHECKING:
    from .accelerate import Backend
    from .models import Model

#: A signature is worth building after it has been in use this long, without a pause longer than the other.
SETTLED_NS = 4_000_000_000
PAUSE_NS = 1_500_000_000


class Demand:
    """Which calls are wanted compiled. The engine's thread notes, the climb's asks.

    A user who drags a slider through twenty sizes, or a batch size that occurs now and then, asks for nothing.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Signature, tuple[int, int]] = {}
        self._refused: set[Signature] = set()

    def note(self, signature: Signature) -> None:
        """It was called, and is not compiled."""
        now_ns = self._clock()
        with self._lock:
            first_ns, last_ns = self._seen.get(signature, (now_ns, now_ns))
            self._seen[signature] = (now_ns if now_ns - last_ns > PAUSE_NS else first_ns, now_ns)

    def refuse(self, signature: Signature) -> None:
        """It can't be compiled: don't ask again."""
        with self._lock:
            self._refused.add(signature)

    def settled(self) -> list[Signature]:
        """What has been in use for some seconds and still is, in the order of a frame; the others are forgotten."""
        now_ns = self._clock()
        with self._lock:
            self._seen = {s: seen for s, seen in self._seen.items() if now_ns - seen[1] <= PAUSE_NS}
            wanted = [s for s, (first_ns, last_ns) in self._seen.items() if last_ns - first_ns >= SETTLED_NS]
            return [signature for signature in wanted if signature not in self._refused]


class CompiledBackend:
    """A `Backend` that calls what is compiled for exactly these shapes, and else the rung below.

    Args:
        model: whose networks they are.
        lower: answers all other calls.
        title: what the compiled calls are, for people.
        demand: told about each call that went to the rung below.
    """

    def __init__(self, model: Model, lower: Backend, title: str, demand: Demand | None = None) -> None:
        self._lower = lower
        self._title = title
        self._demand = demand or Demand()
        self._dtype = model.dtype
        self._calls: dict[Signature, Callable[..., torch.Tensor]] = {}

    @property
    def rung(self) -> str:
        """What runs, for which shapes, and what runs for all others."""
        ready = ", ".join(map(str, self._calls)) or "nothing yet"
        return f"{self._title} for {ready}; else {self._lower.rung}"

    def __contains__(self, signature: Signature) -> bool:
        return signature in self._calls

    def put(self, signature: Signature, call: Callable[..., torch.Tensor]) -> None:
        """Answer these calls with it from now on. From any thread."""
        self._calls = {**self._calls, signature: call}  # swapped whole: the engine's thread reads it

    def encode_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `Backend`."""
        call, inputs = self._find(Network.ENCODER, pixels)
        return call(*inputs) if call else self._lower.encode_latents(pixels)

    def unet(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """See `Backend`."""
        extra = [] if timestep_cond is None else [timestep_cond]
        extra += [] if added is None else [added["text_embeds"], added["time_ids"]]
        call, inputs = self._find(Network.UNET, sample, timestep, prompt_embeds, *extra)
        return call(*inputs) if call else self._lower.unet(sample, timestep, prompt_embeds, timestep_cond, added)

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """See `Backend`."""
        call, inputs = self._find(Network.DECODER, latents)
        return call(*inputs) if call else self._lower.decode_latents(latents)

    def _find(self, network: Network, *inputs: torch.Tensor) -> tuple[Callable[..., Any] | None, list[torch.Tensor]]:
        """The compiled call for these inputs, and they in the form that it was compiled for."""
        signature = Signature.of(network, inputs)
        if (call := self._calls.get(signature)) is None:
            self._demand.note(signature)
            return None, []
        first = inputs[0].to(self._dtype).contiguous(memory_format=torch.channels_last)
        return call, [first, *(tensor.contiguous() for tensor in inputs[1:])]
