"""Specialisation: which calls are in use long enough to have code made for them alone, and the loop that has it made.

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
from ..state import CallShape, listed
from .builder import Task
from .upgrade import Upgrade

SETTLED_NS, PAUSE_NS = 4_000_000_000, 1_500_000_000
"""A call is specialised for when it has been in use for `SETTLED_NS` without a pause longer than `PAUSE_NS`."""
LOOK_EVERY_S = 1.0
"""Interval at which `specialise` asks for the settled calls."""


class Signature(NamedTuple):
    """A call's form in full: what code that is made for one call can run.

    Attributes:
        call: names the inputs.
        inputs: shape and dtype of each, in the order of `call.names`.
    """

    call: CallShape
    inputs: tuple[tuple[tuple[int, ...], str], ...]

    @classmethod
    def of(cls, call: CallShape, inputs: Inputs) -> Signature:
        """The signature of a call with these inputs [B, …], which have the names of the call."""
        forms = ((tuple(inputs[name].shape), name_of(inputs[name].dtype)) for name in call.names)
        return cls(call, tuple(forms))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs' shapes by name."""
        return {name: shape for name, (shape, _) in zip(self.call.names, self.inputs, strict=True)}

    def wire(self) -> dict[str, Any]:
        """A JSON object."""
        return {"call": dataclasses.asdict(self.call), "inputs": self.inputs}

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> Signature:
        """The inverse of `wire`, also after JSON has made lists of tuples.

        Raises:
            TypeError, ValueError, KeyError: it is no signature.
        """
        call = CallShape.parse(wire["call"])
        named = zip(call.names, wire["inputs"], strict=True)
        return cls(call, tuple((tuple(map(int, shape)), str(dtype)) for _, (shape, dtype) in named))

    def example(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Random inputs of this form by name, equal each time."""
        generator = torch.Generator().manual_seed(0)

        def one(shape: tuple[int, ...], dtype_name: str) -> torch.Tensor:
            dtype: torch.dtype = getattr(torch, dtype_name)
            if dtype is torch.uint8:
                return torch.randint(0, 256, shape, generator=generator, dtype=dtype)
            return torch.randn(shape, generator=generator).to(dtype)

        forms = zip(self.call.names, self.inputs, strict=True)
        return {name: one(shape, dtype).to(device) for name, (shape, dtype) in forms}

    def __str__(self) -> str:
        return str(self.call)


class Demand:
    """Which calls are to be specialised: those that stay in use, not each size that a slider is dragged through.

    Any thread: the engine's calls `note`, the upgrade's asks.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Signature, tuple[int, int]] = {}
        self._refused: set[Signature] = set()

    def note(self, signature: Signature) -> None:
        """Note a call for which nothing was specialised."""
        now_ns = self._clock()
        with self._lock:
            first_ns, last_ns = self._seen.get(signature, (now_ns, now_ns))
            self._seen[signature] = (now_ns if now_ns - last_ns > PAUSE_NS else first_ns, now_ns)

    def refuse(self, signature: Signature) -> None:
        """Leave a signature out of `settled` from now on."""
        with self._lock:
            self._refused.add(signature)

    def so_far(self) -> list[Signature]:
        """All noted signatures, first noted first: after the warm-up, the calls of a frame of the default size."""
        with self._lock:
            return list(self._seen)

    def settled(self) -> list[Signature]:
        """The signatures in use for `SETTLED_NS`, without refused ones. Forgets those unused for `PAUSE_NS`."""
        now_ns = self._clock()
        with self._lock:
            self._seen = {s: seen for s, seen in self._seen.items() if now_ns - seen[1] <= PAUSE_NS}
            wanted = [s for s, (first_ns, last_ns) in self._seen.items() if last_ns - first_ns >= SETTLED_NS]
            return [one for one in wanted if one not in self._refused]


class Specialiser(Protocol):
    """Makes, keeps and loads what is specialised for a call. `specialise` calls it in the upgrade's thread.

    Attributes:
        name: of the rung.
        demand: notes the calls for which nothing is specialised.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def demand(self) -> Demand: ...  # noqa: D102

    def has(self, signature: Signature) -> bool:
        """True if it was made for this signature on this machine, by any process."""
        ...

    def task(self, signatures: Sequence[Signature]) -> Task:
        """The task that makes it for these signatures; it yields `made(signature)` after each."""
        ...

    def keep(self, signature: Signature) -> None:
        """Record that the task has made it."""
        ...

    def take(self, signature: Signature) -> bool:
        """Load what was made, and run calls of this signature by it from now on.

        Returns:
            False if it can't be loaded; the log says why. If it is damaged or wrong, `has` is False from now on.
        """
        ...


def made(signature: Signature) -> dict[str, Any]:
    """The message of a task that it has made something for a signature."""
    return {"made": signature.wire()}


def specialise(rung: Specialiser, upgrade: Upgrade) -> None:
    """Specialise calls until the upgrade closes: first those of the warm-up, then those that settle."""
    wanted = rung.demand.so_far()
    while not upgrade.closing.is_set():
        _look(rung, wanted, upgrade)
        upgrade.closing.wait(LOOK_EVERY_S)
        wanted = rung.demand.settled()


def _look(rung: Specialiser, wanted: Sequence[Signature], upgrade: Upgrade) -> None:
    """Take what exists for the wanted signatures, have the rest made and taken, and refuse those that failed."""
    taken = {signature for signature in wanted if rung.has(signature) and rung.take(signature)}

    def hear(message: Mapping[str, Any]) -> None:
        signature = Signature.parse(message["made"])
        rung.keep(signature)
        if rung.take(signature):
            taken.add(signature)

    if missing := sorted((signature for signature in wanted if not rung.has(signature)), key=_rank):
        upgrade.make(f"{rung.name} for {listed(one.call for one in missing)}", rung.task(missing), hear)
    for signature in wanted:
        if signature not in taken:
            rung.demand.refuse(signature)


def _rank(signature: Signature) -> tuple[bool, bool, int]:
    """By which what takes minutes is made in turn: first what every frame needs; first for 1, 2, 4, 8 rows, the fewest
    with which many are served.
    """
    batch = signature.call.batch
    return not signature.call.is_plain, batch.bit_count() > 1, batch
