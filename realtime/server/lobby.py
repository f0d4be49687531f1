"""Admission: which sessions are connected, wait in line, or are kept for a client that may resume; and how many viewers
there are. Sessions outlive the engine that serves them. Event loop only.

Must not know sockets: a newcomer brings a callback that is told its place in the line.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..channel import Channel
from ..config import SESSION_NAME
from ..errors import CloseCode, ProtocolError, SessionLimitError
from ..params import Params
from ..prompts import PicturesHeard
from ..references import References
from ..session import Session
from ..terms import Terms
from .addresses import network_of
from .remembering import restore
from .roles import OPERATORS
from .state_file import Remembered


def check_name(name: str | None) -> None:
    """Check a session's name; None, which asks for a generated one, is valid.

    Raises:
        ProtocolError: the name is invalid.
    """
    if name is not None and not SESSION_NAME.fullmatch(name):
        raise ProtocolError(f"{name[:32]!r} is no session's name: give 1 to 64 letters, digits, - and _")


class Serving(Protocol):
    """Whoever serves sessions: the scheduler of an engine, or what stands for it while there is none."""

    def add(self, session: Session) -> None:
        """Serve this session from now on."""
        ...

    def remove(self, session: Session) -> None:
        """Serve this session no more."""
        ...


LOOK_AGAIN_S = 1.0
"""Interval at which the expected rate is checked while somebody waits because of `min_fps`."""
GRACE_S = 1.0
"""How long a newcomer waits for a seat before it is refused: one whose client has just left may not be free yet."""
GRACE_MAX = 32
"""Newcomers that wait so."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A newcomer in the line.

    Attributes:
        admitted: done when it may take a seat.
        on_position: see `Lobby.enter`.
    """

    admitted: asyncio.Future[None]
    on_position: Callable[[int, int], None]


class Lobby:
    """All sessions of the server. A connected session has one of `max_sessions` seats.

    Args:
        max_sessions: largest number of connected sessions, and of sessions kept for resuming.
        max_waiting: longest line.
        resume_s: how long a session without a connection is kept.
        defaults: the params that a session starts with.
        max_output_pixels: largest width times height that params may have.
        on_end: called with every session that is forgotten.
        rate_with: pictures a second that every session could have if so many more joined.
        listen: see `Session`; called with every new session too.
        recall: what is remembered of a session that is made, by its name and who makes it (see `enter`).
        references, pictures_heard, nets, rules: see `Session`.
        min_fps: a session beside others is admitted only if that rate is at least this; 0 asks for a free seat only.
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
        listen: Callable[[Session], None] = lambda session: None,
        recall: Callable[[str, str | None], Remembered | None] = lambda name, owner: None,
        min_fps: float = 0.0,
        references: References | None = None,
        pictures_heard: PicturesHeard = PicturesHeard(),  # noqa: B008  it is frozen
        nets: Collection[str] = (),
        rules: Callable[[Params], Params] = lambda params: params,
    ) -> None:
        self._references = references
        self._pictures_heard = pictures_heard
        self._nets = nets
        self._rules = rules
        self._max_sessions = max_sessions
        self._max_waiting = max_waiting
        self._resume_s = resume_s
        self._defaults = defaults
        self._max_output_pixels = max_output_pixels
        self._serving: Serving | None = None
        self._on_end = on_end
        self._rate_with = rate_with
        self._listen = listen
        self._recall = recall
        self._min_fps = min_fps
        self._look_again: asyncio.TimerHandle | None = None
        self._sessions: dict[str, Session] = {}
        self._owners: dict[str, str] = {}
        self._expiry: dict[str, asyncio.TimerHandle] = {}  # sessions without a connection
        self._line: list[_Waiting] = []
        self._seats: set[str] = set()  # names of connected sessions

    @property
    def sessions(self) -> list[Session]:
        """All sessions, with those kept for resuming."""
        return list(self._sessions.values())

    @property
    def owners(self) -> Mapping[str, str]:
        """Who owns each session, by its name; see `roles.Grant`."""
        return self._owners

    @property
    def connected(self) -> int:
        """Number of sessions that have a connection."""
        return len(self._seats)

    def get(self, name: str) -> Session | None:
        """The session of this name; None where there is none."""
        return self._sessions.get(name)

    def is_seated(self, name: str | None) -> bool:
        """Whether the session of this name has a connection, whose seat another one would take over."""
        return name in self._seats

    def offer(self, offer: Terms) -> None:
        """Make sessions with what another model offers from now on."""
        self._defaults, self._max_output_pixels, self._references, self._pictures_heard, self._nets = offer

    def serve_by(self, serving: Serving) -> None:
        """Have all present and future sessions served by this."""
        self._serving = serving
        for session in self.sessions:
            serving.add(session)

    def check_room(self, name: str | None, *, may_wait: bool) -> None:
        """Check whether `enter` would admit this name, without entering.

        Args:
            name: what the client asked for.
            may_wait: whether a place in the line will do.

        Raises:
            SessionLimitError: `enter` would refuse, or it would put the client in line and it can't wait.
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

    async def enter(
        self, name: str | None, on_position: Callable[[int, int], None], owner: str | None = None
    ) -> Session:
        """Take a seat, after waiting in line where none is free. A session that is connected already has one.

        Args:
            name: what the client asked for; None makes a name.
            on_position: called with the place in the line (1 is next) and its length whenever they change.
            owner: of a session that is made, and who must own one that there is; None: the operator, who may take any.

        Returns:
            The session of that name, or a new one.

        Raises:
            ProtocolError: the name is invalid, or the session somebody else's.
            SessionLimitError: the server and its line are full.
        """
        check_name(name)
        name = name or secrets.token_urlsafe(12)
        if name not in self._seats and (self._line or not self._has_room):
            await self._wait_for_seat(on_position)
        if owner is not None and self._owners.get(name, owner) != owner:
            self._admit_next()  # the seat is free
            raise ProtocolError("this session is somebody else's: choose another name", CloseCode.REFUSED)
        self._seats.add(name)
        if (timer := self._expiry.pop(name, None)) is not None:
            timer.cancel()
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = Session(
                name,
                self._defaults,
                self._max_output_pixels,
                self._listen,
                references=self._references,
                pictures_heard=self._pictures_heard,
                nets=self._nets,
                rules=self._rules,
            )
            self._owners[name] = OPERATORS if owner is None else owner
            if (past := self._recall(name, owner)) is not None:
                restore(session, past)
                self._owners[name] = past.owner
            if self._serving is not None:
                self._serving.add(session)
            self._listen(session)
        return session

    @property
    def _free(self) -> int:
        """Number of seats that are neither taken nor promised to somebody who was admitted from the line."""
        return self._max_sessions - len(self._seats) - self._on_their_way

    @property
    def _on_their_way(self) -> int:
        """Number of those admitted from the line whose `enter` has not taken the seat yet."""
        return sum(waiting.admitted.done() for waiting in self._line)

    @property
    def _has_room(self) -> bool:
        """Whether a seat is free and, beside other sessions, the rate with one more is at least `min_fps`."""
        inside = len(self._seats) + self._on_their_way
        return self._free > 0 and (
            inside == 0 or self._min_fps <= 0 or self._rate_with(1 + self._on_their_way) >= self._min_fps
        )

    async def _wait_for_seat(self, on_position: Callable[[int, int], None]) -> None:
        """Stand in line; for `GRACE_S`, without being told a place, where the line is full.

        Raises:
            SessionLimitError: the line is full, and no seat became free.
        """
        if len(self._line) < self._max_waiting:
            await self._stand_in_line(on_position)
            return
        if len(self._line) >= self._max_waiting + GRACE_MAX:
            raise self._full()
        try:
            async with asyncio.timeout(GRACE_S):
                await self._stand_in_line(lambda place, size: None)
        except TimeoutError:
            raise self._full() from None

    async def _stand_in_line(self, on_position: Callable[[int, int], None]) -> None:
        waiting = _Waiting(asyncio.get_running_loop().create_future(), on_position)
        self._line.append(waiting)
        self._admit_next()
        self._tell_line()
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            self._line.remove(waiting)
            self._admit_next()  # its seat, if it was promised one, is free
            self._tell_line()
            raise
        self._line.remove(waiting)
        self._tell_line()

    def _tell_line(self) -> None:
        line = [waiting for waiting in self._line if not waiting.admitted.done()]
        for index, waiting in enumerate(line):
            waiting.on_position(index + 1, len(line))

    def leave(self, session: Session, channel: Channel) -> None:
        """Release the seat of an ended connection and keep its session for `resume_s`. Does nothing where another
        connection has taken the session over.
        """
        if session.channel is not channel:
            return
        session.detach(channel)
        self._seats.discard(session.name)
        if self._sessions.get(session.name) is session:
            self._forget_least_used()
            timer = asyncio.get_running_loop().call_later(self._resume_s, self.end, session)
            self._expiry[session.name] = timer
        self._admit_next()

    def _forget_least_used(self) -> None:
        """Make room for one more session that waits for its client, at the cost of those that were used least.

        Clients choose names: without a bound, connecting under ever new ones would fill the memory. Were the oldest
        forgotten, connecting a few times would be enough to end another user's session.
        """
        while len(self._expiry) >= self._max_sessions:
            self.end(min((self._sessions[name] for name in self._expiry), key=_use))

    def end(self, session: Session) -> None:
        """Forget a session that has no connection: it can't be resumed from now on."""
        if (timer := self._expiry.pop(session.name, None)) is not None:
            timer.cancel()
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name], self._owners[session.name]
            session.end()
            if self._serving is not None:
                self._serving.remove(session)
            self._on_end(session)

    def dismiss(self, session: Session) -> None:
        """End a session. If it has a connection, `Channel.lost` is set and the connection closes."""
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
        """Check again in `LOOK_AGAIN_S`, if the rate matters: a rate that rises is no event."""
        if self._min_fps > 0 and self._look_again is None:
            self._look_again = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        self._look_again = None
        before = self._on_their_way
        self._admit_next()
        if self._on_their_way != before:
            self._tell_line()


