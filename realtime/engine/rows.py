"""Rows, and what a tick does to them: they are gathered into calls of regions, and given what comes back.

Everything here only launches work: no value is read back from the device. Must not know caches, failures of devices,
where rows come from, or what a region does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ..errors import FrameError
from ..frame import Job
from .backend import Backend
from .denoiser import Conditions, Denoiser
from .recipe import Recipe, of
from .regions import Call, Kind, Outputs
from .staging import to_host

#: A moment on the clock, or on a CUDA stream one that is known when the device gets there.
Mark = int | torch.cuda.Event


@dataclass(slots=True, eq=False)
class Row:
    """One frame in flight. Owned by the engine's thread.

    Attributes:
        recipe: None where the frame passes through.
        error: why this frame gets no picture.
        step: steps done.
        x: the noisy latents, float32 [1, C, h, w] in the sampler's space.
        conditions: what the UNet is told of this row's picture: tensors [1, …], made by the encode region.
        marks: when the stages on the device were passed, by their names in `frame.Stamps`.
        output: the result, uint8 [H, W, 3] in memory of the host that the device may still have to fill.
        finite: bool [], likewise: whether all latents and pixels were finite numbers.
    """

    job: Job
    recipe: Recipe | None = None
    error: FrameError | None = None
    step: int = 0
    x: torch.Tensor | None = None
    conditions: Conditions = field(default_factory=dict[str, torch.Tensor])
    marks: dict[str, Mark] = field(default_factory=dict[str, Mark])
    output: torch.Tensor | None = None
    finite: torch.Tensor | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do but to deliver."""
        return self.error is not None or self.recipe is None or self.step == self.recipe.step_count

    def forget(self) -> None:
        """Give the device's memory back: no step follows."""
        self.x, self.conditions = None, {}


def by_size(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows in groups of one picture size each: what one batch can hold."""
    groups: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.job.params.width, row.job.params.height), []).append(row)
    return list(groups.values())


def encode_latents(rows: Sequence[Row], backend: Backend) -> None:
    """Pictures to noisy latents and to conditions, for new rows of one size."""
    recipes = [of(row.recipe) for row in rows]
    columns = {
        "pictures": [torch.from_numpy(row.job.picture)[None] for row in rows],
        "start": [recipe.start for recipe in recipes],
        "noise": [recipe.noise[0] for recipe in recipes],
    }
    outputs = _run(backend, Kind.ENCODE, rows, columns)
    split = {name: output.split(1) for name, output in outputs.items()}
    for i, row in enumerate(rows):
        row.x = split["x"][i]
        row.conditions = {name: parts[i] for name, parts in split.items() if name != "x"}


def denoise(rows: Sequence[Row], backend: Backend) -> None:
    """Move rows of one size one step on, in one UNet call."""
    rows = sorted(rows, key=lambda row: of(row.recipe).negative is not None)
    guided = [row for row in rows if of(row.recipe).negative is not None]
    recipes = [(of(row.recipe), row.step) for row in rows]
    columns = {
        "x": [of(row.x) for row in rows],
        "steps": [recipe.steps[step] for recipe, step in recipes],
        # The last step's kz is 0: any noise will do there.
        "noise": [recipe.noise[(step + 1) % recipe.step_count] for recipe, step in recipes],
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
    return {**denoiser.conditions(of(row.recipe), row.step, is_second), **row.conditions}


def decode_latents(rows: Sequence[Row], backend: Backend) -> None:
    """Latents to pictures in the host's memory, for finished rows of one size."""
    outputs = _run(backend, Kind.DECODE, rows, {"x": [of(row.x) for row in rows]})
    pictures, finite = to_host(outputs["pictures"]), to_host(outputs["finite"])
    for i, row in enumerate(rows):
        row.output, row.finite = pictures[i], finite[i]
        row.forget()


def _run(
    backend: Backend, kind: Kind, rows: Sequence[Row], columns: Mapping[str, Sequence[torch.Tensor]], guided: int = 0
) -> Outputs:
    params = rows[0].job.params
    return backend.run(Call(kind, params.width, params.height, len(rows) - guided, guided, columns))
