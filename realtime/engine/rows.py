"""Rows, and what a tick does to them: encode, denoise and decode, each as one call of a region; and the masks of the
frames that leave, as one more.

Only launches work: no value is read back from the device. Must not know caches, failures of devices, or what a region
computes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import torch

from ..control import HintKey
from ..frame import Job
from ..pixels import Pixels
from .backend import FRAME, Backend
from .denoisers.contexts import shared
from .denoisers.denoiser import Contexts
from .denoisers.residuals import CONTROL, FEATURES
from .recipe import Recipe
from .regions import Call, Kind, Outputs
from .staging import to_host
from .steering import embed, steer

_log = logging.getLogger(__name__)

Scores = tuple[torch.Tensor, ...] | None
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
        scores: float32 [] each, see `Result.score`: of the picture, then of its input where that was looked at; None
            where there is no checker on the device.
    """

    job: Job
    marks: dict[str, Mark]
    picture: torch.Tensor
    finite: torch.Tensor
    mask: torch.Tensor | None = None
    begun: Mark | None = None
    views: Mapping[HintKey, torch.Tensor] = field(default_factory=dict[HintKey, torch.Tensor])
    scores: Scores = None


@dataclass(slots=True, eq=False)
class Passed:
    """A frame that passes through: it is answered with its own picture.

    Attributes:
        mask: where people are (see `find_people`); None where the params want none.
        scores: as of `Finished`.
    """

    job: Job
    mask: torch.Tensor | None = None
    scores: Scores = None


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
        groups.setdefault(_form_of(row), []).append(row)
    return list(groups.values())


