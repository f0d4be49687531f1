"""Decoded video frames to a session's inbox: all are read, the newest wins.

Must not know decoders, or where frames come from.
"""

from __future__ import annotations

import asyncio
import time

from ..channel import Channel
from ..errors import FrameError
from ..frame import Format, Frame, Repeat, Result
from ..media import codec
from ..planes import Planes
from ..session import Session
from .connection import Connection
from .service import Service

REFUSED_EVERY_S = 1.0
"""Least time between two error messages: all frames of a camera that is too large are refused."""


class VideoConnection(Connection):
    """A connection whose frames come out of a video decoder. Its results are not sent: they go to viewers."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, takes_encoded=False)
        self.entered = asyncio.Event()
        self.frame_at_s = time.monotonic()
        self._seq = 0
        self._refused_at_s = float("-inf")

    def attached(self, session: Session) -> None:
        """Set `entered`, for the reader of the video."""
        self.entered.set()

    def offer(self, planes: Planes, captured_us: int) -> None:
        """Offer a decoded frame to the session; it is dropped while there is none yet."""
        try:
            codec.inspect(planes, Format.PLANES, self.service.config.max_pixels)
        except FrameError as error:
            self.refuse(error)
            return
        self.frame_at_s = time.monotonic()
        if self.session is not None and self.channel is not None:
            self._seq += 1
            is_as_is = self.channel.video_is_as_is
            frame = Frame(self._seq, Format.PLANES, planes, captured_us, time.monotonic_ns(), is_as_is)
            self.session.offer(self.channel, frame)

    def refuse(self, error: FrameError) -> None:
        """Count a frame that can't be taken, and say why, at most every `REFUSED_EVERY_S`."""
        self.frame_at_s = time.monotonic()
        session, channel = self.session, self.channel
        if session is None or channel is None:
            return
        self._seq += 1
        session.stats.count_received(time.monotonic_ns())
        is_told = self.frame_at_s - self._refused_at_s > REFUSED_EVERY_S
        if is_told:
            self._refused_at_s = self.frame_at_s
        session.refuse(channel, self._seq, error, is_told=is_told)

    async def send_text(self, text: str) -> None:
        """Drop the text: a video has no messages."""

    async def send_result(self, session: Session, result: Result | Repeat) -> None:
        """Send nothing: viewers get the result."""

    def report_drops(self, channel: Channel) -> None:
        """Report nothing: the other side does not number its frames. The stats have the counts."""
        channel.forget_drops()
