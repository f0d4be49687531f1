"""Admit, tick, deliver: turns, overlap, holding back, ends. The engine is stepped by hand."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from realtime.control import INPUT, Hint, HintKey
from realtime.engine import Batches, ControlInfo, EngineInfo
from realtime.engine.state import RungState
from realtime.errors import EngineError
from realtime.frame import Job
from realtime.media.pipeline import Pipeline
from realtime.params import Params
from realtime.references import References
from realtime.scheduling.capacity import MOST_FPS
from realtime.scheduling.costs import MEASURED, NEWEST
from realtime.scheduling.scheduler import Scheduler
from realtime.scheduling.seats import NEW_NS
from realtime.session import Channel, Session
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.fakes.waiting import PATIENCE_S


class User:
    """A session of the scheduler, its connection, and what has arrived there."""

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        *,
        joined: bool = True,
        params: Params | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.session = Session(name, params or Params(), 2**22, clock=clock)
        self.arrived = threading.Event()
        self.channel: Channel = self.session.attach(self.arrived.set)
        self._seq = 0
        if joined:
            scheduler.add(self.session)

    def send(self) -> int:
        self._seq += 1
        self.session.offer(self.channel, a_frame(self._seq))
        return self._seq

    def skip_to(self, seq: int) -> None:
        self._seq = seq

    def answer(self) -> int:
        """The seq of the next picture, waiting for it."""
        while (result := self.channel.outbox.take()) is None:
            assert self.arrived.wait(PATIENCE_S), "no picture came"
            self.arrived.clear()
        return result.order.frame.seq


class CountingClock(FakeClock):
    """Lets a test wait until somebody has looked at the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self._looked = threading.Condition()

    def __call__(self) -> int:
        with self._looked:
            self.looks += 1
            self._looked.notify_all()
            return self.now_ns

    def wait_for_looks(self, more: int) -> None:
        with self._looked:
            wanted = self.looks + more
            assert self._looked.wait_for(lambda: self.looks >= wanted, PATIENCE_S)


class Life:
    """How the engine thread ended."""

    error: BaseException | None = None


@contextmanager
def running(scheduler: Scheduler, engine: ScriptedEngine) -> Iterator[Life]:
    life = Life()

    def run() -> None:
        try:
            scheduler.run()
        except Exception as error:
            life.error = error

    thread = threading.Thread(target=run, name="engine")
    thread.start()
    try:
        yield life
    finally:
        scheduler.stop()
        engine.finish_all()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def effortless() -> Pipeline:
    """A pipeline whose work costs nobody anything, so that ticks alone decide whose turn it is."""
    return Pipeline(cpu_clock=lambda: 0)


def names(jobs: list[Job]) -> list[str]:
    return [job.session for job in jobs]


def seqs(jobs: list[Job]) -> list[int]:
    return [job.frame.seq for job in jobs]


# -- whose turn it is ----------------------------------------------------------------------------------------------


def test_sessions_take_turns_and_an_idle_one_gives_its_turn_to_all_alike() -> None:
    engine = ScriptedEngine(max_rows=1)
    scheduler = Scheduler(engine, pipeline=effortless())
    users = {name: User(scheduler, name) for name in ("idle", "a", "b", "c")}
    for name in ("a", "b", "c"):
        users[name].send()

    with running(scheduler, engine):
        for number in range(9):
            engine.wait_for_ticks(number + 1)
            users[names(engine.ticks[number])[0]].send()
            if number:
                engine.finish_next()

    assert [names(jobs) for jobs in engine.ticks[:9]] == [["a"], ["b"], ["c"]] * 3


def test_frames_of_all_sessions_share_a_tick() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    users = [User(scheduler, name) for name in "abc"]
    for user in users:
        user.send()

    with running(scheduler, engine):
        engine.finish_next()
        answers = [user.answer() for user in users]

    assert names(engine.ticks[0]) == ["a", "b", "c"]
    assert answers == [1, 1, 1]


