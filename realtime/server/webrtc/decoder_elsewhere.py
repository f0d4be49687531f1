"""A peer's video, decoded in a process of its own, which is started again where the video kills it.

Must not know peers, nor how frames come. Runs in worker threads, one call at a time.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import NamedTuple

from ...decoder_process.child import DecoderLimits, Serve
from ...decoder_process.packed import PackedPlanes, pack, room_bytes, unpack
from ...decoder_process.penalties import Penalties
from ...decoder_process.room import Room
from ...decoder_process.worker import DecoderWorker, WorkerDied
from ...errors import FrameError
from .decoder import MEMORY_BYTES_PER_PIXEL, Decoded, EncodedFrame, VideoDecoder

_log = logging.getLogger(__name__)

WITHIN_S = 5.0
CPU_S = 2
MEMORY_BYTES = 256 * 2**20
PRELOAD = __name__


class _VideoAsk(NamedTuple):
    codec: str
    length: int
    timestamp: int
    has_gap: bool


class _VideoAnswer(NamedTuple):
    """What came of a frame: the newest picture, or why it was refused; and whether a key frame is wanted."""

    picture: PackedPlanes | None
    captured_us: int
    refusal: FrameError | None
    wants_key_frame: bool


class _StreamServer:
    """One stream's decoder, in the process."""

    def __init__(self, max_pixels: int) -> None:
        self._decoder = VideoDecoder(max_pixels)

    def __call__(self, ask: _VideoAsk, room: Room) -> _VideoAnswer:
        if ask.has_gap:
            self._decoder.skip()
        decoded: list[Decoded] = []
        refusal: FrameError | None = None
        try:
            decoded = self._decoder.decode(EncodedFrame(ask.codec, room.read(ask.length), ask.timestamp))
        except FrameError as error:
            refusal = error
        packed = pack(decoded[-1].planes, room) if decoded else None
        captured_us = decoded[-1].captured_us if decoded else 0
        return _VideoAnswer(packed, captured_us, refusal, self._decoder.wants_key_frame)


def _make(max_pixels: int) -> Serve:
    return _StreamServer(max_pixels)


class VideoDecoderElsewhere:
    """As `VideoDecoder`, in a process of its own. Of several pictures that come at once, the newest is given.

    Args:
        max_pixels: see `VideoDecoder`.
    """

    def __init__(self, max_pixels: int) -> None:
        limits = DecoderLimits(MEMORY_BYTES + 4 * MEMORY_BYTES_PER_PIXEL * max_pixels, CPU_S, WITHIN_S)
        self._start = partial(DecoderWorker, partial(_make, max_pixels), room_bytes(max_pixels), limits)
        self._worker: DecoderWorker | None = None
        self._penalties = Penalties()
        self._has_gap = False
        self._is_closed = False
        self.wants_key_frame = False

    @property
    def pid(self) -> int | None:
        """The process's id; None where there is none."""
        return self._worker.pid if self._worker is not None else None

    def skip(self) -> None:
        """See `VideoDecoder`."""
        self._has_gap = True

    def decode(self, frame: EncodedFrame) -> list[Decoded]:
        """See `VideoDecoder`; also raises FrameError where the process died of the frame, or of those before."""
        self._penalties.check("")
        has_gap, self._has_gap = self._has_gap, False
        ask = _VideoAsk(frame.codec, len(frame.data), frame.timestamp, has_gap)
        try:
            worker = self._worker or self._started()
            answer: _VideoAnswer = worker.ask(ask, WITHIN_S, frame.data)
        except WorkerDied as death:
            self._worker, self.wants_key_frame = None, True
            if self._is_closed:
                return []
            _log.warning("a decoder died at a peer's video: %s", death)
            raise self._penalties.died("", str(death), is_own_doing=death.is_own_doing) from None
        self.wants_key_frame = answer.wants_key_frame
        if answer.refusal is not None:
            raise answer.refusal
        return [] if answer.picture is None else [Decoded(unpack(answer.picture, worker.room), answer.captured_us)]

    def _started(self) -> DecoderWorker:
        worker = self._worker = self._start()
        if self._is_closed:  # meanwhile: `close` may have found none
            worker.close()
        return worker

    def close(self) -> None:
        """End the process. Any thread."""
        self._is_closed = True
        if (worker := self._worker) is not None:
            worker.close()
