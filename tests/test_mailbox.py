"""One slot, newest wins, one bell."""

from __future__ import annotations

import threading

from realtime.mailbox import Mailbox
from tests.fakes.waiting import PATIENCE_S


def test_new_mailbox_is_empty() -> None:
    mailbox: Mailbox[int] = Mailbox()

    assert mailbox.take() is None
    assert not mailbox.full


def test_item_is_taken_once() -> None:
    mailbox: Mailbox[int] = Mailbox()

    assert mailbox.put(1) is None
    assert mailbox.full
    assert (mailbox.take(), mailbox.take()) == (1, None)


def test_newer_item_replaces_the_waiting_one_and_returns_it() -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.put(1)

    assert mailbox.put(2) == 1
    assert mailbox.take() == 2


def test_bell_rings_with_every_item_when_it_is_already_there() -> None:
    seen: list[bool] = []
    mailbox: Mailbox[int] = Mailbox(lambda: seen.append(mailbox.full))

    mailbox.put(1)
    mailbox.put(2)

    assert seen == [True, True]


def test_bell_may_take_the_item() -> None:
    taken: list[int | None] = []
    mailbox: Mailbox[int] = Mailbox(lambda: taken.append(mailbox.take()))

    mailbox.put(1)

    assert taken == [1]


def test_between_two_threads_every_item_is_taken_or_replaced_exactly_once_and_in_order() -> None:
    last = 20_000
    bell = threading.Event()
    mailbox: Mailbox[int] = Mailbox(bell.set)
    taken: list[int] = []
    replaced: list[int] = []

    def take() -> None:
        while not taken or taken[-1] != last:
            assert bell.wait(PATIENCE_S)
            bell.clear()
            if (item := mailbox.take()) is not None:
                taken.append(item)

    taker = threading.Thread(target=take)
    taker.start()
    for item in range(1, last + 1):
        if (older := mailbox.put(item)) is not None:
            replaced.append(older)
    taker.join(PATIENCE_S)

    assert taken == sorted(taken)
    assert sorted(taken + replaced) == list(range(1, last + 1))


def test_item_that_was_taken_waits_again_unless_a_newer_one_has_come() -> None:
    rung: list[int] = []
    mailbox: Mailbox[int] = Mailbox(lambda: rung.append(1))

    assert mailbox.put_back(1)
    assert not mailbox.put_back(0)
    assert mailbox.take() == 1
    assert rung == []
