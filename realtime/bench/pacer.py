"""When frames are due, and a thread that is there when they are.

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


@dataclass(frozen=True, slots=True)
class Camera:
    """One client's frames.

    Attributes:
        fps: frames a second, at a fixed cadence.
        phase: when the first frame is due, as a share of the interval.
        windowed: leave a frame out while `WINDOW` frames are unsettled, as a browser does. Otherwise the loop is
            open: nothing that the server does changes what is sent.
    """

    fps: float
    phase: float = 0.0
    windowed: bool = False


@contextmanager
def quiet() -> Generator[None]:
    """Keep this process's own collector and thread switches out of the times."""
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
    """A thread that sees to it that cameras fire on time: asyncio's own timers are a millisecond coarse.

    Args:
        loop: on which they fire.
        cameras: each with what it calls when a frame is due.
        start_ns: of the monotonic clock; nothing is due before it.
        end_ns: and nothing from here on.

    Attributes:
        done: when the last has fired.
        late_us: how late each was.
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
    """When this camera's frames are due, each with the camera's index."""
    count = 0
    while (due_ns := start_ns + int((count + camera.phase) / camera.fps * 1e9)) < end_ns:
        yield due_ns, index
        count += 1
