"""aiortc as it ships, in a server such as its examples show: what ours is compared with.

`python -m benchmarks.webrtc.stock [BITRATE]` prints its address and serves until it is ended, on the HTTP server and
the event loop that ours runs on. Offers are posted to a path that says what becomes of the video: `/receive` logs it
(`?marker=1`: received as our server does), `/echo` sends it back (`?sleep_ms=50`: after that long for each frame),
`/publish` and `/watch` relay it. No sessions, no limits: not for use.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Coroutine
from typing import Any, cast

import av
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.codecs import h264, vpx
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime.media.video import planes_of
from realtime.server.webrtc import seams

from .peer import SDP_TYPE
from .video import read_index


class Slow(MediaStreamTrack):
    """Takes its time over every frame, as a model does, and takes them all."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, sleep_s: float) -> None:
        super().__init__()
        self._source = source
        self._sleep_s = sleep_s

    async def recv(self) -> Any:
        """The next frame, however old."""
        frame = await self._source.recv()
        await asyncio.sleep(self._sleep_s)
        return frame


class Stock:
    """The peers of this process, and what they received."""

    def __init__(self) -> None:
        self._connections: list[RTCPeerConnection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._log: list[tuple[int, int]] = []
        self._relay = MediaRelay()
        self._published: MediaStreamTrack | None = None

    def app(self) -> Starlette:
        """What is served."""
        return Starlette(
            routes=[
                Route("/log", self.take_log),
                Route("/end", self.end, methods=["POST"]),
                Route("/{what}", self.answer, methods=["POST"]),
            ]
        )

    async def answer(self, request: Request) -> Response:
        """Take an offer."""
        connection = RTCPeerConnection(RTCConfiguration([]))
        self._connections.append(connection)
        offer = RTCSessionDescription((await request.body()).decode(), "offer")
        await connection.setRemoteDescription(offer)
        video = next(t for t in connection.getTransceivers() if t.kind == "video")
        options = {name: float(value) for name, value in request.query_params.items()}
        self._use(connection, video, request.path_params["what"], options)
        await connection.setLocalDescription(await connection.createAnswer())
        return Response(connection.localDescription.sdp, 201, {"Location": "/end"}, SDP_TYPE)

    def _use(
        self, connection: RTCPeerConnection, video: RTCRtpTransceiver, what: str, options: dict[str, float]
    ) -> None:
        track = video.receiver.track
        match what:
            case "receive":
                if options.get("marker"):
                    seams.release_on_marker(video.receiver)
                self._start(self._receive(track))
            case "echo":
                sleep_ms = options.get("sleep_ms", 0)
                connection.addTrack(Slow(track, sleep_ms / 1000) if sleep_ms else track)
            case "publish":
                self._published = track
                self._start(_discard(self._relay.subscribe(track)))
            case "watch" if self._published is not None:
                connection.addTrack(self._relay.subscribe(self._published))
            case _:
                raise ValueError(what)

    def _start(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(life)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = cast(av.VideoFrame, await track.recv())
                self._log.append((read_index(planes_of(frame).y), time.monotonic_ns() // 1000))
        except MediaStreamError:
            pass

    async def take_log(self, request: Request) -> Response:
        """The numbers of the frames received since the last time, and when each came."""
        log, self._log = self._log, []
        return JSONResponse(log)

    async def end(self, request: Request) -> Response:
        """End all peers."""
        connections, self._connections = self._connections, []
        await asyncio.gather(*(connection.close() for connection in connections))
        return Response(status_code=204)


async def _discard(track: MediaStreamTrack) -> None:
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        pass


def pin_bitrate(bitrate: int) -> None:
    """Have aiortc encode at this bitrate instead of the one that it comes to between its bounds: what peers do."""
    h264.MIN_BITRATE = h264.DEFAULT_BITRATE = h264.MAX_BITRATE = bitrate
    vpx.MIN_BITRATE = vpx.DEFAULT_BITRATE = vpx.MAX_BITRATE = bitrate


def main() -> None:
    """Serve on a free port of this machine."""
    if len(sys.argv) > 1:
        pin_bitrate(int(sys.argv[1]))
    seams.offer_addresses(["127.0.0.1"])
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    config = uvicorn.Config(Stock().app(), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
