"""Working ahead in a thread."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from realtime.run.ahead import ahead
from tests.fakes.waiting import PATIENCE_S


def counted(count: int, made: list[int], closed: threading.Event) -> Generator[int]:
    try:
        for number in range(count):
            made.append(number)
            yield number
    finally:
        closed.set()


def test_all_items_come_in_their_order() -> None:
    with ahead(counted(100, [], threading.Event()), 3) as items:
        assert list(items) == list(range(100))


def test_it_works_ahead_and_not_too_far() -> None:
    made: list[int] = []
    closed = threading.Event()

    with ahead(counted(100, made, closed), 3) as items:
        taken = [next(items) for _ in range(10)]

    assert taken == list(range(10))
    assert len(made) <= 10 + 3 + 1
    assert closed.wait(PATIENCE_S)


def test_what_goes_wrong_comes_in_its_turn() -> None:
    def failing() -> Generator[int]:
        yield 1
        raise ValueError("no more")

    with ahead(failing(), 3) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="no more"):
            next(items)
