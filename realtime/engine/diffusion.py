"""The diffusion engine: admits jobs into rows, moves all rows one step on a tick, and lets finished ones leave.

Must not know sessions, the scheduler or the wire.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import EngineError, FrameError, ModelError
from ..frame import Failure, Format, Frame, Job, Result
from ..params import Params
from . import EngineInfo, Progress, RowCost, rows
from .backend import Backend
from .pending import Clock, DiffusionPending, Failed, Leaving, Passed
from .recipe import Recipes
from .rows import Entry, Finished, Mark, Row
from .rungs.upgrade import Upgrade

if TYPE_CHECKING:
    from ..config import Config
    from .models.load import Model

_log = logging.getLogger(__name__)


def load_diffusion_engine(config: Config, progress: Progress) -> DiffusionEngine:
    """Load the model that `config` names and make it ready for the first frame.

    Raises:
        ModelError, ConfigError: as `load_engine`.
    """
    from .models.load import load_model
    from .rungs import registry

    model = load_model(config, progress)
    start = registry.start(config.accelerate, model, progress, config.max_rows)
    engine = DiffusionEngine(model, start.backend, max_rows=config.max_rows)
    engine.warm_up(progress)
    if start.finish is not None:
        start.finish(progress)
        engine.warm_up(progress)  # on CUDA what was made is captured now
    if start.upgrade is not None:
        engine.upgrade = Upgrade(config, engine.adopt)
        engine.upgrade.start(start.upgrade)
    return engine


class DiffusionEngine:
    """Implements `Engine` with a UNet and an autoencoder.

    A tick makes one UNet call for each picture size in flight: as a rule there is one. Rows leave when they are done,
    so a session that lowers its steps, or its strength to nothing, while it has several rows in flight may see a newer
    frame overtake an older one; whoever delivers drops the older.

    On CUDA `tick` only launches work. Elsewhere the work is done when it returns.

    Args:
        model: what `load_model` gives.
        backend: runs the model's regions; `adopt` puts another one in its place.
        max_rows: frames in flight.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        model: Model,
        backend: Backend,
        *,
        max_rows: int = 8,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.backend = backend
        self.upgrade: Upgrade | None = None
        self.recipes = Recipes(model)
        self._model = model
        self._max_rows = max_rows
        self._clock = clock
        self._rows: list[Row] = []
        self._adopted: deque[Backend] = deque()

    @property
    def info(self) -> EngineInfo:
        """What is loaded."""
        model = self._model
        device = model.device.type
        if device == "cuda":
            device = f"cuda ({torch.cuda.get_device_name(model.device)})"
        return EngineInfo(
            model.name,
            model.family.name,
            device,
            self.backend.rung if self.upgrade is None else self.upgrade.beside(self.backend.rung),
            defaults=model.defaults,
            styles=model.styles,
            guidance=model.guidance,
            max_output_pixels=model.max_output_pixels,
            notes=model.notes,
        )

    @property
    def free_rows(self) -> int:
        """How many jobs the next tick can admit."""
        return self._max_rows - len(self._rows)

    @property
    def busy_rows(self) -> int:
        """How many rows have steps left to do."""
        return len(self._rows)

    def cost(self, params: Params) -> RowCost:
        """See `Engine`: work is pixels of UNet rows."""
        return self.recipes.cost(params)

    def adopt(self, backend: Backend) -> None:
        """Let another backend of the same model run the regions from the next tick on. Any thread.

        Rows in flight go on where they are: latents are the same on all rungs. The old backend is closed.
        """
        self._adopted.append(backend)

    def _take_adopted(self) -> None:
        while self._adopted:
            old, self.backend = self.backend, self._adopted.popleft()
            old.close()
            _log.info("now runs on %s", self.backend.rung)

    def tick(self, admitted: Sequence[Job]) -> DiffusionPending:
        """Admit jobs and move every row one step on; new rows do their first step at once.

        Where the device's memory does not suffice, all rows fail and the engine lives.
        """
        if len(admitted) > self.free_rows:
            raise EngineError(f"{len(admitted)} jobs for {self.free_rows} free rows")
        self._take_adopted()
        opened: list[Entry | Passed | Failed] = []
        try:
            with torch.inference_mode():
                opened += [self._open(job) for job in admitted]
                after = self._advance(opened)
        except torch.OutOfMemoryError:
            after = None
        if after is None:
            after = self._fail_all(opened or admitted)
        self._rows = [one for one in after if isinstance(one, Row)]
        return DiffusionPending([one for one in after if not isinstance(one, Row)], self._end_mark(), self._clock)

    def _open(self, job: Job) -> Entry | Passed | Failed:
        """Find the recipe; a FrameError is this frame's alone."""
        try:
            recipe = self.recipes.get(job.params)
        except FrameError as error:
            return Failed(job, error)
        return Entry(job, recipe) if recipe is not None else Passed(job)

    def _advance(self, opened: Sequence[Entry | Passed | Failed]) -> list[Row | Leaving]:
        """One step of all rows, new ones among them.

        Returns:
            What became of the rows in flight and of `opened`, in their order.
        """
        entered: dict[Entry, Row] = {}
        for entries in rows.by_size(one for one in opened if isinstance(one, Entry)):
            entered |= zip(entries, rows.encode_latents(entries, self.backend), strict=True)
            self._mark([entered[entry] for entry in entries], "encode_latents")
        after = [*self._rows, *(entered[one] if isinstance(one, Entry) else one for one in opened)]
        for group in rows.by_size(one for one in after if isinstance(one, Row)):
            rows.denoise(group, self.backend)
            self._mark(group, "denoise")
        finished: dict[Row, Finished] = {}
        for group in rows.by_size(one for one in after if isinstance(one, Row) and one.is_done):
            finished |= zip(group, rows.decode_latents(group, self.backend), strict=True)
            self._mark(group, "decode_latents")
        return [finished.get(one, one) if isinstance(one, Row) else one for one in after]

    def _fail_all(self, new: Sequence[Entry | Passed | Failed | Job]) -> list[Row | Leaving]:
        """The device's memory did not suffice: no row stays on it.

        Args:
            new: the jobs that were admitted, as far as they were opened.
        """
        error = FrameError("the device has too little memory for this picture size", "out_of_memory")

        def failed(one: Row | Entry | Passed | Failed | Job) -> Failed:
            return one if isinstance(one, Failed) else Failed(one if isinstance(one, Job) else one.job, error)

        leaving = [failed(one) for one in [*self._rows, *new]]
        self._rows = []
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()
        return list(leaving)

    def _mark(self, group: Sequence[Row], stage: str) -> None:
        mark = self._end_mark()
        for row in group:
            row.marks[stage] = mark

    def _end_mark(self) -> Mark:
        """This moment, in the order of the device's work."""
        if self._model.device.type != "cuda":
            return self._clock()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def warm_up(self, progress: Progress = lambda stage, percent: None) -> None:
        """Run frames of the default size, so that the first users do not pay for what is done once.

        Raises:
            ModelError: one frame alone gave no picture, so none would.
        """
        params = Params.model_validate({**dict(Params()), **self._model.defaults})
        batches = self.backend.prepare(params.width, params.height)
        for i, batch in enumerate(batches):
            progress("warm up", 100 * i / len(batches) if len(batches) > 1 else None)
            failures = [outcome for outcome in self._run_grey(batch, params) if isinstance(outcome, Failure)]
            if not failures:
                continue
            error = failures[0].error
            if batch > 1:
                _log.warning("%d frames at once: %s", batch, error)
                return
            advice = "a smaller model" if error.code == "out_of_memory" else "--dtype float32 or another --vae"
            raise ModelError(f"{self._model.name}: {error}: try {advice}")

    def _run_grey(self, count: int, params: Params) -> list[Result | Failure]:
        """So many grey frames in one batch."""
        grey = np.full((params.height, params.width, 3), 128, np.uint8)
        frame, now_ns = Frame(0, Format.NONE, b"", 0, self._clock()), self._clock()
        job = Job(frame, params, "warm-up", now_ns, picture=grey)
        outcomes = self.tick([job] * count).collect()
        while self.busy_rows:
            outcomes += self.tick([]).collect()
        return outcomes

    def close(self) -> None:
        """End the upgrade, drop the rows and give cached memory back."""
        if self.upgrade is not None:
            self.upgrade.close()
        self._rows.clear()
        self.backend.close()
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()
