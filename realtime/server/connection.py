"""A client's connection to a session, without its transport: waiting for the engine and a seat, texts in and out,
results out, reports, and the reason for its end.

Must not know sockets or peer connections: those are subclasses. Event loop only.
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
from ..channel import Channel
from ..errors import CloseCode, ParamsError, ProtocolError
from ..frame import Repeat, Result
from ..session import COMMANDS, Session
from .budget import Budget
from .engine_state import State
from .lobby import check_name
from .roles import Grant, owner_of_new
from .service import Running, Service
from .tasks import Tasks

log = logging.getLogger(__name__)

E = TypeVar("E", bound=BaseException)

REPORT_EVERY_S = 0.25
"""Interval of `dropped` messages."""
STATS_EVERY = round(1 / REPORT_EVERY_S)
"""Reports from one `stats` message to the next: one a second."""
TEXTS_PER_SECOND = 200
"""Texts that are read of one client, and as many at once. Further ones are read later, and none is lost."""
LOOK_AT_CLOCK_S = 60.0
"""Longest time between two looks at the clock by which tickets end: it may be set, and a machine may sleep."""
LIMITS_EVERY_S = 1.0
"""Interval at which a session's time is looked at."""
ANSWER_BYTES = 2048
"""So many bytes of answers count as a text more: a patch of 40 bytes may be answered by params of 70 KB."""
BYTES_PER_SECOND = 64 * 1024 * 1024
"""Bytes of messages that are read of one client, and as many at once. Further ones are read later."""


class Closed(Exception):
    """The connection is to be closed with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Gone(Exception):
    """The client has left, or takes no data within the time-out: the connection ends without a close message."""


@contextlib.asynccontextmanager
async def ending(say: Callable[[Closed], Awaitable[None]], *gone: type[Exception]) -> AsyncGenerator[None]:
    """Turn the exceptions of a connection's tasks into one close message; they end here.

    A block without an exception closes with DONE, a ProtocolError with its own code; any other exception is logged and
    closes with ENGINE_FAILED.

    Args:
        say: sends the close message. Not called where all exceptions say that the client is gone.
        gone: exceptions that say so, besides Gone.
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
        end = Closed(CloseCode.ENGINE_FAILED, "the server failed: its log says why")
    if end is not None:
        await say(end)


def first(group: BaseExceptionGroup[E]) -> E:
    """The first exception of a group that is no group itself, depth first."""
    inner = group.exceptions[0]
    return first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def ring_from_any_thread(event: asyncio.Event) -> Callable[[], None]:
    """A callback for any thread that sets an event of the running loop; it does nothing once the loop is closed."""
    loop = asyncio.get_running_loop()

    def ring() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)

    return ring


async def end_with_server(service: Service) -> None:
    """Wait until the engine host has ended.

    Raises:
        Closed: always: ENGINE_FAILED where the engine failed, GOING_AWAY where the server stops.
    """
    host = service.host
    await host.ended.wait()
    if host.state is State.FAILED:
        raise Closed(CloseCode.ENGINE_FAILED, "the engine failed: the server's log says why")
    raise Closed(CloseCode.GOING_AWAY, "the server is going away: connect again later")


async def end_with_grant(service: Service, grant: Grant) -> None:
    """Wait until a grant's time is over, or its ticket is taken back.

    Raises:
        Closed: always.
    """
    tickets = service.tickets
    while True:
        changed = tickets.changed
        if (why := tickets.why_over(grant)) is not None:
            raise Closed(CloseCode.REFUSED, why)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(tickets.left_s(grant), LOOK_AT_CLOCK_S)):
                await changed.wait()


