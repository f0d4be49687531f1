"""A trial of variants: each is timed against the regions without it, on the device, and is on where it is faster.

Both calculate the same frames in turns, so that a busy machine slows both. What is not within the tolerance of
`exactness` is never on, and what is not clearly faster is not either.

Must not know what a variant changes, or where results are kept.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...frame import Format, Frame, Job
from ...params import Params
from .. import rows
from ..backend import PlainBackend, name_of
from ..recipe import Recipes
from ..regions import Call, Outputs, Regions
from ..staging import join
from ..state import CallShape, RungState, VariantState
from .capture import Capture, CudaCapture
from .exactness import fault

if TYPE_CHECKING:
    from ..models.load import Model
    from ..variants.table import Variant

_log = logging.getLogger(__name__)

KEPT_BELOW, WORST = 0.98, 1.02
"""The time with a variant to that without, below which it is kept: the mean of all batches, and each of them."""
TRIED_S = 0.8
"""How long both are timed, for each batch, beyond `LEAST_TURNS`."""
LEAST_TURNS, MOST_TURNS = 5, 60
LONGEST_S = 0.3
"""Where a frame's regions take longer, trying is left: it would delay the first frame by many seconds."""
BEGUN = "the engine ended while it was tried: it is tried once more at the next start"
BROKE = "the engine ended twice while it was tried"

Clock = Callable[[], float]
Inputs = dict[str, torch.Tensor]
Keep = Callable[[tuple[VariantState, ...]], None]


class Timing(NamedTuple):
    """How arms are timed.

    Attributes:
        clock: seconds.
        wait: returns when the device has done all that was launched.
        capture: makes graphs of what is timed, where graphs will run it; None times eager mode.
    """

    clock: Clock
    wait: Callable[[], None]
    capture: Capture | None

    @classmethod
    def on(cls, device: torch.device, *, in_graphs: bool) -> Timing:
        """Of a device, by the real clock."""
        capture = CudaCapture(device) if in_graphs and device.type == "cuda" else None
        return cls(time.perf_counter, lambda: _wait(device), capture)


class Sample(NamedTuple):
    """A call of a region with a frame's inputs: [B, …] on the device."""

    call: CallShape
    inputs: Inputs


