"""Who is in, who stands in line, who may still come back, who watches.

Event loop only. Must not know sockets: whoever enters brings a callback for their place in the line. Sessions outlive
the engine that serves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass

from ..config import SESSION_NAME
from ..errors import ProtocolError, SessionLimitError
from ..params import Params
from ..scheduling.scheduler import Scheduler
from ..session import Channel, Session


def check_name(name: str | None) -> None:
    """Refuse what can't name a session.

    Raises:
        ProtocolError: the name is none.
    """
    if name is not None and not SESSION_NAME.fullmatch(name):
        raise ProtocolError("a session name has 1 to 64 letters, digits, - and _")


LOOK_AGAIN_S = 1.0
"""How often the rate is looked at while somebody waits for it."""


@dataclass(eq=False, slots=True)
class _Waiting:
    admitted: asyncio.Future[None]
    on_position: Callable[[int, int], None]


class Lobby:
    """All sessions of the server.

    Args:
        max_sessions: connected at once.
        max_waiting: in line at once.
        resume_s: how long a session whose connection was cut is kept.
        defaults: the params that a session starts with.
        max_output_pixels: the largest picture that params may ask for.
        on_end: told of every session that is forgotten.
        rate_with: pictures a second that everyone could have with so many sessions more.
        min_fps: nobody is let in where that would be less; 0 lets in whoever finds a seat.
    """

    def __init__(
        self,
        *,
        max_sessions: int,
        max_waiting: int,
        resume_s: float,
        defaults: Params,
        max_output_pixels: int,
        on_end: Callable[[Session], None] = lambda session: None,
        rate_with: Callable[[int], float] = lambda newcomers: float("inf"),
        min_fps: float = 0.0,
    ) -> None:
        self._max_sessions = max_sessions
        self._max_waiting = max_waiting
        self._resume_s = resume_s
        self._defaults = defaults
        self._max_output_pixels = max_output_pixels
        self._scheduler: Scheduler | None = None
        self._on_end = on_end
        self._rate_with = rate_with
        self._min_fps = min_fps
        self._look_again: asyncio.TimerHandle | None = None
        self._sessions: dict[str, Session] = {}
        self._expiry: dict[str, asyncio.TimerHandle] = {}  # sessions without a connection
        self._line: list[_Waiting] = []
        self._seats: set[str] = set()  # names of connected sessions

    @property
    def sessions(self) -> list[Session]:
        """All sessions, those that wait for their client among them."""
        return list(self._sessions.values())

    @property
    def connected(self) -> int:
        """Sessions that have a connection."""
        return len(self._seats)

    def get(self, name: str) -> Session | None:
        """The session of this name."""
        return self._sessions.get(name)

    def serve_by(self, scheduler: Scheduler | None) -> None:
        """Let a scheduler serve all sessions, old and new, from now on; with None their newest frames wait."""
        self._scheduler = scheduler
        if scheduler is not None:
            for session in self.sessions:
                scheduler.add(session)
            scheduler.ring()  # their frames came while nobody listened

    def check_room(self, name: str | None, *, may_wait: bool) -> None:
        """Refuse at once whoever `enter` would refuse, or could only let in later where they can't wait.

        Raises:
            SessionLimitError: the server is full.
        """
        if name in self._seats or (not self._line and self._has_room):
            return
        if not may_wait or len(self._line) >= self._max_waiting:
            raise self._full()

    def _full(self) -> SessionLimitError:
        if self._free > 0 and (rate := self._rate_with(1 + self._on_their_way)) < self._min_fps:
            return SessionLimitError(
                f"this machine is busy: with one session more each would get {rate:.1f} pictures a second, and "
                f"{self._min_fps:g} are the least; try again later"
            )
        return SessionLimitError(f"{len(self._seats)} of {self._max_sessions} sessions are taken; try again later")

    async def enter(self, name: str | None, on_position: Callable[[int, int], None]) -> Session:
        """A session for a new connection: the named one where it exists, else a new one, in line where it must be.

        Args:
            name: what the client asked for; None makes a name.
            on_position: told the place in the line (1 is next) and its length whenever they change.

        Raises:
            ProtocolError: the name is none.
            SessionLimitError: the server is full, and so is the line.
        """
        check_name(name)
        name = name or secrets.token_urlsafe(12)
        if name not in self._seats:
            if self._line or not self._has_room:
                await self._stand_in_line(on_position)
            self._seats.add(name)
        if (timer := self._expiry.pop(name, None)) is not None:
            timer.cancel()
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = Session(name, self._defaults, self._max_output_pixels, self._ring)
            if self._scheduler is not None:
                self._scheduler.add(session)
        return session

    def _ring(self) -> None:
        """A frame waits."""
        if self._scheduler is not None:
            self._scheduler.ring()

    @property
    def _free(self) -> int:
        """Seats that nobody has: those who were let in and are still on their way from the line have one."""
        return self._max_sessions - len(self._seats) - self._on_their_way

    @property
    def _on_their_way(self) -> int:
        """Those who were let in from the line and have not taken their seats yet."""
        return sum(waiting.admitted.done() for waiting in self._line)

    @property
    def _has_room(self) -> bool:
        """Whether there is a seat, and the engine can do with one session more. The first always gets in."""
        inside = len(self._seats) + self._on_their_way
        return self._free > 0 and (
            inside == 0 or self._min_fps <= 0 or self._rate_with(1 + self._on_their_way) >= self._min_fps
        )

    async def _stand_in_line(self, on_position: Callable[[int, int], None]) -> None:
        if len(self._line) >= self._max_waiting:
            raise self._full()
        waiting = _Waiting(asyncio.get_running_loop().create_future(), on_position)
        self._line.append(waiting)
        self._admit_next()
        self._tell_line()
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            self._line.remove(waiting)
            self._admit_next()  # a seat that was this one's is the next one's
            self._tell_line()
            raise
        self._line.remove(waiting)
        self._tell_line()

    def _tell_line(self) -> None:
        line = [waiting for waiting in self._line if not waiting.admitted.done()]
        for index, waiting in enumerate(line):
            waiting.on_position(index + 1, len(line))

    def leave(self, session: Session, channel: Channel) -> None:
        """A connection ended. Its session waits `resume_s` for the client, unless another connection has it by now."""
        if session.channel is not channel:
            return
        session.detach(channel)
        self._seats.discard(session.name)
        if self._sessions.get(session.name) is session:
            self._forget_oldest_lingering()
            timer = asyncio.get_running_loop().call_later(self._resume_s, self.end, session)
            self._expiry[session.name] = timer
        self._admit_next()

    def _forget_oldest_lingering(self) -> None:
        # Names are the client's choice: without a bound, connecting under ever new ones would fill the memory.
        while len(self._expiry) >= self._max_sessions:
            self.end(self._sessions[next(iter(self._expiry))])

    def end(self, session: Session) -> None:
        """Forget a session without a connection: nobody can come back to it."""
        if (timer := self._expiry.pop(session.name, None)) is not None:
            timer.cancel()
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name]
            session.end()
            if self._scheduler is not None:
                self._scheduler.remove(session)
            self._on_end(session)

    def dismiss(self, session: Session) -> None:
        """End a session whether it has a connection or not; a connection is told and closes."""
        if session.channel is not None:
            session.detach(session.channel)
            self._seats.discard(session.name)
        self.end(session)
        self._admit_next()

    def _admit_next(self) -> None:
        for waiting in self._line:
            if not waiting.admitted.done():
                if not self._has_room:
                    self._look_again_later()
                    return
                waiting.admitted.set_result(None)

    def _look_again_later(self) -> None:
        """Nobody tells when the engine has less to do."""
        if self._min_fps > 0 and self._look_again is None:
            self._look_again = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        self._look_again = None
        before = self._on_their_way
        self._admit_next()
        if self._on_their_way != before:
            self._tell_line()


class Viewers:
    """Counts those who watch, whatever way they watch.

    Args:
        most: at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    def check(self) -> None:
        """Refuse one more where there are enough.

        Raises:
            SessionLimitError: no viewer may come in.
        """
        if self.count >= self._most:
            raise SessionLimitError(f"{self.count} of {self._most} viewers watch already; try again later")

    @contextlib.contextmanager
    def seat(self) -> Generator[None]:
        """One viewer's place, while the block runs.

        Raises:
            SessionLimitError: there is none.
        """
        self.check()
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
