"""Admit, tick, deliver: whose frame is next, and the engine thread's loop.

A frame that is picked is opened first: only one that shows something new needs a row of the engine. The only place
where sessions meet the engine. Holds no tensor and no socket.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ..engine import Engine, Pending
from ..frame import Failure, Job, Order, Repeat, Result
from ..media.pipeline import Stages
from ..params import Params
from ..session import Channel, Session
from .capacity import MOST_FPS, Demand, rate_for_all
from .costs import Bill, Ledger
from .fair_queue import Shares
from .timing import Durations, Rhythm, pays

ADMISSION_MARGIN_NS = 1_000_000
"""How long before the running tick's expected end the next frames are picked, beyond what launching takes."""
NEW_NS = 5_000_000_000
"""For so long a session counts as one that sends as much as it can."""
READY_POLL_NS = 1_000_000
"""How often a tick is asked whether it has ended before its time: what is expected is not what happens."""


def pick(
    sessions: Sequence[Session], shares: Shares, running: Collection[str], free: int, room: Callable[[Session], bool]
) -> list[Session]:
    """Whose waiting frame is admitted: theirs first who had least of the engine's time.

    Args:
        sessions: all of them.
        running: names of those with rows in flight.
        free: how many rows can be given away.
        room: whether a session may have one more row in flight.

    Returns:
        At most `free` sessions that have a frame waiting, each once; see `Shares.order`.
    """
    waiting = {
        session.name: session
        for session in sessions
        if (channel := session.channel) is not None and channel.inbox.full and room(session)
    }
    return [waiting[name] for name in shares.order(list(waiting), running)][: max(0, free)]


@dataclass(frozen=True, slots=True)
class _Flight:
    """A tick that was launched and is not collected yet."""

    pending: Pending
    bill: Bill
    begun_ns: int
    launched_ns: int


