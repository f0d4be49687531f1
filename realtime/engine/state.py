"""Which rung an engine runs on, as plain data that may leave the process; its text for people is made from that data.

Must not import torch, or know how a rung works.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ADDED = {
    "control": "nets",
    "features": "adapters",
    "negative_keys_values": "a negative prompt",
    "picture_keys_values": "reference pictures",
}
"""Inputs of regions that only those rows have which want more than a plain one, and what stands in them, for people."""


@dataclass(frozen=True, slots=True)
class CallShape:
    """The form of one call of a region, which code is compiled for.

    Attributes:
        kind: which region, a value of `regions.Kind`.
        batch: number of rows. For OpenVINO's UNet, which does not distinguish them, second rows are included.
        guided: number of those rows that have a second row (classifier-free guidance).
        width, height: of the pictures, in pixels, also where the region takes latents.
        names: of the inputs, sorted. With `kind` and `guided` they decide which module answers (`Regions.region`).
    """

    kind: str
    batch: int
    guided: int
    width: int
    height: int
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> CallShape:
        """The inverse of `dataclasses.asdict`, also after JSON has made lists of tuples.

        Raises:
            TypeError, KeyError: it is no call's form.
        """
        fields: dict[str, Any] = {**wire, "names": tuple(map(str, wire["names"]))}
        return cls(**fields)

    @property
    def is_plain(self) -> bool:
        """Whether every frame has such calls, and not only those that nets steer, or that contexts are told."""
        return "/" not in self.kind and not any(name in ADDED for name in self.names)

    @property
    def added(self) -> str:
        """What rows of this form have beyond plain ones, for people, for example ` with nets`; mostly empty."""
        words = [word for name, word in ADDED.items() if name in self.names]
        return f" with {' and '.join(words)}" if words else ""

    def __str__(self) -> str:
        """For people, for example `step 2×512×512 with nets`: kind, batch, width and height."""
        return self._told(str(self.batch))

    def _told(self, batches: str) -> str:
        guided = f" ({self.guided} guided)" if self.guided else ""
        return f"{self.kind} {batches}×{self.width}×{self.height}{guided}{self.added}"


def listed(calls: Iterable[CallShape]) -> str:
    """Calls for people, those that differ by their batches alone together: `encode 1–4×512×512, step 1×512×512`."""
    batches: dict[CallShape, set[int]] = {}
    for call in calls:
        batches.setdefault(dataclasses.replace(call, batch=0), set()).add(call.batch)
    return ", ".join(call._told(_ranges(sorted(of_call))) for call, of_call in batches.items())  # pyright: ignore[reportPrivateUsage]


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, for example `1–4 and 6`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " and ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


@dataclass(frozen=True, slots=True)
class VariantState:
    """Whether a variant of the regions runs, and why.

    Attributes:
        name: as in `--variants`.
        is_on: whether it runs.
        ratio: the time of the regions that it changes, to theirs without it, as it was measured on this device; None
            where it was not.
        why: why it does not run, or runs without having been measured, for people; may be empty.
    """

    name: str
    is_on: bool
    ratio: float | None = None
    why: str = ""

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> VariantState:
        """The inverse of `dataclasses.asdict`, also after JSON.

        Raises:
            TypeError, ValueError, KeyError: it is none.
        """
        ratio = wire["ratio"]
        return cls(str(wire["name"]), bool(wire["is_on"]), None if ratio is None else float(ratio), str(wire["why"]))

    def __str__(self) -> str:
        """For example `qkv (0.93 of the time)`."""
        return self.name if self.ratio is None else f"{self.name} ({self.ratio:.2f} of the time)"


@dataclass(frozen=True, slots=True)
class RungState:
    """Which rung runs, why, and what is being made. `str` gives the line in the log, in `stats` and on the page.

    Attributes:
        name: `eager`, `openvino`, `graphs`, `compile`, `aoti` or `echo`: the fastest that runs at least some calls.
        what: for people: run time, device, threads, batch sizes, number format.
        precision: the dtype that networks calculate in, as torch names it (`bfloat16`), the least exact where they
            differ; empty without a model.
        made_for: the calls that code was compiled for; a slower rung runs all others.
        why: why nothing faster runs, for people; may be empty.
        doing: what is being made meanwhile, for people; None where nothing is.
        failed: what could not be made and why, for people; empty where nothing failed.
        avoided: names of rungs that are left out: they were to be, or broke engines.
        climbs: whether a faster rung may come, or calls that are not in `made_for` be compiled, while frames flow.
        variants: of the regions that PyTorch runs, those that were tried or asked for.
    """

    name: str
    what: str
    precision: str = ""
    made_for: tuple[CallShape, ...] = ()
    why: str = ""
    doing: str | None = None
    failed: str = ""
    avoided: tuple[str, ...] = ()
    climbs: bool = False
    variants: tuple[VariantState, ...] = ()

    def __str__(self) -> str:
        """For example `eager: torch on cpu, 2 threads (until openvino is ready); the conversion is being made`."""
        left_out = f"without {', '.join(self.avoided)}" if self.avoided else ""
        reason = f" ({', '.join(filter(None, (self.why, left_out)))})" if self.why or left_out else ""
        meanwhile = f"{self.doing} is being made" if self.doing is not None else self.failed
        on = ", ".join(str(variant) for variant in self.variants if variant.is_on)
        return f"{self.what}{on and f', with {on}'}{reason}{meanwhile and f'; {meanwhile}'}"

    def wire(self) -> dict[str, Any]:
        """A JSON object: the attributes by name, call shapes as objects."""
        return dataclasses.asdict(self)

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> RungState:
        """The inverse of `wire`, also after JSON has made lists of tuples, and of earlier versions' (without `avoided`
        or `variants`).
        """
        made_for, avoided = tuple(map(CallShape.parse, wire["made_for"])), tuple(map(str, wire.get("avoided", ())))
        variants = tuple(map(VariantState.parse, wire.get("variants", ())))
        fields: dict[str, Any] = {**wire, "made_for": made_for, "avoided": avoided, "variants": variants}
        return cls(**fields)