def test_frame_that_is_shown_as_it_is_passes_through_under_the_sessions_version() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    plain, blank = (User(scheduler, name, params=Params(feedback=0.5, calm=0.5, version=3)) for name in "ab")
    plain.send()
    blank.session.offer(blank.channel, replace(a_frame(1), is_as_is=True))

    with running(scheduler, engine):
        engine.wait_for_ticks(1)

    (restyled, passed) = (job.params for job in engine.ticks[0])
    assert (restyled.strength, restyled.feedback, restyled.calm) == (Params().strength, 0.5, 0.5)
    assert (passed.strength, passed.feedback, passed.calm, passed.version) == (0, 0, 0, 3)
    assert blank.session.params.strength == Params().strength


def test_more_frames_than_rows_wait_for_the_next_tick() -> None:
    engine = ScriptedEngine(max_rows=2)
    scheduler = Scheduler(engine)
    for user in [User(scheduler, name) for name in "abc"]:
        user.send()

    with running(scheduler, engine):
        engine.wait_for_ticks(2)

    assert [names(jobs) for jobs in engine.ticks] == [["a", "b"], ["c"]]


def with_batches(batches: Batches) -> ScriptedEngine:
    info = EngineInfo("scripted", "echo", "none", RungState("echo", "scripted"), batches=batches)
    return ScriptedEngine(info=info)


def test_a_tick_is_filled_to_a_batch_that_the_engine_has() -> None:
    engine = with_batches(Batches((1, 2, 4)))
    scheduler = Scheduler(engine)
    for user in [User(scheduler, name) for name in "abcdefg"]:
        user.send()

    with running(scheduler, engine):
        engine.wait_for_ticks(2)
        engine.finish_next()
        engine.wait_for_ticks(3)

    assert [names(jobs) for jobs in engine.ticks] == [["a", "b", "c", "d"], ["e", "f"], ["g"]]


def test_frames_of_other_sizes_and_those_that_pass_through_fill_no_batch() -> None:
    engine = with_batches(Batches((1, 2, 4)))
    scheduler = Scheduler(engine)
    small, through = Params(width=256, height=256), Params(strength=0.0)
    for name, params in {"a": Params(), "b": small, "c": through, "d": Params(), "e": small, "f": small}.items():
        User(scheduler, name, params=params).send()

    with running(scheduler, engine):
        engine.wait_for_ticks(2)

    assert [names(jobs) for jobs in engine.ticks[:2]] == [["a", "b", "c", "d", "e"], ["f"]]


def test_no_tick_is_formed_for_which_memory_does_not_suffice() -> None:
    engine = with_batches(Batches(most_work=2 * 512 * 512))
    scheduler = Scheduler(engine)
    for user in [User(scheduler, name) for name in "abc"]:
        user.send()
    User(scheduler, "large", params=Params(width=1024, height=1024)).send()

    with running(scheduler, engine):
        for _ in range(2):
            engine.finish_next()
        engine.wait_for_ticks(3)

    assert [names(jobs) for jobs in engine.ticks] == [["a", "b"], ["c"], ["large"]]


class WorkingEngine(ScriptedEngine):
    """Works inside `tick`: 10 ms for each 256x256 pixels in it, and what a tick costs whatever is in it."""

    def __init__(self, clock: FakeClock, fixed_ms: int = 0, failures: frozenset[int] = frozenset()) -> None:
        self.times_ms: Counter[str] = Counter()
        self.is_working = True

        def work() -> int:
            if not self.is_working:
                return clock()
            clock.advance_ms(fixed_ms)
            for job in self.ticks[-1]:
                cost_ms = 10 * job.params.width * job.params.height // 256**2
                self.times_ms[job.session] += cost_ms
                clock.advance_ms(cost_ms)
            return clock()

        super().__init__(synchronous=True, clock=work, failures=failures)


