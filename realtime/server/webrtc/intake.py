"""Encoded frames between the network and a decoder: the newest win, and few wait.

Event loop only. Must not know aiortc, nor decode anything.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from .decoder import EncodedFrame

FRAMES_MAX = 8
BYTES_MAX = 2 * 2**20
"""Frames, and their bytes, that may wait: a jitter buffer gives out 0.75 MB at most."""
KEY_FRAME_EVERY_S = 0.5
"""Least time between two requests: each key frame is ten times as large as another frame."""


class Intake:
    """The frames of one peer that wait to be decoded.

    A decoder that is slower than the sender loses all that wait, and goes on with the next key frame: single frames
    can't be left out, as each is a change to the one before.

    Args:
        request_key_frame: asks the sender.
        now_s: monotonic clock.

    Attributes:
        lost: frames that were not decoded because others came too fast.
    """

    def __init__(self, request_key_frame: Callable[[], None], now_s: Callable[[], float] = time.monotonic) -> None:
        self._request_key_frame = request_key_frame
        self._now_s = now_s
        self._requested_s = float("-inf")
        self._frames: deque[EncodedFrame] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._has_gap = False
        self.lost = 0

    def put(self, frame: EncodedFrame) -> None:
        """Let a frame wait. Where there are too many, all that wait are dropped."""
        if len(self._frames) >= FRAMES_MAX or self._bytes + len(frame.data) > BYTES_MAX:
            self.lost += len(self._frames)
            self._frames.clear()
            self._bytes = 0
            self._has_gap = True
        self._frames.append(frame)
        self._bytes += len(frame.data)
        self._arrived.set()

    async def take(self) -> tuple[EncodedFrame, bool]:
        """The oldest frame that waits, and whether any before it were lost."""
        while not self._frames:
            self._arrived.clear()
            await self._arrived.wait()
        frame, has_gap = self._frames.popleft(), self._has_gap
        self._bytes -= len(frame.data)
        self._has_gap = False
        return frame, has_gap

    def request_key_frame(self) -> None:
        """Ask the sender for a key frame, at most every `KEY_FRAME_EVERY_S`."""
        now_s = self._now_s()
        if now_s - self._requested_s >= KEY_FRAME_EVERY_S:
            self._requested_s = now_s
            self._request_key_frame()
