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
    """Keeps one session going out to one address while the server lives, unless somebody stops it. Event loop only.

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
        self._wanted, self._over = asyncio.Event(), asyncio.Event()
        self._wanted.set()
        self._before = PushStatus(self._target.shown)
        self._is_renewed = False  # somebody has started it since what sends was made
        self._said = ""

    @property
    def status(self) -> PushStatus:
        """How it goes; numbers are those since the server has begun."""
        before, now = self._before, self._push.status if self._push is not None else None
        if now is None:
            return before
        state = PushState.WAITING if now.state is PushState.FAILED and self._is_renewed else now.state
        return replace(
            now,
            state=state if self._wanted.is_set() else PushState.STOPPED,
            sent=before.sent + now.sent,
            repeated=before.repeated + now.repeated,
            skipped=before.skipped + now.skipped,
            connections=before.connections + now.connections,
        )

    def start(self) -> None:
        """Send again, if it was stopped or no further try was of use."""
        if not self._wanted.is_set() or self.status.state is PushState.FAILED:
            self._before = replace(self._before, state=PushState.WAITING, problem="")
            self._is_renewed = True
            self._wanted.set()
            log.info("output of session %s: to %s, as somebody has started it", self.name, self._target.shown)

    def stop(self) -> None:
        """Send nothing until it is started, whatever session of this name comes."""
        if self._before.state is not PushState.STOPPED:
            self._before = replace(self._before, state=PushState.STOPPED, problem="")
            log.info("output of session %s: to %s no more, as somebody has stopped it", self.name, self._target.shown)
        self._wanted.clear()
        self._over.set()

    async def run(self) -> None:
        """Until cancelled, or until the server ends."""
        log.info("output of session %s: to %s, when it begins", self.name, self._target.shown)
        while not self._service.host.ended.is_set():
            await self._wanted.wait()
            if (session := await self._session()) is None:
                continue
            try:
                await self._send(session)
            except Exception:
                log.exception("output of session %s failed", self.name)
            await asyncio.sleep(LOOK_EVERY_S)  # nobody makes connections faster, by whatever starts and stops

    async def _session(self) -> Session | None:
        """The session once there is one; None where the server ends, or none is wanted any more."""
        while self._wanted.is_set() and not self._service.host.ended.is_set():
            if (session := self._service.session(self.name)) is not None and not session.ended.is_set():
                return session
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    async def _send(self, session: Session) -> None:
        """Send a session's pictures until it ends, or until nothing can be sent."""
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        self._over = over

        def tell(status: PushStatus) -> None:
            self._say(status)
            if status.state is PushState.FAILED:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                    loop.call_soon_threadsafe(over.set)

        self._push = push = self._make(self._target, self._service.config.output_fps, tell)
        self._is_renewed = False
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
            if status.state is PushState.FAILED:
                self._before = status
                self._wanted.clear()
            else:
                state = PushState.WAITING if self._wanted.is_set() else PushState.STOPPED
                self._before = replace(status, state=state, problem="")

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
