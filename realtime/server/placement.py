"""The workers of a server, one a device, and which session is at which. Those on other machines come and go.

A session is put where it gets the most, stays there, and moves only when the engine there breaks or is drained, or
another that is new or back would give it notably more. It takes nothing with it but itself: an engine keeps nothing of
it that outlives a frame. Must not know connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial

from ..config import Config
from ..engine.devices import by_device
from ..engine.load import load_engine
from ..media.pipeline import Decoding, Pipeline
from ..params import Params
from ..scheduling.interim import Interim
from ..scheduling.suspects import Suspects
from ..session import Session
from .engine_host import EngineHost, Load
from .engine_state import Away, Changes, Stage, State
from .life import ReadyEngine
from .restarting import BACK_OFF_S
from .worker import Host, MakeHost, Worker, first_back, spares, state_of

SHARED_OUT_S = 30.0
"""How long an engine runs before sessions of others move to it: at one that breaks often they would only suffer."""
GAIN = 1.25
"""How much more a session must get there, as a factor of its rate."""


class NotNow(Exception):
    """A worker can't be drained or started at the moment; says why."""


class Placement:
    """All workers together: for connections one engine host, for the lobby whoever serves sessions. Event loop only,
    but for `life`.

    While no worker is ready, an `Interim` serves the sessions. A server of one engine has one worker; one whose workers
    are on other machines (`config.ray`) has those that have joined, and outlives all of them.

    Args:
        config: of the server; its `devices` say how many workers there are.
        load: makes each worker's engine, on a thread of the worker.
        on_tick: see `Scheduler`; called by each worker's thread.
        on_change: called at each change of a worker's state, before sessions are placed by it.
        on_away: called with each session that no engine serves, or one does again (`Session.is_away`).
        on_place: called with each session before an engine serves it.
        back_off_s, decoding: see `EngineHost`.

    Attributes:
        workers: by their numbers.
        model: what they run, as `Config.model` has it; while it is about to be loaded too.
        ended: set when `state` is STOPPED or FAILED.
    """

    def __init__(
        self,
        config: Config,
        load: Load = load_engine,
        on_tick: Callable[[float, int], None] = lambda seconds, jobs: None,
        on_change: Callable[[], None] = lambda: None,
        on_away: Callable[[Session], None] = lambda session: None,
        back_off_s: Sequence[float] = BACK_OFF_S,
        decoding: Decoding | None = None,
        on_place: Callable[[Session], None] = lambda session: None,
    ) -> None:
        self.ended = asyncio.Event()
        self.model = config.model
        self._load = load
        self._on_tick = on_tick
        self._on_change = on_change
        self._on_away = on_away
        self._on_place = on_place
        self._back_off_s = back_off_s
        self._decoding = decoding
        self._configs = by_device(config)
        self.is_fleet = bool(config.ray)
        self._spares = config.ray_spares
        self._was_ready = False
        self._suspects = Suspects()  # one for all: what breaks an engine does not break each in turn
        self._changes = Changes()
        self._final: State | None = None
        self._away: Away | None = None
        self._interim: Interim | None = None
        self._places: dict[Session, Worker | None] = {}  # None: at no worker
        self._leaving: set[Session] = set()  # those that go on elsewhere behind their frames under way
        self._settling: dict[int, asyncio.TimerHandle] = {}  # by the numbers of workers
        self._next_number = 0
        self._aside: set[Worker] = set()  # not yet, or no longer among `workers`
        self._is_held = False  # a worker that can't load its engine is not the end
        self._makers: dict[Worker, Callable[[], Host]] = {}
        self.workers: tuple[Worker, ...] = ()
        for one in () if self.is_fleet else self._configs:
            device, number = one.devices or one.device.value, len(self.workers)
            self._add_worker("", device, partial(self._host, one, self._load, number))

    def _add_worker(self, name: str, device: str, make: MakeHost) -> Worker:
        number = self._next_number
        self._next_number += 1
        worker = self._make_worker(number, name or str(number), device, make)
        self.workers = (*self.workers, worker)
        return worker

    def _make_worker(self, number: int, name: str, device: str, make: MakeHost) -> Worker:
        def make_host() -> Host:
            return make(lambda life: self._on_life(worker), self._changes, self._suspects)

        worker = Worker(number, device, make_host(), name=name)
        self._makers[worker] = make_host
        return worker

    def _host(
        self,
        config: Config,
        load: Load,
        number: int,
        on_life: Callable[[object], None],
        changes: Changes,
        suspects: Suspects,
    ) -> EngineHost:
        return EngineHost(
            config,
            load,
            self._on_tick,
            on_life,
            self._back_off_s,
            suspects,
            changes,
            f"engine {number}, {config.devices}" if len(self._configs) > 1 else "",
            self._decoding,
        )

    def join(self, name: str, make: MakeHost) -> Worker:
        """Take a worker of another machine in."""
        worker = self._add_worker(name, "", make)
        worker.host.start()
        self._changes.tell()
        return worker

    async def leave(self, worker: Worker) -> None:
        """Forget a worker that does not come back. Its sessions go on at others."""
        await worker.host.stop()
        self.workers = tuple(other for other in self.workers if other is not worker)
        del self._makers[worker]
        self._on_life(worker)
        self._changes.tell()

    # -- as one engine host ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all workers. Called on the event loop that is to be told of changes."""
        self._loop = asyncio.get_running_loop()
        for worker in self.workers:
            worker.host.start()

    async def stop(self) -> None:
        """See `EngineHost.stop`, of all workers at once."""
        self._end(State.STOPPED)
        await asyncio.gather(*(worker.host.stop() for worker in (*self.workers, *self._aside)))

    @property
    def state(self) -> State:
        """READY while sessions can be put at one worker at least; else the state of the one that is nearest to that."""
        if self._final is None and self.is_fleet:
            if self.life is not None:
                return State.READY
            return State.AWAY if self._was_ready else State.LOADING
        return self._final or state_of(self.workers)

    @property
    def stage(self) -> Stage:
        """The stage of loading of a worker on which `state` depends."""
        if (back := first_back(self.workers)) is not None:
            return back[0].host.stage
        if not self.workers:
            return Stage("no worker has joined: start one with `realtime worker`")
        state = state_of(self.workers)
        return next((one.host for one in self.workers if one.host.state is state), self.workers[0].host).stage

    @property
    def away(self) -> Away | None:
        """Why no worker is ready, once one was, and for how long: of the one that should be back first."""
        return self._away

    @property
    def error(self) -> BaseException | None:
        """What made `state` FAILED; None otherwise."""
        errors = (worker.host.error for worker in self.workers if self.state is State.FAILED)
        return next((error for error in errors if error is not None), None)

    @property
    def changed(self) -> asyncio.Event:
        """An event for the next change of `state`, `stage` or `workers`; see `Changes.next`."""
        return self._changes.next

    @property
    def life(self) -> ReadyEngine | None:
        """The first of the engines that sessions may be put at; None unless `state` is READY. Any thread."""
        return next((life for _, life in self._open()), None)

    # -- where sessions are ---------------------------------------------------------------------------------------

    def worker_of(self, session: Session) -> Worker | None:
        """The worker that a session is at; None while no engine serves it."""
        return self._places.get(session)

    def sessions_at(self, worker: Worker) -> list[Session]:
        """The sessions at a worker, with those kept for resuming."""
        return [session for session, place in self._places.items() if place is worker]

    def rate_with(self, newcomers: Sequence[Params]) -> float:
        """Pictures a second that every one of so many newcomers could have, and those beside whom they were put; 0
        without an engine. See `Scheduler.rate_with`.
        """
        there = {worker: (life, list[Params]()) for worker, life in self._open()}
        for params in newcomers if there else ():
            best = max(there.values(), key=lambda each: self._rate(each[0], [*each[1], params]))
            best[1].append(params)
        return min((self._rate(life, joined) for life, joined in there.values() if joined), default=0.0)

    def _rate(self, life: ReadyEngine, newcomers: Sequence[Params] = ()) -> float:
        """See `Scheduler.rate_with`. An engine of which nothing was measured yet, as it is new, is taken to be like
        another: else there would seem to be no end of what it can do, and all would be put there.
        """
        if life.scheduler.capacity.line is not None:
            return life.scheduler.rate_with(newcomers)
        lines = (other.scheduler.capacity.line for _, other in self._open())
        return life.scheduler.rate_with(newcomers, next((line for line in lines if line is not None), None))

    def add(self, session: Session) -> None:
        """See `Serving`: put the session at the worker where it gets the most."""
        self._places[session] = None
        if self.ended.is_set():
            return
        if (best := self._best(session)) is None:
            self._interim = self._interim or Interim(Pipeline(self._configs[0].max_pixels, decoding=self._decoding))
            session.set_away(True)
            self._interim.add(session)
            return
        self._places[session], life = best
        if session.is_away:
            session.set_away(False)
        self._on_place(session)
        life.scheduler.add(session)

    def remove(self, session: Session) -> None:
        """See `Serving`."""
        worker = self._places.pop(session, None)
        self._leaving.discard(session)
        if worker is None:
            if self._interim is not None:
                self._interim.remove(session)
            return
        if worker.host.life is not None:
            worker.host.life.scheduler.remove(session)
        if worker.is_drained:
            self._changes.tell()

    def _open(self) -> list[tuple[Worker, ReadyEngine]]:
        """The workers that sessions may be put at."""
        kept = self.spares
        return [
            (worker, life) for worker in self.workers if (life := worker.open_life) is not None and worker not in kept
        ]

    @property
    def spares(self) -> set[Worker]:
        """The workers that are kept for when another is lost; see `worker.spares`."""
        if not self._spares:
            return set()
        busy = {place for place in self._places.values() if place is not None}
        return spares(self.workers, self._spares, busy)

    def _best(self, session: Session) -> tuple[Worker, ReadyEngine] | None:
        """Where a session would get the most, and of two alike where fewer are; None where no engine is ready."""

        def gain(place: tuple[Worker, ReadyEngine]) -> tuple[float, int]:
            worker, life = place
            return self._rate(life, [session.params]), -len(self.sessions_at(worker))

        return max(self._open(), key=gain, default=None)

    # -- changes --------------------------------------------------------------------------------------------------

    def _on_life(self, worker: Worker) -> None:
        """A worker's engine is ready, away, or gone."""
        self._on_change()
        if self.ended.is_set():
            return
        is_last = not self.is_fleet and not self._is_held
        if is_last and (state := state_of(self.workers)) in (State.FAILED, State.STOPPED):
            self._end(state)
            return
        self._was_ready = self._was_ready or self.life is not None
        back = first_back(self.workers)
        self._away = None if self.life is not None else back[1] if back is not None else self._away or _none_left()
        if worker.host.life is None:
            self._leaving.difference_update(self.sessions_at(worker))
            self._places |= dict.fromkeys(self.sessions_at(worker))
        if self.life is not None and self._interim is not None:
            self._interim.stop()
            self._interim = None
        for session in [session for session, place in self._places.items() if place is None]:
            self._replace(session)
        if worker in self._aside:
            return
        if (timer := self._settling.pop(worker.number, None)) is not None:
            timer.cancel()
        if worker.open_life is not None:
            self._settling[worker.number] = self._loop.call_later(SHARED_OUT_S, self._share_out, worker)

    def _share_out(self, worker: Worker) -> None:
        """Have sessions of other workers go on at this one, one after the other, while that gains them something."""
        if self.ended.is_set() or (life := worker.open_life) is None:
            return
        others = [place for place in self._open() if place[0] is not worker and self._staying_at(place[0])]
        if not others:
            return
        fullest, there = min(others, key=lambda place: self._rate(place[1]))
        session = self._staying_at(fullest)[-1]

        def go_on() -> None:
            if self._places.get(session) is not fullest:  # else it came back, and would again
                self._share_out(worker)

        if self._rate(life, [session.params]) >= GAIN * self._rate(there):
            self._let_go(session, fullest, go_on)

    def _staying_at(self, worker: Worker) -> list[Session]:
        return [session for session in self.sessions_at(worker) if session not in self._leaving]

    def _replace(self, session: Session) -> None:
        """Put a session that is at no worker at one, and tell it if it has to wait for that, or had to."""
        was_away = session.is_away
        if not (was_away and self.life is None):
            self.add(session)
        if was_away or session.is_away:
            self._on_away(session)

    def _end(self, state: State) -> None:
        """Go to a final state, unless there is one; viewers are rung to see it."""
        if self._final is not None:
            return
        self._final = state
        self.ended.set()
        if self._interim is not None:
            self._interim.stop()
        for session in self._places:
            session.ring_viewers()
        self._changes.tell()

    async def drain(self, worker: Worker) -> None:
        """Have the sessions at a worker go on at others, each behind its frames that are under way; then close the
        engine. Returns when that is done.

        Raises:
            NotNow: no other worker is ready.
        """
        if not any(other is not worker for other, _ in self._open()):
            raise NotNow("no other engine is ready, at which its sessions could go on: start one first")
        worker.is_drained = True
        for session in self.sessions_at(worker):
            self._let_go(session, worker)
        self._changes.tell()
        while self.sessions_at(worker) and not self.ended.is_set():
            await self.changed.wait()
        await worker.host.close()
        while not worker.host.is_closed and not self.ended.is_set():
            await self.changed.wait()

    def _let_go(self, session: Session, worker: Worker, then: Callable[[], None] = lambda: None) -> None:
        """Have a session go on where it gets the most, behind its frames that are under way.

        Args:
            then: called on the event loop when it does, or is over.
        """

        def has_left() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                self._loop.call_soon_threadsafe(take_over)

        def take_over() -> None:
            self._leaving.discard(session)
            if self._places.get(session) is worker:
                self._places[session] = None
                self._replace(session)
                self._changes.tell()
            then()

        if worker.host.life is not None:
            self._leaving.add(session)
            worker.host.life.scheduler.remove(session, has_left)

    # -- another model --------------------------------------------------------------------------------------------

    def beside(self, worker: Worker, changes: Mapping[str, object], load: Callable[[Load], Load]) -> Worker:
        """A worker with another model for the device of this one. It has its name, and no session before `succeed`;
        whoever wants it starts its host.

        Args:
            changes: of the configuration.
            load: makes of what loads engines what loads its.
        """
        config = self._configs[worker.number].model_copy(update=dict(changes))
        make = partial(self._host, config, load(self._load), worker.number)
        successor = self._make_worker(worker.number, worker.name, worker.own_device, make)
        self._aside.add(successor)
        return successor

    def succeed(self, successors: Mapping[Worker, Worker], model: str, reason: str, expected_s: float) -> None:
        """Have workers take the places of those that they were made beside. Their sessions go on at them, behind their
        frames that are under way; while none is ready, they are told why. Follow it by `retire`.

        Args:
            successors: by the workers before them; that of one that was drained or has failed is as one drained.
            model: see `model`.
            reason, expected_s: see `Away`.
        """
        self.model = model
        self._aside.difference_update(successors.values())
        self._aside.update(successors)
        self.workers = tuple(successors.get(worker, worker) for worker in self.workers)
        if self.life is None:
            now_ns = time.monotonic_ns()
            self._away = Away(reason, now_ns, now_ns + int(expected_s * 1e9))
        for before, successor in successors.items():
            if before.is_drained or before.host.is_closed:
                successor.is_drained = successor.host.is_closed = True  # until somebody starts it
            before.is_drained = True
            self._on_life(successor)
        for before in successors:
            for session in self.sessions_at(before):
                self._let_go(session, before)
        self._changes.tell()

    async def retire(self, worker: Worker) -> None:
        """Close the engine of a worker that has no place any more, behind its last frame. Returns when it is gone."""
        while self.sessions_at(worker) and not self.ended.is_set():
            await self.changed.wait()
        await worker.host.close()
        while not worker.host.is_closed and not self.ended.is_set():
            await self.changed.wait()
        self._aside.discard(worker)
        self._makers.pop(worker, None)

    @contextlib.contextmanager
    def holding(self) -> Generator[None]:
        """While the block runs, a worker that can't load its engine is not the end of all of them."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            for worker in self.workers:
                self._on_life(worker)

    def start_again(self, worker: Worker) -> None:
        """Load the engine of a worker that is drained, or could not be loaded.

        Raises:
            NotNow: it is neither.
        """
        if self.ended.is_set() or not worker.host.is_closed:
            raise NotNow(f"this engine is {worker.state}: only one that is drained or has failed can be started")
        worker.host = self._makers[worker]()
        worker.is_drained = False
        worker.host.start()
        self._changes.tell()


def _none_left() -> Away:
    """Why no worker is ready where there is none that might be."""
    now_ns = time.monotonic_ns()
    return Away("no worker is left", now_ns, now_ns)
