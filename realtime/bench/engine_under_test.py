"""Loads an engine on one rung, waits for its upgrades, and runs frames on it, without network or codec.

Must not know what it is compared with, or how numbers are shown.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import Config
from ..engine import Engine, Pending
from ..engine.load import load_engine
from ..engine.state import RungState
from ..errors import EngineError
from ..frame import Failure, Format, Frame, Job, Result
from ..params import OutputFormat, Params
from ..pixels import Pixels

if TYPE_CHECKING:
    from ..engine.rungs.upgrade import Upgrade

QUIET_S = 6.0
"""How long nothing must be made before a batch counts as settled: longer than `specialise.SETTLED_NS`."""
LOOK_EVERY_S = 0.25
"""Pause between two frames while upgrades are waited for."""
REGIONS = {"encode", "step", "decode"}
"""Values of `regions.Kind`, which imports torch."""
PROMPT = "a photo"
STRENGTH = 0.5


class EngineUnderTest:
    """A loaded engine whose input and output are pixels in the host's memory.

    Args:
        config: names the model and the rung.
        side_px: width and height of the pictures; None for the model's own.

    Attributes:
        is_settled: False if `settle` ran into its time-out.

    Raises:
        ConfigError: the rung can't run the model on this machine.
        ModelError: as `load_engine`.
    """

    def __init__(self, config: Config, side_px: int | None = None) -> None:
        self.is_settled = True
        self._begin_s = time.perf_counter()
        self.engine: Engine = self._load(config)
        self._defaults = Params.model_validate({**dict(Params()), **self.engine.info.defaults})
        self.side_px = side_px or self._defaults.width
        self._number = 0
        self._load_s = self._settled_s = self._since_begin_s()
        self.frames(1, 1)
        self._first_frame_s = self._since_begin_s()

    def _load(self, config: Config) -> Engine:
        return load_engine(config)

    def _since_begin_s(self) -> float:
        return time.perf_counter() - self._begin_s

    @property
    def rung(self) -> RungState:
        """The engine's rung at this moment."""
        return self.engine.info.rung

    def told(self) -> dict[str, Any]:
        """What runs: `what` in words, `rung` as `RungState.wire`; and seconds from the beginning until the engine was
        loaded (with importing torch, if nobody had), had run a frame and, unless it ran into the time-out, was settled.
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
        """Wait until the upgrade has made what it makes for these batches, then end the upgrade.

        Frames are run meanwhile, as an upgrade compiles for calls in use; few, as what it compiles may be tuned by
        timings on this device.

        Args:
            batches: numbers of frames at once.
            timeout_s: for all of them together.

        Returns:
            False if that took too long.
        """
        upgrade: Upgrade | None = getattr(self.engine, "upgrade", None)
        if upgrade is None:
            return True
        end_s = time.perf_counter() + timeout_s
        for batch in batches:
            self.is_settled = self._wait_for(batch, end_s) and self.is_settled
        self._settled_s = self._since_begin_s()
        upgrade.close()
        return self.is_settled

    def _wait_for(self, batch: int, end_s: float) -> bool:
        """Run frames until the rung is made for a batch, or has made nothing for `QUIET_S`; False after the end."""
        busy_s = time.perf_counter()
        while (now_s := time.perf_counter()) < end_s:
            self.frames(batch, 1)
            rung = self.rung
            if is_made_for(rung, batch, self.side_px):
                return True
            if rung.doing is not None:
                busy_s = now_s
            elif now_s - busy_s > QUIET_S:
                return True
            time.sleep(LOOK_EVERY_S)
        return False

    def jobs(self, batch: int, steps: int, first: int = 0) -> list[Job]:
        """Jobs of `batch` sessions.

        Args:
            steps: UNet calls of each.
            first: seed of the first picture, counted up from there.
        """
        side = self.side_px
        fixed = {"width": side, "height": side, "num_inference_steps": steps, "strength": STRENGTH, "prompt": PROMPT}
        params = Params.model_validate({**dict(self._defaults), **fixed, "output_format": OutputFormat.JPEG})
        made: list[Job] = []
        for row in range(batch):
            self._number += 1
            now_ns = time.monotonic_ns()
            frame = Frame(self._number, Format.NONE, b"", 0, now_ns)
            pixels = picture(first + row, side)
            made.append(Job(frame, params, f"trial-{row}", now_ns, self._number, encode=False, picture=pixels))
        return made

    def frames(self, batch: int, steps: int, first: int = 0) -> list[Result]:
        """Run the jobs of `jobs` and wait for their results."""
        results: list[Result] = []
        pending = self.engine.tick(self.jobs(batch, steps, first))
        results += results_of(pending)
        while self.engine.busy_rows:
            results += results_of(self.engine.tick([]))
        return results

    def pipelined(self, batch: int, steps: int, rounds: int) -> float:
        """Run batches with each tick launched before the one before it is collected, as the scheduler does on CUDA.

        Args:
            rounds: number of batches.

        Returns:
            Milliseconds a frame.
        """
        begin_s = time.perf_counter()
        last: Pending | None = None
        for round_ in range(rounds):
            admitted = self.jobs(batch, steps, round_)
            while True:
                pending = self.engine.tick(admitted)
                if last is not None:
                    results_of(last)
                last, admitted = pending, []
                if not self.engine.busy_rows:
                    break
        if last is not None:
            results_of(last)
        return (time.perf_counter() - begin_s) * 1000 / (rounds * batch)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def is_made_for(rung: RungState, batch: int, side_px: int) -> bool:
    """True if all regions are compiled for `batch` square pictures of this side."""
    wanted = (batch, side_px, side_px)
    return REGIONS.issubset(made.kind for made in rung.made_for if (made.batch, made.width, made.height) == wanted)


def results_of(pending: Pending) -> list[Result]:
    """Collect a tick's results.

    Raises:
        EngineError: a frame failed.
    """
    results: list[Result] = []
    for outcome in pending.collect():
        if isinstance(outcome, Failure):
            raise EngineError(f"a frame of the trial failed ({outcome.error}): try another --dtype or --accelerate")
        results.append(outcome)
    return results


@functools.lru_cache(64)
def picture(seed: int, side_px: int) -> Pixels:
    """A random picture of 8×8-pixel cells, uint8 [side_px, side_px, 3]. Cached, as making it is not to be timed."""
    cells = np.random.default_rng(seed % 8).integers(30, 220, (side_px // 8, side_px // 8, 3), dtype=np.uint8)
    return cells.repeat(8, 0).repeat(8, 1)
