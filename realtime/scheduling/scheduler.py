"""Admit, tick, deliver: the engine thread's loop, and the only place where sessions meet the engine.

A frame that is picked is opened first: only one that shows something new needs a row of the engine. Must not know
tensors or sockets.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..engine import Batches, Engine, Pending, RowCost
from ..errors import EngineError
from ..frame import Failure, Job, Result
from ..holding import Holding
from ..media.pipeline import Done, Pipeline
from ..params import Params
from ..session import Session
from .batches import filling
from .capacity import MOST_FPS, Capacity, Line, SessionLoad
from .costs import Accounts, Charge
from .sealing import Sealing
from .seat import Seat
from .seats import Opened, Seats
from .soundness import Soundness
from .suspects import Suspects
from .timing import DeviceClock, worth_waiting

_log = logging.getLogger(__name__)

READY_POLL_NS = 1_000_000
"""How often a running tick is polled for its end: it may come before it is expected."""
PREPARING_NS = 1_000_000
"""Preparing a job is charged from here on: where all that it needs is kept it takes microseconds, which say nothing."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A tick that was launched and is not collected yet.

    Attributes:
        begun_ns, launched_ns: our monotonic clock before and after `Engine.tick`.
    """

    pending: Pending
    charge: Charge[Seat]
    begun_ns: int
    launched_ns: int


Change = Callable[[], None]
"""Changes what the engine makes of frames, see `Scheduler.change`."""


class Scheduler:
    """Runs the engine over the sessions.

    At most two ticks are on their way: while the device works on one, the next is launched behind it, and then the
    first is collected. A frame is picked as late as that allows, just before the running tick is expected to end: so
    it is as new as it can be, and shares its tick with as many others as the device has use for. A tick even waits
    for a frame that is about to come, where that saves more delay than it costs (`worth_waiting`).

    Args:
        engine: called by the thread that calls `run`, but for `cost`.
        rows_per_session: frames a session may have in flight: 1 is the lowest latency, more the stream batch.
        on_tick: called after each tick with its duration in seconds and the number of jobs that left with it.
        clock: monotonic nanoseconds.
        pipeline: opens frames and seals results; closed when `run` ends.
        suspects: whose frames broke the engines before this one.
        soundness: says whether the engine is broken by what comes of it; None: it is not asked.
        holding: says which pictures nobody is to see; None: all are seen.
    """

    def __init__(
        self,
        engine: Engine,
        rows_per_session: int = 1,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        pipeline: Pipeline | None = None,
        suspects: Suspects | None = None,
        soundness: Soundness | None = None,
        holding: Holding | None = None,
    ) -> None:
        self._engine = engine
        self._pipeline = pipeline or Pipeline(clock=clock)
        self._on_tick = on_tick
        self._clock = clock
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._broken = threading.Event()
        self._accounts: Accounts[Seat] = Accounts(max_rows=engine.free_rows)
        self._suspects = suspects or Suspects(clock)
        self._soundness = soundness
        self._holding = holding
        self._has_suspects = True  # whether a frame may be to blame where the engine breaks
        self._seats = Seats(
            rows_per_session,
            self._pipeline,
            clock,
            self._accounts.spend,
            self.ring,
            self._suspects.refusal,
            lambda: engine.info.nets,
            engine,
        )
        self._device = DeviceClock(self._accounts.costs)
        self._in_flight: dict[int, Opened] = {}  # by job number
        self._given_back: set[int] = set()  # numbers of jobs in flight whose outcome nobody wants any more
        self._sealing = Sealing(self._pipeline, self._answer, self.ring)
        self._changes: deque[Change] = deque()
        self._spent: deque[tuple[Session, int]] = deque()
        engine.when_broken(self._break)

    # -- any thread ---------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> int:
        """Frames that the engine has and has not given back yet."""
        return len(self._in_flight)

    @property
    def capacity(self) -> Capacity:
        """What was measured of the ticks so far."""
        return Capacity(self._accounts.costs.line, self._accounts.max_rows)

    def ring(self) -> None:
        """Wake the engine thread: a frame waits."""
        self._bell.set()

    def _break(self) -> None:
        """Have the engine asked, which is broken: it says why."""
        self._broken.set()
        self._bell.set()

    def add(self, session: Session) -> None:
        """Serve this session from now on."""
        self._seats.add(session)
        session.served_by(self.ring)

    def remove(self, session: Session, then: Callable[[], None] | None = None) -> None:
        """Serve this session no more. What is under way is answered, and then the engine forgets it.

        Args:
            then: called by the engine thread behind that, where the session goes on elsewhere: its newest frame waits.
                Not called where the engine breaks before. None: the session is over.
        """
        self._seats.remove(session, then)
        self.ring()

    def rate_with(self, newcomers: Sequence[Params], like: Line | None = None) -> float:
        """Pictures a second that every session could have if sessions with these params joined. See `rate_for_all`.

        Args:
            like: the line of an engine that this one is taken to be like while nothing was measured of it.
        """
        loads = [SessionLoad(MOST_FPS, self._engine.cost(params)) for params in newcomers]
        return self._accounts.rate_for_all([*loads, *self._seats.loads(self._engine.cost)], like)

    def spend(self, session: Session, spent_ns: int) -> None:
        """Charge a session for CPU time that was spent on what it has sent beside its frames."""
        self._spent.append((session, spent_ns))
        self.ring()

    def change(self, change: Change) -> None:
        """Have this called by the engine thread, between two ticks and while no row is in flight, so that no frame has
        a part of it: until then no frame gets a row. From then on no picture repeats an earlier one. Not called where
        the engine ends before. Whatever it raises has broken the engine.
        """
        self._changes.append(change)
        self.ring()

    def stop(self) -> None:
        """Make `run` return after the tick under way."""
        self._stopping.set()
        self._bell.set()

    # -- the engine thread --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Admit, launch and deliver until `stop` is called.

        Raises:
            Exception: whatever the engine raised; it is broken and nothing more will come of it.
        """
        try:
            previous: Flight | None = None
            while not self._stopping.is_set():
                previous = self._wait(previous)
                picked = self._admit()
                flight = self._launch(picked)
                self._deliver(previous)
                previous = flight
            self._deliver(previous)
        except EngineError as error:
            self._has_suspects = error.blames_frames
            raise
        finally:
            self._pipeline.close()

    def _wait(self, previous: Flight | None) -> Flight | None:
        """Wait until it is time to admit frames.

        Returns:
            The tick that still runs; None where there was none, or its pictures have been delivered.
        """
        if previous is None and not self._seats.is_waiting:
            self._bell.wait()
        if previous is not None:
            self._hold(previous)
            if previous.pending.ready() or self._co_batching_ns(self._end_ns(previous)) > 0:
                # An engine that works inside `tick` is done already: its pictures must not wait for the next tick.
                self._deliver(previous)
                previous = None
        if previous is None:
            self._wait_for_another()
        self._bell.clear()
        return previous

    def _hold(self, flight: Flight) -> None:
        """Put the next admission off for as long as the device stays busy, or until the tick has ended."""
        while not flight.pending.ready():
            self._sealing.collect()
            hold_ns = self._device.hold_ns(self._end_ns(flight), len(self._seats.ready()), self._clock())
            if hold_ns <= 0:
                return
            self._seats.answer_still()
            if self._stopping.wait(min(hold_ns, READY_POLL_NS) / 1e9):
                return

    def _end_ns(self, flight: Flight) -> float:
        return self._device.end_ns(flight.charge.work, flight.launched_ns)

    def _wait_for_another(self) -> None:
        """With an idle device: wait for a frame that is about to come, as long as it is worth that."""
        self._seats.answer_still()
        while (wait_ns := self._co_batching_ns(self._clock())) > 0:
            self._bell.clear()
            if not self._bell.wait(wait_ns / 1e9) or self._stopping.is_set():
                return
            self._seats.answer_still()

    def _co_batching_ns(self, free_ns: float) -> float:
        """Time from `free_ns`, when the device is free, to the next frame if that is worth waiting for; else 0."""
        ready, coming = self._seats.ready(), self._seats.next_coming(free_ns)
        if coming is None or not 0 < len(ready) < self._engine.free_rows:
            return 0.0
        wait_ns, more = coming[0] - free_ns, self._cost(coming[1]).first
        work = self._accounts.work + sum(self._cost(seat).first for seat in ready)
        if work + more > self._engine.info.batches.most_work:
            return 0.0
        rows = len(ready) + self._engine.busy_rows
        return wait_ns if worth_waiting(self._accounts.costs, wait_ns, rows, work, more) else 0.0

    def _cost(self, seat: Seat) -> RowCost:
        """Expected cost of the session's next frame: by the params of its newest one."""
        return self._engine.cost(seat.session.in_use)

    def _admit(self) -> list[Job]:
        """Fill the free rows with frames that show something new. Opens at most one frame a session."""
        self._sealing.collect()
        self._charge_spent()
        if self._changes and self._engine.busy_rows:
            return []
        self._make_changes()
        for seat, then in self._seats.take_gone():
            name = seat.session.name
            self._engine.forget(name)
            if self._soundness is not None:
                self._soundness.forget(name)
            if self._holding is not None:
                self._holding.forget(name)
            if then is None:
                self._suspects.forget(name)
            else:
                then()
        jobs: list[Job] = []
        seen: set[Seat] = set()
        while picked := self._pick(seen, self._engine.free_rows - len(jobs)):
            seen.update(picked)
            for opened in self._seats.open(picked):
                self._enter(opened)
                jobs.append(opened.job)
        return jobs

    def _charge_spent(self) -> None:
        while self._spent:
            session, spent_ns = self._spent.popleft()
            for seat in self._seats:
                if seat.session is session:
                    self._accounts.spend(seat, spent_ns)

    def _make_changes(self) -> None:
        while self._changes:
            self._changes.popleft()()
            self._seats.renew()

    def _pick(self, seen: Collection[Seat], free: int) -> list[Seat]:
        """Up to `free` seats whose waiting frames fit into the next tick, in the order of the fair queue; one that is
        suspected of breaking engines while nothing else is in flight, and nothing else beside it.
        """
        if any(opened.job.session in self._suspects for opened in self._in_flight.values()):
            return []
        ready = [seat for seat in self._seats.ready() if seat not in seen]
        if alone := [
            seat for seat in ready if self._suspects.must_run_alone(seat.session.name, seat.session.params.version)
        ]:
            ready = [] if self._in_flight else alone[:1]
        batches = self._engine.info.batches
        limit = self._accounts.limit(batches.most_work)
        costs = ((seat, self._cost(seat)) for seat in self._accounts.order(ready)[: max(0, free)])
        fitting = [(seat, cost.first) for seat, cost in costs if limit.try_add(cost.first, cost.ticks)]
        return self._filling(fitting, batches)

    def _filling(self, fitting: Sequence[tuple[Seat, int]], batches: Batches) -> list[Seat]:
        """Those of some seats whose frames fill batches with the rows in flight.

        Args:
            fitting: with the work of their frames; one without work needs no place.
        """
        if not batches.sizes:
            return [seat for seat, _ in fitting]
        running = Counter(
            _size(opened.job.params) for number, opened in self._in_flight.items() if number in self._accounts
        )
        forms = [(seat, _size(seat.session.in_use) if work else None) for seat, work in fitting]
        return filling(forms, running, batches)

    def _enter(self, opened: Opened) -> None:
        """Account for a frame that gets a row."""
        seat, gate, job = opened
        self._in_flight[job.number] = opened
        self._accounts.enter(job.number, seat, self._engine.cost(job.params).works)
        gate.run(job)
        seat.under_way += 1
        seat.rows += 1
        seat.rhythm.beat(job.frame.received_ns)
        seat.session.stats.count_wanted(job.admitted_ns)

    def _launch(self, jobs: list[Job]) -> Flight | None:
        """Launch a tick of the rows in flight and these jobs; None where there are neither."""
        if not jobs and not self._engine.busy_rows and not self._broken.is_set():
            return None
        self._prepare(jobs)
        charge = self._accounts.charge()
        begun_ns = self._clock()
        pending = self._engine.tick(jobs)
        launched_ns = self._clock()
        self._device.launched(len(jobs), launched_ns - (jobs[0].admitted_ns if jobs else begun_ns))
        for job in pending.jobs:  # their rows are free for the next tick, though their pictures are still to come
            self._accounts.leave(job.number)
            self._in_flight[job.number].seat.rows -= 1
        return Flight(pending, charge, begun_ns, launched_ns)

    def _prepare(self, jobs: list[Job]) -> None:
        """Have the engine make what these jobs need, each at the expense of whose it is."""
        for job in jobs:
            begun_ns = self._clock()
            self._engine.prepare(job)
            self._charge_preparing({job.number: self._clock() - begun_ns})

    def _charge_preparing(self, spent_ns: Mapping[int, int]) -> int:
        """Charge what these jobs needed before they could run; returns the sum."""
        for number, ns in spent_ns.items():
            if ns > PREPARING_NS:
                self._accounts.spend(self._in_flight[number].seat, ns)
        return sum(spent_ns.values())

    def _deliver(self, flight: Flight | None) -> None:
        """Wait for the end of a tick, settle its charge, and answer the jobs that left with it."""
        if flight is None:
            return
        outcomes, finished_ns = flight.pending.collect(), flight.pending.finished_ns
        duration_ns = self._device.finished(flight.begun_ns, flight.launched_ns, finished_ns)
        if self._soundness is not None and self._soundness.note(outcomes):
            raise EngineError("the engine's pictures are not numbers any more", blames_frames=False)
        preparing_ns = self._charge_preparing(flight.pending.preparing_ns)
        is_whole = not any(isinstance(outcome, Failure) for outcome in outcomes)
        self._accounts.settle(flight.charge, max(0, duration_ns - preparing_ns), is_whole=is_whole)
        done = [(self._in_flight.pop(outcome.order.number), outcome) for outcome in outcomes]
        wanted = [(opened, outcome) for opened, outcome in done if not self._was_given_back(opened)]
        for _, outcome in wanted:
            self._suspects.cleared(outcome.order)
        if self._holding is not None:
            wanted = [(opened, self._judged(opened, outcome, self._holding)) for opened, outcome in wanted]
        self._sealing.seal(wanted)
        self._on_tick((finished_ns - flight.begun_ns) / 1e9, len(outcomes))

    def _judged(self, opened: Opened, outcome: Result | Failure, holding: Holding) -> Result | Failure:
        return holding.judged(outcome, was_held=opened.seat.session.is_unsafe)

    def _answer(self, opened: Opened, done: Done[Result | Failure]) -> None:
        self._accounts.spend(opened.seat, done.spent_ns)
        self._seats.answer(opened, done.outcome)
        opened.seat.under_way -= 1

    def _was_given_back(self, opened: Opened) -> bool:
        """Whether this job's frame was given back (`let_go`); if so, it is under way no more."""
        if opened.job.number not in self._given_back:
            return False
        self._given_back.discard(opened.job.number)
        opened.seat.under_way -= 1
        return True

    # -- an engine that broke, or hangs -------------------------------------------------------------------------

    def give_up(self) -> str | None:
        """Give the frames of a broken engine back, and suspect those that it worked on, unless somebody else ended it.
        Only after `run` has raised.

        Returns:
            The name of a session that is to blame; None where nobody is.
        """
        blamed = self._give_back()
        self._in_flight.clear()
        return blamed

    def let_go(self) -> None:
        """The engine gives no answer: serve no session any more, and give the frames that it has back, as those of a
        broken one. What comes of them yet is thrown away; sessions may be added again. Called by any thread, while the
        engine thread stays in a call of the engine.
        """
        self._give_back()
        self._given_back.update(self._in_flight)
        self._seats.remove_all()

    def _give_back(self) -> str | None:
        """See `give_up`; what was given back before is nobody's."""
        had = [opened for number, opened in self._in_flight.items() if number not in self._given_back]
        blamed = self._suspects.broke([opened.job for opened in had]) if self._has_suspects else None
        if blamed is not None:
            _log.warning("%s: its frames break every engine: they are set aside", blamed)
        sealing = self._sealing.abandon()
        for opened in sealing:
            opened.seat.under_way -= 1
        self._seats.give_back([*had, *sealing])
        return blamed


def _size(params: Params) -> tuple[int, int]:
    """Of the pictures; rows of one size are a batch."""
    return params.width, params.height
