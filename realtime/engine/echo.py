"""An engine without a model: pictures come back unchanged after a set delay. For tests, load tests and client work.

Must not import torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import MappingProxyType

from ..errors import ConfigError, FrameError, ModelError
from ..frame import Failure, Job, Order, Result, Stamps
from ..params import Params
from . import EngineInfo, LoraChange, RowCost
from .hearing import Heard
from .state import RungState


def cost_of_one(params: Params) -> RowCost:
    """See `Engine.cost`: 1 for every job."""
    return RowCost((1,))


class EchoEngine:
    """Implements `Engine`: returns every picture unchanged after one tick of `tick_ms`.

    The simulated device behaves as a GPU's queue: `tick` returns at once, ticks run one after another, and `collect`
    waits for its tick. So the time that a server adds can be measured.

    Args:
        tick_ms: duration of a tick, whatever its number of rows.
        max_rows: largest number of jobs in a tick.
        fault: called with each admitted job. A FrameError that it raises fails that frame, any other exception breaks
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
        self.cost = cost_of_one
        self._fault = fault
        self._device_free_ns = 0

    @classmethod
    def from_name(cls, name: str, *, max_rows: int) -> EchoEngine:
        """Parse `echo` or `echo:MS`.

        Raises:
            ConfigError: MS is not a number from 0 to 60000.
        """
        _, _, milliseconds = name.partition(":")
        try:
            tick_ms = float(milliseconds or 0)
        except ValueError:
            tick_ms = -1.0
        if not 0 <= tick_ms <= 60_000:
            raise ConfigError(f"--model {name}: write echo:MS with MS from 0 to 60000 milliseconds")
        return cls(tick_ms, max_rows)

    def hear(self, params: Params) -> Heard:
        """See `Engine`: it has no ear for prompts, and nothing to say of them."""
        return Heard()

    def when_broken(self, call: Callable[[], None]) -> None:
        """See `Engine`: it breaks in `tick` only."""

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        """See `Engine`: it has no weights."""
        raise ModelError("echo has no weights for LoRAs: take another --model")

    def is_prepared(self, order: Order) -> bool:
        """See `Engine`: nothing is needed."""
        return True

    def prepare_beside(self, order: Order) -> Future[int]:
        """See `Engine`: nothing is needed."""
        done = Future[int]()
        done.set_result(0)
        return done

    def prepare(self, order: Order) -> None:
        """See `Engine`: nothing is needed."""

    def tick(self, admitted: Sequence[Job]) -> EchoPending:
        """See `Engine`: the tick starts when the one before it ends."""
        outcomes = [self._admit(job) for job in admitted]
        self._device_free_ns = max(time.monotonic_ns(), self._device_free_ns) + int(self.tick_ms * 1e6)
        return EchoPending(admitted, outcomes, self._device_free_ns)

    def _admit(self, job: Job) -> Result | Failure:
        try:
            self._fault(job)
        except FrameError as error:
            return Failure(job, error)
        return Result(job, job.picture, Stamps.opened(job))

    def forget(self, session: str) -> None:
        """See `Engine`: nothing is kept of a session."""

    def close(self) -> None:
        """See `Engine`: there is nothing to free."""


class EchoPending:
    """Implements `Pending` for a tick of the simulated device."""

    preparing_ns: Mapping[int, int] = MappingProxyType({})

    def __init__(self, jobs: Sequence[Job], outcomes: list[Result | Failure], finished_ns: int) -> None:
        self.jobs = jobs
        self._outcomes = outcomes
        self.finished_ns = finished_ns

    def ready(self) -> bool:
        """See `Pending`."""
        return time.monotonic_ns() >= self.finished_ns

    def collect(self) -> list[Result | Failure]:
        """See `Pending`: sleeps until `finished_ns`."""
        while (rest_ns := self.finished_ns - time.monotonic_ns()) > 0:
            time.sleep(rest_ns / 1e9)
        denoised_ns = time.monotonic_ns()
        return [
            replace(outcome, stamps=replace(outcome.stamps, denoise=denoised_ns))
            if isinstance(outcome, Result)
            else outcome
            for outcome in self._outcomes
        ]
