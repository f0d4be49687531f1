"""The schedule of cameras' frames, and a thread that fires them on time.

Must not know what is sent.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

SWITCH_INTERVAL_S = 0.0005
"""Python's thread switch interval while frames are timed."""


@dataclass(frozen=True, slots=True)
class Camera:
    """The schedule of one client's frames.

    Attributes:
        fps: frames a second, at a constant interval.
        phase: when the first frame is due, as a share of the interval.
        windowed: whether a frame is left out while `WINDOW` frames are unsettled, as in a browser. If not, what is sent
            does not depend on the server.
    """

    fps: float
    phase: float = 0.0
    windowed: bool = False


@contextmanager
def quiet() -> Generator[None]:
    """Collect garbage, then switch the collector off and shorten the thread switch interval while the block runs."""
    interval = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.enable()
        gc.unfreeze()


class Pacer:
    """A thread that fires cameras on time, on the event loop, whose own timers have a resolution of a millisecond only.

    Args:
        loop: runs the callbacks.
        cameras: each with its callback for a due frame.
        start_ns, end_ns: monotonic times; frames are due from start to before end.

    Attributes:
        done: set when the last frame has fired.
        late_us: how much later than due each was fired.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        cameras: Sequence[tuple[Camera, Callable[[], None]]],
        start_ns: int,
        end_ns: int,
    ) -> None:
        self.late_us: list[int] = []
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._fires = [fire for _, fire in cameras]
        self._schedule = heapq.merge(
            *(dues(index, camera, start_ns, end_ns) for index, (camera, _) in enumerate(cameras))
        )
        threading.Thread(target=self._run, name="pacer", daemon=True).start()

    def _run(self) -> None:
        for due_ns, index in self._schedule:
            while (rest_ns := due_ns - time.monotonic_ns()) > 0:
                time.sleep(rest_ns / 1e9)
            if self.done.done() or self._loop.is_closed():
                return
            self._loop.call_soon_threadsafe(self._fire, due_ns, index)
        self._loop.call_soon_threadsafe(self._finish)

    def _fire(self, due_ns: int, index: int) -> None:
        self.late_us.append((time.monotonic_ns() - due_ns) // 1000)
        self._fires[index]()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def dues(index: int, camera: Camera, start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """The monotonic times in nanoseconds at which a camera's frames are due, each with the camera's index."""
    count = 0
    while (due_ns := start_ns + int((count + camera.phase) / camera.fps * 1e9)) < end_ns:
        yield due_ns, index
        count += 1
