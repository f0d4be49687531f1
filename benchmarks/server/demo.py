"""A client of StreamDiffusion's demo server: frames go up by its WebSocket when it asks, pictures come down as MJPEG.

Kinder than a browser, which sees a picture only when the next one's boundary arrives, and sends an old frame again
where the camera has no new one. Must not know what it is compared with.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import WebSocketException

from realtime.bench.errors import BenchError
from realtime.bench.load import DRAIN_LOOKS, DRAIN_S, LEAD_S, Log, Run, unless_ended
from realtime.bench.pacer import Camera, Pacer, quiet
from realtime.client import Picture, now_us
from realtime.frame import Format

HEAD_TIMEOUT_S = 10.0
LEAVE_S = 0.2
"""The demo's stream must end before its WebSocket: the other way round its loop spins for ever."""
NEXT_FRAME = json.dumps({"status": "next_frame"})
BLANK = b"\r\n\r\n"


class _Viewer:
    """One user: a camera whose newest frame is sent when the server asks for one.

    Args:
        websocket: open.
        first: index of the first picture.
    """

    def __init__(self, websocket: ClientConnection, pictures: Sequence[bytes], first: int) -> None:
        self.log = Log()
        self._websocket = websocket
        self._pictures = pictures
        self._next = first
        self._newest: bytes | None = None
        self._asked = 0
        self._unanswered: deque[int] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()

    @property
    def settled(self) -> bool:
        return not self._unanswered

    def fire(self) -> None:
        """The camera has a new frame; one that the server did not ask for in time is left out."""
        if self._newest is not None:
            self.log.left_out.append(now_us())
        self._newest = self._pictures[self._next % len(self._pictures)]
        self._next += 1
        self._send_if_asked()

    def stop(self) -> None:
        """No more frames."""
        self._newest = None

    def _send_if_asked(self) -> None:
        if self._newest is None or not self._asked:
            return
        picture, self._newest = self._newest, None
        self._asked -= 1
        task = asyncio.get_running_loop().create_task(self._send(picture))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, picture: bytes) -> None:
        async with self._lock:  # three messages a frame, in this order
            sent_us = now_us()
            seq = len(self.log.sent) + 1
            self.log.sent[seq] = sent_us
            self._unanswered.append(seq)
            try:
                await self._websocket.send(NEXT_FRAME)
                await self._websocket.send(json.dumps({}))
                await self._websocket.send(picture)
            except WebSocketException:
                return  # `hear` says why

    async def hear(self) -> None:
        """Count what the server asks for."""
        try:
            async for message in self._websocket:
                if json.loads(message)["status"] == "send_frame":
                    self._asked += 1
                    self._send_if_asked()
        except WebSocketException as error:
            raise BenchError(f"the demo's connection broke: {error}") from error
        raise BenchError("the demo closed the connection")

    async def watch(self, reader: asyncio.StreamReader) -> None:
        """Take the pictures: they come in the order of the frames, and none is left out."""
        async for picture in pictures_of(reader):
            arrived_us = now_us()
            if self._unanswered:
                seq = self._unanswered.popleft()
                took_us = arrived_us - self.log.sent[seq]
                self.log.arrived_us.append(arrived_us)
                self.log.arrived.append(Picture(seq, Format.JPEG, picture, 0, 0, took_us))
        raise BenchError("the demo's stream ended")


async def drive_demo(
    url: str, cameras: Sequence[Camera], pictures: Sequence[bytes], *, warmup_s: float, seconds: float
) -> Run:
    """As `load.drive`, of the demo.

    Args:
        url: of its page, with a slash at the end.

    Raises:
        BenchError: no connection, or it ended early.
    """
    async with AsyncExitStack() as stack:
        viewers: list[_Viewer] = []
        tasks: list[asyncio.Task[None]] = []
        writers: list[asyncio.StreamWriter] = []
        try:
            for first in range(len(cameras)):
                name = uuid.uuid4()
                websocket = await stack.enter_async_context(connect_websocket(f"ws{url[4:]}api/ws/{name}"))
                viewer = _Viewer(websocket, pictures, first)
                viewers.append(viewer)
                reader, writer = await _get(url, f"/api/stream/{name}")
                writers.append(writer)
                tasks += [asyncio.create_task(viewer.hear()), asyncio.create_task(viewer.watch(reader))]
        except (OSError, WebSocketException) as error:
            raise BenchError(f"can't connect to the demo at {url}: {error}") from error
        try:
            with quiet():  # which collects first, for longer than the lead
                start_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
                begin_ns = start_ns + int(warmup_s * 1e9)
                end_ns = begin_ns + int(seconds * 1e9)
                fires = [(camera, viewer.fire) for camera, viewer in zip(cameras, viewers, strict=True)]
                pacer = Pacer(asyncio.get_running_loop(), fires, start_ns, end_ns)
                await unless_ended(pacer.done, tasks)
                await unless_ended(_settle(viewers), tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in writers:
                writer.close()
            await asyncio.sleep(LEAVE_S)
    return Run([viewer.log for viewer in viewers], begin_ns // 1000, end_ns // 1000, pacer.late_us)


async def _settle(viewers: Sequence[_Viewer]) -> None:
    for viewer in viewers:
        viewer.stop()
    for _ in range(DRAIN_LOOKS):
        if all(viewer.settled for viewer in viewers):
            return
        await asyncio.sleep(DRAIN_S / DRAIN_LOOKS)


async def _get(url: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**22)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(BLANK), HEAD_TIMEOUT_S)
    status, _, _ = head.decode(errors="replace").partition("\r\n")
    if " 200 " not in status:
        writer.close()
        raise BenchError(f"the demo answered {status}")
    return reader, writer


async def pictures_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The pictures of an MJPEG answer in HTTP chunks, each as soon as its last byte is there."""
    buffer = bytearray()
    while (size := int(await reader.readline() or b"0", 16)) > 0:
        buffer += await reader.readexactly(size)
        await reader.readexactly(2)
        while (picture := take_part(buffer)) is not None:
            yield picture


def take_part(buffer: bytearray) -> bytes | None:
    """Cut the first whole part out of the buffer; None while it is not whole."""
    head, blank, rest = bytes(buffer).partition(BLANK)
    if not blank:
        return None
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2])
    if len(rest) < length:
        return None
    del buffer[: len(head) + len(blank) + length]
    return rest[:length]


def numbers_of(measures: dict[str, Any]) -> dict[str, float]:
    """What is compared of a run's measures."""
    latency = measures["latency_ms"]
    return {
        "fps": measures["fps"],
        "p50_ms": latency["p50"],
        "p95_ms": latency["p95"],
        "interval_sd_ms": measures["interval_ms"]["sd"],
        "delivered": float(measures["delivered"]),
        "sent_late_p99_ms": measures["sent_late_ms"]["p99"],
    }
