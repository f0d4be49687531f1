"""A WebRTC client of aiortc's own, unpatched, on loopback: publishes a moving picture, collects what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any, cast

import av
import httpx2
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from tests.fakes.pictures import Pixels
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import http_client

SDP = {"content-type": "application/sdp"}


class Camera(MediaStreamTrack):
    """Grey frames whose brightness is `level`, at 30 fps."""

    kind = "video"

    def __init__(self, width: int = 128, height: int = 96, level: int = 128) -> None:
        super().__init__()
        self.width, self.height, self.level = width, height, level
        self.sent = 0
        self._begun_s = time.monotonic()

    async def recv(self) -> av.VideoFrame:  # type: ignore[override]
        await asyncio.sleep(max(0.0, self._begun_s + self.sent / 30 - time.monotonic()))
        grey = np.full((self.height * 3 // 2, self.width), 128, np.uint8)
        grey[: self.height] = self.level
        frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
        frame.pts, frame.time_base = self.sent * 3000, Fraction(1, 90_000)
        self.sent += 1
        return frame


class Silence(MediaStreamTrack):
    """An audio track that says nothing, 50 times a second."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    async def recv(self) -> av.AudioFrame:  # type: ignore[override]
        await asyncio.sleep(0.02)
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._sent * 960, Fraction(1, 48_000)
        self._sent += 1
        return frame


class RtcPeer:
    """One peer connection to a server under test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = RTCPeerConnection(RTCConfiguration([]))
        self.frames: list[av.VideoFrame] = []
        self.texts: list[dict[str, Any]] = []
        self.location = ""
        self.response: httpx2.Response | None = None
        self._heard = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.control = None
        self.connection.on("track", self._on_track)

    def open_control(self) -> None:
        self.control = self.connection.createDataChannel("control")
        self.control.on("message", self._on_text)

    def _on_text(self, text: str) -> None:
        self.texts.append(json.loads(text))
        self._heard.set()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._reader = asyncio.create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                self.frames.append(cast(av.VideoFrame, await track.recv()))
                self._heard.set()
        except MediaStreamError:
            pass

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def dial(self, path: str, offer: str | None = None, **headers: str) -> httpx2.Response:
        """POST the offer and, where it is answered, take the answer."""
        sdp = await self.offer() if offer is None else offer
        async with http_client() as http:
            self.response = await http.post(self.url + path, content=sdp, headers={**SDP, **headers})
        if self.response.status_code == 201:
            await self.take(self.response)
        return self.response

    async def take(self, response: httpx2.Response) -> None:
        """Connect, by the answer."""
        self.location = response.headers["location"]
        await self.connection.setRemoteDescription(RTCSessionDescription(response.text, "answer"))

    async def until(self, condition: Any) -> None:
        """Wait until something that came makes the condition true."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def text(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first text of this type that has these fields, heard already or to come; it is taken out."""
        wanted = {"type": kind, **fields}.items()
        await self.until(lambda: any(text.items() >= wanted for text in self.texts))
        found = next(text for text in self.texts if text.items() >= wanted)
        self.texts.remove(found)
        return found

    async def picture(self, condition: Any = lambda picture: True) -> Pixels:
        """The first frame from now on that fulfils the condition, as RGB."""
        start = len(self.frames)
        seen: dict[int, Pixels] = {}

        def newest() -> bool:
            for index in range(start, len(self.frames)):
                if index not in seen:
                    seen[index] = self.frames[index].to_ndarray(format="rgb24")
                    if condition(seen[index]):
                        return True
            return False

        await self.until(newest)
        return seen[max(seen)]

    async def patch(self, **params: Any) -> dict[str, Any]:
        """Send a patch and wait for what is then in force."""
        self.say(type="params", params=params)
        return (await self.text("params"))["params"]

    def say(self, **fields: Any) -> None:
        assert self.control is not None
        self.control.send(json.dumps(fields))

    async def close(self) -> None:
        await self.connection.close()
        if self._reader is not None:
            await self._reader


CLOSE_S = 10.0


@asynccontextmanager
async def rtc_peer(url: str) -> AsyncGenerator[RtcPeer]:
    peer = RtcPeer(url)
    try:
        yield peer
    finally:
        # aiortc's own end waits for ever now and then where the other side has ended it meanwhile.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await peer.close()


@asynccontextmanager
async def dialled_rtc(
    url: str, session: str = "s", camera: MediaStreamTrack | None = None, **params: Any
) -> AsyncGenerator[RtcPeer]:
    """A peer of `/rtc` that is in, its pictures of a small size, and one for every frame: a scene that stands still is
    shown again once a second only.
    """
    async with rtc_peer(url) as peer:
        peer.connection.addTrack(camera or Camera())
        peer.open_control()
        assert (await peer.dial(f"/rtc?session={session}")).status_code == 201
        await peer.text("ready")
        await peer.patch(**{"width": 128, "height": 96, "skip_unchanged": False, **params})
        yield peer


@asynccontextmanager
async def watching(url: str, session: str = "s") -> AsyncGenerator[RtcPeer]:
    """A peer of `/whep`."""
    async with rtc_peer(url) as peer:
        peer.connection.addTransceiver("video", direction="recvonly")
        response = await peer.dial(f"/whep?session={session}")
        assert response.status_code == 201, response.text
        yield peer
