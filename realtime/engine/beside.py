"""What is made beside the ticks: in a thread of its own, on CUDA on a stream of its own, one thing after the other.

Must not know what is made, or who wants it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch


class Making(NamedTuple):
    """Something to be made.

    Attributes:
        make: makes it, or raises. Called in the thread.
        keep: called there with what was made, or with the exception, once the device is done with it.
    """

    make: Callable[[], Any]
    keep: Callable[[Any], None]


class Beside:
    """Makes things beside the ticks, which go on meanwhile.

    Args:
        device: where they are made.
    """

    def __init__(self, device: torch.device) -> None:
        self._thread = ThreadPoolExecutor(1, "beside")
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._weights: torch.cuda.Event | None = None
        self.fence()

    def fence(self) -> None:
        """Weights have changed: have what is asked for from now on made behind what the ticks' stream has to do by now.
        Called by the ticks' thread.
        """
        if self._stream is not None:
            self._weights = torch.cuda.Event()
            self._weights.record(torch.cuda.current_stream(self._device))

    def submit(self, makings: Sequence[Making]) -> Future[int]:
        """Have these made, behind all that was asked for before.

        Returns:
            Ends when all are kept, with how long it took, in nanoseconds; never with an exception.
        """
        return self._thread.submit(self._run, makings, self._weights)

    def close(self) -> None:
        """Make nothing more; waits for what is being made."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self, makings: Sequence[Making], weights: torch.cuda.Event | None) -> int:
        begun_ns = time.monotonic_ns()
        with torch.inference_mode(), self._on_stream(weights):
            made = [_outcome(making) for making in makings]
        for making, one in zip(makings, made, strict=True):
            making.keep(one)
        return time.monotonic_ns() - begun_ns

    @contextmanager
    def _on_stream(self, weights: torch.cuda.Event | None) -> Generator[None]:
        """Work on the stream, and wait until the device has done so."""
        if self._stream is None:
            yield
            return
        if weights is not None:
            self._stream.wait_event(weights)
        with torch.cuda.stream(self._stream):
            yield
        done = torch.cuda.Event(blocking=True)  # it spins a core else
        done.record(self._stream)
        done.synchronize()


def _outcome(making: Making) -> Any:
    try:
        return making.make()
    except Exception as error:
        return error
