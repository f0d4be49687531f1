"""Clients that send video by WebRTC and get it back: each picture says its number in light and dark squares, so that it
is known which came.

Must not know what is done to the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncGenerator
from fractions import Fraction
from functools import partial
from typing import Any

import av
import httpx2
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from .account import Account
from .waiting import PATIENCE_S, until

SIDE_PX = 256
BLOCKS = 4
"""Squares a side, each a bit: twelve of the number, four of their sum."""
BLOCK_PX = SIDE_PX // BLOCKS
NUMBERS = 2**12
DARK, LIGHT = 60, 200
FPS = 10
CLOCK_HZ = 90_000
AGAIN_S = 0.3
"""Until a caller that has lost its connection, or was refused, calls again."""
SILENT_S = 5.0
"""A server shows the last picture again each second: one that is silent for longer is gone."""
SDP = {"content-type": "application/sdp"}


def numbered(number: int) -> av.VideoFrame:
    """A picture that says a number, modulo `NUMBERS`."""
    low = number % NUMBERS
    word = low << 4 | _sum(low)
    bits = np.array([word >> place & 1 for place in range(BLOCKS * BLOCKS)], np.uint8).reshape(BLOCKS, BLOCKS)
    planes = np.full((SIDE_PX * 3 // 2, SIDE_PX), 128, np.uint8)
    planes[:SIDE_PX] = np.kron(np.where(bits, LIGHT, DARK).astype(np.uint8), np.ones((BLOCK_PX, BLOCK_PX), np.uint8))
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def number_of(luma: np.ndarray[Any, np.dtype[np.uint8]]) -> int | None:
    """The number that a picture says, from 0 to `NUMBERS`; None of one that says none.

    Args:
        luma: [SIDE_PX, SIDE_PX].
    """
    means = luma.reshape(BLOCKS, BLOCK_PX, BLOCKS, BLOCK_PX).mean((1, 3)).flatten()
    word = sum(1 << place for place, mean in enumerate(means) if mean > (DARK + LIGHT) / 2)
    return word >> 4 if _sum(word >> 4) == word & 15 else None


def _sum(low: int) -> int:
    return (low + (low >> 4) + (low >> 8) + 1) & 15


class _Camera(MediaStreamTrack):
    """Numbered pictures at a steady rate, noted as they are sent; the last one again where there is no new one to come.

    Args:
        first: its first picture's number.
    """

    kind = "video"

    def __init__(self, account: Account, first: int) -> None:
        super().__init__()
        self.newest = first - 1
        self.is_held = False
        self._account = account
        self._begun_s = time.monotonic()
        self._ticks = 0

    async def recv(self) -> av.VideoFrame:  # type: ignore[override]
        self._ticks += 1
        await asyncio.sleep(max(0.0, self._begun_s + self._ticks / FPS - time.monotonic()))
        if not self.is_held:
            self.newest += 1
            self._account.sent(self.newest)
        frame = numbered(self.newest)
        frame.pts, frame.time_base = self._ticks * CLOCK_HZ // FPS, Fraction(1, CLOCK_HZ)
        return frame


class _Damage(MediaStreamTrack):
    """Encoded video, each packet of which may be damaged."""

    kind = "video"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._dice = random.Random(seed)
        self._ticks = 0
        self._packets = _encoded()

    async def recv(self) -> av.Packet:  # type: ignore[override]
        self._ticks += 1
        await asyncio.sleep(1 / FPS)
        data = bytearray(self._dice.choice(self._packets))
        for _ in range(self._dice.randrange(12)):
            # Behind what says how large it is: that is refused before it is decoded.
            data[self._dice.randrange(10, len(data))] = self._dice.randrange(256)
        packet = av.Packet(bytes(data))
        packet.pts, packet.time_base = self._ticks * CLOCK_HZ // FPS, Fraction(1, CLOCK_HZ)
        return packet


def _encoded() -> list[bytes]:
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = SIDE_PX, SIDE_PX, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, FPS), Fraction(FPS), 1
    encoder.options = {"deadline": "realtime", "lag-in-frames": "0", "g": "4"}
    packets: list[Any] = []
    for number in range(12):
        frame = numbered(number * 337)
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in [*packets, *encoder.encode(None)]]


class Caller:
    """A client by WebRTC, which calls again where its connection is gone.

    Args:
        url: of the server.
        session: its name.
        damage: the seed of the damage that is done to its video; None: its video is whole.

    Attributes:
        account: of its pictures; of damaged ones, nothing.
        connections: how often it was connected.
        refusals: what it was told of video that can't be decoded, how often.
    """

    def __init__(self, url: str, session: str, damage: int | None = None) -> None:
        self.session = session
        self.account = Account()
        self.connections = 0
        self.refusals = 0
        self._url = url
        self._damage = damage
        self._camera: _Camera | None = None
        self._next = 1
        self._shown = 0
        self._has_come = False

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncGenerator[Caller]:
        """Call, and send while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(self._call_for_ever())
            yield self
            calling.cancel()

    async def progress(self, pictures: int = 3) -> float:
        """Wait until so many more pictures have come; returns the seconds that it took."""
        if self._damage is not None:
            return 0.0
        before = self.account.answered
        return await until(lambda: self.account.answered >= before + pictures, f"{self.session} gets video")

    async def settle(self) -> None:
        """Send no new picture, and wait until every one has its fate."""
        if self._camera is not None:
            self._camera.is_held = True
        if self._damage is None:
            await until(lambda: self.account.unsettled == 0, f"{self.session}: all pictures have their fates")

    async def _call_for_ever(self) -> None:
        while True:
            with contextlib.suppress(OSError, httpx2.HTTPError, TimeoutError, MediaStreamError):
                await self._call()
            self.account.cut(self._next)
            await asyncio.sleep(AGAIN_S)

    async def _call(self) -> None:
        """One call, until it is over."""
        peer = RTCPeerConnection(RTCConfiguration([]))
        camera = self._camera = _Camera(self.account, self._next) if self._damage is None else None
        over, self._has_come = asyncio.Event(), False
        reading: list[asyncio.Task[None]] = []
        try:
            peer.addTrack(camera or _Damage(self._damage or 0))
            control = peer.createDataChannel("control")

            def take(track: MediaStreamTrack) -> None:
                reading.append(asyncio.create_task(self._read(track, over)))

            control.on("message", partial(self._hear, control, over))
            peer.on("track", take)
            peer.on("connectionstatechange", partial(self._look, peer, over))
            await peer.setLocalDescription(await peer.createOffer())
            async with httpx2.AsyncClient(base_url=self._url, timeout=PATIENCE_S, trust_env=False) as http:
                answer = await http.post(f"rtc?session={self.session}", content=peer.localDescription.sdp, headers=SDP)
                answer.raise_for_status()
            await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            await over.wait()
        finally:
            if camera is not None:
                self._next = camera.newest + 1
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await peer.close()

    def _look(self, peer: RTCPeerConnection, over: asyncio.Event) -> None:
        if peer.connectionState in ("failed", "closed"):
            over.set()

    def _hear(self, control: Any, over: asyncio.Event, text: str) -> None:
        match json.loads(text):
            case {"type": "ready"}:
                self.connections += 1
                params = {"width": SIDE_PX, "height": SIDE_PX, "skip_unchanged": False}
                control.send(json.dumps({"type": "params", "params": params}))
            case {"type": "error", "code": "invalid_frame" | "set_aside"}:
                self.refusals += 1
            case {"type": "closed"}:
                over.set()
            case _:
                pass

    async def _read(self, track: MediaStreamTrack, over: asyncio.Event) -> None:
        try:
            while True:
                async with asyncio.timeout(SILENT_S if self._has_come else PATIENCE_S):
                    frame: Any = await track.recv()
                self._has_come = True
                if self._damage is None and (frame.width, frame.height) == (SIDE_PX, SIDE_PX):
                    self._take(frame.to_ndarray(format="gray"))
        finally:
            over.set()

    def _take(self, luma: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        number = number_of(luma)
        if number is None:
            self.account.fates["unreadable"] += 1
            return
        ahead = (number - self._shown) % NUMBERS
        if ahead >= NUMBERS // 2:
            self.account.problems.append(f"{self.session}: a picture came {NUMBERS - ahead} behind a newer one")
        elif ahead:
            self._shown += ahead
            self.account.passed_over(self._shown)
            self.account.picture(self._shown, time.monotonic(), is_repeat=False, brightest=int(luma.max()))
