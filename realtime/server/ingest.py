"""Video that is fetched: a camera, a file or a URL on the command line becomes a session.

Knows PyAV; must not know HTTP. Reading is done in a thread of its own, which nothing waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
from av.error import FFmpegError

from ..config import InputSource
from ..errors import ConfigError, SessionLimitError
from ..media.video import captured_us_of, planes_of
from .connection import Closed, first
from .inbound import VideoConnection
from .service import Service

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 5.0
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
RETURN_AFTER_S = 1.0
"""A source that lost its session, or found no place, waits this long before it looks again."""
CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
LATE_S = 1.0
"""A file whose reading fell behind by this much goes on from now; catching up would only drop frames."""

OnFrame = Callable[[av.VideoFrame], None]


@dataclass(frozen=True, slots=True)
class Opening:
    """How a source is opened.

    Attributes:
        file: what PyAV opens.
        format: the name of the input format; None lets PyAV look.
        options: of FFmpeg.
        is_live: its end is a failure; a file's is where it begins again.
    """

    file: str
    format: str | None
    options: dict[str, str]
    is_live: bool


def opening_of(source: str, platform: str = sys.platform) -> Opening:
    """How to open `camera`, `camera:N`, a device, a URL or a file.

    Raises:
        ConfigError: there is no such file.
    """
    if source == "camera" or source.startswith(("camera:", "/dev/video")):
        number = source.partition(":")[2] or "0"
        device = source if source.startswith("/dev/") else f"/dev/video{number}" if platform == "linux" else number
        device = f"video={device}" if platform == "win32" else device
        return Opening(device, CAMERA_FORMATS.get(platform, "v4l2"), {"framerate": "30"}, True)
    scheme = urlsplit(source).scheme
    if "://" in source and len(scheme) > 1:
        options: dict[str, str] = {}
        if scheme not in ("http", "https"):
            options |= {"fflags": "nobuffer", "flags": "low_delay"}
        if scheme in ("rtsp", "rtsps"):
            options |= {"rtsp_transport": "tcp"}  # UDP loses packets of key frames before anything is wrong
        return Opening(source, None, options, True)
    if not Path(source).is_file():
        raise ConfigError(f"--input {source}: there is no such file; a camera is camera:0, a URL has ://")
    return Opening(source, None, {}, False)


def read(opening: Opening, on_frame: OnFrame, stopping: threading.Event) -> int:
    """Decode until the source ends, in this thread; what has a length is played at its own pace.

    Returns:
        How many frames there were.

    Raises:
        FFmpegError: it can't be opened or read.
        ValueError: it has no video.
    """
    timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    with av.open(opening.file, format=opening.format, options=opening.options, timeout=timeout) as container:
        video = next(iter(container.streams.video), None)
        if video is None:
            raise ValueError("it has no video")
        has_length = bool(container.duration)
        # Decoding a frame in slices adds no delay; several frames at once would.
        video.thread_type = "AUTO" if has_length else "SLICE"
        begun_s, frames = float("-inf"), 0
        for frame in container.decode(video):
            if has_length and frame.pts is not None:
                now_s = time.monotonic()
                if now_s - begun_s - frame.time > LATE_S:
                    begun_s = now_s - frame.time
                stopping.wait(begun_s + frame.time - now_s)
            if stopping.is_set():
                break
            on_frame(frame)
            frames += 1
        return frames


class Ingest:
    """Keeps one source coming into one session while the server lives.

    A client that connects under the session's name takes it over, as ever; when it has left, the source comes back.

    Args:
        source: which, and the session's name.
    """

    def __init__(self, service: Service, source: InputSource) -> None:
        self._service = service
        self._name = source.name
        self._opening = opening_of(source.source)

    async def run(self) -> None:
        """Until cancelled."""
        said = ""
        while True:
            connection = VideoConnection(self._service)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(connection.live(self._name))
                    tasks.create_task(self._read(connection))
            except* (Closed, SessionLimitError) as group:
                if str(first(group)) != said:  # a full server says the same every second
                    said = str(first(group))
                    log.info("input %s waits: %s", self._name, said)
            except* Exception as group:
                log.exception("input %s failed", self._name, exc_info=group)
            await self._until_free()

    async def _until_free(self) -> None:
        await asyncio.sleep(RETURN_AFTER_S)
        while (session := self._service.session(self._name)) and (channel := session.channel):
            await channel.lost.wait()

    async def _read(self, connection: VideoConnection) -> None:
        await connection.entered.wait()  # a camera is not opened for nothing
        retry_s, said = FIRST_RETRY_S, ""
        while True:
            before_s = connection.frame_at_s
            problem = await self._read_once(connection)
            if connection.frame_at_s != before_s:
                retry_s, said = FIRST_RETRY_S, ""
            if problem is None and not self._opening.is_live:
                continue  # the file again
            problem = problem or "the stream ended"
            if problem != said:
                said = problem
                log.warning("input %s: %s; trying again", self._name, problem)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    async def _read_once(self, connection: VideoConnection) -> str | None:
        """Read the source to its end in a thread; what went wrong, if anything did."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str | None] = loop.create_future()
        stopping = threading.Event()

        def call(function: Callable[..., object], *arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                loop.call_soon_threadsafe(function, *arguments)

        def take(frame: av.VideoFrame) -> None:
            call(connection.offer, planes_of(frame), captured_us_of(frame))  # converted here, not on the event loop

        def work() -> None:
            problem: str | None
            try:
                frames = read(self._opening, take, stopping)
                problem = None if frames else "it has no frames"
            except (FFmpegError, ValueError, OSError) as error:
                problem = getattr(error, "strerror", None) or str(error)
            call(lambda: ended.done() or ended.set_result(problem))

        # A daemon: a camera that hangs in its driver must not keep the process from ending.
        threading.Thread(target=work, name=f"input-{self._name}", daemon=True).start()
        try:
            return await ended
        finally:
            stopping.set()
