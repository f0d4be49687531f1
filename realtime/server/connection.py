"""What every connection does with its session, whatever carries it: the wait for the engine and a place, texts both
ways, reports, the end.

Knows neither sockets nor peer connections: those are subclasses. Event loop only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from .. import protocol
from ..errors import CloseCode, ParamsError, ProtocolError
from ..frame import Repeat, Result
from ..session import Channel, Session
from .engine_host import State
from .lobby import check_name
from .service import Running, Service

log = logging.getLogger(__name__)

E = TypeVar("E", bound=BaseException)

REPORT_EVERY_S = 0.25
"""Drops are told this often; every fourth time the stats are."""
STATS_EVERY = round(1 / REPORT_EVERY_S)
TEXTS_PER_SECOND = 200
"""A client that sends more is read more slowly; nothing it sent is lost, and nobody else is kept waiting."""


class Closed(Exception):
    """The connection ends with this code, for this reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Gone(Exception):
    """The other side is not there any more, or takes nothing: nothing can be said to it."""


@contextlib.asynccontextmanager
async def ending(say: Callable[[Closed], Awaitable[None]], *gone: type[Exception]) -> AsyncGenerator[None]:
    """Run a connection's tasks, and say why they ended to a client that is still there.

    Args:
        say: tells the client.
        gone: what means, besides Gone, that it is not there.
    """
    end: Closed | None = Closed(CloseCode.DONE, "")
    try:
        yield
    except* (Gone, *gone) as group:
        log.debug("a client is gone: %s", first(group))
        end = None
    except* Closed as group:
        end = first(group)
    except* ProtocolError as group:
        refused = first(group)
        end = Closed(refused.close_code, str(refused))
    except* Exception as group:
        log.exception("a connection failed", exc_info=group)
        end = Closed(CloseCode.ENGINE_FAILED, "the server failed")
    if end is not None:
        await say(end)


def first(group: BaseExceptionGroup[E]) -> E:
    """The first exception in a group of groups."""
    inner = group.exceptions[0]
    return first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def ring_from_any_thread(event: asyncio.Event) -> Callable[[], None]:
    """A mailbox's bell that sets an event of the running loop."""
    loop = asyncio.get_running_loop()

    def ring() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)

    return ring


async def end_with_server(service: Service) -> None:
    """Wait until the server goes or the engine breaks, and say so.

    Raises:
        Closed: always.
    """
    host = service.host
    await host.ended.wait()
    if host.state is State.FAILED:
        raise Closed(CloseCode.ENGINE_FAILED, "the engine failed")
    raise Closed(CloseCode.GOING_AWAY, "the server is going away")


