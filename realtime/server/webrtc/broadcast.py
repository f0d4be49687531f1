"""A session's pictures to any number of peers: one encoding per codec and bitrate, not per peer.

Event loop only; encoding runs in threads. Must not know HTTP or how a peer came in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiortc import MediaStreamTrack
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame

from ...frame import Result
from ...session import Session
from ..connection import ring_from_any_thread
from .encoder import CLOCK_HZ, BitrateControl, VideoEncoder

if TYPE_CHECKING:
    from .encoder import VideoPacket

log = logging.getLogger(__name__)

KEY_FRAME_EVERY_S = 0.25
"""Least time between key frames: many late viewers, or one with a bad line, must not make all frames key frames."""
STILL_EVERY_S = 1.0
"""A session without new pictures sends its last one again so often, for late viewers and so that players stay on."""
PACKETS_MAX = 16
"""A peer with this many packets waiting starts anew with a key frame."""


class Outbound(MediaStreamTrack):
    """The outbound video track of one peer. It gives encoded packets.

    Attributes:
        codec: `H264` or `VP8`; empty before the answer is made.
        bitrate_control: chooses which encoding the peer takes.
        encoding: whose packets the peer takes; None before and after.
    """

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.codec = ""
        self.bitrate_control = BitrateControl()
        self.encoding: Encoding | None = None
        self._packets: deque[VideoPacket] = deque()
        self._arrived = asyncio.Event()
        self._needs_key_frame = True

    def put(self, packet: VideoPacket) -> None:
        """Queue a packet of the encoding; dropped before the key frame without which it can't be decoded."""
        if len(self._packets) >= PACKETS_MAX:
            self._packets.clear()
            self.start_anew()
        if self._needs_key_frame and not packet.is_keyframe:
            return
        self._needs_key_frame = False
        self._packets.append(packet)
        self.bitrate_control.sent(time.monotonic(), packet.size)
        self._arrived.set()

    def start_anew(self) -> None:
        """Send nothing before the next key frame, and request one."""
        self._needs_key_frame = True
        self.request_key_frame()

    def request_key_frame(self) -> None:
        """Request a key frame of the encoding: the peer has lost a picture, or is new."""
        if self.encoding is not None:
            self.encoding.request_key_frame()

    async def recv(self) -> VideoPacket:  # type: ignore[override]
        """The next packet. Called by aiortc's sender."""
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        return self._packets.popleft()

    def stop(self) -> None:
        """No more packets."""
        super().stop()
        self._arrived.set()


class Packetizer(Encoder):
    """The encoder of an aiortc sender whose track gives packets: makes RTP payloads of them, and passes the peer's
    bandwidth estimates on.

    Args:
        outbound: the track.
        on_estimate: called with each estimate, bits a second.
    """

    def __init__(self, outbound: Outbound, on_estimate: Callable[[int], None]) -> None:
        self._inner = H264Encoder() if outbound.codec == "H264" else Vp8Encoder()
        self._on_estimate = on_estimate

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """Never called: our track gives packets."""
        raise NotImplementedError

    def pack(self, packet: VideoPacket) -> tuple[list[bytes], int]:  # type: ignore[override]
        """RTP payloads and RTP timestamp of a packet."""
        return self._inner.pack(packet)

    @property
    def target_bitrate(self) -> int:
        """Not used: aiortc only sets it, to the peer's estimate."""
        return 0

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._on_estimate(bitrate)


