"""Opens frames (decode, crop, resize) before the engine and seals results (matte, encode) behind it, several at once.

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
from typing import Generic, Protocol, TypeVar

from ..errors import FrameError
from ..frame import Failure, Frame, Job, Order, Result
from ..params import Matte
from ..pixels import Pixels
from . import codec, matte
from .calm import calmed, calming_ns
from .dissolve import dissolved, dissolving_ns
from .feedback import MIXING_NS, is_of_shape, mixed
from .hints import HINTING_NS, Hints
from .thumbnail import thumbnail

THREADS_MAX = 4
"""Beside the calling thread. Eight pictures of 512x512 take 4 ms of one thread: more threads gain nothing."""
HEAVY_NS = 20e6
"""Expected time from which on a picture goes aside. A JPEG of 720p takes 6 ms, a PNG of 2048x2048 half a second."""

ToOpen = tuple[Order, Result | None]
"""A frame to open, and the newest picture of its stream."""
ToSeal = tuple[Result | Failure, Result | None]
"""An outcome to seal, and the newest picture of its stream."""

A = TypeVar("A")
B = TypeVar("B")


class Decoding(Protocol):
    """Decodes pictures, here or elsewhere. Any thread."""

    def decode(
        self, frame: Frame, width: int, height: int, max_pixels: int, session: str
    ) -> tuple[Pixels, Pixels | None]:
        """See `codec.decode_with_alpha`.

        Args:
            session: the name of whose frame it is, or who else has sent it.
        """
        ...

    def waits(self, frame: Frame) -> bool:
        """Whether the frame, decoded now, would wait for whoever decodes to be ready."""
        ...

    def spent_ns(self) -> int:
        """Processor time that was spent elsewhere, so far, on what the calling thread had decoded."""
        ...


class DecodingHere:
    """Implements `Decoding` in the calling thread."""

    def decode(
        self, frame: Frame, width: int, height: int, max_pixels: int, session: str
    ) -> tuple[Pixels, Pixels | None]:
        """See `Decoding`."""
        return codec.decode_with_alpha(frame.data, frame.format, width, height, max_pixels)

    def waits(self, frame: Frame) -> bool:
        """See `Decoding`."""
        return False

    def spent_ns(self) -> int:
        """See `Decoding`."""
        return 0


@dataclass(frozen=True, slots=True)
class Done(Generic[B]):
    """An outcome, and what it took.

    Attributes:
        spent_ns: CPU time of the thread that made it, and of whoever decoded for it.
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
        decoding: decodes the frames' pictures; None: `DecodingHere`.
    """

    def __init__(
        self,
        max_pixels: int = 2048 * 2048,
        clock: Callable[[], int] = time.monotonic_ns,
        threads: int | None = None,
        cpu_clock: Callable[[], int] = time.thread_time_ns,
        decoding: Decoding | None = None,
    ) -> None:
        self._decoding = decoding or DecodingHere()
        self._hints = Hints()
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

    def open(self, frames: Sequence[ToOpen]) -> Iterator[Done[Job | Failure]]:
        """Decode, crop and resize the frames' pictures to the size of their params, make the hints that are wanted of
        them, and mix their pasts in if these say so.

        Yields:
            In the frames' order: a job, or a failure where the picture can't be decoded, or a hint not be made.
        """
        return self._spread(self._open, frames)

    def is_heavy_to_open(self, order: Order) -> bool:
        """Whether the frame is one for `open_aside`."""
        params = order.params
        of_pixel_ns = (MIXING_NS if params.feedback else 0) + HINTING_NS * len(order.hints_wanted)
        of_size_ns = of_pixel_ns * params.width * params.height
        is_heavy = codec.decoding_ns(order.frame.data, order.frame.format) + of_size_ns > HEAVY_NS
        return is_heavy or self._decoding.waits(order.frame)

    def open_aside(self, frame: ToOpen, then: Callable[[], object]) -> Future[Done[Job | Failure]]:
        """As `open`, without waiting for it.

        Args:
            then: called by some thread when it is done.
        """
        return self._put_aside(self._open, frame, then)

    def seal(self, outcomes: Sequence[ToSeal]) -> Iterator[Done[Result | Failure]]:
        """Dissolve those before them into the pictures whose jobs say so, or calm them by those before them, put them
        together by their mattes, and encode those whose jobs ask for it (`Order.encode`).

        Yields:
            In the outcomes' order, each as soon as it is done, so that it can be sent before the next.
        """
        return self._spread(self._seal, outcomes)

    def is_heavy_to_seal(self, outcome: Result | Failure) -> bool:
        """Whether the result is one for `seal_aside`."""
        if isinstance(outcome, Failure):
            return False
        params = outcome.job.params
        pixels = params.width * params.height
        encoding_ns = codec.encoding_ns(pixels, params.output_format) if outcome.job.encode else 0.0
        composing_ns = matte.COMPOSING_NS * pixels if params.matte is not Matte.OFF else 0.0
        if outcome.job.dissolve is not None:
            composing_ns += dissolving_ns(pixels)
        elif params.calm:
            composing_ns += calming_ns(pixels)
        return encoding_ns + composing_ns > HEAVY_NS

    def seal_aside(self, outcome: ToSeal, then: Callable[[], object]) -> Future[Done[Result | Failure]]:
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
        begun_ns = self._spent_ns()
        outcome = work(item)
        return Done(outcome, self._spent_ns() - begun_ns)

    def _spent_ns(self) -> int:
        return self._cpu_clock() + self._decoding.spent_ns()

    def _open(self, to_open: ToOpen) -> Job | Failure:
        order, past = to_open
        params, frame = order.params, order.frame
        size = params.width, params.height
        try:
            picture, alpha = self._decoding.decode(frame, *size, self._max_pixels, order.session)
            hints = self._hints.of(order.hints_wanted, picture, order.references)
        except FrameError as error:
            return Failure(order, error)
        own = picture
        if params.feedback and past is not None and is_of_shape(past.whole, own):
            picture = mixed(own, past.whole, params.feedback, params.feedback_zoom, params.feedback_turn)
        return Job(
            frame,
            params,
            order.session,
            order.admitted_ns,
            order.number,
            order.encode,
            order.references,
            order.hints_wanted,
            order.dissolve,
            order.checks_input,
            picture=picture,
            alpha=alpha,
            original=own if picture is not own else None,
            thumbnail=thumbnail(matte.compared(own, alpha, params.matte))
            if params.skip_unchanged and not params.is_moving and order.dissolve is None
            else None,
            hints=hints,
            opened_ns=self._clock(),
        )

    def _seal(self, to_seal: ToSeal) -> Result | Failure:
        outcome, past = to_seal
        if isinstance(outcome, Failure):
            return outcome
        params, whole, picture_format, data = outcome.job.params, outcome.picture, outcome.format, outcome.data
        if (dissolve := outcome.job.dissolve) is not None and past is not None:
            share = dissolve.share(past.job.admitted_ns, outcome.job.admitted_ns)
            whole = dissolved(whole, outcome.job.input, past.whole, past.job.input, share)
        elif params.calm and past is not None:
            whole = calmed(whole, outcome.job.input, past.whole, past.job.input, params.calm)
        mask = outcome.mask
        if mask is not None and past is not None and past.mask is not None:
            mask = matte.steadied(mask, past.mask, outcome.job.input, past.job.input)
        picture, key = matte.applied(whole, mask, outcome.job)
        if outcome.job.encode:
            picture_format, data = codec.encode(picture, params.output_format, params.output_quality, key)
        stamps = dataclasses.replace(outcome.stamps, encode=self._clock())
        return dataclasses.replace(
            outcome,
            picture=picture,
            restyled=whole if picture is not whole else None,
            mask=mask,
            key=key,
            stamps=stamps,
            format=picture_format,
            data=data,
        )
