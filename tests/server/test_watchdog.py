"""How an engine in a thread of this process is seen to hang, and what it is called as meanwhile."""

from __future__ import annotations

import threading

import pytest

from realtime.engine.echo import EchoEngine
from realtime.engine_process.patience import Limits
from realtime.params import Params
from realtime.server.watchdog import LOOK_EVERY_S, OTHER_S, Watchdog, WatchedEngine
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_job
from tests.fakes.waiting import PATIENCE_S

SMALL = Params(width=64, height=64)


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Kennel:
    """A watchdog that is asked as often as it is to be."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.dog = Watchdog(self.clock)

    def overdue_after_s(self, within_s: float) -> float | None:
        """How long it takes until the dog says that a call is overdue; None: it doesn't in this time."""
        begun_s = self.clock.now_s
        while self.clock.now_s - begun_s < within_s:
            self.clock.now_s += LOOK_EVERY_S
            if self.dog.overdue_s() is not None:
                return round(self.clock.now_s - begun_s, 1)
        return None


def test_call_that_does_not_return_is_overdue_after_its_time() -> None:
    kennel = Kennel()

    with kennel.dog.watching(2.0):
        assert kennel.overdue_after_s(60) == pytest.approx(2.1, abs=0.15)


def test_thread_that_calls_nothing_is_never_overdue() -> None:
    kennel = Kennel()
    with kennel.dog.watching(2.0):
        pass

    assert kennel.overdue_after_s(60) is None


def test_many_short_calls_are_not_a_long_one() -> None:
    kennel = Kennel()

    for _ in range(5):
        with kennel.dog.watching(2.0):
            assert kennel.overdue_after_s(1.5) is None


def test_time_in_which_this_process_stood_still_does_not_count() -> None:
    kennel = Kennel()

    with kennel.dog.watching(2.0):
        assert kennel.overdue_after_s(1.0) is None
        kennel.clock.now_s += 60
        assert kennel.dog.overdue_s() is None


def test_call_is_written_off_once_and_not_when_it_has_returned() -> None:
    dog, done = Watchdog(), list[str]()

    with dog.watching(2.0):
        assert dog.write_off(lambda: done.append("during"))
        assert dog.is_written_off
    assert not dog.is_written_off
    assert not dog.write_off(lambda: done.append("behind"))

    assert done == ["during"]


def test_call_does_not_return_while_it_is_being_written_off() -> None:
    dog, inside, order = Watchdog(), threading.Event(), list[str]()
    may_return = threading.Event()

    def call() -> None:
        with dog.watching(2.0):
            inside.set()
            assert may_return.wait(PATIENCE_S)
        order.append("returned")

    thread = threading.Thread(target=call)
    thread.start()
    assert inside.wait(PATIENCE_S)

    def then() -> None:
        may_return.set()
        thread.join(0.2)
        order.append("written off")

    assert dog.write_off(then)
    thread.join(PATIENCE_S)

    assert order == ["written off", "returned"]


# -- the engine under its eyes -----------------------------------------------------------------------------------------


class Leeways(Watchdog):
    """Writes down how long each call might take."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def watching(self, leeway_s: float):  # type: ignore[no-untyped-def]
        self.seen.append(leeway_s)
        return super().watching(leeway_s)


def test_each_call_of_the_engines_thread_is_watched_and_a_tick_by_what_ticks_take() -> None:
    dog, limits = Leeways(), Limits(first_s=7.0)
    engine = WatchedEngine(EchoEngine(200.0), dog, limits)

    for seq in (1, 2):
        job = a_job(seq, SMALL)
        engine.prepare(job)
        pending = engine.tick([job])
        assert not pending.ready()
        assert [result.order for result in pending.collect()] == [job]
    engine.forget("s")
    first, second = dog.seen[1:4], dog.seen[5:8]

    assert dog.seen[0] == dog.seen[4] == dog.seen[8] == OTHER_S
    assert first == [7.0] * 3, "the first tick of its form"
    assert second == [pytest.approx(2.0, rel=0.9)] * 3
    assert second[0] >= 2.0


def test_tick_that_was_overdue_teaches_no_more_than_it_was_given() -> None:
    dog = Leeways()
    engine = WatchedEngine(EchoEngine(300.0), dog, Limits(first_s=0.01))

    for seq in (1, 2):
        engine.tick([a_job(seq, SMALL)]).collect()

    assert dog.seen == [0.01, 0.01, 1.0, 1.0]


def test_form_of_a_tick_is_that_of_all_rows_in_flight() -> None:
    dog, scripted = Leeways(), ScriptedEngine(steps=2, synchronous=True)
    engine = WatchedEngine(scripted, dog, Limits(first_s=7.0))

    for jobs in ([a_job(1, SMALL)], [a_job(2, SMALL)], [a_job(3, SMALL)], []):
        engine.tick(jobs).collect()
    first, both, again, last = (dog.seen[index] for index in (0, 2, 4, 6))

    assert (first, both, last) == (7.0, 7.0, 7.0), "one row, two, and one at its second step"
    assert again < 7.0


def test_everything_else_is_as_the_engine_has_it() -> None:
    scripted = ScriptedEngine(max_rows=3, steps=2)
    engine = WatchedEngine(scripted, Watchdog())
    engine.tick([a_job(1, SMALL)])
    engine.when_broken(lambda: None)
    engine.close()

    assert (engine.free_rows, engine.busy_rows, engine.info) == (2, 1, scripted.info)
    assert engine.cost(SMALL) == scripted.cost(SMALL)
    assert engine.hear(SMALL) == scripted.hear(SMALL)
    assert scripted.closed.is_set()
