"""Viewers of a session, by WebSocket or MJPEG. Each has a mailbox of its own, so that a slow one delays nobody.

Must not know peer connections.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

from starlette.websockets import WebSocket

from .. import protocol
from ..errors import CloseCode
from ..frame import Result
from ..session import Session
from .connection import REPORT_EVERY_S, STATS_EVERY, Closed, Gone, end_with_server, ring_from_any_thread
from .service import Service
from .websocket import closing, send_picture

MJPEG_BOUNDARY = "frame"


async def results(session: Session, service: Service) -> AsyncIterator[Result]:
    """A viewer's results: the newest one first, then each that is newest when the caller asks again. Those in between
    are left out. Ends with the session or the engine host.

    Yields:
        Results as `Result.on_air` gives them.
    """
    bell = asyncio.Event()
    viewer = session.watch(ring_from_any_thread(bell))
    try:
        while not (session.ended.is_set() or service.host.ended.is_set()):
            bell.clear()
            if (result := viewer.take()) is not None:
                yield result.on_air(session.air)
            await bell.wait()
    finally:
        session.unwatch(viewer)


async def mjpeg(session: Session, service: Service) -> AsyncIterator[bytes]:
    """The body of an MJPEG stream (`multipart/x-mixed-replace`).

    Each part ends with the boundary of the next: browsers show a part when they see the boundary behind it.

    Raises:
        SessionLimitError: there are as many viewers as may be.
    """
    with service.viewers.seat():
        yield f"--{MJPEG_BOUNDARY}\r\n".encode()
        async for result in results(session, service):
            kind, data = await service.pictures.encoded(result)
            head = f"Content-Type: {kind.media_type}\r\nContent-Length: {len(data)}\r\n\r\n"
            yield head.encode() + data + f"\r\n--{MJPEG_BOUNDARY}\r\n".encode()


async def serve_viewer(websocket: WebSocket, service: Service, session_name: str) -> None:
    """Run an accepted WebSocket that watches a session, until it is closed."""
    async with closing(websocket, service.config.send_timeout_s), asyncio.TaskGroup() as tasks:
        tasks.create_task(_receive(websocket))
        tasks.create_task(end_with_server(service))
        tasks.create_task(_show(websocket, service, session_name))


async def _receive(websocket: WebSocket) -> None:
    """Discard what the viewer sends.

    Raises:
        Gone: it has disconnected.
    """
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
    raise Gone


async def _show(websocket: WebSocket, service: Service, session_name: str) -> None:
    running, session = service.running, service.session(session_name)
    if running is None or session is None:
        raise Closed(CloseCode.TRY_LATER, f"there is no session {session_name[:64]!r} yet: try again later")
    with service.viewers.seat():
        await websocket.send_text(running.ready_message(session))
        async with asyncio.TaskGroup() as tasks:
            report = tasks.create_task(_report(websocket, session, service))
            async for result in results(session, service):
                kind, data = await service.pictures.encoded(result)
                try:
                    async with asyncio.timeout(service.config.send_timeout_s):
                        await send_picture(websocket, dataclasses.replace(result, format=kind, data=data))
                except TimeoutError:
                    raise Gone from None
            report.cancel()
    if session.ended.is_set():
        raise Closed(CloseCode.DONE, "the session has ended")


async def _report(websocket: WebSocket, session: Session, service: Service) -> None:
    """Send params and how prompts are heard when that has changed, looked at every `REPORT_EVERY_S`, and stats once a
    second.
    """
    version, beats, heard = session.params.version, 0, session.heard
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        if session.params.version != version:
            version = session.params.version
            await websocket.send_text(protocol.params_message(session.params.wire()))
        if session.heard is not heard:
            heard = session.heard
            await websocket.send_text(protocol.heard_message(heard or {"notes": []}, version))
        beats += 1
        if beats % STATS_EVERY == 0:
            await websocket.send_text(protocol.stats_message(service.stats(session)))