@dataclass(frozen=True)
class VariantTrial:
    """Tries variants on one model.

    Attributes:
        model: without variants.
        batches: numbers of rows that are tried.
        timing: how.
        tried_s, longest_s: see `TRIED_S` and `LONGEST_S`.
    """

    model: Model
    batches: Sequence[int]
    timing: Timing
    tried_s: float = TRIED_S
    longest_s: float = LONGEST_S

    def run(self, candidates: Sequence[Variant], known: Sequence[VariantState], keep: Keep) -> tuple[VariantState, ...]:
        """Try each variant that is not known yet, over those that were kept before it.

        Args:
            known: what was found of others; one whose trial did not end (`BEGUN`) is tried once more.
            keep: called with all that has been found so far, before and behind each.
        """
        found = {one.name: one for one in known if one.why != BEGUN}
        begun = {one.name for one in known} - found.keys()
        broken: dict[str, VariantState] = {}  # by whatever it was: they are tried again at the next start
        samples: list[Sample] = []
        for variant in candidates:
            if variant.name in found:
                continue
            samples = samples or [sample for batch in self.batches for sample in self.samples(batch)]
            before = tuple(found.values())
            # Somebody may kill a process once. What ends it by its kernels does so again.
            if variant.name in begun:
                _log.warning("%s is tried once more: the engine ended while it was tried before", variant.name)
            why = BROKE if variant.name in begun else BEGUN
            keep((*before, VariantState(variant.name, is_on=False, why=why)))
            try:
                found[variant.name] = self._tried(variant, before, samples)
            except Exception as error:  # a compiler, or a library that lacks a kernel, may raise any
                self.timing.wait()  # raises where the device does not work any more
                _log.warning("%s is left out: %s", variant.name, first_line(error))
                broken[variant.name] = VariantState(variant.name, is_on=False, why=first_line(error))
                keep(before)
            except BaseException:
                keep(before)
                raise
            else:
                keep(tuple(found.values()))
        return (*found.values(), *broken.values())

    def checked(self, variants: Sequence[Variant]) -> str:
        """Why these variants together can't be used; empty where they can."""
        states = tuple(VariantState(variant.name, is_on=True) for variant in variants)
        wanted = {kind for variant in variants for kind in variant.kinds}
        return self._fault(variants, states, [one for one in self.samples(1) if one.call.kind in wanted])

    def samples(self, batch: int) -> list[Sample]:
        """The calls of so many frames of the model's default size in one tick, in their first step."""
        tap = _Tap(replace(self.model, variants=()))
        params = Params.model_validate({**dict(Params()), **self.model.defaults})
        with torch.inference_mode():
            recipe = Recipes(self.model, hears_contexts=tap.regions.denoiser.hears_contexts).get(params)
            if recipe is None:  # frames of the default strength pass through
                return []
            entries = [rows.Entry(_job(params, number), recipe) for number in range(batch)]
            taken = rows.encode_latents(entries, tap)
            rows.denoise(taken, tap)
            rows.decode_latents(taken, tap)
        return tap.samples

    def _tried(self, variant: Variant, before: tuple[VariantState, ...], samples: Sequence[Sample]) -> VariantState:
        """Compare and time one variant over those that are on before it."""
        name = variant.name
        samples = [one for one in samples if one.call.kind in variant.kinds]
        if not samples:
            return VariantState(name, is_on=False, why="no frame of this model passes what it changes")
        states = (*before, VariantState(name, is_on=True))
        try:
            if wrong := self._fault([variant], states, samples):
                return VariantState(name, is_on=False, why=f"its results {wrong}")
            ratios = [
                self._ratio(variant, before, states, [one for one in samples if one.call.batch == batch])
                for batch in self.batches
            ]
        finally:
            self._switch(variant, on=False)
        if None in ratios:
            return VariantState(name, is_on=False, why=f"not tried: a frame takes over {self.longest_s:g} s")
        timed = [ratio for ratio in ratios if ratio is not None]
        ratio = statistics.fmean(timed)
        is_on = ratio < KEPT_BELOW and max(timed) <= WORST
        return VariantState(name, is_on, round(ratio, 3), "" if is_on else "not faster here")

    def _fault(self, switched: Sequence[Variant], states: tuple[VariantState, ...], samples: Sequence[Sample]) -> str:
        """See `exactness.fault`: of the regions with these variants, to those with none.

        Args:
            switched: those of them that are not on yet, and are then.
        """
        found: list[list[Outputs]] = []
        for on, those in ((False, ()), (True, states)):
            for variant in switched:
                self._switch(variant, on=on)
            regions = Regions.of_model(replace(self.model, variants=those))
            with torch.inference_mode():
                found.append([regions.region_for(call)(**inputs) for call, inputs in samples])
        faults = (fault(ours, theirs, name_of(self.model.dtype)) for theirs, ours in zip(*found, strict=True))
        return next(filter(None, faults), "")

    def _ratio(
        self,
        variant: Variant,
        before: tuple[VariantState, ...],
        after: tuple[VariantState, ...],
        samples: Sequence[Sample],
    ) -> float | None:
        """The time with a variant to that without; None where it takes too long to tell."""
        arms = [self._arm(variant, states, on, samples) for states, on in ((before, False), (after, True))]
        for arm in arms:
            arm()  # warm
        if self._time(arms[0]) > self.longest_s:
            return None
        ratios: list[float] = []
        end = self.timing.clock() + self.tried_s
        while len(ratios) < LEAST_TURNS or (len(ratios) < MOST_TURNS and self.timing.clock() < end):
            turn = arms if len(ratios) % 2 else arms[::-1]
            times = {id(arm): self._time(arm) for arm in turn}
            ratios.append(times[id(arms[1])] / times[id(arms[0])])
        return statistics.median(ratios)

    def _arm(
        self, variant: Variant, states: tuple[VariantState, ...], on: bool, samples: Sequence[Sample]
    ) -> Callable[[], None]:
        """Calls all regions of a frame, and waits for the device."""
        regions = Regions.of_model(replace(self.model, variants=states))
        self._switch(variant, on=on)
        calls = [self._call(regions, sample) for sample in samples]

        def arm() -> None:
            if self.timing.capture is None:
                self._switch(variant, on=on)
            with torch.inference_mode():
                for call in calls:
                    call()
            self.timing.wait()

        return arm

    def _call(self, regions: Regions, sample: Sample) -> Callable[[], Outputs]:
        region, inputs = regions.region_for(sample.call), sample.inputs
        if self.timing.capture is None:
            return lambda: region(**inputs)
        with torch.inference_mode():
            return self.timing.capture.capture(lambda: region(**inputs))

    def _time(self, arm: Callable[[], None]) -> float:
        begin = self.timing.clock()
        arm()
        return self.timing.clock() - begin

    @staticmethod
    def _switch(variant: Variant, *, on: bool) -> None:
        if variant.switch is not None:
            variant.switch(on)


class _Tap(PlainBackend):
    """Eager mode, and keeps what it was called with."""

    def __init__(self, model: Model) -> None:
        super().__init__(Regions.of_model(model), model.device, RungState("eager", ""))
        self.samples: list[Sample] = []

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        inputs = {name: join(column, self._device) for name, column in call.columns.items()}
        self.samples.append(Sample(call.shape, inputs))
        return self.answer(call.shape, inputs)(**inputs)


def _job(params: Params, number: int) -> Job:
    """A frame with something to see: soft shapes and grain."""
    dice = np.random.default_rng(number)
    rough = dice.integers(40, 216, (-(-params.height // 64), -(-params.width // 64), 3))
    soft = rough.repeat(64, 0).repeat(64, 1)[: params.height, : params.width]
    picture = (soft + dice.integers(-8, 9, soft.shape)).astype(np.uint8)
    frame = Frame(number, Format.NONE, b"", 0, time.monotonic_ns())
    return Job(frame, params, f"trial-{number}", time.monotonic_ns(), picture=picture)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, torch.OutOfMemoryError):
        return "too little memory"
    return f"{type(error).__name__}: {(str(error).strip() or 'without words').splitlines()[0][:200]}"