@pytest.mark.parametrize("light", [1, 3])
@pytest.mark.slow
def test_heavy_session_slows_light_ones_to_their_share_and_not_to_its_own_pace(light: int) -> None:
    clock = FakeClock()
    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    users = [User(scheduler, name) for name in ("heavy", "a", "b", "c")[: light + 1]]
    users[0].session.update({"width": 1024, "height": 1024})
    for user in users[1:]:
        user.session.update({"width": 256, "height": 256})
    engine.tick_hook = lambda: [user.send() for user in users]

    with running(scheduler, engine):
        users[0].send()
        engine.wait_for_ticks(400)
        engine.tick_hook = lambda: None

    times_ms = dict(engine.times_ms)
    fair_ms = sum(times_ms.values()) / len(users)
    assert all(abs(time_ms - fair_ms) <= 2 * 160 for time_ms in times_ms.values()), times_ms


def ticks_of_two_alike(fixed_ms: int) -> list[list[str]]:
    """Whose frames went together; the second session comes after ten ticks."""
    clock = FakeClock()
    engine = WorkingEngine(clock, fixed_ms)
    scheduler = Scheduler(engine, clock=clock, pipeline=effortless())
    users = [User(scheduler, name) for name in "ab"]
    for user in users:
        user.session.update({"width": 256, "height": 256})
    engine.tick_hook = lambda: [user.send() for user in (users if len(engine.ticks) > 9 else users[:1])]

    with running(scheduler, engine):
        users[0].send()
        engine.wait_for_ticks(60)
        engine.tick_hook = lambda: None
    return [names(jobs) for jobs in engine.ticks[:60]]


def test_sessions_alike_share_every_tick_although_one_came_first() -> None:
    ticks = ticks_of_two_alike(fixed_ms=50)

    assert ticks[:10] == [["a"]] * 10
    assert [sorted(tick) for tick in ticks[15:]] == [["a", "b"]] * 45


def test_sessions_take_turns_where_one_row_fills_the_device_once_that_has_been_seen() -> None:
    ticks = ticks_of_two_alike(fixed_ms=0)

    assert sum(len(tick) == 2 for tick in ticks) == MEASURED
    assert all(len(one) == 1 and one != other for one, other in itertools.pairwise(ticks[20:]))


def test_rate_with_one_more_stands_on_what_was_measured_and_on_what_is_sent() -> None:
    clock = FakeClock()
    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    newcomer = [Params(width=256, height=256)]
    assert scheduler.rate_with(newcomer) == MOST_FPS
    user = User(scheduler, "a")
    user.session.update({"width": 256, "height": 256})
    engine.tick_hook = user.send

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(NEW_NS // 10_000_000 + 10)
        engine.tick_hook = lambda: None
        engine.wait_for(lambda engine: engine.notes.count("collect") == engine.notes.count("tick"))

    assert scheduler.rate_with(newcomer) == pytest.approx(45, abs=1)
    clock.advance_ms(60_000)  # the other is idle now
    assert scheduler.rate_with(newcomer) == pytest.approx(90, abs=1)


@pytest.mark.parametrize("kind", ["passes through", "fails"])
def test_frames_on_which_no_work_is_done_do_not_change_what_is_expected_of_others(kind: str) -> None:
    clock = FakeClock()
    failing = frozenset(range(100, 200)) if kind == "fails" else frozenset[int]()
    engine = WorkingEngine(clock, fixed_ms=200, failures=failing)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        for _ in range(MEASURED):
            user.send()
            user.answer()
        before = scheduler.rate_with([Params()] * 2)
        engine.is_working = False
        if kind == "passes through":
            user.session.update({"strength": 0})
        else:
            user.skip_to(100)
        for number in range(NEWEST):
            user.send()
            engine.wait_for(lambda engine, done=MEASURED + number + 1: engine.notes.count("collect") == done)

        engine.is_working = True
        user.skip_to(200)
        user.session.update({"strength": 0.5})
        user.send()
        engine.wait_for(lambda engine: engine.notes.count("collect") == MEASURED + NEWEST + 1)

    assert before < MOST_FPS
    assert scheduler.rate_with([Params()] * 2) == pytest.approx(before)


def test_what_a_row_costs_is_the_engines_to_say() -> None:
    """A model without classifier-free guidance has no second row, whatever the params ask for."""
    clock = FakeClock()
    engine = WorkingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")
    user.session.update({"width": 256, "height": 256})

    with running(scheduler, engine):
        for _ in range(MEASURED):
            user.send()
            user.answer()

    plain, guided = (scheduler.rate_with([Params(width=256, height=256, guidance_scale=scale)]) for scale in (1, 8))
    assert plain == guided < MOST_FPS


# -- sessions that are over ----------------------------------------------------------------------------------------


def test_engine_forgets_a_session_that_is_removed_though_no_frame_waits_anywhere() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    user, other = User(scheduler, "a"), User(scheduler, "b")

    with running(scheduler, engine):
        for one in (user, other):
            one.send()
            one.answer()
        scheduler.remove(user.session)
        engine.wait_for(lambda engine: "forget a" in engine.notes)
        other.send()
        other.answer()

    assert [note for note in engine.notes if note.startswith("forget")] == ["forget a"]


def test_session_is_forgotten_behind_its_last_row_and_before_the_next_of_its_name() -> None:
    engine = ScriptedEngine(steps=2, synchronous=True)
    scheduler = Scheduler(engine)
    old = User(scheduler, "a")
    new = User(scheduler, "a", joined=False)
    old.send()
    new.skip_to(10)

    def replace() -> None:
        if len(engine.ticks) == 1:
            scheduler.remove(old.session)
            scheduler.add(new.session)
            new.send()

    engine.tick_hook = replace
    with running(scheduler, engine):
        assert new.answer() == 11

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [], [11], []]
    notes = [note for note in engine.notes if note != "collect"]
    assert notes == ["tick", "tick", "forget a", "tick", "tick"]


