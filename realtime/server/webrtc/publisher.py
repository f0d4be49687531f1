"""A peer whose video is a session's input: `/rtc` and `/whip`.

Knows sessions through Connection; must not know HTTP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Executor

from ...config import DecoderProcess
from ...errors import FrameError
from ...session import Session
from ..inbound import VideoConnection
from ..roles import Grant
from ..service import Service
from .broadcast import Broadcaster
from .decoder import VideoDecoder
from .decoder_elsewhere import VideoDecoderElsewhere
from .intake import Intake
from .peer import Peer
from .sdp import Purpose

SILENT_S = 2.0


class Publisher(VideoConnection):
    """Reads a peer's video into a session, and sends the session's pictures back where the peer receives video.

    Args:
        peer: whose offer is answered already.
        broadcaster: encodes the pictures that are sent back.
        threads: decode the video; a peer has one frame in them at a time, so that they serve peers in turn.
    """

    def __init__(self, service: Service, peer: Peer, broadcaster: Broadcaster, threads: Executor) -> None:
        super().__init__(service)
        self._peer = peer
        self._threads = threads
        self._broadcaster = broadcaster

    @property
    def is_silent(self) -> bool:
        """Whether no frame has come for `SILENT_S`: another publisher may take its place."""
        return time.monotonic() - self.frame_at_s > SILENT_S

    async def live(self, session_name: str | None, grant: Grant, address: str | None) -> None:
        """See `Connection.live`."""
        try:
            await super().live(session_name, grant, address)
        finally:
            if self._peer.outbound is not None:
                self._broadcaster.remove(self._peer.outbound)

    def attached(self, session: Session) -> None:
        """Begin to send the session's pictures back."""
        super().attached(session)
        if self._peer.outbound is not None:
            self._peer.send_by(self._broadcaster.add(session, self._peer.outbound))

    async def read_video(self, intake: Intake) -> None:
        """Decode what comes, in threads that all peers share, and offer it."""
        config = self.service.config
        kind = VideoDecoderElsewhere if config.decoder_process is not DecoderProcess.OFF else VideoDecoder
        decoder = kind(config.max_pixels)
        try:
            await self._decode_all(intake, decoder)
        finally:
            threading.Thread(target=decoder.close, name="decoder-end", daemon=True).start()

    async def _decode_all(self, intake: Intake, decoder: VideoDecoder | VideoDecoderElsewhere) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame, has_gap = await intake.take()
            if has_gap:
                decoder.skip()
            try:
                for decoded in await loop.run_in_executor(self._threads, decoder.decode, frame):
                    self.offer(decoded.planes, decoded.captured_us)
            except FrameError as error:
                self.refuse(error)
            if decoder.wants_key_frame:
                intake.request_key_frame()

    async def read_control(self) -> None:
        """Handle text messages as they come.

        Raises:
            ProtocolError, Closed: see `ControlChannel.receive`.
        """
        while True:
            await self.take_text(await self._peer.control.receive())

    async def send_text(self, text: str) -> None:
        """Send a text message over the control channel; dropped for WHIP, which has none."""
        if self._peer.purpose is Purpose.DUPLEX:
            await self._peer.control.send(text)
