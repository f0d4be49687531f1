"""Opens frames (decode, crop, resize) before the engine and seals results (encode) behind it, several at once.

The codecs release the interpreter lock, so a few threads share the work; a single frame is done in the calling thread,
without a hop. What takes long goes *aside*, to a thread that nobody waits for; it has no lower priority, for then it
would keep the interpreter lock while it waits for a processor. Must not know whose frames they are or when their turn
comes.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import FrameError
from ..frame import Failure, Job, Order, Result
from . import codec
from .thumbnail import thumbnail

THREADS_MAX = 4
"""Beside the calling thread. Eight pictures of 512x512 take 4 ms of one thread: more threads gain nothing."""
HEAVY_NS = 20e6
"""Expected time from which on a picture goes aside. A JPEG of 720p takes 6 ms, a PNG of 2048x2048 half a second."""

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Done(Generic[B]):
    """An outcome, and what it took.

    Attributes:
        spent_ns: CPU time of the thread that made it.
    """

    outcome: B
    spent_ns: int


class Pipeline:
    """A pool of threads that opens frames and seals results.

    Args:
        max_pixels: the largest picture that is decoded.
        clock: monotonic nanoseconds.
        threads: beside the calling one; None takes one a further processor, up to `THREADS_MAX`.
        cpu_clock: nanoseconds that the calling thread has worked.
    """

    def __init__(
        self,
        max_pixels: int = 2048 * 2048,
        clock: Callable[[], int] = time.monotonic_ns,
        threads: int | None = None,
        cpu_clock: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._max_pixels = max_pixels
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._threads = min(THREADS_MAX, (os.cpu_count() or 1) - 1) if threads is None else threads
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="pipeline") if self._threads > 0 else None
        self._aside = ThreadPoolExecutor(max(1, self._threads // 2), "aside")

    @property
    def concurrency(self) -> int:
        """How many frames are worked on at once."""
        return 1 + self._threads

    def open(self, orders: Sequence[Order]) -> Iterator[Done[Job | Failure]]:
        """Decode, crop and resize the frames' pictures to the size of their params.

        Yields:
            In the orders' order: a job, or a failure where the picture can't be decoded.
        """
        return self._spread(self._open, orders)

    def is_heavy_to_open(self, order: Order) -> bool:
        """Whether the frame is one for `open_aside`."""
        return codec.decoding_ns(order.frame.data, order.frame.format) > HEAVY_NS

    def open_aside(self, order: Order, then: Callable[[], object]) -> Future[Done[Job | Failure]]:
        """As `open`, without waiting for it.

        Args:
            then: called by some thread when it is done.
        """
        return self._put_aside(self._open, order, then)

    def seal(self, outcomes: Sequence[Result | Failure]) -> Iterator[Done[Result | Failure]]:
        """Encode the pictures of the results whose jobs ask for it (`Order.encode`).

        Yields:
            In the outcomes' order, each as soon as it is done, so that it can be sent before the next.
        """
        return self._spread(self._seal, outcomes)

    def is_heavy_to_seal(self, outcome: Result | Failure) -> bool:
        """Whether the result is one for `seal_aside`."""
        if isinstance(outcome, Failure) or not outcome.job.encode:
            return False
        params = outcome.job.params
        return codec.encoding_ns(params.width * params.height, params.output_format) > HEAVY_NS

    def seal_aside(self, outcome: Result | Failure, then: Callable[[], object]) -> Future[Done[Result | Failure]]:
        """As `seal`, without waiting for it.

        Args:
            then: called by some thread when it is done.
        """
        return self._put_aside(self._seal, outcome, then)

    def close(self) -> None:
        """End the threads. What is aside and has not begun is cancelled."""
        self._aside.shutdown(cancel_futures=True)
        if self._pool is not None:
            self._pool.shutdown()

    def _put_aside(self, work: Callable[[A], B], item: A, then: Callable[[], object]) -> Future[Done[B]]:
        future = self._aside.submit(self._timed, work, item)
        future.add_done_callback(lambda done: then())
        return future

    def _spread(self, work: Callable[[A], B], items: Sequence[A]) -> Iterator[Done[B]]:
        """Apply `work` to all items, in order. The calling thread does those that no other has begun by their turn."""
        if not items:
            return
        pool = self._pool
        others = [pool.submit(self._timed, work, item) for item in items[1:]] if pool is not None else []
        yield self._timed(work, items[0])
        for item, other in itertools.zip_longest(items[1:], others):
            yield self._timed(work, item) if other is None or other.cancel() else other.result()

    def _timed(self, work: Callable[[A], B], item: A) -> Done[B]:
        begun_ns = self._cpu_clock()
        outcome = work(item)
        return Done(outcome, self._cpu_clock() - begun_ns)

    def _open(self, order: Order) -> Job | Failure:
        params, frame = order.params, order.frame
        try:
            picture = codec.decode(frame.data, frame.format, params.width, params.height, self._max_pixels)
        except FrameError as error:
            return Failure(order, error)
        return Job(
            frame,
            params,
            order.session,
            order.admitted_ns,
            order.number,
            order.encode,
            picture=picture,
            thumbnail=thumbnail(picture) if params.skip_unchanged else None,
            opened_ns=self._clock(),
        )

    def _seal(self, outcome: Result | Failure) -> Result | Failure:
        if isinstance(outcome, Failure):
            return outcome
        params, picture_format, data = outcome.job.params, outcome.format, outcome.data
        if outcome.job.encode:
            picture_format, data = codec.encode(outcome.picture, params.output_format, params.output_quality)
        stamps = dataclasses.replace(outcome.stamps, encode=self._clock())
        return dataclasses.replace(outcome, stamps=stamps, format=picture_format, data=data)
