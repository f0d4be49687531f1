"""What several workers are together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from realtime.server.engine_state import Away, Stage, State
from realtime.server.worker import Worker, first_back, spares, state_of

READY, AWAY, LOADING, FAILED, STOPPED = State.READY, State.AWAY, State.LOADING, State.FAILED, State.STOPPED


def a_worker(state: State = READY, *, back_ns: int = 0, is_drained: bool = False) -> Worker:
    host: Any = SimpleNamespace(
        state=state,
        life=object() if state is READY else None,
        away=Away("it broke", 0, back_ns) if state is AWAY else None,
        error=MemoryError() if state is FAILED else None,
        stage=Stage("fetch weights"),
        is_closed=state in (FAILED, STOPPED),
    )
    return Worker(0, "cpu", host, is_drained)


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([READY], READY),
        ([LOADING, READY], READY),
        ([AWAY, READY, FAILED], READY),
        ([LOADING, AWAY], AWAY),
        ([FAILED, LOADING], LOADING),
        ([FAILED, FAILED], FAILED),
        ([STOPPED, STOPPED], STOPPED),
    ],
)
def test_whole_is_as_ready_as_the_readiest(states: list[State], whole: State) -> None:
    assert state_of([a_worker(state) for state in states]) is whole


def test_drained_worker_does_not_count() -> None:
    workers = [a_worker(READY, is_drained=True), a_worker(AWAY, back_ns=5)]

    assert state_of(workers) is AWAY
    assert [worker.open_life is None for worker in workers] == [True, True]


def test_first_that_is_back_is_the_one_that_is_expected_first() -> None:
    late, soon = a_worker(AWAY, back_ns=9), a_worker(AWAY, back_ns=3)
    drained = a_worker(AWAY, back_ns=1, is_drained=True)

    assert first_back([a_worker(READY), late, soon, drained]) == (soon, soon.host.away)
    assert first_back([a_worker(READY), drained]) is None


@pytest.mark.parametrize(
    ("worker", "state", "reason"),
    [
        (a_worker(READY), "ready", None),
        (a_worker(LOADING), "loading", "fetch weights"),
        (a_worker(AWAY), "away", "it broke"),
        (a_worker(FAILED), "failed", "MemoryError"),
        (a_worker(READY, is_drained=True), "draining", None),
        (a_worker(STOPPED, is_drained=True), "drained", None),
    ],
)
def test_worker_says_what_it_is(worker: Worker, state: str, reason: str | None) -> None:
    assert (worker.state, worker.reason) == (state, reason)


def test_spare_is_the_last_that_is_ready_and_has_no_sessions() -> None:
    first, second, third = a_worker(), a_worker(), a_worker()
    workers = [first, second, third]

    assert spares(workers, 1, busy=[]) == {third}
    assert spares(workers, 1, busy=[third]) == {second}
    assert spares(workers, 2, busy=[first]) == {second, third}
    assert spares(workers, 1, busy=workers) == set()
    assert spares(workers, 0, busy=[]) == set()


def test_spare_stands_in_for_a_worker_that_is_away_and_not_for_one_that_is_drained() -> None:
    away, drained, ready, idle = a_worker(AWAY), a_worker(is_drained=True), a_worker(), a_worker()

    assert spares([away, ready, idle], 1, busy=[ready]) == set()
    assert spares([drained, ready, idle], 1, busy=[ready]) == {idle}


def test_last_worker_works_however_many_spares_are_wanted() -> None:
    only, other = a_worker(), a_worker()

    assert spares([only], 3, busy=[]) == set()
    assert spares([only, other], 3, busy=[]) == {other}