class Scheduler:
    """Runs the engine over the sessions.

    Two ticks are on their way at most: while the device works on one, the next is launched behind it and the one
    before is collected. A frame is picked as late as that allows (just before the running tick is expected to end),
    so that it is as new as it can be and shares its tick with as many others as there are: as many as the device has
    use for, and where one row fills it (a CPU), one session comes after the other. For another session's frame that is
    about to come the tick even waits, where that saves more delay than it costs: as cameras have a rhythm, ticks then
    fall into step with them, where ticks at full speed would beat against them.

    A frame that shows what the newest one that was run shows gets no row: its answer is that one's picture, which the
    client has, or will get when that tick ends. Frames of a session that is still are looked at as soon as they come.

    Args:
        engine: called by the thread that calls `run`, and by no other.
        rows_per_session: frames a session may have in flight: 1 is the lowest latency, more the stream batch.
        on_tick: told the duration of each tick in seconds and its number of leaving jobs.
        clock: monotonic nanoseconds.
        stages: opens frames and seals results; closed when `run` ends.
    """

    def __init__(
        self,
        engine: Engine,
        rows_per_session: int = 1,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        stages: Stages | None = None,
    ) -> None:
        self._engine = engine
        self._stages = stages or Stages(clock=clock)
        self._rows_per_session = rows_per_session
        self._on_tick = on_tick
        self._clock = clock
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sessions: tuple[Session, ...] = ()
        self._shares = Shares()
        self._ledger = Ledger(self._shares)
        self._numbers = itertools.count(1)
        self._under_way: dict[int, tuple[Session, Channel]] = {}  # job number -> where its picture goes
        self._followers: dict[int, Job] = {}  # job number -> the newest unchanged frame since
        self._rows_of: Counter[str] = Counter()  # rows in flight by session name
        self._finished_ns = 0  # when the device was done with the newest collected tick
        self._launch_times = Durations()
        self._rhythms: dict[str, Rhythm] = {}  # by session name
        self._joined_ns: dict[str, int] = {}  # by session name
        self._max_rows = max(1, engine.free_rows)
        self._gone: deque[str] = deque()  # names that the engine thread has to forget

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
            self._rhythms[session.name] = Rhythm()
            self._joined_ns[session.name] = self._clock()

    def remove(self, session: Session) -> None:
        """Serve this session no more; its rows in flight run out. Any thread."""
        with self._lock:
            self._sessions = tuple(other for other in self._sessions if other is not session)
            self._rhythms.pop(session.name, None)
            self._joined_ns.pop(session.name, None)
            self._gone.append(session.name)

    def rate_with(self, newcomers: Sequence[Params]) -> float:
        """Pictures a second that everyone could have if these came too and sent as many. Any thread.

        Who has been here for less than `NEW_NS` counts as a newcomer: what it will send is not known yet.
        """
        now_ns = self._clock()
        demands = [Demand(MOST_FPS, self._engine.cost(params)) for params in newcomers]
        for session in self._sessions:
            is_new = now_ns - self._joined_ns.get(session.name, now_ns) < NEW_NS
            fps = MOST_FPS if is_new else session.stats.wanted_fps(now_ns)
            if session.channel is not None:
                demands.append(Demand(fps, self._engine.cost(session.in_use)))
        return rate_for_all(demands, self._ledger.costs.line, self._max_rows)

    def stop(self) -> None:
        """Make `run` return after the tick under way. Any thread."""
        self._stopping.set()
        self._bell.set()

    def run(self) -> None:
        """The engine thread's whole life.

        Raises:
            Exception: whatever the engine raised; it is broken and nothing more will come of it.
        """
        try:
            self._run()
        finally:
            self._stages.close()

    def _run(self) -> None:
        running: _Flight | None = None
        while not self._stopping.is_set():
            if running is None:
                self._bell.wait()
            else:
                self._hold(running)
                if running.pending.ready() or self._company_ns(self._expected_end_ns(running)) > 0:
                    # An engine that works inside `tick` is done already: its pictures must not wait for the next tick.
                    self._deliver(running)
                    running = None
            if running is None:
                self._wait_for_company()
            self._bell.clear()
            picked_ns = self._clock()
            launched = self._tick(self._admit(), picked_ns)
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
            self._answer_still()
            if self._stopping.wait(min(hold_ns, READY_POLL_NS) / 1e9):
                return

    def _hold_ns(self, running: _Flight) -> float:
        lead_ns = self._launch_times.expected(self._ready()) + ADMISSION_MARGIN_NS
        return max(0.0, self._expected_end_ns(running) - lead_ns - self._clock())

    def _expected_end_ns(self, running: _Flight) -> float:
        return max(running.launched_ns, self._finished_ns) + self._ledger.costs.expected(running.bill.work)

    def _wait_for_company(self) -> None:
        """With an idle device: wait for a frame that is about to come, if that is good for all."""
        self._answer_still()
        while (wait_ns := self._company_ns(self._clock())) > 0:
            self._bell.clear()
            if not self._bell.wait(wait_ns / 1e9) or self._stopping.is_set():
                return
            self._answer_still()

    def _company_ns(self, free_ns: float) -> float:
        """How long after `free_ns`, when the device is free, one more frame comes that is worth waiting for; else 0."""
        ready = [session for session in self._sessions if self._is_ready(session)]
        coming = [
            (next_ns - free_ns, session)
            for session in self._sessions
            if session.channel is not None and not session.channel.inbox.full and self._has_room(session)
            if (rhythm := self._rhythms.get(session.name)) and (next_ns := rhythm.next_ns()) and next_ns > free_ns
        ]
        if not coming or not 0 < len(ready) < self._engine.free_rows:
            return 0.0
        first_ns, first = min(coming, key=itemgetter(0))
        work, more = self._ledger.work + sum(map(self._work, ready)), self._work(first)
        now_ns, more_ns, alone_ns = map(self._ledger.costs.measured, (work, work + more, more))
        if now_ns is None or more_ns is None or alone_ns is None:
            return 0.0
        rows = len(ready) + self._engine.busy_rows
        return first_ns if pays(first_ns, rows, now_ns, more_ns, alone_ns) else 0.0

    def _work(self, session: Session) -> int:
        """Of a row of this session, as far as its newest frame tells."""
        return self._engine.cost(session.in_use).work

    def _is_ready(self, session: Session) -> bool:
        return (channel := session.channel) is not None and channel.inbox.full and self._has_room(session)

    def _ready(self) -> int:
        return sum(map(self._is_ready, self._sessions))

    def _waiting(self) -> bool:
        return any((channel := s.channel) is not None and channel.inbox.full for s in self._sessions)

    def _answer_still(self) -> None:
        """Look at frames of sessions that are still: an unchanged one needs no row, and waits for no tick.

        As many as can be opened at once: the next admission must not be late.
        """
        still = (s for s in self._sessions if (c := s.channel) is not None and c.is_still and c.inbox.full)
        for session, channel, job in self._open(list(itertools.islice(still, self._stages.width))):
            session.give_back(channel, job.frame)  # something moves: its turn is another matter

    def _admit(self) -> list[Job]:
        """Jobs for all free rows, as far as there are changed frames; each session's frame is looked at once."""
        sessions = self._sessions
        while self._gone:
            self._shares.forget(self._gone.popleft())
        jobs: list[Job] = []
        seen: set[Session] = set()

        def has_room(session: Session) -> bool:
            return session not in seen and self._has_room(session)

        while picked := self._fitting(
            pick(sessions, self._shares, self._rows_of.keys(), self._engine.free_rows - len(jobs), has_room)
        ):
            seen.update(picked)
            for session, channel, job in self._open(picked):
                self._begin(session, channel, job)
                jobs.append(job)
        return jobs

    def _fitting(self, picked: Sequence[Session]) -> list[Session]:
        """Those whose rows belong in the next tick, as far as their newest frames tell what a frame of theirs is."""
        filling = self._ledger.filling()
        costs = [self._engine.cost(session.in_use) for session in picked]
        return [session for session, cost in zip(picked, costs, strict=True) if filling.takes(cost.work, cost.ticks)]

    def _begin(self, session: Session, channel: Channel, job: Job) -> None:
        """A frame gets a row."""
        self._under_way[job.number] = (session, channel)
        self._rows_of[session.name] += 1
        cost = self._engine.cost(job.params)
        self._ledger.enter(job.number, session.name, cost.work, cost.ticks)
        channel.reference = job
        session.stats.count_wanted(job.admitted_ns)
        if (rhythm := self._rhythms.get(session.name)) is not None:
            rhythm.beat(job.frame.received_ns)

    def _open(self, sessions: Sequence[Session]) -> Iterator[tuple[Session, Channel, Job]]:
        """Take and open the sessions' frames, answer what can be answered without a row, and give the others."""
        orders: list[Order] = []
        takers: list[tuple[Session, Channel]] = []
        for session in sessions:
            channel = session.channel
            frame = channel.inbox.take() if channel is not None else None
            if channel is None or frame is None:
                continue  # the client left between the look and the take
            now_ns = self._clock()
            params = session.job_params(channel, now_ns)
            orders.append(Order(frame, params, session.name, now_ns, next(self._numbers), channel.takes_encoded))
            takers.append((session, channel))
        for (session, channel), opened in zip(takers, self._stages.open(orders), strict=True):
            if isinstance(opened, Failure):
                session.deliver(channel, opened, self._clock())
                continue
            channel.is_still = _is_still(channel, opened)
            if opened.thumbnail is not None:
                channel.stillness.learn(opened.thumbnail)
            if channel.is_still:
                self._repeat(session, channel, opened)
            else:
                yield session, channel, opened

    def _repeat(self, session: Session, channel: Channel, job: Job) -> None:
        """Answer an unchanged frame: now, or where the picture it repeats is still to come, behind that."""
        reference = channel.reference
        if reference is not None and reference.number in self._under_way:
            superseded = self._followers.get(reference.number)
            self._followers[reference.number] = job
            if superseded is not None:
                session.supersede(channel, superseded.frame)
        else:
            session.deliver(channel, Repeat(job), self._clock())

    def _has_room(self, session: Session) -> bool:
        return self._rows_of[session.name] < self._rows_per_session

    def _tick(self, admitted: list[Job], picked_ns: int) -> _Flight | None:
        if not admitted and not self._engine.busy_rows:
            return None
        bill = self._ledger.charge()
        before_ns = self._clock()
        pending = self._engine.tick(admitted)
        launched_ns = self._clock()
        self._launch_times.note(len(admitted), launched_ns - picked_ns)  # with the opening
        for job in pending.jobs:  # their rows are free for the next tick, though their pictures are still to come
            self._rows_of[job.session] -= 1
            self._ledger.leave(job.number)
        self._rows_of += Counter()  # forgets the zeros
        return _Flight(pending, bill, before_ns, launched_ns)

    def _deliver(self, flight: _Flight) -> None:
        outcomes = flight.pending.collect()
        finished_ns = flight.pending.finished_ns
        # An engine that works inside `tick` was done before that returned.
        launched_ns = flight.launched_ns if flight.launched_ns < finished_ns else flight.begun_ns
        started_ns = max(launched_ns, self._finished_ns)
        self._finished_ns = finished_ns
        duration_ns = max(0, finished_ns - started_ns)
        is_whole = not any(isinstance(outcome, Failure) for outcome in outcomes)
        self._ledger.settle(flight.bill, duration_ns, is_whole=is_whole)
        for outcome in self._stages.seal(outcomes):
            self._answer(outcome)
        self._on_tick((finished_ns - flight.begun_ns) / 1e9, len(outcomes))

    def _answer(self, outcome: Result | Failure) -> None:
        number = outcome.job.number
        session, channel = self._under_way.pop(number)
        follower = self._followers.pop(number, None)
        now_ns = self._clock()
        is_answered = session.deliver(channel, outcome, now_ns)
        if not is_answered and channel.reference is not None and channel.reference.number == number:
            channel.reference = None  # the client never gets its picture
        if follower is not None and is_answered:
            session.deliver(channel, Repeat(follower), now_ns)
        elif follower is not None:
            session.give_back(channel, follower.frame)


def _is_still(channel: Channel, job: Job) -> bool:
    """Whether a job's answer is the picture of the newest one that was run: the same in, by the same params."""
    run = channel.reference
    if run is None or run.thumbnail is None or job.thumbnail is None or run.params != job.params:
        return False
    return channel.stillness.is_unchanged(job.thumbnail, run.thumbnail)