class Encoding:
    """One encoding of a session's pictures, for all peers that take it.

    Args:
        codec: `H264` or `VP8`.
        share: of the full bitrate.
    """

    def __init__(self, session: Session, codec: str, share: float) -> None:
        self.session = session
        self.codec = codec
        self.share = share
        self.takers: set[Outbound] = set()
        self._encoder = VideoEncoder(codec, share)
        self._bell = asyncio.Event()
        self._key_frame_wanted = True
        self._key_frame_at_s = float("-inf")

    @property
    def bitrate(self) -> int:
        """The encoder's target, bits a second; 0 before the first picture."""
        return self._encoder.bitrate

    def request_key_frame(self) -> None:
        """Make the next picture a key frame. The last picture is encoded again if there is no new one."""
        self._key_frame_wanted = True
        self._bell.set()

    async def run(self) -> None:
        """Encode until cancelled."""
        viewer = self.session.watch(ring_from_any_thread(self._bell))
        last: Result | None = None
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STILL_EVERY_S):
                        await self._bell.wait()
                self._bell.clear()
                fresh = viewer.take()
                last = fresh or last
                if last is None:
                    continue
                if fresh is None and self._key_frame_wanted:
                    await asyncio.sleep(max(0.0, self._key_frame_at_s + KEY_FRAME_EVERY_S - time.monotonic()))
                    last = viewer.take() or last
                await self._encode(last.on_air(self.session.air))
        finally:
            self.session.unwatch(viewer)

    async def _encode(self, result: Result) -> None:
        now_s = time.monotonic()
        key_frame = self._key_frame_wanted and now_s - self._key_frame_at_s >= KEY_FRAME_EVERY_S
        if key_frame:
            self._key_frame_wanted, self._key_frame_at_s = False, now_s
        pts = int(now_s * CLOCK_HZ)

        def encode() -> list[VideoPacket]:
            # Pictures of engines elsewhere are decoded as they are asked for: not on the event loop.
            return self._encoder.encode(result.picture, pts, key_frame, result.key)

        for packet in await asyncio.to_thread(encode):
            for taker in tuple(self.takers):
                taker.put(packet)


Key = tuple[Session, str, float]


class Broadcaster:
    """All encodings of all sessions.

    Args:
        tasks: the task group of the encodings.
    """

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._running: dict[Key, tuple[Encoding, asyncio.Task[None]]] = {}

    @property
    def encodings(self) -> int:
        """Number of encodings that run."""
        return len(self._running)

    def add(self, session: Session, outbound: Outbound) -> Packetizer:
        """Let a peer take a session's pictures.

        Returns:
            The packetizer for the peer's sender.
        """
        self._assign(session, outbound)

        def on_estimate(bitrate: int) -> None:
            before = outbound.bitrate_control.share
            target = outbound.encoding.bitrate if outbound.encoding is not None else 0
            outbound.bitrate_control.estimated(time.monotonic(), bitrate, target)
            if outbound.bitrate_control.share != before and outbound.encoding is not None:
                log.info("a viewer of a session gets %.0f %% of the bitrate", 100 * outbound.bitrate_control.share)
                self.remove(outbound)
                self._assign(session, outbound)

        return Packetizer(outbound, on_estimate)

    def _assign(self, session: Session, outbound: Outbound) -> None:
        key = (session, outbound.codec, outbound.bitrate_control.share)
        running = self._running.get(key)
        if running is None:
            encoding = Encoding(session, outbound.codec, outbound.bitrate_control.share)
            self._running[key] = running = (encoding, self._tasks.create_task(self._run(key, encoding)))
        outbound.encoding = running[0]
        running[0].takers.add(outbound)
        outbound.start_anew()

    async def _run(self, key: Key, encoding: Encoding) -> None:
        try:
            await encoding.run()
        except Exception:
            log.exception("an encoding failed")
            del self._running[key]
            for taker in tuple(encoding.takers):
                taker.stop()

    def remove(self, outbound: Outbound) -> None:
        """Let a peer take no more. Its encoding ends if no other peer takes it."""
        encoding, outbound.encoding = outbound.encoding, None
        if encoding is None:
            return
        encoding.takers.discard(outbound)
        key = (encoding.session, encoding.codec, encoding.share)
        if not encoding.takers and (running := self._running.pop(key, None)) is not None:
            running[1].cancel()

    def stop(self) -> None:
        """End all encodings."""
        for _, task in self._running.values():
            task.cancel()
        self._running.clear()
