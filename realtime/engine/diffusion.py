"""The diffusion engine: admits jobs into rows, moves all rows one step on a tick, and lets finished ones leave.

Must not know sessions, the scheduler or the wire.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ..errors import EngineError, FrameError, ModelError
from ..frame import Failure, Job, Order, Result
from ..params import Matte, Params
from . import EngineInfo, LoraChange, Progress, rows
from .backend import Backend
from .beside import Beside
from .device_memory import DeviceRoom, builder_obstacle, give_back, room_beside
from .hearing import Heard
from .models.nets import works_of
from .pending import Clock, DiffusionPending, Failed, Leaving, checked_on_host
from .recipe import Recipes
from .rows import Entry, Finished, Mark, Passed, Row
from .rungs.climb import Climb
from .rungs.upgrade import Upgrade
from .steering import check_hints, steering_bytes
from .warm_up import GreyFrame, grey_frames
from .work import RowWork

if TYPE_CHECKING:
    from ..config import EngineConfig
    from .models.load import Model
    from .models.lora import ModelLoras
    from .models.lora_weights import Wearing

_log = logging.getLogger(__name__)

FEW_CORES = 8
"""With fewer, codecs and the event loop need the one that waits for the GPU."""


def load_diffusion_engine(config: EngineConfig, progress: Progress) -> DiffusionEngine:
    """Load the model that `config` names, start its rung and run warm-up frames.

    Raises:
        ModelError, ConfigError: see `load_engine`.
    """
    from .models.components import AutoencoderKL
    from .models.load import load_model
    from .rungs import registry

    model = load_model(config, progress)
    avoided = config.avoid_rungs
    is_full = isinstance(model.vae, AutoencoderKL)
    dtype = model.vae.dtype if is_full else model.dtype
    room = room_beside(
        model.device,
        dtype,
        is_tiny=not is_full,
        visiting_bytes=model.visiting_bytes,
        more_row_bytes=steering_bytes(model),
    )
    default = _default_params(model)
    max_rows = room.rows(config.max_rows, default.width * default.height)
    if max_rows < config.max_rows:
        _log.info("the GPU's memory suffices for %d rows of %dx%d", max_rows, default.width, default.height)
    start = registry.start(config.accelerate, model, progress, max_rows, avoided=avoided, variants=config.variants)
    # On a CPU both would share its cores: the prompt would be there later, and nobody's picture sooner.
    beside = Beside(model.device) if model.device.type == "cuda" else None
    engine = DiffusionEngine(model, start.backend, max_rows=max_rows, avoided=avoided, room=room, beside=beside)
    engine.warm_up(progress)
    if start.finish is not None:
        start.finish(progress)
        engine.warm_up(progress)  # on CUDA this captures what `finish` compiled
    networks = (model.unet, model.vae, *model.beside)
    engine.climb = Climb(
        config,
        lambda config: Upgrade(config, engine.adopt, obstacle=lambda: builder_obstacle(model.device, networks)),
        start,
    )
    engine.climb.begin()
    return engine


class DiffusionEngine:
    """Implements `Engine` with a UNet and an autoencoder.

    A tick makes one UNet call for each picture size and length of prompt in flight. A row leaves after its last step:
    where a session lowers its number of steps while it has several rows in flight, a newer frame may finish before an
    older one, which is dropped at delivery.

    On CUDA `tick` only launches work. On other devices the work is done when it returns.

    Args:
        model: from `load_model`.
        backend: runs the model's regions until `adopt` replaces it.
        max_rows: largest number of rows in flight.
        avoided: see `RungState`.
        room: in the device's memory.
        beside: encodes prompts while ticks go on; None: `prepare` does so between two.
        clock: monotonic nanoseconds.

    Attributes:
        climb: makes a faster backend meanwhile; None where there is none to come.
        cost: see `Engine`.
    """

    def __init__(
        self,
        model: Model,
        backend: Backend,
        *,
        max_rows: int = 8,
        avoided: Sequence[str] = (),
        room: DeviceRoom = DeviceRoom(),  # noqa: B008  it is frozen
        beside: Beside | None = None,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.backend = backend
        self._beside = beside
        self.climb: Climb | None = None
        self._hears_contexts = backend.regions.denoiser.hears_contexts
        self.recipes = Recipes(model, hears_contexts=self._hears_contexts)
        nets = works_of(model.nets, finds_people=model.finds_people)
        self.cost = RowWork(model.guidance, nets, model.checker is not None)
        self._model = model
        self._default = _default_params(model)
        self._max_rows = max_rows
        self._avoided = tuple(avoided)
        self._clock = clock
        self._rows: list[Row] = []
        self._room = room
        self._most_work = math.inf if room.pixels is None else room.pixels
        self._adopted: deque[Backend] = deque()
        # Waiting for an event takes a core, unless it blocks, and then 50 µs more.
        self._has_few_cores = (os.cpu_count() or 1) < FEW_CORES

    @property
    def info(self) -> EngineInfo:
        """See `Engine`."""
        model, default = self._model, self._default
        device = model.device.type
        if device == "cuda":
            device = f"cuda ({torch.cuda.get_device_name(model.device)})"
        rung = self.backend.rung if self.climb is None else self.climb.beside(self.backend.rung)
        return EngineInfo(
            model.name,
            model.family.name,
            device,
            replace(rung, avoided=self._avoided),
            defaults=model.defaults,
            styles=model.styles,
            guidance=model.guidance,
            hears_pictures=model.prompt_encoder.hears_pictures,
            hears_negative=self._hears_contexts,
            reference_layers=tuple(model.ip_adapter.layers) if model.ip_adapter and self._hears_contexts else (),
            takes_loras=model.loras is not None,
            best_steps=model.best_steps,
            pictures=model.pictures if model.prompt_encoder.hears_pictures else (),
            mattes=tuple(Matte),
            controls=tuple(info for net in model.nets for info in net.controls),
            max_output_pixels=self._room.max_output_pixels(model.max_output_pixels, default.width * default.height),
            notes=model.notes,
            prepares_beside=self._beside is not None,
            batches=self.backend.batches.at_most(self._most_work),
        )

    @property
    def upgrade(self) -> Upgrade | None:
        """The upgrade under way, or the last; None where there was none."""
        return self.climb.upgrade if self.climb is not None else None

    @property
    def free_rows(self) -> int:
        """See `Engine`."""
        return self._max_rows - len(self._rows)

    @property
    def busy_rows(self) -> int:
        """See `Engine`."""
        return len(self._rows)

    def hear(self, params: Params) -> Heard:
        """See `Engine`."""
        return self._model.listener.hear(params, hears_negative=self._hears_contexts)

    def adopt(self, backend: Backend) -> None:
        """Run the regions on another backend of the same model from the next tick on, and close the old one then. Any
        thread.

        Rows in flight continue: latents have the same form on all rungs.
        """
        self._adopted.append(backend)

    def _take_adopted(self) -> None:
        while self._adopted:
            old, self.backend = self.backend, self._adopted.popleft()
            old.close()
            _log.info("now runs on %s", self.backend.rung)

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """See `Engine`."""
        if (own := self._model.loras) is None:
            raise ModelError(f"models of this family ({self._model.family.name}) take no LoRAs: take another --model")
        from .models.lora import live_notes

        wearing = own.ready(loras)
        are_copied = self.climb is not None and self.climb.copies_weights
        notes = live_notes(wearing.loras, self._model.sampler, are_copied=are_copied)
        return LoraChange(lambda: self._put(own, wearing, loras), notes)

    def _put(self, own: ModelLoras, wearing: Wearing, loras: Sequence[str]) -> Future[None]:
        done = Future[None]()
        try:
            with self._model.prompt_encoder.unused():
                own.wear(wearing)
        except (ModelError, torch.OutOfMemoryError) as error:
            short = "LoRAs: the device has too little memory to change them: take a smaller one"
            done.set_exception(error if isinstance(error, ModelError) else ModelError(short))
        else:
            self._weights_changed(loras)
            done.set_result(None)
        return done

    def _weights_changed(self, loras: Sequence[str]) -> None:
        """Forget all that was computed of the weights before."""
        if self._beside is not None:
            self._beside.fence()
        self.recipes.forget()
        self._model.prompt_encoder.forget()
        if self.climb is not None and (backend := self.climb.begin_anew(loras)) is not None:
            while self._adopted:  # of the weights before
                self._adopted.popleft().close()
            self._adopted.append(backend)
            self._take_adopted()
        self.backend.regions.denoiser.forget()

    def when_broken(self, call: Callable[[], None]) -> None:
        """See `Engine`: it breaks in `tick` and `collect` only."""

    def is_prepared(self, order: Order) -> bool:
        """See `Engine`."""
        return self._beside is None or not self.recipes.lacks(order.params, order.references)

    def prepare_beside(self, order: Order) -> Future[int]:
        """See `Engine`: encodes its prompts and pictures."""
        if self._beside is None:
            done = Future[int]()
            done.set_result(0)
            return done
        return self._beside.submit(self.recipes.beside(order.params, order.references))

    def prepare(self, order: Order) -> None:
        """See `Engine`: compiles the recipe."""
        with torch.inference_mode(), contextlib.suppress(FrameError, torch.OutOfMemoryError):
            self.recipes.get(order.params, order.references)

    def tick(self, admitted: Sequence[Job]) -> DiffusionPending:
        """See `Engine`; new rows do their first step in this tick.

        If the device is out of memory, all rows and all of `admitted` fail, and the engine goes on; for want of memory
        for a job's prompt, that job.
        """
        if len(admitted) > self.free_rows:
            raise EngineError(f"{len(admitted)} jobs for {self.free_rows} free rows")
        self._take_adopted()
        with torch.inference_mode():
            opened = [self._open(job) for job in admitted]
            try:
                after = self._advance(opened)
            except torch.OutOfMemoryError:
                after = None
        if after is None:
            self._have_less_work(admitted)
            after = self._fail_all(opened)
        self._rows = [one for one in after if isinstance(one, Row)]
        leaving = [one for one in after if not isinstance(one, Row)]
        end, checker = self._end_mark(), self._model.host_checker
        if checker is not None and isinstance(end, int):  # the pictures are there, and its time is the tick's
            leaving, end, checker = checked_on_host(leaving, checker), self._clock(), None
        return DiffusionPending(leaving, end, self._clock, checker)

    def _open(self, job: Job) -> Entry | Passed | Failed:
        """Look up a job's recipe; a FrameError fails this job alone, and so does too little memory for its prompt."""
        try:
            recipe = self.recipes.get(job.params, job.references)
            if recipe is not None:
                check_hints(job, recipe)
        except FrameError as error:
            return Failed(job, error)
        except torch.OutOfMemoryError:
            give_back(self._model.device)
            short = "the device has too little memory for these params: take a smaller picture or a shorter prompt"
            return Failed(job, FrameError(short, "out_of_memory"))
        return Entry(job, recipe) if recipe is not None else Passed(job)

    def _advance(self, opened: Sequence[Entry | Passed | Failed]) -> list[Row | Leaving]:
        """Encode new rows, move all rows one step on, decode those that are done, and find people in what leaves.

        Returns:
            For each row in flight, then each of `opened`: the row if it has steps left, else what leaves.
        """
        made: dict[Entry, Row | Finished] = {}
        if self.backend.takes_frames:
            made |= self._whole(opened)
        for entries in rows.by_size(one for one in opened if isinstance(one, Entry) and one not in made):
            begun = rows.encode_latents(entries, self.backend)
            made |= zip(entries, begun, strict=True)
            self._mark(begun, "encode_latents")
        after = [*self._rows, *(made[one] if isinstance(one, Entry) else one for one in opened)]
        for group in rows.by_form(one for one in after if isinstance(one, Row)):
            rows.denoise(group, self.backend)
            self._mark(group, "denoise")
        wanting = [one for one in after if isinstance(one, Passed | Finished) or (isinstance(one, Row) and one.is_done)]
        for group in rows.by_size(one for one in wanting if one.job.params.matte.finds_people):
            rows.find_people(group, self.backend)
        finished: dict[Row, Finished] = {}
        for group in rows.by_size(one for one in after if isinstance(one, Row) and one.is_done):
            checks = self._model.device_checker is not None
            finished |= zip(group, rows.decode_latents(group, self.backend, checks=checks), strict=True)
            self._mark(group, "decode_latents")
        return self._checked([finished.get(one, one) if isinstance(one, Row) else one for one in after])

    def _checked(self, after: Sequence[Row | Leaving]) -> list[Row | Leaving]:
        """The same, with what the checker on the device says of frames' own pictures that may be seen."""
        if self._model.device_checker is None:
            return list(after)
        seen = [one for one in after if isinstance(one, Finished | Passed) and rows.own_pictures(one)]
        scores: dict[Finished | Passed, rows.Scores] = {}
        for group in rows.by_size(seen):
            scores |= rows.check_own(group, self.backend)
        return [
            replace(one, scores=scores[one]) if isinstance(one, Finished | Passed) and one in scores else one
            for one in after
        ]

    def _whole(self, opened: Sequence[Entry | Passed | Failed]) -> dict[Entry, Finished]:
        """Make the pictures of those new frames that one call a size can make whole, where nothing else is of their
        size: else they share the calls of what is.
        """
        made: dict[Entry, Finished] = {}
        taken = {(row.job.params.width, row.job.params.height) for row in self._rows}
        for entries in rows.by_size(one for one in opened if isinstance(one, Entry)):
            params = entries[0].job.params
            if (params.width, params.height) in taken or not rows.are_whole(entries):
                continue
            checks = self._model.device_checker is not None
            finished = rows.make_whole(entries, self.backend, self._end_mark(), checks=checks)
            self._mark([*finished.values()], "decode_latents")
            made |= finished
        return made

    def _have_less_work(self, admitted: Sequence[Job]) -> None:
        """Memory did not suffice for a tick of the rows in flight and these jobs: further ones are to have half the
        work of its largest batch.
        """
        batches = rows.by_size([*self._rows, *(Passed(job) for job in admitted)])
        work = max((sum(self.cost(one.job.params).first for one in batch) for batch in batches), default=0)
        self._most_work = min(self._most_work, work // 2)
        _log.warning("too little memory for a tick of %d rows: from now on they are smaller", sum(map(len, batches)))

    def _fail_all(self, new: Sequence[Entry | Passed | Failed]) -> list[Row | Leaving]:
        """Fail all rows in flight and all of `new`, because the device is out of memory, and free its cache."""
        error = FrameError(
            "the device has too little memory for this picture size: take a smaller one", "out_of_memory"
        )

        def failed(one: Row | Entry | Passed | Failed) -> Failed:
            return one if isinstance(one, Failed) else Failed(one.job, error)

        leaving = [failed(one) for one in [*self._rows, *new]]
        self._rows = []
        give_back(self._model.device)
        return list(leaving)

    def _mark(self, group: Sequence[Row | Finished], stage: str) -> None:
        mark = self._end_mark()
        for row in group:
            row.marks[stage] = mark

    def _end_mark(self) -> Mark:
        """A mark behind the work that was launched so far: the time, or on CUDA an event."""
        if self._model.device.type == "mps":
            torch.mps.synchronize()  # it works asynchronously too
        if self._model.device.type != "cuda":
            return self._clock()
        event = torch.cuda.Event(enable_timing=True, blocking=self._has_few_cores)
        event.record()
        return event

    def warm_up(self, progress: Progress = lambda stage, percent: None) -> None:
        """Run `grey_frames` of the default size, one batch for each of `Backend.prepare`'s sizes. A larger batch that
        fails is logged, and so is what fails with nets.

        Raises:
            ModelError: a single plain frame failed.
        """
        batches = self.backend.prepare(self._default.width, self._default.height)
        try:
            for grey in grey_frames(self._default, self._model.nets, self._clock()):
                self._warm_up(grey, batches, progress)
        finally:
            self.backend.prepared()
        # What eager mode took, and what ran before captures, is cached for streams that hardly need it any more.
        give_back(self._model.device)

    def _warm_up(self, grey: GreyFrame, batches: Sequence[int], progress: Progress) -> None:
        for i, batch in enumerate(batches):
            progress(f"warm up {grey.of}".rstrip(), 100 * i / len(batches) if len(batches) > 1 else None)
            most_work = self._most_work
            failures = [outcome for outcome in self._run_alone(grey.times(batch)) if isinstance(outcome, Failure)]
            if not failures:
                continue
            error = failures[0].error
            if batch > 1 or grey.of:
                _log.warning("%d frames at once%s: %s", batch, f" with {grey.of}" if grey.of else "", error)
                if batch > 1:
                    continue
                self._most_work = most_work  # those without nets are as many as before
                return
            advice = "a smaller model" if error.code == "out_of_memory" else "--dtype float32 or another --vae"
            raise ModelError(f"{self._model.name}: a first frame failed ({error}): try {advice}")

    def _run_alone(self, jobs: Sequence[Job]) -> list[Result | Failure]:
        """Run jobs in one batch until all have left."""
        outcomes = self.tick(jobs).collect()
        while self.busy_rows:
            outcomes += self.tick([]).collect()
        return outcomes

    def forget(self, session: str) -> None:
        """See `Engine`: nothing is kept of a session. Recipes are kept by params, whoever's they are."""

    def close(self) -> None:
        """See `Engine`: ends the upgrade, drops the rows, closes the backend and frees the device's cache."""
        if self.climb is not None:
            self.climb.close()
        if self._beside is not None:
            self._beside.close()
        self._rows.clear()
        self.backend.close()
        give_back(self._model.device)


def _default_params(model: Model) -> Params:
    """Of a frame of which nothing is asked."""
    return Params.model_validate({**dict(Params()), **model.defaults})
