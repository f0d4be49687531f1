"""Which variants of its regions a model runs with: by a trial on its device, kept on disk, or as asked for.

A trial takes seconds, before the first frame. Must not know what a variant changes, or how one is timed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...config import AUTO_VARIANTS, KNOWN_VARIANTS, NO_VARIANTS
from ...errors import ConfigError
from ...params import Params
from ..backend import name_of
from ..denoisers import contexts, folding
from ..device_memory import give_back
from ..state import VariantState
from ..variants import table
from ..variants.table import VARIANTS, Variant, named
from . import trial as how
from .aoti import machine_of
from .rung import capability_of
from .toolchain import compiler_obstacle
from .trial import BEGUN, BROKE, Timing, VariantTrial, first_line
from .tried import TrialCache, Tried

if TYPE_CHECKING:
    from .. import Progress
    from ..models.load import Model

_log = logging.getLogger(__name__)

MANY = 8
"""The larger of two batches that are tried on a GPU."""


def with_variants(
    model: Model, asked: str, progress: Progress, max_rows: int, *, in_graphs: bool, timing: Timing | None = None
) -> Model:
    """The model with the variants that are to run.

    Args:
        asked: as in `--variants`: those that are faster here (`auto`), those of them that were tried before (`known`),
            `off`, or names.
        progress: called while they are tried.
        max_rows: the largest batch.
        in_graphs: whether CUDA graphs will run its regions.
        timing: tests bring their own.

    Raises:
        ConfigError: one that is asked for by name can't run this model here.
    """
    if asked == NO_VARIANTS:
        return model
    batches = (1, min(MANY, max_rows)) if model.device.type == "cuda" and max_rows > 1 else (1,)
    trial = VariantTrial(model, batches, timing or Timing.on(model.device, in_graphs=in_graphs))
    if asked in (AUTO_VARIANTS, KNOWN_VARIANTS):
        states = _found(trial, progress, only_known=asked == KNOWN_VARIANTS, in_graphs=in_graphs)
    else:
        states = _asked_for(trial, named(asked.split(",")))
    for variant in VARIANTS:
        if variant.switch is not None and model.device.type == "cuda":
            variant.switch(any(state.is_on for state in states if state.name == variant.name))
    return replace(model, variants=states)


def _asked_for(trial: VariantTrial, wanted: Sequence[Variant]) -> tuple[VariantState, ...]:
    for variant in wanted:
        if why := obstacle(variant, trial.model):
            raise ConfigError(f"variants: {variant.name} can't be used here: {why}: leave it out")
    try:
        wrong = trial.checked(wanted)
    except Exception as error:  # whatever a kernel or its compiler raises
        _log.warning("variants can't run this model", exc_info=error)
        wrong = f"end with {first_line(error)}"
    give_back(trial.model.device)  # how many sizes have graphs follows what is free
    if wrong:
        names = ", ".join(variant.name for variant in wanted)
        raise ConfigError(f"variants: results of {names} {wrong}: --variants auto takes those that can be used")
    return tuple(VariantState(variant.name, is_on=True, why="asked for") for variant in wanted)


def _found(trial: VariantTrial, progress: Progress, *, only_known: bool, in_graphs: bool) -> tuple[VariantState, ...]:
    """What was found of each variant, now or at an earlier start; nothing where trying fails as a whole."""
    model = trial.model
    obstacles = {variant: obstacle(variant, model) for variant in VARIANTS}
    candidates = [variant for variant, why in obstacles.items() if not why]
    without = [VariantState(variant.name, is_on=False, why=why) for variant, why in obstacles.items() if why]
    if not candidates:
        return tuple(without)
    cache, key, about = TrialCache(), key_of(model, trial.batches, in_graphs=in_graphs), _about(model)
    with cache.alone(lambda: progress("waiting for the variants that another engine tries", None)):
        return (*_known_or_tried(trial, candidates, cache, key, about, progress, only_known=only_known), *without)


def _known_or_tried(
    trial: VariantTrial,
    candidates: Sequence[Variant],
    cache: TrialCache,
    key: str,
    about: str,
    progress: Progress,
    *,
    only_known: bool,
) -> tuple[VariantState, ...]:
    """What was found of those that can be used."""
    tried = cache.find(key)
    names = {variant.name for variant in candidates}
    known = tuple(one for one in tried.variants if one.name in names) if tried is not None else ()
    for one in known:
        if one.why == BROKE:
            _log.warning("%s is left out: %s; --variants %s takes it all the same", one.name, one.why, one.name)
    if sum(one.why != BEGUN for one in known) < len(candidates) and not only_known:
        progress("trying variants", None)
        begin_s = time.monotonic()
        try:
            known = trial.run(candidates, known, lambda states: cache.keep(key, Tried(about, states)))
        except Exception as error:  # a slower way serves
            _log.warning("no variants are tried", exc_info=error)
        give_back(trial.model.device)  # how many sizes have graphs follows what is free
        told = ", ".join(f"{one}{'' if one.is_on else f': {one.why}'}" for one in known)
        _log.info("variants, tried in %.1f s: %s", time.monotonic() - begin_s, told)
    return known


def obstacle(variant: Variant, model: Model) -> str:
    """Why a variant can't be used for a model where that is; empty where it can."""
    device = model.device
    why = compiler_obstacle(device.type, capability_of(device)) if variant.needs_compiler(device) else ""
    return why or variant.why_not(model)


def key_of(model: Model, batches: Sequence[int], *, in_graphs: bool) -> str:
    """The key of what is found: a hash of device, versions, networks' forms, picture's size, and our sources."""
    forms = (
        f"{name} {tuple(tensor.shape)} {tensor.dtype}"
        for network in (model.unet, model.vae)
        for name, tensor in network.state_dict().items()
    )
    parts: Iterable[str] = (
        machine_of(model.device),
        f"diffusers {importlib.metadata.version('diffusers')}",
        *(inspect.getsource(module) for module in (how, contexts, folding)),
        *(file.read_text("utf-8") for file in sorted(Path(table.__file__).parent.glob("*.py"))),
        *(str(network) for network in (model.unet, model.vae)),
        *forms,
        *(f"{model.defaults.get(side)}" for side in ("width", "height")),
        f"{model.dtype} {model.guidance} {tuple(batches)} {in_graphs}",
    )
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _about(model: Model) -> str:
    device = torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else model.device.type
    default = Params.model_validate({**dict(Params()), **model.defaults})
    return f"{model.name}, {default.width}×{default.height}, {name_of(model.dtype)}, on {device}"
