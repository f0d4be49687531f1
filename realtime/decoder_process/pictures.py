"""Pictures that are decoded in processes of their own: a few processes, one of which has one picture at a time.

Must not know sessions but by their names. Implements `media.pipeline.Decoding`.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import NamedTuple

from ..config import Config, DecoderProcess
from ..errors import FrameError
from ..frame import Format, Frame
from ..media import codec
from ..media.pipeline import HEAVY_NS
from ..pixels import Pixels
from ..references import REFERENCE_SIDE_PX
from .child import DecoderLimits, Serve, missing_limits
from .penalties import Penalties
from .room import Room, Shape
from .worker import DecoderWorker, WorkerDied

_log = logging.getLogger(__name__)

LIGHT_S, HEAVY_S = 3.0, 10.0
"""Time for a picture that is expected to take up to `HEAVY_NS`, for which others may wait, and for another one. What
spins ends by `CPU_S`; a decoder that is only late, on a busy machine, is not to be taken for one that hangs."""
CPU_S = 3
MEMORY_BYTES, MEMORY_BYTES_PER_PIXEL = 256 * 2**20, 32
"""Of address space: threads' stacks and allocators' arenas, and for each pixel of the largest picture."""
LEAST_BYTES = 2 * 2**20
"""Of the largest file, whatever a frame may have: pictures for prompts have up to so many."""

FORMATS = {
    DecoderProcess.OFF: frozenset[Format](),
    DecoderProcess.MOST: frozenset({Format.PNG, Format.WEBP}),
    DecoderProcess.ALL: frozenset({Format.PNG, Format.WEBP, Format.JPEG}),
}


class PictureAsk(NamedTuple):
    """A file of so many bytes is in the room: see `codec.decode_with_alpha`."""

    length: int
    declared: Format
    width: int
    height: int
    max_pixels: int


def make() -> Serve:
    """See `Make`."""
    return decode_picture


def decode_picture(ask: PictureAsk, room: Room) -> tuple[Shape, ...]:
    """The shapes of the picture, and of its opacity where it has one, which are in the room then."""
    data = room.read(ask.length)
    picture, alpha = codec.decode_with_alpha(data, ask.declared, ask.width, ask.height, ask.max_pixels)
    return room.put([picture] if alpha is None else [picture, alpha])


class PictureDecoders:
    """Decodes pictures of some formats elsewhere, and all others here. Any thread.

    Args:
        config: says which, and how large they may be.
    """

    def __init__(self, config: Config) -> None:
        self._formats = FORMATS[config.decoder_process]
        self._max_bytes = max(config.max_message_bytes, LEAST_BYTES)
        # A file goes in; RGB and opacity come out.
        room_bytes = max(self._max_bytes, *(4 * pixels for pixels in (config.max_output_pixels, REFERENCE_SIDE_PX**2)))
        limits = DecoderLimits(MEMORY_BYTES + MEMORY_BYTES_PER_PIXEL * config.max_pixels, CPU_S, HEAVY_S)
        self._start = partial(DecoderWorker, make, room_bytes, limits)
        self._penalties = Penalties()
        self._changed = threading.Condition()
        self._free: list[DecoderWorker] = []  # all have begun
        self._busy: set[DecoderWorker] = set()
        self._beginning: set[DecoderWorker] = set()
        self._starts = 0  # of processes, under way
        self._waiting: list[_Waiter] = []
        self._is_closed = False
        self._own = threading.local()

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        with self._changed:
            return [worker.pid for worker in (*self._free, *self._busy, *self._beginning)]

    def begin(self) -> None:
        """Start the first process, so that the first picture need not wait for it: it takes a second, in a thread."""
        if not self._formats:
            return
        if missing := missing_limits():
            _log.info("decoders' processes: this system has no limits of %s", missing)
        with self._changed:
            self._have_one_ready()

    def waits(self, frame: Frame) -> bool:
        """See `Decoding`: where no process is free, one is started meanwhile."""
        if frame.format not in self._formats:
            return False
        with self._changed:
            is_one_free = any(worker.is_alive for worker in self._free)
            if not is_one_free:
                self._have_one_ready()
        return not is_one_free

    def decode(
        self, frame: Frame, width: int, height: int, max_pixels: int, session: str
    ) -> tuple[Pixels, Pixels | None]:
        """See `Decoding`."""
        data = frame.data
        if frame.format not in self._formats or not isinstance(data, bytes | memoryview):
            return codec.decode_with_alpha(data, frame.format, width, height, max_pixels)
        codec.inspect(data, frame.format, max_pixels)
        if len(data) > self._max_bytes:
            raise FrameError(f"the picture has more than {self._max_bytes} bytes: send a smaller one")
        self._penalties.check(session)
        within_s = HEAVY_S if codec.decoding_ns(data, frame.format) > HEAVY_NS else LIGHT_S
        try:
            found = self._decoded(PictureAsk(len(data), frame.format, width, height, max_pixels), within_s, data)
        except WorkerDied as death:
            if death.is_own_doing:
                _log.warning("%s: a decoder died at a picture: %s", session, death)
            raise self._penalties.died(session, str(death), is_own_doing=death.is_own_doing) from None
        return found[0], found[1] if len(found) > 1 else None

    def _decoded(self, ask: PictureAsk, within_s: float, data: bytes | memoryview) -> list[Pixels]:
        """Raises FrameError, WorkerDied."""
        worker = self._take()
        try:
            return worker.room.take(worker.ask(ask, within_s, data))
        finally:
            self._own.spent_ns = self.spent_ns() + worker.cpu_ns
            self._put_back(worker)

    def spent_ns(self) -> int:
        """See `Decoding`."""
        return getattr(self._own, "spent_ns", 0)

    def close(self) -> None:
        """End all processes."""
        with self._changed:
            self._is_closed = True
            workers = (*self._free, *self._busy, *self._beginning)
            self._free.clear()
            self._changed.notify_all()
        for worker in workers:
            worker.close()

    def _take(self) -> DecoderWorker:
        """A process that is free, or is so first: there are as many as threads that ask at once. Raises WorkerDied."""
        with self._changed:
            if (worker := self._taken()) is not None:
                return worker
            waiter = _Waiter()
            self._waiting.append(waiter)
            try:
                while worker is None:
                    if waiter.death is not None:
                        raise waiter.death
                    if self._is_closed:
                        raise WorkerDied("it was closed", is_own_doing=False)
                    if self._starts < len(self._waiting):
                        self._start_one()
                    if waiter.death is None:
                        self._changed.wait()
                    worker = self._taken()
            finally:
                self._waiting.remove(waiter)
                self._changed.notify_all()
        return worker

    def _taken(self) -> DecoderWorker | None:
        while self._free:
            worker = self._free.pop()
            if worker.is_alive:
                self._busy.add(worker)
                return worker
            worker.close()  # somebody has killed it, while it had nothing to do
        return None

    def _put_back(self, worker: DecoderWorker) -> None:
        is_alive = worker.is_alive
        with self._changed:
            self._busy.discard(worker)
            if is_kept := is_alive and not self._is_closed:
                self._free.append(worker)
                self._changed.notify_all()
            elif not self._free:
                self._have_one_ready()  # for the next picture, which is soon
        if not is_kept:
            worker.close()

    def _have_one_ready(self) -> None:
        if not self._starts and not self._is_closed:
            self._start_one()

    def _start_one(self) -> None:
        try:
            threading.Thread(target=self._started, name="decoders", daemon=True).start()
            self._starts += 1
        except RuntimeError as error:  # the system has no thread left
            self._tell(f"it can't be started: {error}")

    def _tell(self, problem: str) -> None:
        """That no process could be started; what waits for one is no reason for that."""
        _log.warning("no decoder: %s", problem)  # the next picture tries again
        if self._waiting:
            self._waiting[0].death = WorkerDied(problem, is_own_doing=False)

    def _started(self) -> None:
        """Start a process and put it where it is free, in a thread; where that can't be, whoever waits is told so."""
        worker, problem = None, None
        try:
            worker = self._start()
            with self._changed:
                self._beginning.add(worker)
            if not self._is_closed:
                worker.begin()
        except Exception as error:  # whatever it is, whoever waits is to hear of it
            problem = str(error)
        with self._changed:
            self._starts -= 1
            if worker is not None:
                self._beginning.discard(worker)
            is_kept = worker is not None and problem is None and not self._is_closed
            if worker is not None and is_kept:
                self._free.append(worker)
            if problem is not None:
                self._tell(problem)
            self._changed.notify_all()
        if worker is not None and not is_kept:
            worker.close()


class _Waiter:
    """A thread that waits for a process.

    Attributes:
        death: of the process that was started for it.
    """

    def __init__(self) -> None:
        self.death: WorkerDied | None = None
