"""Video that is fetched: a camera, a file or a URL on the command line becomes a session.

Must not know HTTP, or how video is read. That is done in a thread of its own, which nothing waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable

from ..config import DecoderProcess, InputSource
from ..decoder_process.fetching import read_elsewhere
from ..errors import SessionLimitError, SourceError
from ..mailbox import Mailbox
from ..media.opening import opening_of
from ..media.source import read
from ..media.source_errors import explained
from ..planes import Planes
from .connection import Closed, first
from .inbound import VideoConnection
from .roles import OPERATOR
from .service import Service

log = logging.getLogger(__name__)

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
RETURN_AFTER_S = 1.0
"""A source that lost its session, or found no place, waits this long before it looks again."""


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
        """Until cancelled, or until the source turns out to be one that no further try can read."""
        said, is_over = "", False
        while not is_over:
            connection = VideoConnection(self._service)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(connection.live(self._name, OPERATOR, None))
                    tasks.create_task(self._read(connection))
            except* (Closed, SessionLimitError) as group:
                if str(first(group)) != said:  # a full server says the same every second
                    said = str(first(group))
                    log.info("input %s waits: %s", self._name, said)
            except* SourceError as group:
                log.error("input %s: %s; it is not tried again", self._name, first(group))
                is_over = True
            except* Exception as group:
                log.exception("input %s failed", self._name, exc_info=group)
            if not is_over:
                await self._until_free()

    async def _until_free(self) -> None:
        await asyncio.sleep(RETURN_AFTER_S)
        while (session := self._service.session(self._name)) and (channel := session.channel):
            await channel.lost.wait()

    async def _read(self, connection: VideoConnection) -> None:
        """Read the source again and again.

        Raises:
            SourceError: no further try can read it.
        """
        await connection.entered.wait()  # a camera is not opened for nothing
        retry_s, said = FIRST_RETRY_S, ""
        while True:
            before_s = connection.frame_at_s
            problem = await self._read_once(connection)
            if connection.frame_at_s != before_s:
                retry_s, said = FIRST_RETRY_S, ""
            if problem is None and not self._opening.is_live:
                continue  # the file again
            if problem is not None and problem.is_final:
                raise problem
            if (problem := str(problem or "the stream ended")) != said:
                said = problem
                log.warning("input %s: %s; trying again, after %.0f s at most", self._name, problem, LAST_RETRY_S)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    async def _read_once(self, connection: VideoConnection) -> SourceError | None:
        """Read the source to its end in a thread; what went wrong, if anything did."""
        loop = asyncio.get_running_loop()
        config = self._service.config
        max_pixels = config.max_pixels
        read_here_or_there = read if config.decoder_process is DecoderProcess.OFF else read_elsewhere
        ended: asyncio.Future[SourceError | None] = loop.create_future()
        stopping = threading.Event()

        newest: Mailbox[tuple[Planes, int]] = Mailbox()

        def call(function: Callable[[], object]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                loop.call_soon_threadsafe(function)

        def offer() -> None:
            if (waiting := newest.take()) is not None:
                connection.offer(*waiting)

        def take(planes: Planes, captured_us: int) -> None:
            if newest.put((planes, captured_us)) is None:  # a loop that is late gets one picture, not a queue
                call(offer)

        def work() -> None:
            problem: SourceError | None
            try:
                frames = read_here_or_there(self._opening, take, stopping, max_pixels)
                problem = None if frames else SourceError("it has no frames; give a file or stream that does")
            except Exception as error:  # whatever it is, it is this source's, and is said
                problem = explained(error, self._opening)
            call(lambda: ended.done() or ended.set_result(problem))

        # A daemon: a camera that hangs in its driver must not keep the process from ending.
        threading.Thread(target=work, name=f"input-{self._name}", daemon=True).start()
        try:
            return await ended
        finally:
            stopping.set()
