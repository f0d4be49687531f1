"""Calls that get something made for them alone: which calls those are, and the loop that has it made meanwhile.

Must not know what is made, or how: that is a `Specialiser`'s.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from ..backend import name_of
from ..regions import Inputs
from ..state import CallShape
from .builder import Task
from .upgrade import Upgrade

SETTLED_NS, PAUSE_NS = 4_000_000_000, 1_500_000_000
"""A call is specialised for when it has been in use for `SETTLED_NS` without a pause longer than `PAUSE_NS`."""
LOOK_EVERY_S = 1.0
"""Interval at which `specialise` asks for the settled calls."""


class Signature(NamedTuple):
    """A call to the last detail: what one thing that is made for a call serves.

    Attributes:
        inputs: name, shape and dtype of each, in the names' order.
    """

    call: CallShape
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]

    @classmethod
    def of(cls, call: CallShape, inputs: Inputs) -> Signature:
        """The signature of a call with these inputs."""
        forms = ((name, tuple(tensor.shape), name_of(tensor.dtype)) for name, tensor in sorted(inputs.items()))
        return cls(call, tuple(forms))

    def wire(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"call": dataclasses.asdict(self.call), "inputs": self.inputs}

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> Signature:
        """What `wire` gave, on its way through JSON.

        Raises:
            TypeError, ValueError, KeyError: it did not give this.
        """
        inputs = ((str(name), tuple(map(int, shape)), str(dtype)) for name, shape, dtype in wire["inputs"])
        return cls(CallShape(**wire["call"]), tuple(inputs))

    def example(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Random inputs of this form, the same every time."""
        generator = torch.Generator().manual_seed(0)

        def one(shape: tuple[int, ...], dtype_name: str) -> torch.Tensor:
            dtype: torch.dtype = getattr(torch, dtype_name)
            if dtype is torch.uint8:
                return torch.randint(0, 256, shape, generator=generator, dtype=dtype)
            return torch.randn(shape, generator=generator).to(dtype)

        return {name: one(shape, dtype).to(device) for name, shape, dtype in self.inputs}

    def __str__(self) -> str:
        return str(self.call)


class Demand:
    """Which calls are wanted specialised. The engine's thread notes, the upgrade's asks.

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
        """It was called, and answered by what serves all calls."""
        now_ns = self._clock()
        with self._lock:
            first_ns, last_ns = self._seen.get(signature, (now_ns, now_ns))
            self._seen[signature] = (now_ns if now_ns - last_ns > PAUSE_NS else first_ns, now_ns)

    def refuse(self, signature: Signature) -> None:
        """Nothing can be made for it: don't ask again."""
        with self._lock:
            self._refused.add(signature)

    def so_far(self) -> list[Signature]:
        """All that was noted, in the order of a frame: behind a warm-up, what every frame of the default size calls."""
        with self._lock:
            return list(self._seen)

    def settled(self) -> list[Signature]:
        """What has been in use for some seconds and still is; what is no longer in use is forgotten."""
        now_ns = self._clock()
        with self._lock:
            self._seen = {s: seen for s, seen in self._seen.items() if now_ns - seen[1] <= PAUSE_NS}
            wanted = [s for s, (first_ns, last_ns) in self._seen.items() if last_ns - first_ns >= SETTLED_NS]
            return [one for one in wanted if one not in self._refused]


class Specialiser(Protocol):
    """What a rung makes for calls, and keeps. `specialise` calls all of it in the upgrade's thread.

    Attributes:
        name: of the rung.
        demand: where the rung notes the calls for which it has nothing.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def demand(self) -> Demand: ...  # noqa: D102

    def has(self, signature: Signature) -> bool:
        """Whether something was made for these calls on this machine, by this process or another."""
        ...

    def task(self, signatures: Sequence[Signature]) -> Task:
        """What makes it, in a child process. The task says `made(signature)` behind each."""
        ...

    def keep(self, signature: Signature) -> None:
        """The child process has made it."""
        ...

    def take(self, signature: Signature) -> bool:
        """Answer these calls with what was made for them from now on.

        Returns:
            False where that can't be; the log says why. If what was made is to blame, `has` is False from now on.
        """
        ...


def made(signature: Signature) -> dict[str, Any]:
    """How a task says that it made something."""
    return {"made": signature.wire()}


def specialise(rung: Specialiser, upgrade: Upgrade) -> None:
    """Have calls specialised until the end: first those of the warm-up's frame, then those that are in use."""
    wanted = rung.demand.so_far()
    while not upgrade.closing.is_set():
        _look(rung, wanted, upgrade)
        upgrade.closing.wait(LOOK_EVERY_S)
        wanted = rung.demand.settled()


def _look(rung: Specialiser, wanted: Sequence[Signature], upgrade: Upgrade) -> None:
    """Take what there is, make what there is not, and refuse what is not to be had: trying once is enough to know."""
    taken = {signature for signature in wanted if rung.has(signature) and rung.take(signature)}

    def hear(message: Mapping[str, Any]) -> None:
        signature = Signature.parse(message["made"])
        rung.keep(signature)
        if rung.take(signature):
            taken.add(signature)

    if missing := [signature for signature in wanted if not rung.has(signature)]:
        upgrade.make(f"{rung.name} for {', '.join(map(str, missing))}", rung.task(missing), hear)
    for signature in wanted:
        if signature not in taken:
            rung.demand.refuse(signature)