# -- sessions that go on elsewhere -----------------------------------------------------------------------------------


def test_session_that_moves_is_forgotten_and_then_served_by_the_next_behind_all_that_was_under_way() -> None:
    engine, other = ScriptedEngine(steps=2, synchronous=True), ScriptedEngine(synchronous=True)
    scheduler, heir = Scheduler(engine), Scheduler(other)
    user = User(scheduler, "a")
    answered: list[int] = []

    def then() -> None:
        answered.append(user.channel.last_delivered)
        engine.notes.append("moved")
        heir.add(user.session)

    def move() -> None:
        if len(engine.ticks) == 1:
            scheduler.remove(user.session, then)
            user.send()

    engine.tick_hook = move
    user.send()
    with running(scheduler, engine), running(heir, other):
        while user.answer() < 2:  # the first may have been replaced by then
            pass

    assert answered == [1]
    assert [seqs(jobs) for jobs in (*engine.ticks, *other.ticks)] == [[1], [], [2]]
    assert engine.notes[-2:] == ["forget a", "moved"]


# -- rows in flight ------------------------------------------------------------------------------------------------


def test_session_has_one_row_in_flight_by_default() -> None:
    engine = ScriptedEngine(steps=2, synchronous=True)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()
    engine.tick_hook = lambda: user.send() if len(engine.ticks) <= 2 else None

    with running(scheduler, engine):
        engine.wait_for_ticks(4)

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [], [3], []]


def test_stream_batch_has_as_many_rows_in_flight_as_it_may() -> None:
    engine = ScriptedEngine(steps=2, synchronous=True)
    scheduler = Scheduler(engine, rows_per_session=2)
    user = User(scheduler, "a")
    user.send()
    engine.tick_hook = lambda: user.send() if len(engine.ticks) <= 3 else None

    with running(scheduler, engine):
        engine.wait_for_ticks(5)

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [2], [3], [4], []]


def test_engine_ticks_on_by_itself_while_rows_have_steps_left() -> None:
    engine = ScriptedEngine(steps=4, synchronous=True)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()

    with running(scheduler, engine):
        assert user.answer() == 1

    assert [seqs(jobs) for jobs in engine.ticks] == [[1], [], [], []]
    assert scheduler.jobs == 0


