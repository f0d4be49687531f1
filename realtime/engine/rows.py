"""Rows, and what a tick does to them: encode, denoise and decode, each as one call of a region; and the masks of the
frames that leave, as one more.

Only launches work: no value is read back from the device. Must not know caches, failures of devices, or what a region
computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import torch

from ..control import HintKey
from ..frame import Job
from .backend import FRAME, Backend
from .denoisers.contexts import shared
from .recipe import Recipe
from .regions import Call, Kind, Outputs
from .steering import embed, steer

Mark = int | torch.cuda.Event
"""A moment: monotonic nanoseconds, or on CUDA an event that the device records when it gets there."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An admitted frame that is to become a row."""

    job: Job
    recipe: Recipe


@dataclass(slots=True, eq=False)
class Row:
    """One frame in flight. Owned by the engine's thread.

    Attributes:
        x: the noisy latents, float32 [1, C, h, w], scaled as the sampler has them.
        source: the latents of the row's picture without noise, float32 [1, C, h, w].
        anchor: of one-time guidance, see `StepRegion`; the source until the first step is done. Float32 [1, C, h, w].
        step: number of steps done.
        embedded: what each of the recipe's nets made of its hint: [1, …] in the model's dtype.
        views: see `Steered`.
        mask: where people are (see `find_people`); None before the row is done, and where the params want none.
        marks: the ends of stages on the device, by their names in `frame.Stamps`.
    """

    job: Job
    recipe: Recipe
    x: torch.Tensor
    source: torch.Tensor
    anchor: torch.Tensor
    step: int = 0
    embedded: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    views: dict[HintKey, torch.Tensor] = field(default_factory=dict[HintKey, torch.Tensor])
    mask: torch.Tensor | None = None
    marks: dict[str, Mark] = field(default_factory=dict[str, Mark])

    @property
    def is_done(self) -> bool:
        """True if no step is left."""
        return self.step == self.recipe.step_count


@dataclass(slots=True, eq=False)
class Finished:
    """A decoded row. Its tensors are in the host's memory, where the device may still be writing them.

    Attributes:
        marks: the row's.
        begun: where one call made all of it: before that call, and `marks` has its end alone.
        picture: uint8 [H, W, 3].
        finite: bool [], whether all latents and pixels are finite.
        mask, views: the row's.
    """

    job: Job
    marks: dict[str, Mark]
    picture: torch.Tensor
    finite: torch.Tensor
    mask: torch.Tensor | None = None
    begun: Mark | None = None
    views: Mapping[HintKey, torch.Tensor] = field(default_factory=dict[HintKey, torch.Tensor])


@dataclass(slots=True, eq=False)
class Passed:
    """A frame that passes through: it is answered with its own picture.

    Attributes:
        mask: where people are (see `find_people`); None where the params want none.
    """

    job: Job
    mask: torch.Tensor | None = None


class WithJob(Protocol):
    """Whatever is there because of a job."""

    @property
    def job(self) -> Job: ...  # noqa: D102


Sized = TypeVar("Sized", bound=WithJob)


def by_size(those: Iterable[Sized]) -> list[list[Sized]]:
    """Group by picture size, since a batch has one; the groups and what is in them keep their order."""
    groups: dict[tuple[int, int], list[Sized]] = {}
    for one in those:
        groups.setdefault((one.job.params.width, one.job.params.height), []).append(one)
    return list(groups.values())


def by_form(rows: Iterable[Row]) -> list[list[Row]]:
    """Group by picture size and the prompt's length, since a batch of a step has one of each; orders are kept."""
    groups: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        params = row.job.params
        groups.setdefault((params.width, params.height, row.recipe.prompt.length), []).append(row)
    return list(groups.values())


def encode_latents(entries: Sequence[Entry], backend: Backend) -> list[Row]:
    """Make rows of new frames of one size, in their order, by one call of the encode region and one of each net."""
    columns = {
        "pictures": [torch.from_numpy(entry.job.picture)[None] for entry in entries],
        "start": [entry.recipe.start for entry in entries],
        "noise": [entry.recipe.noise[0] for entry in entries],
    }
    outputs = _run(backend, Kind.ENCODE, entries, columns)
    split = zip(entries, outputs["x"].split(1), outputs["source"].split(1), strict=True)
    rows = [Row(entry.job, entry.recipe, x, source, anchor=source) for entry, x, source in split]
    embed(rows, backend)
    return rows


