"""Our engine on one rung, without a network or a codec: how long a frame takes, and what comes out.

Must not know what it is compared with, or how numbers are shown.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import numpy as np
import torch

from ...config import Accelerate, Config, Device, Dtype
from ...errors import EngineError
from ...frame import Failure, Format, Frame, Job, Result
from ...media.codec import Pixels
from ...params import OutputFormat, Params
from .. import Engine, Pending
from ..load import load_engine
from ..models.load import resolve_dtype
from ..regions import Call, Kind, Outputs
from ..state import RungState
from .likeness import Floats
from .machine import Machine

if TYPE_CHECKING:
    from ..diffusion import DiffusionEngine

QUIET_S = 6.0
"""Longer than the climb takes to see that a batch is in use."""
LOOK_EVERY_S = 0.25
PROMPT = "a photo"
STRENGTH = 0.5

Run = Callable[[Call], Outputs]
"""Of a backend."""


class Ours:
    """Our engine on one rung: pixels in the host's memory in and out; no JPEG on either side.

    Args:
        model: as in `realtime serve`, mostly a folder; its own autoencoder is taken.
        max_rows: the largest batch, to which CUDA graphs and packages are made.

    Attributes:
        is_settled: whether all that was waited for was made in time; True where nothing climbs.

    Raises:
        ConfigError: this machine does not have the rung.
    """

    def __init__(self, model: Path | str, accelerate: str, machine: Machine, max_rows: int = 16) -> None:
        self.is_settled = True
        self._machine = machine
        self._begin_s = time.perf_counter()
        self.engine: Engine = load_engine(
            Config(
                model=str(model),
                vae="full",
                accelerate=Accelerate(accelerate),
                device=Device(machine.device.type),
                dtype=_dtype(machine),
                max_rows=max_rows,
            )
        )
        self._number = 0
        self._load_s = self._settled_s = self._since_begin_s()
        self.frames(1, 1)
        self._first_frame_s = self._since_begin_s()

    def _since_begin_s(self) -> float:
        return time.perf_counter() - self._begin_s

    @property
    def rung(self) -> RungState:
        """What runs at this moment."""
        return self.engine.info.rung

    def told(self) -> dict[str, Any]:
        """What runs, in words and as `RungState.wire`; how long it took until the engine was loaded, had made a frame,
        and ran on this rung.

        The last is missing where the rung was not made in time. Importing torch came before.
        """
        rung = self.rung
        told: dict[str, Any] = {
            "what": str(rung),
            "rung": rung.wire(),
            "load_s": round(self._load_s, 2),
            "first_frame_s": round(self._first_frame_s, 2),
        }
        return told | ({"settled_s": round(self._settled_s, 2)} if self.is_settled else {})

    def settle(self, batches: Sequence[int], timeout_s: float) -> bool:
        """Wait until the rung is made for these batches; whether in time. After that nothing is made any more.

        Frames are made meanwhile, as a rung may be made for what is in use; few, as what is made may be tuned by how
        long it takes on this device.
        """
        climb = cast("DiffusionEngine", self.engine).climb
        if climb is None:
            return True
        end_s = time.perf_counter() + timeout_s
        for batch in batches:
            self.is_settled = self._wait_for(batch, end_s) and self.is_settled
        self._settled_s = self._since_begin_s()
        climb.close()
        return self.is_settled

    def _wait_for(self, batch: int, end_s: float) -> bool:
        """Until a batch is compiled, or nothing has been made for a while."""
        busy_s = time.perf_counter()
        while (now_s := time.perf_counter()) < end_s:
            self.frames(batch, 1)
            rung = self.rung
            if is_made_for(rung, batch, self._machine.side_px):
                return True
            if rung.doing is not None:
                busy_s = now_s
            elif now_s - busy_s > QUIET_S:
                return True
            time.sleep(LOOK_EVERY_S)
        return False

    def jobs(self, batch: int, steps: int, first: int = 0) -> list[Job]:
        """A frame of each of so many sessions; the pictures follow from `first`."""
        side = self._machine.side_px
        defaults = {**dict(Params()), **self.engine.info.defaults}
        fixed = {"width": side, "height": side, "num_inference_steps": steps, "strength": STRENGTH, "prompt": PROMPT}
        params = Params.model_validate({**defaults, **fixed, "output_format": OutputFormat.JPEG})
        made: list[Job] = []
        for row in range(batch):
            self._number += 1
            now_ns = time.monotonic_ns()
            frame = Frame(self._number, Format.NONE, b"", 0, now_ns)
            pixels = picture(first + row, side)
            made.append(Job(frame, params, f"trial-{row}", now_ns, self._number, encode=False, picture=pixels))
        return made

    def frames(self, batch: int, steps: int, first: int = 0) -> list[Result]:
        """Make a frame of each of so many sessions, and wait for them."""
        results: list[Result] = []
        pending = self.engine.tick(self.jobs(batch, steps, first))
        results += _results(pending)
        while self.engine.busy_rows:
            results += _results(self.engine.tick([]))
        return results

    def pipelined(self, batch: int, steps: int, rounds: int) -> float:
        """Milliseconds a frame where the next tick is launched before the last one is collected, as a server does."""
        begin_s = time.perf_counter()
        last: Pending | None = None
        for round_ in range(rounds):
            admitted = self.jobs(batch, steps, round_)
            while True:
                pending = self.engine.tick(admitted)
                if last is not None:
                    _results(last)
                last, admitted = pending, []
                if not self.engine.busy_rows:
                    break
        if last is not None:
            _results(last)
        return (time.perf_counter() - begin_s) * 1000 / (rounds * batch)

    def host_ms(self, batch: int, steps: int, rounds: int) -> float:
        """Milliseconds a frame that `tick` holds the engine's thread, by the median; the device has nothing else to do.

        On a CPU that is all of the work; on a GPU what launching it takes.
        """
        times_ms: list[float] = []
        for round_ in range(rounds):
            jobs, spent_ms = self.jobs(batch, steps, round_), 0.0
            while jobs or self.engine.busy_rows:
                self._machine.wait()
                begin_s = time.perf_counter()
                pending = self.engine.tick(jobs)
                spent_ms += (time.perf_counter() - begin_s) * 1000
                _results(pending)
                jobs = []
            times_ms.append(spent_ms / batch)
        return sorted(times_ms)[rounds // 2]

    def made(self, batch: int, steps: int) -> tuple[list[Pixels], list[Floats]]:
        """What the frames of the first pictures look like, and their latents before they are decoded: no rounding to
        levels hides anything there."""
        latents = list[Floats]()

        def tap(run: Run, call: Call) -> Outputs:
            if call.kind is Kind.DECODE:
                latents.extend(x.float().cpu().numpy() for x in call.columns["x"])
            return run(call)

        with self._tapped(tap):
            results = sorted(self.frames(batch, steps), key=lambda result: result.job.number)
        return [result.picture.copy() for result in results], latents

    @contextmanager
    def watched(self) -> Generator[dict[Kind, list[float]]]:
        """How many milliseconds each call of a region takes meanwhile. Each is waited for: not for a GPU."""
        spent_ms: dict[Kind, list[float]] = {kind: [] for kind in Kind}

        def tap(run: Run, call: Call) -> Outputs:
            begin_s = time.perf_counter()
            outputs = run(call)
            self._machine.wait()
            spent_ms[call.kind].append((time.perf_counter() - begin_s) * 1000)
            return outputs

        with self._tapped(tap):
            yield spent_ms

    @contextmanager
    def _tapped(self, tap: Callable[[Run, Call], Outputs]) -> Generator[None]:
        """Let each call of a region pass through here."""
        backend = cast("DiffusionEngine", self.engine).backend
        with mock.patch.object(backend, "run", functools.partial(tap, backend.run)):
            yield

    def close(self) -> None:
        """Free the device."""
        self.engine.close()


def _dtype(machine: Machine) -> Dtype:
    """As a server would be told: one that is not asked for may be improved upon by a rung."""
    if not machine.exact and machine.dtype is resolve_dtype(Dtype.AUTO, machine.device):
        return Dtype.AUTO
    return {torch.float32: Dtype.FLOAT32, torch.float16: Dtype.FLOAT16, torch.bfloat16: Dtype.BFLOAT16}[machine.dtype]


def is_made_for(rung: RungState, batch: int, side_px: int) -> bool:
    """Whether all regions are compiled for a batch of so many square pictures."""
    wanted = (batch, side_px, side_px)
    return set(Kind).issubset(made.kind for made in rung.made_for if (made.batch, made.width, made.height) == wanted)


def _results(pending: Pending) -> list[Result]:
    results: list[Result] = []
    for outcome in pending.collect():
        if isinstance(outcome, Failure):
            raise EngineError(f"a frame of the trial failed: {outcome.error}")
        results.append(outcome)
    return results


@functools.lru_cache(64)
def picture(seed: int, side_px: int) -> Pixels:
    """A random picture with some structure; made once, as making it is not what is timed."""
    cells = np.random.default_rng(seed % 8).integers(30, 220, (side_px // 8, side_px // 8, 3), dtype=np.uint8)
    return cells.repeat(8, 0).repeat(8, 1)
