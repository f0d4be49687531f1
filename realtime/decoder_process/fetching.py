"""Video that is read in a process of its own: what `media.source.read` does, as it is called.

Must not know sessions. Reading blocks: it is for a thread of its own.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, NamedTuple

from ..errors import SourceError
from ..mailbox import Mailbox
from ..media.opening import Opening
from ..media.source import OnFrame, read
from ..media.source_errors import explained
from ..planes import Planes
from .child import DecoderLimits, Serve
from .packed import PackedPlanes, pack, room_bytes, unpack
from .room import Room
from .worker import DecoderWorker, WorkerDied

SILENT_S = 30.0
"""How long a source may give no frame: longer than it takes to open one, and to see that it is silent."""
MEMORY_BYTES, MEMORY_BYTES_PER_PIXEL = 1024 * 2**20, 64
"""Of address space. Decoders of several threads keep up to 16 references and as many pictures."""


class _Fetched(NamedTuple):
    packed: PackedPlanes
    captured_us: int


class _FetchEnd(NamedTuple):
    """Attributes: how many frames there were; what went wrong, empty for nothing; see `SourceError`."""

    frames: int
    problem: str
    is_final: bool


class _FetchServer:
    """Reads in a thread of the decoder's process, which always has the newest frame."""

    def __init__(self, opening: Opening, max_pixels: int) -> None:
        self._opening = opening
        self._max_pixels = max_pixels
        self._newest: Mailbox[tuple[Planes, int]] = Mailbox()
        self._ended: _FetchEnd | None = None
        self._bell = threading.Event()
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    def _read(self) -> None:
        frames, problem = 0, None
        try:
            frames = read(self._opening, self._take, threading.Event(), self._max_pixels)
        except Exception as error:  # whatever it is, it is this source's, and is said
            problem = explained(error, self._opening)
        self._ended = _FetchEnd(frames, str(problem or ""), problem is not None and problem.is_final)
        self._bell.set()

    def _take(self, planes: Planes, captured_us: int) -> None:
        self._newest.put((planes, captured_us))
        self._bell.set()

    def __call__(self, ask: Any, room: Room) -> _Fetched | _FetchEnd:
        """The next frame, or how it ended."""
        while True:
            self._bell.wait()
            ended = self._ended  # before the look at the frames, or the last would be lost
            self._bell.clear()
            if (newest := self._newest.take()) is not None:
                if ended is not None:
                    self._bell.set()
                return _Fetched(pack(newest[0], room), newest[1])
            if ended is not None:
                return ended


def _make(opening: Opening, max_pixels: int) -> Serve:
    return _FetchServer(opening, max_pixels)


def read_elsewhere(opening: Opening, on_frame: OnFrame, stopping: threading.Event, max_pixels: int) -> int:
    """As `read`, in a process that is gone when this returns.

    Raises:
        SourceError: it can't be opened or read, or the process died.
    """
    limits = DecoderLimits(MEMORY_BYTES + MEMORY_BYTES_PER_PIXEL * max_pixels, None, SILENT_S)
    frames, worker = 0, None
    try:
        worker = DecoderWorker(partial(_make, opening, max_pixels), room_bytes(max_pixels), limits)
        while not stopping.is_set():
            match worker.ask(None, SILENT_S, until=stopping.is_set):
                case _Fetched(packed, captured_us):
                    frames += 1
                    on_frame(unpack(packed, worker.room), captured_us)
                case ended:
                    if ended.problem:
                        raise SourceError(ended.problem, is_final=ended.is_final)
                    break
    except WorkerDied as death:
        if not stopping.is_set():
            what = "convert it, or give another" if death.is_own_doing else "it is opened again"
            raise SourceError(f"its decoder died ({death}): {what}") from None
    finally:
        if worker is not None:
            worker.close()
    return frames