def carry_out(text: str, session: Session, answer: Callable[[str], None], by: Channel | None = None) -> None:
    """Carry out a text message. What can't be done is answered by an `error`; a change is told by the session.

    Args:
        by: see `Session.perform`.

    Raises:
        ProtocolError: the text is not a message of the protocol.
    """
    match protocol.parse_text(text):
        case protocol.ParamsMessage(patch, transition_s):
            try:
                session.update(patch, transition_s)
            except ParamsError as error:
                answer(protocol.error_message("invalid_params", str(error), field=error.field))
        case protocol.CommandMessage(name, fields):
            try:
                if not session.perform(name, fields, by):
                    answer(protocol.error_message("unknown_command", unknown_command(name)))
            except ParamsError as error:
                answer(protocol.error_message("invalid_params", str(error), field=error.field))
        case protocol.VideoMessage(is_as_is):
            if by is not None:  # a remote has no video
                by.video_is_as_is = is_as_is
        case protocol.UnknownMessage(_, problem):
            if problem is not None:
                answer(protocol.error_message("bad_message", problem))


def unknown_command(name: str) -> str:
    """What is said of a command that is none."""
    return f"there is no command {name[:64]!r}; there are {', '.join(COMMANDS)}"


class Connection(ABC):
    """One client's connection to one session. A transport subclasses it.

    Args:
        service: the server's state.
        takes_encoded: whether results are sent as encoded pictures.

    Attributes:
        session, channel: None until the client has a seat.
    """

    def __init__(self, service: Service, *, takes_encoded: bool) -> None:
        self.service = service
        self.session: Session | None = None
        self.channel: Channel | None = None
        self._takes_encoded = takes_encoded
        self._something_to_send = asyncio.Event()
        self._texts_sent = asyncio.Event()
        self._texts = Budget(TEXTS_PER_SECOND)
        self._bytes = Budget(BYTES_PER_SECOND)

    @abstractmethod
    async def send_text(self, text: str) -> None:
        """Send a text message; returns when the transport has taken it. May be cancelled by `send_timeout_s`."""

    @abstractmethod
    async def send_result(self, session: Session, result: Result | Repeat) -> None:
        """Send a picture, or a repeat of the last one. May be cancelled by `send_timeout_s`."""

    def attached(self, session: Session) -> None:  # noqa: B027 - what a subclass may have to begin
        """Called once, when `session` and `channel` are set and `ready` is queued. Does nothing by default."""

    # -- in ---------------------------------------------------------------------------------------------------------

    async def take_text(self, text: str) -> None:
        """Carry out a text message. Then wait while the client exceeds `TEXTS_PER_SECOND` or takes no answers.

        A message before `ready`, or of a connection whose session another one took over, is ignored.

        Raises:
            ProtocolError: the text is not a message of the protocol.
        """
        channel = self.channel
        answered_before = channel.answered_bytes if channel is not None else 0
        self._on_text(text)
        answered = channel.answered_bytes - answered_before if channel is not None else 0
        await self._pace_texts(1 + answered / ANSWER_BYTES)

    async def pace_bytes(self, size: int) -> None:
        """Wait while the client exceeds `BYTES_PER_SECOND` with a message of `size` bytes."""
        if (wait_s := self._bytes.spend(size)) > 0:
            await asyncio.sleep(wait_s)

    def _on_text(self, text: str) -> None:
        session, channel = self.session, self.channel
        if session is None or channel is None or session.channel is not channel:
            protocol.parse_text(text)  # before `ready`, or another connection has the session by now: nothing is done
        else:
            carry_out(text, session, channel.post, channel)

    async def _pace_texts(self, cost: float) -> None:
        if (wait_s := self._texts.spend(cost)) > 0:
            await asyncio.sleep(wait_s)
        while self.channel is not None and self.channel.is_crowded:
            # The client sends texts and takes no answers: wait for `_send`, which raises Gone at its time-out.
            self._texts_sent.clear()
            await self._texts_sent.wait()

    # -- out --------------------------------------------------------------------------------------------------------

    async def live(self, session_name: str | None, grant: Grant, address: str | None) -> None:
        """Wait for the engine, then for a seat; send `ready`, then results and reports until the session is lost.

        Args:
            session_name: what the client asked for; None takes that of its ticket, or makes one.
            grant: the client's.
            address: the client's; None: the server's own, for which there are no limits.

        Raises:
            ProtocolError: the name is invalid.
            ExceptionGroup: of SessionLimitError where the server and its line are full, of ProtocolError where the
                session has become somebody else's meanwhile, of Closed when the session is lost, of Gone when the
                client takes no data.
        """
        session_name = session_name or grant.session or None
        check_name(session_name)
        running = await self._wait_for_engine()
        lobby = running.lobby
        with contextlib.ExitStack() as seats:
            if address is not None and not lobby.is_seated(session_name):
                seats.enter_context(self.service.addresses.seat(address))
            try:
                session, channel = await self._enter(running, session_name, grant)
                async with Tasks() as tasks:
                    tasks.create_task(self._send(session, channel))
                    tasks.create_task(self._report(session, channel))
                    tasks.create_task(_until_lost(channel))
                    if address is not None:
                        tasks.create_task(self._until_over(session))
            finally:
                if self.session is not None and self.channel is not None:
                    lobby.leave(self.session, self.channel)

    async def _enter(self, running: Running, session_name: str | None, grant: Grant) -> tuple[Session, Channel]:
        """Take a seat, tell the place in the line meanwhile, and queue `ready`."""
        position: list[str] = []

        def on_position(place: int, size: int) -> None:
            position[:] = [protocol.queued_message(place, size)]
            self._something_to_send.set()

        async with Tasks() as tasks:
            teller = tasks.create_task(self._tell_position(position))
            self.session = session = await running.lobby.enter(session_name, on_position, owner_of_new(grant))
            # Without an await between: `live` gives a seat back by its channel.
            self.channel = channel = session.attach(
                ring_from_any_thread(self._something_to_send), takes_encoded=self._takes_encoded
            )
            channel.post((self.service.running or running).ready_message(session, grant))
            session.tell_choice(channel)
            session.tell_heard(channel)
            session.tell_held(channel)
            self.attached(session)
            teller.cancel()
        return session, channel

    async def _wait_for_engine(self) -> Running:
        """Send `loading` messages until an engine is ready. Where none ever is this waits until it is cancelled:
        `end_with_server` ends the connection.
        """
        host = self.service.host
        while True:
            changed = host.changed
            if host.state is State.READY and self.service.running is not None:
                return self.service.running
            if host.state in (State.LOADING, State.AWAY):
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
        """Queue drops every `REPORT_EVERY_S` and stats every `STATS_EVERY`th time. Runs until it is cancelled."""
        beats = 0
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            self.report_drops(channel)
            beats += 1
            if beats % STATS_EVERY == 0:
                channel.post(protocol.stats_message(self.service.stats(session)), optional=True)

    async def _until_over(self, session: Session) -> None:
        """End the session when it has been there, or nothing has happened in it, for too long.

        Raises:
            Closed: it has been ended.
        """
        config, clock = self.service.config, time.monotonic_ns
        used, used_ns = _use(session), clock()
        while True:
            await asyncio.sleep(LIMITS_EVERY_S)
            now_ns = clock()
            if (use := _use(session)) != used:
                used, used_ns = use, now_ns
            if 0 < config.session_s < (now_ns - session.begun_ns) / 1e9:
                why = f"a session may last {config.session_s:g} s here"
            elif 0 < config.idle_s < (now_ns - used_ns) / 1e9:
                why = f"nothing has happened in this session for {config.idle_s:g} s"
            else:
                continue
            self.service.dismiss(session)
            raise Closed(CloseCode.DONE, why)

    def report_drops(self, channel: Channel) -> None:
        """Queue `dropped` messages; a transport whose client does not number its frames overrides it."""
        channel.post_drops()


def _use(session: Session) -> tuple[object, ...]:
    """What changes with everything that a client does."""
    return session.stats.received, session.params.version, session.frozen, session.air


async def _until_lost(channel: Channel) -> None:
    await channel.lost.wait()
    raise Closed(CloseCode.DONE, "the session was ended or taken over by a newer connection")