def _use(session: Session) -> tuple[int, int]:
    """How much a session was used: frames, then changes of its params."""
    return session.stats.received, session.params.version


class Addresses:
    """Counts the sessions of each client's address; of IPv6 those of a network of 64 bits, which is one customer's.

    Args:
        most: largest number at once; 0: any.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()

    @contextlib.contextmanager
    def seat(self, address: str) -> Generator[None]:
        """Count a session more while the block runs.

        Raises:
            SessionLimitError: there are as many as may be.
        """
        network = network_of(address)
        if 0 < self._most <= self._counts[network]:
            raise SessionLimitError(
                f"{self._most} sessions may come from one address, and yours has as many; end one, or try again later"
            )
        self._counts[network] += 1
        try:
            yield
        finally:
            self._counts[network] -= 1
            if not self._counts[network]:
                del self._counts[network]


class ViewedBy(StrEnum):
    """How somebody watches a session."""

    WEBSOCKET = "websocket"
    MJPEG = "mjpeg"
    WHEP = "whep"


class Viewers:
    """Counts the viewers of all sessions.

    Args:
        most: largest number at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[tuple[str, ViewedBy]] = Counter()
        self.count = 0

    def of(self, session: str) -> dict[str, int]:
        """How many watch a session, by each way."""
        return {by.value: self._of[session, by] for by in ViewedBy}

    def check(self) -> None:
        """Check whether one more may watch.

        Raises:
            SessionLimitError: there are as many viewers as may be.
        """
        if self.count >= self._most:
            raise SessionLimitError(f"{self.count} of {self._most} viewers watch already; try again later")

    @contextlib.contextmanager
    def seat(self, session: str, by: ViewedBy) -> Generator[None]:
        """Count one viewer more while the block runs.

        Raises:
            SessionLimitError: there are as many viewers as may be.
        """
        self.check()
        self.count += 1
        self._of[session, by] += 1
        try:
            yield
        finally:
            self.count -= 1
            self._of[session, by] -= 1
            if not self._of[session, by]:
                del self._of[session, by]
