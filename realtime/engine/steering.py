"""How nets steer rows: what they are shown is looked at once a frame, and what they add is asked for in each step, from
those rows only that want it.

Must not know how frames are encoded, or what a region computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from ..control import INPUT, Hint, HintKey
from ..errors import FrameError
from ..frame import Job
from ..pixels import Pixels
from .backend import Backend
from .denoisers.control import FoldedControl
from .denoisers.residuals import CONTROL, FEATURES, Places, numbers
from .recipe import Recipe, Steering
from .regions import Call, Kind
from .staging import to_host

if TYPE_CHECKING:
    from .models.load import Model

COPIES = 4
"""Of what nets add to a row: a net's result, the sum, and the inputs of the step and of a graph."""

Columns = Mapping[str, Sequence[torch.Tensor]]


def steering_bytes(model: Model) -> int:
    """Device memory that what nets add to a row of 512×512 pixels takes; 0 without nets."""
    if not model.nets:
        return 0
    side = 512 // model.latent_scale_px
    return COPIES * numbers(Places(model.unet).of_control(side, side)) * model.dtype.itemsize


class Steered(Protocol):
    """A row, as far as nets need to know it.

    Attributes:
        x: see `Row`.
        step: number of steps done.
        embedded: what each of the recipe's nets made of its hint: [1, …] in the model's dtype.
        views: what people see of hints that were made here: uint8 [h, w, 3], in the host's memory, where the device may
            still be writing them.
    """

    x: torch.Tensor
    step: int
    embedded: list[torch.Tensor]
    views: dict[HintKey, torch.Tensor]

    @property
    def job(self) -> Job: ...  # noqa: D102
    @property
    def recipe(self) -> Recipe: ...  # noqa: D102


class Use(NamedTuple):
    """One net's use by one row.

    Attributes:
        row: index of the row.
        number: index of the net in its recipe.
    """

    row: int
    number: int
    steering: Steering


def check_hints(job: Job, recipe: Recipe) -> None:
    """Check that a job brings what its nets are to be shown. Raises FrameError."""
    for net in recipe.nets:
        _brought(job, net.key)


def embed(rows: Sequence[Steered], backend: Backend) -> None:
    """Give new rows of one size what their nets make of their hints, by one call of each net in use, behind one of
    each that makes hints here.
    """
    made = _estimate(rows, backend)
    for row in rows:
        row.embedded = [row.x] * len(row.recipe.nets)  # each is replaced below
    for net, uses in _by_net(rows, every_step=True).items():
        pictures = [made.get((use.row, use.steering.key)) for use in uses]
        pictures = [
            torch.from_numpy(_brought(rows[use.row].job, use.steering.key))[None] if picture is None else picture
            for use, picture in zip(uses, pictures, strict=True)
        ]
        outputs = backend.run(_call(Kind.EMBED.of(net), rows, {"pictures": pictures}))
        for use, embedded in zip(uses, outputs["embedded"].split(1), strict=True):
            rows[use.row].embedded[use.number] = embedded


def steer(rows: Sequence[Steered], guided: int, backend: Backend) -> dict[str, list[torch.Tensor]]:
    """The columns of a step of rows of one form that nets fill; none where no net has a weight.

    Args:
        rows: the last `guided` of them have a second row.

    Returns:
        `control` and `features`, each if any row wants it: of all rows, then of the second rows, in the model's dtype.
        Where nothing is added it is the same zeros each time.
    """
    control: dict[int, torch.Tensor] = {}
    features: dict[int, torch.Tensor] = {}
    for net, uses in _by_net(rows).items():
        folded = backend.regions.nets[net]
        if isinstance(folded, FoldedControl):
            for place, residual in _ask(net, folded, rows, guided, uses, backend):
                control[place] = control[place] + residual if place in control else residual
            continue
        for use in uses:
            row, weight = rows[use.row], use.steering.weights[rows[use.row].step]
            assert weight is not None
            added = row.embedded[use.number] * weight.to(row.embedded[use.number].dtype)
            features[use.row] = features[use.row] + added if use.row in features else added
    columns: dict[str, list[torch.Tensor]] = {}
    places = len(rows) + guided
    if control:
        nothing = backend.regions.nothing(next(iter(control.values())))
        columns[CONTROL] = [control.get(place, nothing) for place in range(places)]
    if features:
        nothing = backend.regions.nothing(next(iter(features.values())))
        first_second = len(rows) - guided
        twice = [*range(len(rows)), *range(first_second, len(rows))]
        columns[FEATURES] = [features.get(row, nothing) for row in twice]
    return columns