class Connection(ABC):
    """One client's connection to one session.

    Args:
        service: of the server.
        takes_encoded: whether results are sent as encoded pictures.
    """

    def __init__(self, service: Service, *, takes_encoded: bool) -> None:
        self.service = service
        self.session: Session | None = None
        self.channel: Channel | None = None
        self._takes_encoded = takes_encoded
        self._something_to_send = asyncio.Event()
        self._texts_sent = asyncio.Event()
        self._text_budget = float(TEXTS_PER_SECOND)
        self._text_budget_at = time.monotonic()

    @abstractmethod
    async def send_text(self, text: str) -> None:
        """Carry a text message to the client. May be cut off by a time-out."""

    @abstractmethod
    async def send_result(self, session: Session, result: Result | Repeat) -> None:
        """Carry a picture to the client, or that it is the last one again. May be cut off by a time-out."""

    def attached(self, session: Session) -> None:  # noqa: B027 - what a subclass may have to begin
        """The session is ours from here on."""

    # -- in ---------------------------------------------------------------------------------------------------------

    async def take_text(self, text: str) -> None:
        """Do what a text message says; waits where the client sends more than it should.

        Raises:
            ProtocolError: it is none of ours.
        """
        self._on_text(text)
        await self._pace_texts()

    def _on_text(self, text: str) -> None:
        message = protocol.parse_text(text)
        session, channel = self.session, self.channel
        if session is None or channel is None or session.channel is not channel:
            return  # before `ready`, or another connection has the session by now
        match message:
            case protocol.ParamsMessage(patch):
                try:
                    session.update(patch)
                except ParamsError as error:
                    channel.post(protocol.error_message("invalid_params", str(error), field=error.field))
            case protocol.CommandMessage(name):
                if not session.command(name):
                    channel.post(protocol.error_message("unknown_command", f"there is no command {name[:64]!r}"))
            case protocol.UnknownMessage(_, problem):
                if problem is not None:
                    channel.post(protocol.error_message("bad_message", problem))

    async def _pace_texts(self) -> None:
        now = time.monotonic()
        self._text_budget += (now - self._text_budget_at) * TEXTS_PER_SECOND
        self._text_budget = min(self._text_budget, float(TEXTS_PER_SECOND)) - 1
        self._text_budget_at = now
        if self._text_budget < 0:
            await asyncio.sleep(-self._text_budget / TEXTS_PER_SECOND)
        while self.channel is not None and self.channel.is_crowded:
            # It sends texts and takes no answers. `_send` goes on or gives it up.
            self._texts_sent.clear()
            await self._texts_sent.wait()

    # -- out --------------------------------------------------------------------------------------------------------

    async def live(self, session_name: str | None) -> None:
        """Wait for the engine and a place, say `ready`, then send until the end."""
        check_name(session_name)
        running = await self._wait_for_engine()
        position: list[str] = []
        lobby = running.lobby

        def on_position(place: int, size: int) -> None:
            position[:] = [protocol.queued_message(place, size)]
            self._something_to_send.set()

        try:
            async with asyncio.TaskGroup() as tasks:
                teller = tasks.create_task(self._tell_position(position))
                self.session = await lobby.enter(session_name, on_position)
                # At once: a seat that is taken and has no channel would never be left.
                self.channel = self.session.attach(
                    ring_from_any_thread(self._something_to_send), takes_encoded=self._takes_encoded
                )
                self.channel.post(running.ready_message(self.session))
                self.session.tell_choice(self.channel)
                self.attached(self.session)
                teller.cancel()
            session, channel = self.session, self.channel
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(session, channel))
                tasks.create_task(self._report(session, channel))
                tasks.create_task(_until_lost(channel))
        finally:
            if self.session is not None and self.channel is not None:
                lobby.leave(self.session, self.channel)

    async def _wait_for_engine(self) -> Running:
        """Tell the client what loading is at until frames are welcome. For ever where they never will be:
        `end_with_server` closes then.
        """
        host = self.service.host
        while True:
            changed = host.changed
            if host.state is State.READY and self.service.running is not None:
                return self.service.running
            if host.state is State.LOADING:
                await self.send_text(protocol.loading_message(host.stage.name, host.stage.percent))
            await changed.wait()

    async def _tell_position(self, position: list[str]) -> None:
        while True:
            await self._something_to_send.wait()
            self._something_to_send.clear()
            for text in position:
                await self.send_text(text)

    async def _send(self, session: Session, channel: Channel) -> None:
        timeout_s = self.service.config.send_timeout_s
        while True:
            self._something_to_send.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    for text in channel.take_texts():
                        await self.send_text(text)
                    self._texts_sent.set()
                    if (result := channel.outbox.take()) is not None:
                        await self.send_result(session, result)
                        session.stats.count_delivered(time.monotonic_ns())
            except TimeoutError:
                raise Gone from None
            await self._something_to_send.wait()

    async def _report(self, session: Session, channel: Channel) -> None:
        """Drops every 250 ms, stats once a second."""
        beats = 0
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            self.report_drops(channel)
            beats += 1
            if beats % STATS_EVERY == 0:
                channel.post(protocol.stats_message(self.service.stats(session)), optional=True)

    def report_drops(self, channel: Channel) -> None:
        """Tell the client which of its frames were dropped."""
        channel.post_drops()


async def _until_lost(channel: Channel) -> None:
    await channel.lost.wait()
    raise Closed(CloseCode.DONE, "the session was ended or taken over by a newer connection")
