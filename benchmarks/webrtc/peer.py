"""The client's side of a WebRTC measurement: a camera that sends numbered frames, and when which of them came back.

Must not know what is measured, or whose server is at the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
import cv2
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from aiortc.stats import RTCTransportStats

from realtime.bench.errors import BenchError
from realtime.client import now_us
from realtime.media.video import planes_of
from realtime.pixels import Pixels
from realtime.server.webrtc import seams
from realtime.server.webrtc.encoder import CLOCK_HZ, VideoEncoder

from .video import read_index, write_index

SDP_TYPE = "application/sdp"
CONNECT_TIMEOUT_S = 10.0
HTTP_TIMEOUT_S = 10.0


class CameraTrack(MediaStreamTrack):
    """Gives a frame whenever it is told to; one that the sender has no time for is replaced by the next.

    Args:
        pictures: I420, uint8 [height * 3 / 2, width]; it goes round them.

    Attributes:
        sent_us: when each number was handed over.
        skipped: how many were replaced.
    """

    kind = "video"

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        super().__init__()
        self.sent_us: list[int] = []
        self.skipped = 0
        self._pictures = pictures
        self._next_frame: av.VideoFrame | None = None
        self._arrived = asyncio.Event()
        self._begun_ns = time.monotonic_ns()

    def fire(self) -> None:
        """Hand the next frame over."""
        picture = self._pictures[len(self.sent_us) % len(self._pictures)].copy()
        write_index(picture[: len(picture) * 2 // 3], len(self.sent_us))
        frame = av.VideoFrame.from_ndarray(cast(Any, picture), format="yuv420p")
        frame.time_base = Fraction(1, CLOCK_HZ)
        frame.pts = (time.monotonic_ns() - self._begun_ns) * CLOCK_HZ // 10**9
        self.skipped += self._next_frame is not None
        self._next_frame = frame
        self.sent_us.append(now_us())
        self._arrived.set()

    async def recv(self) -> av.VideoFrame:
        """Called by the sender."""
        await self._arrived.wait()
        self._arrived.clear()
        frame, self._next_frame = self._next_frame, None
        if frame is None or self.readyState != "live":
            raise MediaStreamError
        return frame

    def stop(self) -> None:
        """No more frames."""
        super().stop()
        self._arrived.set()


class CheapEncoder(Encoder):
    """Encodes as our server does, so that a measured server is not short of what its client takes."""

    def __init__(self, codec: str, share: float) -> None:
        self._packetizer = H264Encoder() if codec == "H264" else Vp8Encoder()
        self._encoder = VideoEncoder(codec, share)

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """RTP payloads and timestamp of a frame."""
        picture = cast(Pixels, cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2RGB_I420))
        return self.pack(self._encoder.encode(picture, frame.pts, force_keyframe)[0])

    def pack(self, packet: Any) -> tuple[list[bytes], int]:
        """RTP payloads and timestamp of a packet."""
        return self._packetizer.pack(packet)


class CountingBuffer(JitterBuffer):
    """Counts frames and gives none out: many viewers in one process must not all decode."""

    def __init__(self) -> None:
        super().__init__(capacity=1, is_video=True)
        self.frames = 0

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Called for each packet."""
        self.frames += bool(packet.marker)
        return False, None


@dataclass(slots=True)
class Call:
    """A connection that stands.

    Attributes:
        arrived: the number of each frame that came, and when it was decoded, in microseconds.
        counter: what came, where nothing is decoded.
    """

    connection: RTCPeerConnection
    arrived: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    counter: CountingBuffer | None = None
    texts: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue[dict[str, Any]])

    def hear(self, text: str) -> None:
        """A text came over the control channel."""
        self.texts.put_nowait(json.loads(text))

    async def received_bytes(self) -> int:
        """All that came over the transport so far."""
        report = await self.connection.getStats()
        return sum(stats.bytesReceived for stats in report.values() if isinstance(stats, RTCTransportStats))


@dataclass(frozen=True, slots=True)
class Dial:
    """How to connect.

    Attributes:
        camera: what is sent; None only receives.
        back: whether video is wanted.
        codec: `VP8` or `H264`.
        marker: receive as our server does, and not as aiortc does.
        counts: don't decode what comes.
        control: open the control channel, and wait until the server is ready.
        cheap: encode with little effort, at this share of the full bitrate; None leaves it to aiortc.
    """

    camera: CameraTrack | None = None
    back: bool = True
    codec: str = "VP8"
    marker: bool = True
    counts: bool = False
    control: bool = False
    cheap: float | None = None


@contextlib.asynccontextmanager
async def connected(url: str, path: str, dial: Dial) -> AsyncGenerator[Call]:
    """Connect to a path of a server; the connection ends with the block.

    Raises:
        BenchError: it did not come about.
    """
    connection = RTCPeerConnection(RTCConfiguration([]))
    call = Call(connection)
    readers: list[asyncio.Task[None]] = []
    location: str | None = None
    try:
        receiver = _add_video(connection, dial)
        if dial.counts:
            call.counter = CountingBuffer()
            seams.use_jitter_buffer(receiver, call.counter)
        elif dial.marker:
            seams.release_on_marker(receiver)
        if dial.control:
            connection.createDataChannel("control").on("message", call.hear)
        await connection.setLocalDescription(await connection.createOffer())
        answer, location = await asyncio.to_thread(_post, url + path, connection.localDescription.sdp)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        if dial.back:
            readers.append(asyncio.create_task(_read(receiver.track, call)))
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            while connection.connectionState != "connected":  # noqa: ASYNC110 - as it is for any number of calls
                await asyncio.sleep(0.01)
            while dial.control and (await call.texts.get())["type"] != "ready":
                pass
        yield call
    except TimeoutError:
        raise BenchError(f"{url}{path} did not connect") from None
    finally:
        await connection.close()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        if location is not None:
            await asyncio.to_thread(_end, url, location)


def _add_video(connection: RTCPeerConnection, dial: Dial) -> RTCRtpReceiver:
    direction = "recvonly" if dial.camera is None else "sendrecv" if dial.back else "sendonly"
    transceiver = connection.addTransceiver(dial.camera or "video", direction)
    wanted = (f"video/{dial.codec}".lower(), "video/rtx")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() in wanted])
    if dial.cheap is not None:
        seams.pack_with(transceiver.sender, CheapEncoder(dial.codec, dial.cheap))
    return transceiver.receiver


async def _read(track: MediaStreamTrack, call: Call) -> None:
    with contextlib.suppress(MediaStreamError):
        while True:
            frame = cast(av.VideoFrame, await track.recv())
            at_us = now_us()
            call.arrived.append((read_index(planes_of(frame).y), at_us))


def _post(url: str, offer: str) -> tuple[str, str | None]:
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": SDP_TYPE}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as response:
            return response.read().decode(), response.headers["Location"]
    except urllib.error.HTTPError as error:
        raise BenchError(f"{url} answered {error.code}: {error.read().decode()[:200]}") from None
    except OSError as error:
        raise BenchError(f"can't connect to {url}: {error}") from error


def _end(url: str, location: str) -> None:
    method = "POST" if location == "/end" else "DELETE"
    request = urllib.request.Request(url.rstrip("/") + location, method=method)
    with contextlib.suppress(OSError):  # it noticed by itself, or it is ended anyway
        urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S).close()


def get_json(url: str) -> Any:
    """What a GET answers."""
    with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as response:
        return json.loads(response.read())
