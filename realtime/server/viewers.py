"""Viewers of a session, by WebSocket or MJPEG, and who controls it beside its own client. Each has a mailbox of its
own, so that a slow one delays nobody.

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
from .budget import Budget
from .connection import (
    REPORT_EVERY_S,
    STATS_EVERY,
    TEXTS_PER_SECOND,
    Closed,
    Gone,
    carry_out,
    end_with_grant,
    end_with_server,
    ring_from_any_thread,
)
from .lobby import ViewedBy
from .roles import ALLOWED, Action, Grant, seen_by
from .service import Service
from .tasks import Tasks
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


async def mjpeg(session: Session, service: Service, grant: Grant) -> AsyncIterator[bytes]:
    """The body of an MJPEG stream (`multipart/x-mixed-replace`); transparent pictures lie on black in it.

    Each part ends with the boundary of the next: browsers show a part when they see the boundary behind it.

    Raises:
        SessionLimitError: there are as many viewers as may be.
    """
    with service.viewers.seat(session.name, ViewedBy.MJPEG):
        yield f"--{MJPEG_BOUNDARY}\r\n".encode()
        async for result in results(session, service):
            if service.tickets.why_over(grant) is not None:
                return
            kind, data = await service.pictures.encoded(result, on_black=True)
            head = f"Content-Type: {kind.media_type}\r\nContent-Length: {len(data)}\r\n\r\n"
            yield head.encode() + data + f"\r\n--{MJPEG_BOUNDARY}\r\n".encode()


async def serve_viewer(websocket: WebSocket, service: Service, session_name: str, grant: Grant) -> None:
    """Run an accepted WebSocket that watches a session, until it is closed. Texts of those who may control it are
    carried out.
    """
    async with closing(websocket, service.config.send_timeout_s), Tasks() as tasks:
        tasks.create_task(_receive(websocket, service, session_name, grant))
        tasks.create_task(end_with_server(service))
        tasks.create_task(end_with_grant(service, grant))
        tasks.create_task(_show(websocket, service, session_name, grant))


def may_control(grant: Grant) -> bool:
    """Whether somebody who watches a session may change it, too."""
    return Action.CONTROL in ALLOWED[grant.role]


async def _receive(websocket: WebSocket, service: Service, session_name: str, grant: Grant) -> None:
    """Carry out texts of those who may control the session; discard all else that is sent.

    Raises:
        Gone: the viewer has disconnected.
        ProtocolError: a text is no message.
    """
    budget = Budget(TEXTS_PER_SECOND)
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        text, session = message.get("text"), service.session(session_name)
        if text is None or session is None or not may_control(grant):
            continue
        answers: list[str] = []
        carry_out(text, session, answers.append)
        for answer in answers:
            await websocket.send_text(answer)
        if (wait_s := budget.spend(1)) > 0:
            await asyncio.sleep(wait_s)
    raise Gone


async def _show(websocket: WebSocket, service: Service, session_name: str, grant: Grant) -> None:
    running, session = service.running, service.session(session_name)
    if running is None or session is None:
        raise Closed(CloseCode.TRY_LATER, f"there is no session {session_name[:64]!r} yet: try again later")
    with service.viewers.seat(session.name, ViewedBy.WEBSOCKET):
        await websocket.send_text(running.ready_message(session, grant))
        async with Tasks() as tasks:
            report = tasks.create_task(_report(websocket, session, service, grant))
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


async def _report(websocket: WebSocket, session: Session, service: Service, grant: Grant) -> None:
    """Send params, how prompts are heard, whether the engine is there and whether pictures are held when that has
    changed, looked at every `REPORT_EVERY_S`, and stats once a second.
    """
    version, beats, heard, away, held = session.params.version, 0, session.heard, None, ""
    state: tuple[object, ...] = ()
    running = service.running
    while True:
        if may_control(grant) and (commanded := _commanded(session)) != state:
            state = commanded
            await websocket.send_text(session.state_message())
        await asyncio.sleep(REPORT_EVERY_S)
        if service.away(session) is not away:
            away = service.away(session)
            await websocket.send_text(service.status(session))
        if session.held != held:
            held = session.held
            await websocket.send_text(session.safety_message)
        if service.running is not running and (running := service.running) is not None:
            await websocket.send_text(protocol.model_message(running.about, service.dissolve_s))
        if session.params.version != version:
            version = session.params.version
            await websocket.send_text(_params(session, grant))
        if session.heard is not heard and Action.PROMPTS in ALLOWED[grant.role]:
            heard = session.heard
            await websocket.send_text(protocol.heard_message(heard or {"notes": []}, version))
        beats += 1
        if beats % STATS_EVERY == 0:
            await websocket.send_text(protocol.stats_message(service.stats(session)))


def _params(session: Session, grant: Grant) -> str:
    return protocol.params_message(seen_by(grant, session.params.wire()), session.gliding_s)


def _commanded(session: Session) -> tuple[object, ...]:
    """What changes with what a `state` message says, apart from the time of beats."""
    return session.frozen, session.air, session.pads.last, session.pads.version, session.tempo, session.crossfade