def _ask(
    name: str, net: FoldedControl, rows: Sequence[Steered], guided: int, uses: Sequence[Use], backend: Backend
) -> Iterator[tuple[int, torch.Tensor]]:
    """What a net adds, by one call: for each use the place in the step's batch, and [1, R]. A row's second one, which
    hears the negative prompt, is a row like any other here, as graphs give nothing for second rows.
    """
    first_guided = len(rows) - guided
    asked = [(use, use.row, False) for use in uses]
    asked += [(use, use.row + guided, True) for use in uses if use.row >= first_guided]
    told = [
        net.conditions(rows[use.row].recipe, rows[use.row].step, use.steering.name, is_second=is_second)
        for use, _, is_second in asked
    ]
    those = [rows[use.row] for use, _, _ in asked]
    weights = [use.steering.weights[rows[use.row].step] for use, _, _ in asked]
    columns: dict[str, Sequence[torch.Tensor]] = {
        "x": [row.x for row in those],
        "steps": [row.recipe.steps[row.step] for row in those],
        "embedded": [rows[use.row].embedded[use.number] for use, _, _ in asked],
        "weight": [weight for weight in weights if weight is not None],
        **{condition: [of_row[condition] for of_row in told] for condition in told[0]},
    }
    outputs = backend.run(_call(Kind.CONTROL.of(name), those, columns))
    return zip([place for _, place, _ in asked], outputs["residual"].split(1), strict=True)


def _by_net(rows: Sequence[Steered], *, every_step: bool = False) -> dict[str, list[Use]]:
    """The nets that have a weight in the rows' steps, or in any, and who uses them."""
    found: dict[str, list[Use]] = {}
    for i, row in enumerate(rows):
        for number, net in enumerate(row.recipe.nets):
            if every_step or net.weights[row.step] is not None:
                found.setdefault(net.net, []).append(Use(i, number, net))
    return found


def _estimate(rows: Sequence[Steered], backend: Backend) -> dict[tuple[int, HintKey], torch.Tensor]:
    """The hints that are made here, uint8 [1, H, W, 3], by row and key, by one call of each kind for all rows; the rows
    get what people see of them.
    """
    keys = [(i, net.key) for i, row in enumerate(rows) for net in row.recipe.nets if not net.key.hint.is_on_host]
    made: dict[tuple[int, HintKey], torch.Tensor] = {}
    for hint in dict.fromkeys(key.hint for _, key in keys):
        those = list(dict.fromkeys((i, key) for i, key in keys if key.hint is hint))
        pictures = [torch.from_numpy(_brought(rows[i].job, key))[None] for i, key in those]
        outputs = backend.run(_call(Kind.HINT.of(hint), rows, {"pictures": pictures}))
        made |= zip(those, outputs["pictures"].split(1), strict=True)
        for (i, key), view in zip(those, to_host(outputs["views"]), strict=True):
            rows[i].views[key] = view
    return made


def _brought(job: Job, key: HintKey) -> Pixels:
    """What a job brings for a hint, uint8 [H, W, 3]: the hint, or the picture that it is made of here. Raises
    FrameError.
    """
    if not key.hint.is_on_host:
        key = HintKey(Hint.PICTURE, key.source)
    if key == (Hint.PICTURE, INPUT):
        return job.input
    if (hint := job.hints.get(key)) is None:
        raise FrameError(f"these params can't be used: the {key.hint} of {key.source} is missing", "invalid_params")
    return hint


def _call(kind: str, rows: Sequence[Steered], columns: Columns) -> Call:
    params = rows[0].job.params
    return Call(kind, params.width, params.height, len(next(iter(columns.values()))), 0, columns)
