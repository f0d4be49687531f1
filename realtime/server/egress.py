"""A session's pictures, sent on: to a platform, a receiver or a virtual camera, for as long as there is the session.

Must not know HTTP, or how pictures are sent. That is done in a thread of its own, which nothing waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..config import OutputSetting
from ..errors import ConfigError
from ..frame import Result
from ..media import matte
from ..outputs.push import Push, PushState, PushStatus
from ..outputs.target import OutputKind, OutputTarget, target_of
from ..pixels import Pixels
from ..session import Session
from .service import Service
from .viewers import results

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""How often it is looked whether the session has begun."""
CLOSE_TIMEOUT_S = 1.0

MakePush = Callable[[OutputTarget, int, Callable[[PushStatus], None]], Push]


def _push(target: OutputTarget, rate: int, on_state: Callable[[PushStatus], None]) -> Push:
    return Push(target, rate, on_state=on_state)


class Egress:
    """Keeps one session going out to one address while the server lives.

    Args:
        setting: which session, and where to.
        make: makes what sends.

    Attributes:
        name: of the session.

    Raises:
        ConfigError: pictures can't go there.
    """

    def __init__(self, service: Service, setting: OutputSetting, make: MakePush = _push) -> None:
        self._service, self._make = service, make
        self.name = setting.name
        self._target = target_of(setting.address.get_secret_value(), "--output")
        if self._target.kind is OutputKind.FILE:
            raise ConfigError(
                "--output: that is neither an address nor a camera: write NAME=rtmp://HOST/APP/KEY or NAME=camera; "
                "realtime run writes files"
            )
        self._push: Push | None = None
        self._before = PushStatus(self._target.shown)
        self._said = ""

    @property
    def status(self) -> PushStatus:
        """How it goes; numbers are those since the server has begun."""
        before, now = self._before, self._push.status if self._push is not None else None
        if now is None:
            return before
        return replace(
            now,
            sent=before.sent + now.sent,
            repeated=before.repeated + now.repeated,
            skipped=before.skipped + now.skipped,
            connections=before.connections + now.connections,
        )

    async def run(self) -> None:
        """Until cancelled, until the server ends, or until no further try is of use."""
        log.info("output of session %s: to %s, when it begins", self.name, self._target.shown)
        while (session := await self._session()) is not None:
            try:
                await self._send(session)
            except Exception:
                log.exception("output of session %s failed", self.name)
                await asyncio.sleep(LOOK_EVERY_S)
            if self._before.state is PushState.FAILED:
                return

    async def _session(self) -> Session | None:
        """The session once there is one; None where the server ends."""
        while not self._service.host.ended.is_set():
            if (session := self._service.session(self.name)) is not None and not session.ended.is_set():
                return session
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def _send(self, session: Session) -> None:
        """Send a session's pictures until it ends, or until nothing can be sent."""
        over, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell(status: PushStatus) -> None:
            self._say(status)
            if status.state is PushState.FAILED:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                    loop.call_soon_threadsafe(over.set)

        self._push = push = self._make(self._target, self._service.config.output_fps, tell)
        push.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                both = tasks.create_task(self._offer(session, push)), tasks.create_task(over.wait())
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                for task in both:
                    task.cancel()
        finally:
            await asyncio.to_thread(push.close, CLOSE_TIMEOUT_S)
            status, self._push = self.status, None
            is_lost = status.state is PushState.FAILED
            self._before = status if is_lost else replace(status, state=PushState.WAITING, problem="")

    async def _offer(self, session: Session, push: Push) -> None:
        async for result in results(session, self._service):
            push.offer(result.picture if result.key is None else await asyncio.to_thread(_on_black, result))

    def _say(self, status: PushStatus) -> None:
        """Into the log, by the thread that sends; what keeps it from sending once."""
        match status.state:
            case PushState.LIVE:
                by, self._said = f" by {status.encoder}" if status.encoder else "", ""
                log.info("output of session %s: live at %s%s", self.name, status.address, by)
            case PushState.RETRYING if status.problem != self._said:
                self._said = status.problem  # each try says the same
                log.warning("output of session %s: %s: %s; trying again", self.name, status.address, status.problem)
            case PushState.FAILED:
                log.error(
                    "output of session %s: %s: %s; it is not tried again", self.name, status.address, status.problem
                )
            case _:
                pass


def _on_black(result: Result) -> Pixels:
    """The picture where its transparent parts are black."""
    assert result.key is not None
    return matte.composited(result.picture, np.zeros_like(result.picture), result.key)