def _form_of(row: Row) -> tuple[int, int, int]:
    return row.job.params.width, row.job.params.height, row.recipe.prompt.length


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
    a weight. Changes the rows. What a call has that only some rows want, the others have without effect; so it may stay
    a while longer than it is wanted (`Backend.forms`).
    """
    rows = sorted(rows, key=lambda row: row.recipe.has_second(row.step))
    guided = [row for row in rows if row.recipe.has_second(row.step)]
    steered = steer(rows, len(guided), backend)
    contexts = shared(row.recipe for row in rows)
    kept = backend.forms.kept(
        _form_of(rows[0]),
        {
            **({"anchor": None} if any(row.recipe.is_once for row in rows) else {}),
            **({"negative": None} if contexts.has_negative else {}),
            **({f"pictures {contexts.pictures}": contexts.pictures} if contexts.pictures else {}),
            **{name: backend.regions.nothing(column[0]) for name, column in steered.items()},
        },
    )
    columns = {
        "x": [row.x for row in rows],
        "steps": [row.recipe.steps[row.step] for row in rows],
        # There is no noise behind the last step, whose kz is 0: any will do.
        "noise": [row.recipe.noise[(row.step + 1) % row.recipe.step_count] for row in rows],
        "source": [row.source for row in rows],
    }
    if "anchor" in kept:
        columns["anchor"] = [row.anchor for row in rows]
    places = max((value for name, value in kept.items() if name.startswith("pictures ")), default=0)
    told = Contexts("negative" in kept, places)
    columns |= _conditions([(row.recipe, row.step) for row in rows], len(guided), told, backend)
    columns |= {name: [kept[name]] * (len(rows) + len(guided)) for name in (CONTROL, FEATURES) if name in kept}
    columns |= steered
    outputs = _run(backend, Kind.STEP, rows, columns, len(guided))
    for i, row in enumerate(rows):
        row.x = outputs["x"][i : i + 1]
        if row.recipe.is_once and row.recipe.has_second(row.step):
            row.anchor = outputs["anchor"][i : i + 1]
        row.step += 1


def _conditions(
    steps: Sequence[tuple[Recipe, int]], guided: int, contexts: Contexts, backend: Backend
) -> dict[str, list[torch.Tensor]]:
    """What the UNet is told in some steps, by column; and in the second rows of the last `guided`."""
    denoiser = backend.regions.denoiser
    places = [(recipe, step, False) for recipe, step in steps]
    places += [(recipe, step, True) for recipe, step in steps[len(steps) - guided :]]
    told = [denoiser.conditions(*place) for place in places]
    if any(contexts):
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


def make_whole(
    entries: Sequence[Entry], backend: Backend, begun: Mark, *, checks: bool = False
) -> dict[Entry, Finished]:
    """Make the pictures of new frames that `are_whole`, by one call; nothing where the backend has none.

    Args:
        begun: before it.
        checks: see `decode_latents`.
    """
    entries = sorted(entries, key=lambda entry: entry.recipe.has_second(0))
    recipes = [entry.recipe for entry in entries]
    guided = sum(recipe.has_second(0) for recipe in recipes)
    columns = {
        "pictures": [torch.from_numpy(entry.job.picture)[None] for entry in entries],
        "start": [entry.recipe.start for entry in entries],
        "noise": [entry.recipe.noise[0] for entry in entries],
        "steps": [entry.recipe.steps[0] for entry in entries],
        **_conditions([(entry.recipe, 0) for entry in entries], guided, shared(recipes), backend),
    }
    params = entries[0].job.params
    call = Call(FRAME, params.width, params.height, len(entries) - guided, guided, columns, to_host=not checks)
    if (outputs := backend.run_frames(call)) is None:
        return {}
    scores: list[Scores] = [None] * len(entries)
    if checks:
        outputs, scores = _checked(entries, outputs, backend)
    found = zip(entries, outputs["pictures"], outputs["finite"], scores, strict=True)
    return {
        entry: Finished(entry.job, {}, picture, finite, scores=score, begun=begun)
        for entry, picture, finite, score in found
    }


def decode_latents(rows: Sequence[Row], backend: Backend, *, checks: bool = False) -> list[Finished]:
    """Decode rows of one size that are done, in their order, by one call of the decode region.

    Args:
        checks: whether the pictures are checked on the device, by one call more.
    """
    outputs = _run(backend, Kind.DECODE, rows, {"x": [row.x for row in rows]}, to_host=not checks)
    scores: list[Scores] = [None] * len(rows)
    if checks:
        outputs, scores = _checked(rows, outputs, backend)
    pictures, finite = outputs["pictures"], outputs["finite"]
    return [
        Finished(row.job, row.marks, pictures[i], finite[i], row.mask, scores=scores[i], views=row.views)
        for i, row in enumerate(rows)
    ]


def _checked(those: Sequence[WithJob], made: Outputs, backend: Backend) -> tuple[Outputs, list[Scores]]:
    """What has been made, on its way to the host, and the scores of its pictures."""
    scores = _scores(those, list(made["pictures"].split(1)), backend)
    return {name: to_host(output) for name, output in made.items()}, [(score,) for score in scores]


def own_pictures(one: Finished | Passed) -> list[Pixels]:
    """Those that may be seen of a frame as it came, uint8 [H, W, 3]."""
    job = one.job
    own = [job.picture] if isinstance(one, Passed) else []
    return own if not job.checks_input or (own and job.input is job.picture) else [*own, job.input]


def check_own(those: Sequence[Finished | Passed], backend: Backend) -> dict[Finished | Passed, Scores]:
    """The scores of frames of one size with those of `own_pictures`, by one call of the check region."""
    owners = [(one, picture) for one in those for picture in own_pictures(one)]
    pictures = [torch.from_numpy(picture)[None] for _, picture in owners]
    found: dict[Finished | Passed, Scores] = {}
    for (one, _), score in zip(owners, _scores(those, pictures, backend), strict=True):
        found[one] = (*(found.get(one) or one.scores or ()), score)
    return found


def _scores(those: Sequence[WithJob], pictures: Sequence[torch.Tensor], backend: Backend) -> list[torch.Tensor]:
    """What the checker says of pictures of one size, float32 [] each, in the host's memory, where the device may still
    be writing. A checker that fails says that it is no number, so that nobody sees them; but where memory is short, the
    tick has failed.
    """
    try:
        params = those[0].job.params
        columns = {"pictures": pictures}
        call = Call(Kind.CHECK, params.width, params.height, len(pictures), 0, columns, to_host=True)
        return list(backend.run(call)["scores"])
    except torch.OutOfMemoryError:
        raise
    except Exception:
        _log.exception("the frame checker fails: pictures are held")
        return [torch.tensor(math.nan)] * len(pictures)


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
