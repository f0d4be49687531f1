"""An engine without a model: it decodes, waits as a device would, and encodes what came in.

Load tests, tests and client work stand on it, so it ships. Must not import torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..errors import ConfigError, FrameError
from ..frame import Failure, Job, Result, Stamps
from . import EngineInfo, codec

Outcome = tuple[Job, codec.Pixels, Stamps] | Failure


class EchoEngine:
    """Gives every picture back, `tick_ms` a tick.

    The delay behaves as a GPU's queue does: `tick` returns at once, ticks run one after another on their own, and
    `collect` waits for its tick. So what a server adds to the device's time can be measured to the millisecond.

    Args:
        tick_ms: how long the pretended device works on a tick, whatever its number of rows.
        max_rows: jobs of one tick.
        max_pixels: the largest picture it decodes.
        fault: called with each admitted job; what it raises happens: a FrameError to that frame, anything else to
            the engine.
    """

    def __init__(
        self,
        tick_ms: float = 0.0,
        max_rows: int = 8,
        max_pixels: int = 2048 * 2048,
        fault: Callable[[Job], None] = lambda job: None,
    ) -> None:
        self.tick_ms = tick_ms
        self.free_rows = max_rows
        self.busy_rows = 0  # every job is done after one tick
        self.info = EngineInfo("echo", "echo", "none", f"echo: pictures come back as they are, {tick_ms:g} ms a tick")
        self._max_pixels = max_pixels
        self._fault = fault
        self._device_free_ns = 0

    @classmethod
    def from_name(cls, name: str, *, max_rows: int, max_pixels: int = 2048 * 2048) -> EchoEngine:
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
        return cls(tick_ms, max_rows, max_pixels)

    def tick(self, admitted: Sequence[Job]) -> EchoPending:
        """Decode now; the pretended device starts as soon as it is free."""
        outcomes = [self._admit(job) for job in admitted]
        self._device_free_ns = max(time.monotonic_ns(), self._device_free_ns) + int(self.tick_ms * 1e6)
        return EchoPending(outcomes, self._device_free_ns)

    def _admit(self, job: Job) -> Outcome:
        stamps = Stamps(job.frame.received_ns, queue=job.admitted_ns)
        try:
            self._fault(job)
            params, frame = job.params, job.frame
            picture = codec.decode(frame.data, frame.format, params.width, params.height, self._max_pixels)
        except FrameError as error:
            return Failure(job, error)
        stamps.decode = time.monotonic_ns()
        return job, picture, stamps

    def close(self) -> None:
        """Nothing to free."""


class EchoPending:
    """A tick of the pretended device."""

    def __init__(self, outcomes: list[Outcome], finished_ns: int) -> None:
        self.jobs = [outcome.job if isinstance(outcome, Failure) else outcome[0] for outcome in outcomes]
        self._outcomes = outcomes
        self.finished_ns = finished_ns

    def ready(self) -> bool:
        """Whether the pretended device is done."""
        return time.monotonic_ns() >= self.finished_ns

    def collect(self) -> list[Result | Failure]:
        """Wait for the pretended device, then encode."""
        while (rest_ns := self.finished_ns - time.monotonic_ns()) > 0:
            time.sleep(rest_ns / 1e9)
        denoised_ns = time.monotonic_ns()
        return [o if isinstance(o, Failure) else _encode(*o, denoised_ns) for o in self._outcomes]


def _encode(job: Job, picture: codec.Pixels, stamps: Stamps, denoised_ns: int) -> Result:
    stamps.denoise = denoised_ns
    picture_format, data = codec.result_data(picture, job)
    stamps.encode = time.monotonic_ns()
    return Result(job, picture, data, picture_format, stamps)