def test_params_in_force_at_admission_go_with_the_frame() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.session.update({"prompt": "ink"})
    user.send()

    with running(scheduler, engine):
        engine.finish_next()
        user.answer()
        user.session.update({"prompt": "oil"})
        user.send()
        engine.wait_for_ticks(2)

    assert [jobs[0].params.prompt for jobs in engine.ticks] == ["ink", "oil"]
    assert [jobs[0].params.version for jobs in engine.ticks] == [1, 2]


# -- overlap and holding back --------------------------------------------------------------------------------------


def test_next_tick_is_launched_before_the_running_one_is_collected() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    engine.tick_hook = lambda: user.send() if len(engine.ticks) == 1 else None

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(2)
        engine.finish_next()
        assert user.answer() == 1
        engine.finish_next()
        assert user.answer() == 2

    assert engine.notes == ["tick", "tick", "collect", "collect"]


def test_pictures_of_an_engine_that_works_inside_tick_do_not_wait_for_the_next_tick() -> None:
    engine = ScriptedEngine(max_rows=1, synchronous=True)
    scheduler = Scheduler(engine)
    users = [User(scheduler, name) for name in "ab"]
    for user in users:
        user.send()

    with running(scheduler, engine):
        assert [user.answer() for user in users] == [1, 1]

    assert engine.notes == ["tick", "collect", "tick", "collect"]


def learn_tick_of_20_ms(engine: ScriptedEngine, user: User, clock: FakeClock) -> None:
    for _ in range(30):
        user.send()
        engine.wait_for_ticks(len(engine.notes) // 2 + 1)
        clock.advance_ms(20)
        engine.finish_next()
        user.answer()


def test_frame_is_picked_just_before_the_running_tick_ends_so_that_it_is_the_newest() -> None:
    clock = CountingClock()
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        learn_tick_of_20_ms(engine, user, clock)
        before = len(engine.ticks)
        user.send()
        engine.wait_for_ticks(before + 1)
        early = user.send()
        clock.wait_for_looks(3)  # it looked, and it held back
        late = user.send()
        clock.advance_ms(20)
        engine.wait_for_ticks(before + 2)

    assert seqs(engine.ticks[before + 1]) == [late]
    assert late == early + 1


def test_tick_that_ends_sooner_than_expected_is_delivered_at_once() -> None:
    clock = FakeClock()
    engine = ScriptedEngine(clock=clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        clock.advance_ms(100_000)  # the first tick compiles
        engine.finish_next()
        user.answer()
        user.send()
        engine.finish_next()
        assert user.answer() == 2  # the clock stands still


def test_ticks_are_told_with_their_duration_and_number_of_jobs() -> None:
    clock = FakeClock()
    engine = ScriptedEngine(clock=clock)
    told: list[tuple[float, int]] = []
    scheduler = Scheduler(engine, on_tick=lambda seconds, jobs: told.append((seconds, jobs)), clock=clock)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        clock.advance_ms(30)
        engine.finish_next()
        user.answer()

    assert told == [(0.03, 1)]


# -- comings and goings --------------------------------------------------------------------------------------------


def test_session_added_while_running_is_served() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)

    with running(scheduler, engine):
        user = User(scheduler, "a")
        user.send()
        assert user.answer() == 1


def test_removed_session_is_served_no_more_and_others_are() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    gone, user = User(scheduler, "gone"), User(scheduler, "a")

    with running(scheduler, engine):
        scheduler.remove(gone.session)
        gone.send()
        user.send()
        assert user.answer() == 1

    assert [names(jobs) for jobs in engine.ticks] == [["a"]]


def test_rows_of_a_removed_session_run_out_without_harm() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    gone, user = User(scheduler, "gone"), User(scheduler, "a")

    with running(scheduler, engine):
        gone.send()
        engine.wait_for_ticks(1)
        gone.session.detach(gone.channel)
        scheduler.remove(gone.session)
        engine.finish_next()
        user.send()
        engine.finish_next()
        assert user.answer() == 1

    assert gone.channel.outbox.take() is None
    assert scheduler.jobs == 0


def test_frame_of_a_connection_that_was_replaced_is_not_answered_to_the_new_one() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine):
        user.send()
        engine.wait_for_ticks(1)
        user.channel = user.session.attach(user.arrived.set)
        user.send()
        engine.finish_next()
        engine.finish_next()
        assert user.answer() == 2


