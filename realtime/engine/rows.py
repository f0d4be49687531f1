"""Rows, and what a tick does to them: they are gathered into calls of regions, and given what comes back.

Everything here only launches work: no value is read back from the device. Must not know caches, failures of devices,
where rows come from, or what a region does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from ..frame import Job
from .backend import Backend
from .denoiser import Conditions, Denoiser
from .recipe import Recipe
from .regions import Call, Kind, Outputs
from .staging import to_host

Mark = int | torch.cuda.Event
"""A moment on the clock, or on a CUDA stream one that is known when the device gets there."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A frame that gets a row, before it has one."""

    job: Job
    recipe: Recipe


@dataclass(slots=True, eq=False)
class Row:
    """One frame in flight. Owned by the engine's thread.

    Attributes:
        x: the noisy latents, float32 [1, C, h, w] in the sampler's space.
        conditions: what the UNet is told of this row's picture: tensors [1, …], made by the encode region.
        step: steps done.
        marks: when the stages on the device were passed, by their names in `frame.Stamps`.
    """

    job: Job
    recipe: Recipe
    x: torch.Tensor
    conditions: Conditions
    step: int = 0
    marks: dict[str, Mark] = field(default_factory=dict[str, Mark])

    @property
    def is_done(self) -> bool:
        """Whether no step is left."""
        return self.step == self.recipe.step_count


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What is left of a row that was decoded: nothing on the device.

    Attributes:
        marks: the row's.
        picture: uint8 [H, W, 3] in memory of the host that the device may still have to fill.
        finite: bool [], likewise: whether all latents and pixels were finite numbers.
    """

    job: Job
    marks: dict[str, Mark]
    picture: torch.Tensor
    finite: torch.Tensor


Sized = TypeVar("Sized", Entry, Row)


def by_size(those: Iterable[Sized]) -> list[list[Sized]]:
    """In groups of one picture size each: what one batch can hold."""
    groups: dict[tuple[int, int], list[Sized]] = {}
    for one in those:
        groups.setdefault((one.job.params.width, one.job.params.height), []).append(one)
    return list(groups.values())


def encode_latents(entries: Sequence[Entry], backend: Backend) -> list[Row]:
    """Pictures to noisy latents and to conditions: rows for new frames of one size, in their order."""
    columns = {
        "pictures": [torch.from_numpy(entry.job.picture)[None] for entry in entries],
        "start": [entry.recipe.start for entry in entries],
        "noise": [entry.recipe.noise[0] for entry in entries],
    }
    outputs = _run(backend, Kind.ENCODE, entries, columns)
    split = {name: output.split(1) for name, output in outputs.items()}
    x = split.pop("x")
    return [
        Row(entry.job, entry.recipe, x[i], {name: parts[i] for name, parts in split.items()})
        for i, entry in enumerate(entries)
    ]


def denoise(rows: Sequence[Row], backend: Backend) -> None:
    """Move rows of one size one step on, in one UNet call."""
    rows = sorted(rows, key=lambda row: row.recipe.negative is not None)
    guided = [row for row in rows if row.recipe.negative is not None]
    columns = {
        "x": [row.x for row in rows],
        "steps": [row.recipe.steps[row.step] for row in rows],
        # The last step's kz is 0: any noise will do there.
        "noise": [row.recipe.noise[(row.step + 1) % row.recipe.step_count] for row in rows],
    }
    denoiser = backend.regions.denoiser
    told = [_conditions(row, denoiser, False) for row in rows] + [_conditions(row, denoiser, True) for row in guided]
    columns |= {name: [of_row[name] for of_row in told] for name in told[0]}
    outputs = _run(backend, Kind.STEP, rows, columns, len(guided))
    for row, x_of_row in zip(rows, outputs["x"].split(1), strict=True):
        row.x = x_of_row
        row.step += 1


def _conditions(row: Row, denoiser: Denoiser, is_second: bool) -> Conditions:
    """All that the UNet is told of a row, or of its second row: by its recipe, and by its picture."""
    return {**denoiser.conditions(row.recipe, row.step, is_second), **row.conditions}


def decode_latents(rows: Sequence[Row], backend: Backend) -> list[Finished]:
    """Latents to pictures in the host's memory, for rows of one size that are done, in their order."""
    outputs = _run(backend, Kind.DECODE, rows, {"x": [row.x for row in rows]})
    pictures, finite = to_host(outputs["pictures"]), to_host(outputs["finite"])
    return [Finished(row.job, row.marks, pictures[i], finite[i]) for i, row in enumerate(rows)]


def _run(
    backend: Backend, kind: Kind, those: Sequence[Sized], columns: Mapping[str, Sequence[torch.Tensor]], guided: int = 0
) -> Outputs:
    params = those[0].job.params
    return backend.run(Call(kind, params.width, params.height, len(those) - guided, guided, columns))
