"""Admit, tick, deliver: whose frame is next, and the engine thread's loop.

The only place where sessions meet the engine. Holds no tensor and no socket.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .engine import Engine, Pending
from .frame import Job
from .session import Channel, Session

ADMISSION_MARGIN_NS = 1_500_000
"""How long before the running tick's expected end the next frames are picked, beyond what launching takes."""
READY_POLL_NS = 1_000_000
"""How often a tick is asked whether it has ended before its time: the mean knows nothing of the one that runs."""
SMOOTHING = 0.2
"""Weight of the newest tick in the means that predict the next one."""


def pick(sessions: Sequence[Session], start: int, free: int, room: Callable[[Session], bool]) -> list[Session]:
    """Whose waiting frame is admitted: round robin, so that nobody starves.

    Args:
        sessions: all of them, in a stable order.
        start: index of the session whose turn comes first.
        free: how many rows can be given away.
        room: whether a session may have one more row in flight.

    Returns:
        At most `free` sessions that have a frame waiting, each once, in the order of their turns.
    """
    picked: list[Session] = []
    for offset in range(len(sessions)):
        if len(picked) >= free:
            break
        session = sessions[(start + offset) % len(sessions)]
        channel = session.channel
        if channel is not None and channel.inbox.full and room(session):
            picked.append(session)
    return picked


@dataclass(frozen=True, slots=True)
class _Flight:
    """A tick that was launched and is not collected yet."""

    pending: Pending
    launched_ns: int


class Scheduler:
    """Runs the engine over the sessions.

    Two ticks are on their way at most: while the device works on one, the next is launched behind it and the one
    before is collected. A frame is picked as late as that allows (just before the running tick is expected to end),
    so that it is as new as it can be and shares its tick with as many others as there are.

    Args:
        engine: called by the thread that calls `run`, and by no other.
        rows_per_session: frames a session may have in flight: 1 is the lowest latency, more the stream batch.
        on_tick: told the duration of each tick in seconds and its number of leaving jobs.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        engine: Engine,
        rows_per_session: int = 1,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._engine = engine
        self._rows_per_session = rows_per_session
        self._on_tick = on_tick
        self._clock = clock
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sessions: tuple[Session, ...] = ()
        self._turn = 0
        self._numbers = itertools.count(1)
        self._under_way: dict[int, tuple[Session, Channel]] = {}  # job number -> where its picture goes
        self._rows_of: Counter[str] = Counter()  # rows in flight by session name
        self._finished_ns = 0  # when the device was done with the newest collected tick
        self._tick_ns = 0.0
        self._launch_ns = 0.0

    @property
    def jobs(self) -> int:
        """Frames that the engine has and has not given back yet."""
        return len(self._under_way)

    def ring(self) -> None:
        """A frame waits somewhere. Any thread."""
        self._bell.set()

    def add(self, session: Session) -> None:
        """Serve this session from now on. Any thread."""
        with self._lock:
            self._sessions = (*self._sessions, session)

    def remove(self, session: Session) -> None:
        """Serve this session no more; its rows in flight run out. Any thread."""
        with self._lock:
            self._sessions = tuple(other for other in self._sessions if other is not session)

    def stop(self) -> None:
        """Make `run` return after the tick under way. Any thread."""
        self._stopping.set()
        self._bell.set()

    def run(self) -> None:
        """The engine thread's whole life.

        Raises:
            Exception: whatever the engine raised; it is broken and nothing more will come of it.
        """
        running: _Flight | None = None
        while not self._stopping.is_set():
            if running is None:
                self._bell.wait()
            else:
                self._hold(running)
                if running.pending.ready():
                    # An engine that works inside `tick` is done already: its pictures must not wait for the next tick.
                    self._deliver(running)
                    running = None
            self._bell.clear()
            launched = self._tick(self._admit())
            if running is not None:
                self._deliver(running)
            running = launched
            if self._waiting():
                self._bell.set()
        if running is not None:
            self._deliver(running)

    def _hold(self, running: _Flight) -> None:
        """Wait as long as the next admission can without leaving the device idle, or until the tick has ended."""
        while not running.pending.ready() and (hold_ns := self._hold_ns(running)) > 0:
            if self._stopping.wait(min(hold_ns, READY_POLL_NS) / 1e9):
                return

    def _hold_ns(self, running: _Flight) -> float:
        expected_end_ns = max(running.launched_ns, self._finished_ns) + self._tick_ns
        return max(0.0, expected_end_ns - self._launch_ns - ADMISSION_MARGIN_NS - self._clock())

    def _waiting(self) -> bool:
        return any((channel := s.channel) is not None and channel.inbox.full for s in self._sessions)

    def _admit(self) -> list[Job]:
        sessions = self._sessions
        jobs: list[Job] = []
        picked = pick(sessions, self._turn, self._engine.free_rows, self._has_room)
        if picked:  # counting ticks instead would give an idle session's turns to its neighbour
            self._turn = sessions.index(picked[-1]) + 1
        for session in picked:
            channel = session.channel
            frame = channel.inbox.take() if channel is not None else None
            if channel is None or frame is None:
                continue  # the client left between the look and the take
            job = Job(frame, session.params, session.name, self._clock(), next(self._numbers))
            self._under_way[job.number] = (session, channel)
            self._rows_of[session.name] += 1
            jobs.append(job)
        return jobs

    def _has_room(self, session: Session) -> bool:
        return self._rows_of[session.name] < self._rows_per_session

    def _tick(self, admitted: list[Job]) -> _Flight | None:
        if not admitted and not self._engine.busy_rows:
            return None
        before_ns = self._clock()
        pending = self._engine.tick(admitted)
        launched_ns = self._clock()
        self._launch_ns += SMOOTHING * (launched_ns - before_ns - self._launch_ns)
        for job in pending.jobs:  # their rows are free for the next tick, though their pictures are still to come
            self._rows_of[job.session] -= 1
        self._rows_of += Counter()  # forgets the zeros
        return _Flight(pending, launched_ns)

    def _deliver(self, flight: _Flight) -> None:
        outcomes = flight.pending.collect()
        started_ns = max(flight.launched_ns, self._finished_ns)
        self._finished_ns = flight.pending.finished_ns
        duration_ns = max(0, self._finished_ns - started_ns)
        self._tick_ns += SMOOTHING * (duration_ns - self._tick_ns)
        now_ns = self._clock()
        for outcome in outcomes:
            session, channel = self._under_way.pop(outcome.job.number)
            session.deliver(channel, outcome, now_ns)
        self._on_tick((self._finished_ns - flight.launched_ns) / 1e9, len(outcomes))
