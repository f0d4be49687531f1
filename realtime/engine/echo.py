"""An engine without a model: it waits as a device would and gives back what came in.

Load tests, tests and client work stand on it, so it ships. Must not import torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import ConfigError, FrameError
from ..frame import Failure, Job, Result, Stamps
from ..params import Params
from . import EngineInfo, RowCost
from .state import RungState


class EchoEngine:
    """Gives every picture back, `tick_ms` a tick.

    The delay behaves as a GPU's queue does: `tick` returns at once, ticks run one after another on their own, and
    `collect` waits for its tick. So what a server adds to the device's time can be measured to the millisecond.

    Args:
        tick_ms: how long the pretended device works on a tick, whatever its number of rows.
        max_rows: jobs of one tick.
        fault: called with each admitted job; what it raises happens: a FrameError to that frame, anything else to
            the engine.
    """

    def __init__(
        self,
        tick_ms: float = 0.0,
        max_rows: int = 8,
        fault: Callable[[Job], None] = lambda job: None,
    ) -> None:
        self.tick_ms = tick_ms
        self.free_rows = max_rows
        self.busy_rows = 0  # every job is done after one tick
        rung = RungState("echo", f"echo: pictures come back as they are, {tick_ms:g} ms a tick")
        self.info = EngineInfo("echo", "echo", "none", rung)
        self._fault = fault
        self._device_free_ns = 0

    @classmethod
    def from_name(cls, name: str, *, max_rows: int) -> EchoEngine:
        """The engine that `echo` or `echo:MS` names.

        Raises:
            ConfigError: MS is no number of milliseconds.
        """
        _, _, milliseconds = name.partition(":")
        try:
            tick_ms = float(milliseconds or 0)
        except ValueError:
            tick_ms = -1.0
        if not 0 <= tick_ms <= 60_000:
            raise ConfigError(f"--model {name}: write echo:MS with MS from 0 to 60000 milliseconds")
        return cls(tick_ms, max_rows)

    def cost(self, params: Params) -> RowCost:
        """Every job is alike."""
        return RowCost(work=1, ticks=1)

    def tick(self, admitted: Sequence[Job]) -> EchoPending:
        """The pretended device starts as soon as it is free."""
        outcomes = [self._admit(job) for job in admitted]
        self._device_free_ns = max(time.monotonic_ns(), self._device_free_ns) + int(self.tick_ms * 1e6)
        return EchoPending(admitted, outcomes, self._device_free_ns)

    def _admit(self, job: Job) -> Result | Failure:
        try:
            self._fault(job)
        except FrameError as error:
            return Failure(job, error)
        return Result(job, job.picture, Stamps.opened(job))

    def close(self) -> None:
        """Nothing to free."""


class EchoPending:
    """A tick of the pretended device."""

    def __init__(self, jobs: Sequence[Job], outcomes: list[Result | Failure], finished_ns: int) -> None:
        self.jobs = jobs
        self._outcomes = outcomes
        self.finished_ns = finished_ns

    def ready(self) -> bool:
        """Whether the pretended device is done."""
        return time.monotonic_ns() >= self.finished_ns

    def collect(self) -> list[Result | Failure]:
        """Wait for the pretended device."""
        while (rest_ns := self.finished_ns - time.monotonic_ns()) > 0:
            time.sleep(rest_ns / 1e9)
        denoised_ns = time.monotonic_ns()
        return [
            replace(outcome, stamps=replace(outcome.stamps, denoise=denoised_ns))
            if isinstance(outcome, Result)
            else outcome
            for outcome in self._outcomes
        ]
