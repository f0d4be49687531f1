"""Which rung an engine runs on, as plain data that may leave the process; the sentence for people is made from it.

Must not import torch, or know how a rung works.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CallShape:
    """The form of one call of a region: what something was compiled for.

    Attributes:
        kind: which region, a value of `regions.Kind`.
        batch: rows of the call. OpenVINO's UNet counts second rows among them, as it can't tell one from the other.
        guided: how many of the rows have a second row beside them (classifier-free guidance).
        width, height: of the pictures, in pixels, also where the region takes latents.
    """

    kind: str
    batch: int
    guided: int
    width: int
    height: int

    def __str__(self) -> str:
        """For people: `step 2×512×512`, which is batch, width and height."""
        guided = f" ({self.guided} guided)" if self.guided else ""
        return f"{self.kind} {self.batch}×{self.width}×{self.height}{guided}"


@dataclass(frozen=True, slots=True)
class RungState:
    """Which rung runs, why, and what is on its way. `str` makes the one line of the log, of `stats` and of the page.

    Attributes:
        name: `eager`, `openvino`, `graphs`, `compile`, `aoti`, `echo`: the rung that answers, at least some calls.
        what: for people only: run time, device, threads, batch sizes, number format.
        precision: the number format that networks calculate in, as torch names it (`bfloat16`); empty without a model.
            Where they differ, the least exact.
        made_for: the calls that something was compiled for. What is slower answers all others.
        why: why nothing faster runs, for people; empty where nothing faster is to be had.
        doing: what is being made meanwhile, for people; None where nothing is.
        failed: what could not be made and why, for people; empty where nothing failed.
        climbs: whether a faster rung may come, or calls be compiled that are not in `made_for`, while frames flow.
    """

    name: str
    what: str
    precision: str = ""
    made_for: tuple[CallShape, ...] = ()
    why: str = ""
    doing: str | None = None
    failed: str = ""
    climbs: bool = False

    def __str__(self) -> str:
        """For example `eager: torch on cpu, 2 threads (until openvino is ready); the conversion is being made`."""
        reason = f" ({self.why})" if self.why else ""
        meanwhile = f"{self.doing} is being made" if self.doing is not None else self.failed
        return f"{self.what}{reason}{meanwhile and f'; {meanwhile}'}"

    def wire(self) -> dict[str, Any]:
        """As JSON has it: the attributes by their names, call shapes as objects."""
        return dataclasses.asdict(self)

    @classmethod
    def parse(cls, wire: Mapping[str, Any]) -> RungState:
        """What `wire` gave, on its way through JSON."""
        fields: dict[str, Any] = {**wire, "made_for": tuple(CallShape(**shape) for shape in wire["made_for"])}
        return cls(**fields)