def test_waiting_frame_of_a_replaced_connection_is_not_admitted() -> None:
    engine = ScriptedEngine(synchronous=True)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()
    user.channel = user.session.attach(user.arrived.set)
    user.send()

    with running(scheduler, engine):
        assert user.answer() == 2

    assert [seqs(jobs) for jobs in engine.ticks] == [[2]]


def test_failed_frame_costs_that_frame_and_nothing_else() -> None:
    engine = ScriptedEngine(synchronous=True, failures=frozenset({1}))
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine) as life:
        user.send()
        engine.wait_for_ticks(1)
        engine.wait_for(lambda engine: "collect" in engine.notes)
        user.send()
        assert user.answer() == 2

    assert life.error is None
    assert user.session.stats.snapshot(0)["dropped"] == {"invalid": 1}


# -- ends ----------------------------------------------------------------------------------------------------------


def test_stop_delivers_what_is_under_way_and_returns() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine) as life:
        user.send()
        engine.wait_for_ticks(1)
        scheduler.stop()
        engine.finish_next()
        assert user.answer() == 1

    assert life.error is None
    assert scheduler.jobs == 0


def test_stop_before_run_returns_at_once() -> None:
    scheduler = Scheduler(ScriptedEngine())
    scheduler.stop()

    scheduler.run()


@pytest.mark.parametrize("error", [EngineError("broken"), ValueError("a bug"), MemoryError()])
def test_engine_that_breaks_in_tick_ends_run_with_its_error(error: Exception) -> None:
    engine = ScriptedEngine()
    engine.tick_error = error
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    user.send()

    with pytest.raises(type(error)) as caught:
        scheduler.run()

    assert caught.value is error


@pytest.mark.parametrize("error", [EngineError("broken"), ValueError("a bug")])
def test_engine_that_breaks_in_collect_ends_run_with_its_error(error: Exception) -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")

    with running(scheduler, engine) as life:
        user.send()
        engine.finish_next(error)
        engine.wait_for(lambda engine: "collect" in engine.notes)

    assert life.error is error


def test_engine_that_breaks_while_no_frame_comes_is_asked_why() -> None:
    engine = ScriptedEngine()
    scheduler = Scheduler(engine)
    engine.tick_error = EngineError("its process is gone")
    engine.breaks()

    with pytest.raises(EngineError, match="its process is gone"):
        scheduler.run()


# -- nets ----------------------------------------------------------------------------------------------------------


def test_jobs_bring_the_hints_that_the_engines_nets_are_shown_of_inputs_and_pictures() -> None:
    controls = (ControlInfo("edges", Hint.CANNY, "Edges"), ControlInfo("drawn", Hint.PICTURE, "As it is"))
    info = EngineInfo("scripted", "echo", "none", RungState("echo", "scripted"), controls=controls)
    engine = ScriptedEngine(info=info)
    scheduler = Scheduler(engine)
    user = User(scheduler, "a")
    references = References()
    picture = references.add(np.full((9, 9, 3), 7, np.uint8))
    user.session = Session("b", Params(width=64, height=64), 2**22, references=references, nets=("edges", "drawn"))
    user.channel = user.session.attach(user.arrived.set)
    control = [{"net": "edges"}, {"net": "edges", "source": picture}, {"net": "drawn", "source": picture}]
    user.session.update({"control": control})
    scheduler.add(user.session)
    user.send()

    with running(scheduler, engine):
        engine.finish_next()
        user.answer()

    (job,) = engine.ticks[0]
    assert set(job.hints) == {
        HintKey(Hint.CANNY, INPUT),
        HintKey(Hint.CANNY, str(picture)),
        HintKey(Hint.PICTURE, str(picture)),
    }
    assert {hint.shape for hint in job.hints.values()} == {(64, 64, 3)}
    assert user.session.pictures_in_use == {picture}
