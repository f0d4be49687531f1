"""A session's params as another model can have them: what was changed of the defaults stays, where the model takes it.

Pure. Must not know sessions, or how a model comes to be another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..engine import EngineInfo
from ..params import Matte, Params
from ..prompts import pictures_of
from .life import within


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A value that the model does not take as it was.

    Attributes:
        field: of params.
        message: a sentence for people: what it is now, and why.
    """

    field: str
    message: str

    def wire(self) -> dict[str, str]:
        """As JSON values."""
        return {"field": self.field, "message": self.message}


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """What a model offers its sessions.

    Attributes:
        info: of its engine.
        defaults, max_output_pixels: see `Life`.
    """

    info: EngineInfo
    defaults: Params
    max_output_pixels: int


def fitted(params: Params, before: Params, offer: ModelOffer) -> tuple[Params, tuple[Adjustment, ...]]:
    """The params under the model that is offered. What was at the default of the one before is at that of the new one.

    Args:
        params: in force under the model before.
        before: its defaults.

    Returns:
        Valid params of the same version, and what is otherwise than somebody wanted it.
    """
    wanted = {name: value for name, value in params if value != getattr(before, name) and name != "version"}
    if wanted.keys() & {"width", "height"}:
        wanted |= {"width": params.width, "height": params.height}  # one without the other would be another shape
    fitting = offer.defaults.model_copy(update={**wanted, "version": params.version})
    changes: list[Adjustment] = []
    for fit in _FITS:
        update, change = fit(fitting, offer)
        if change is not None and change.field in wanted:
            changes.append(change)
        fitting = fitting.model_copy(update=update)
    return fitting, tuple(changes)


Fit = Callable[[Params, ModelOffer], "tuple[dict[str, Any], Adjustment | None]"]


def _size(params: Params, offer: ModelOffer) -> tuple[dict[str, Any], Adjustment | None]:
    small = within(params, offer.max_output_pixels)
    if small is params:
        return {}, None
    if small.width * small.height > offer.max_output_pixels:  # too long a shape for so few pixels
        small = offer.defaults
    message = f"{small.width} x {small.height}: {offer.info.model} makes {offer.max_output_pixels} pixels at most"
    return {"width": small.width, "height": small.height}, Adjustment("width", message)


def _steps(params: Params, offer: ModelOffer) -> tuple[dict[str, Any], Adjustment | None]:
    best = offer.info.best_steps
    if best is None or params.num_inference_steps == best:
        return {}, None
    name = "num_inference_steps"
    return {name: best}, Adjustment(name, f"{best}: with {offer.info.model} other numbers of steps look worse")


def _matte(params: Params, offer: ModelOffer) -> tuple[dict[str, Any], Adjustment | None]:
    if params.matte in offer.info.mattes:
        return {}, None
    return {"matte": Matte.OFF}, Adjustment("matte", f"off: {offer.info.model} can't do {params.matte}")


def _pictures(params: Params, offer: ModelOffer) -> tuple[dict[str, Any], Adjustment | None]:
    """Leave pictures out of the prompt where the model hears none; of one without words the default's are left."""
    if offer.info.hears_pictures or isinstance(params.prompt, str) or not pictures_of(params.prompt):
        return {}, None
    words = tuple(part for part in params.prompt if part.text)
    said = "the pictures are left out of it" if words else "it is the default"
    message = f"{said}: {offer.info.model} hears words, and no pictures"
    return {"prompt": words or offer.defaults.prompt}, Adjustment("prompt", message)


def _references(params: Params, offer: ModelOffer) -> tuple[dict[str, Any], Adjustment | None]:
    heard = tuple(one for one in params.references if one.layers in offer.info.reference_layers)
    if heard == params.references:
        return {}, None
    message = f"{offer.info.model} can't hear {'all of them' if heard else 'any'}: the others are left out"
    return {"references": heard}, Adjustment("references", message)


def _control(params: Params, offer: ModelOffer) -> tuple[dict[str, Any], Adjustment | None]:
    known = tuple(one for one in params.control if one.net in offer.info.nets)
    if known == params.control:
        return {}, None
    missing = ", ".join(one.net for one in params.control if one not in known)
    return {"control": known}, Adjustment("control", f"{offer.info.model} has no {missing} loaded: left out")


_FITS: tuple[Fit, ...] = (_size, _steps, _matte, _pictures, _references, _control)
