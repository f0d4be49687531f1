"""A peer whose video is a session's input: `/rtc` and `/whip`.

Knows sessions through Connection; must not know HTTP.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import cast

import av
from aiortc.mediastreams import MediaStreamError

from ...engine import codec
from ...errors import FrameError
from ...frame import Format, Frame, Result
from ...session import Channel, Session
from ..connection import Connection
from ..service import Service
from .broadcast import Broadcaster
from .inbound import planes_of
from .peer import Peer
from .sdp import Purpose

log = logging.getLogger(__name__)

SILENT_S = 2.0
REFUSED_EVERY_S = 1.0
"""A camera that is too big is so thirty times a second; its owner is told once in a while."""


class Publisher(Connection):
    """Reads a peer's video into a session, and sends the session's pictures back where the peer takes video.

    Args:
        peer: answered already.
        broadcaster: makes the video that goes back.
    """

    def __init__(self, service: Service, peer: Peer, broadcaster: Broadcaster) -> None:
        super().__init__(service, takes_encoded=False)
        self._peer = peer
        self._broadcaster = broadcaster
        self._seq = 0
        self._video_at_s = time.monotonic()
        self._refused_at_s = float("-inf")

    @property
    def is_silent(self) -> bool:
        """Whether its video has stopped, so that another may take its place."""
        return time.monotonic() - self._video_at_s > SILENT_S

    async def live(self, session_name: str | None) -> None:
        """As every connection; who has a control channel is only in once that is open."""
        if self._peer.purpose is Purpose.DUPLEX:
            await self._peer.control.opened()
        try:
            await super().live(session_name)
        finally:
            if self._peer.outbound is not None:
                self._broadcaster.remove(self._peer.outbound)

    def attached(self, session: Session) -> None:
        """Send the session's pictures back."""
        if self._peer.outbound is not None:
            self._peer.send_by(self._broadcaster.add(session, self._peer.outbound))

    async def read_video(self) -> None:
        """Take every frame as soon as it is decoded: aiortc's queue of them has no bound, the inbox holds one."""
        track = self._peer.video
        if track is None:
            return
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = cast(av.VideoFrame, await track.recv())
                self._video_at_s = time.monotonic()
                if self.session is not None and self.channel is not None:
                    self._offer(self.session, self.channel, frame)

    def _offer(self, session: Session, channel: Channel, frame: av.VideoFrame) -> None:
        self._seq += 1
        now_ns = time.monotonic_ns()
        planes = planes_of(frame)
        try:
            codec.inspect(planes, Format.PLANES, self.service.config.max_pixels)
        except FrameError as error:
            session.stats.count_received(now_ns)
            is_told = self._video_at_s - self._refused_at_s > REFUSED_EVERY_S
            if is_told:
                self._refused_at_s = self._video_at_s
            session.refuse(channel, self._seq, error, is_told=is_told)
            return
        captured_us = max(0, int((frame.time or 0.0) * 1e6))
        session.offer(channel, Frame(self._seq, Format.PLANES, planes, captured_us, now_ns))

    async def read_control(self) -> None:
        """Take text messages as they come.

        Raises:
            ProtocolError, Closed: what comes is not what should.
        """
        while True:
            await self.take_text(await self._peer.control.receive())

    # -- out --------------------------------------------------------------------------------------------------------

    async def send_text(self, text: str) -> None:
        """Over the control channel. Who comes by WHIP has none, and hears nothing."""
        if self._peer.purpose is Purpose.DUPLEX:
            await self._peer.control.send(text)

    async def send_result(self, session: Session, result: Result) -> None:
        """Nothing to do: the broadcaster watches the session."""

    def report_drops(self, channel: Channel) -> None:
        """Our numbers of frames mean nothing to the peer; the stats have the counts."""
        channel.forget_drops()