def denoise(rows: Sequence[Row], backend: Backend) -> None:
    """Move rows of one form (see `by_form`) one step on, by one call of the step region behind one of each net that has
    a weight. Changes the rows.
    """
    rows = sorted(rows, key=lambda row: row.recipe.has_second(row.step))
    guided = [row for row in rows if row.recipe.has_second(row.step)]
    columns = {
        "x": [row.x for row in rows],
        "steps": [row.recipe.steps[row.step] for row in rows],
        # There is no noise behind the last step, whose kz is 0: any will do.
        "noise": [row.recipe.noise[(row.step + 1) % row.recipe.step_count] for row in rows],
        "source": [row.source for row in rows],
    }
    if any(row.recipe.is_once for row in rows):
        columns["anchor"] = [row.anchor for row in rows]
    columns |= _conditions([(row.recipe, row.step) for row in rows], len(guided), backend)
    columns |= steer(rows, len(guided), backend)
    outputs = _run(backend, Kind.STEP, rows, columns, len(guided))
    for i, row in enumerate(rows):
        row.x = outputs["x"][i : i + 1]
        if row.recipe.is_once and row.recipe.has_second(row.step):
            row.anchor = outputs["anchor"][i : i + 1]
        row.step += 1


def _conditions(steps: Sequence[tuple[Recipe, int]], guided: int, backend: Backend) -> dict[str, list[torch.Tensor]]:
    """What the UNet is told in some steps, by column; and in the second rows of the last `guided`."""
    denoiser = backend.regions.denoiser
    places = [(recipe, step, False) for recipe, step in steps]
    places += [(recipe, step, True) for recipe, step in steps[len(steps) - guided :]]
    told = [denoiser.conditions(*place) for place in places]
    if any(contexts := shared(recipe for recipe, _ in steps)):
        more = [denoiser.contexts(*place, contexts) for place in places]
        told = [{**first, **second} for first, second in zip(told, more, strict=True)]
    return {name: [of_row[name] for of_row in told] for name in told[0]}


def are_whole(entries: Sequence[Entry]) -> bool:
    """Whether one call may do all that is done to new frames of one size: they have one step each, no nets, and prompts
    of one length.
    """
    recipes = [entry.recipe for entry in entries]
    are_short = all(recipe.step_count == 1 and not recipe.nets for recipe in recipes)
    return are_short and len({recipe.prompt.length for recipe in recipes}) == 1


def make_whole(entries: Sequence[Entry], backend: Backend, begun: Mark) -> dict[Entry, Finished]:
    """Make the pictures of new frames that `are_whole`, by one call; nothing where the backend has none.

    Args:
        begun: before it.
    """
    entries = sorted(entries, key=lambda entry: entry.recipe.has_second(0))
    guided = sum(entry.recipe.has_second(0) for entry in entries)
    columns = {
        "pictures": [torch.from_numpy(entry.job.picture)[None] for entry in entries],
        "start": [entry.recipe.start for entry in entries],
        "noise": [entry.recipe.noise[0] for entry in entries],
        "steps": [entry.recipe.steps[0] for entry in entries],
        **_conditions([(entry.recipe, 0) for entry in entries], guided, backend),
    }
    params = entries[0].job.params
    call = Call(FRAME, params.width, params.height, len(entries) - guided, guided, columns, to_host=True)
    if (outputs := backend.run_frames(call)) is None:
        return {}
    found = zip(entries, outputs["pictures"], outputs["finite"], strict=True)
    return {entry: Finished(entry.job, {}, picture, finite, begun=begun) for entry, picture, finite in found}


def decode_latents(rows: Sequence[Row], backend: Backend) -> list[Finished]:
    """Decode rows of one size that are done, in their order, by one call of the decode region."""
    outputs = _run(backend, Kind.DECODE, rows, {"x": [row.x for row in rows]}, to_host=True)
    pictures, finite = outputs["pictures"], outputs["finite"]
    return [Finished(row.job, row.marks, pictures[i], finite[i], row.mask, row.views) for i, row in enumerate(rows)]


def find_people(those: Sequence[Row | Passed | Finished], backend: Backend) -> None:
    """Give frames of one size their masks, by one call of the matte region: uint8 [h, w], in the host's memory, where
    the device may still be writing them.
    """
    columns = {"pictures": [torch.from_numpy(one.job.input)[None] for one in those]}
    masks = _run(backend, Kind.MATTE, those, columns, to_host=True)["masks"]
    for one, mask in zip(those, masks, strict=True):
        one.mask = mask[..., 0]


def _run(
    backend: Backend,
    kind: Kind,
    those: Sequence[WithJob],
    columns: Mapping[str, Sequence[torch.Tensor]],
    guided: int = 0,
    *,
    to_host: bool = False,
) -> Outputs:
    params = those[0].job.params
    return backend.run(Call(kind, params.width, params.height, len(those) - guided, guided, columns, to_host))
