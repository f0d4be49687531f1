"""A peer whose video is a session's input: `/rtc` and `/whip`.

Knows sessions through Connection; must not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import cast

import av
from aiortc.mediastreams import MediaStreamError

from ...media.video import captured_us_of, is_planar, planes_of
from ...session import Session
from ..inbound import VideoConnection
from ..service import Service
from .broadcast import Broadcaster
from .peer import Peer
from .sdp import Purpose

SILENT_S = 2.0


class Publisher(VideoConnection):
    """Reads a peer's video into a session, and sends the session's pictures back where the peer receives video.

    Args:
        peer: whose offer is answered already.
        broadcaster: encodes the pictures that are sent back.
    """

    def __init__(self, service: Service, peer: Peer, broadcaster: Broadcaster) -> None:
        super().__init__(service)
        self._peer = peer
        self._broadcaster = broadcaster

    @property
    def is_silent(self) -> bool:
        """Whether no frame has come for `SILENT_S`: another publisher may take its place."""
        return time.monotonic() - self.frame_at_s > SILENT_S

    async def live(self, session_name: str | None) -> None:
        """See `Connection.live`. A peer with a control channel enters once the channel is open."""
        if self._peer.purpose is Purpose.DUPLEX:
            await self._peer.control.opened()
        try:
            await super().live(session_name)
        finally:
            if self._peer.outbound is not None:
                self._broadcaster.remove(self._peer.outbound)

    def attached(self, session: Session) -> None:
        """Begin to send the session's pictures back."""
        super().attached(session)
        if self._peer.outbound is not None:
            self._peer.send_by(self._broadcaster.add(session, self._peer.outbound))

    async def read_video(self) -> None:
        """Offer every frame as soon as it is decoded: aiortc's queue of frames has no bound."""
        track = self._peer.video
        if track is None:
            return
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = cast(av.VideoFrame, await track.recv())
                planes = planes_of(frame) if is_planar(frame) else await asyncio.to_thread(planes_of, frame)
                self.offer(planes, captured_us_of(frame))

    async def read_control(self) -> None:
        """Handle text messages as they come.

        Raises:
            ProtocolError, Closed: see `Control.receive`.
        """
        while True:
            await self.take_text(await self._peer.control.receive())

    async def send_text(self, text: str) -> None:
        """Send a text message over the control channel; dropped for WHIP, which has none."""
        if self._peer.purpose is Purpose.DUPLEX:
            await self._peer.control.send(text)
