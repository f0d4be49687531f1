"""Whoever kills decoders again and again waits longer each time."""

from __future__ import annotations

import pytest

from realtime.decoder_process.penalties import FORGIVEN_S, KEPT, LAST_S, Penalties
from realtime.errors import FrameError


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def waits_s(penalties: Penalties, clock: Clock, sender: str = "ann") -> float:
    """How long a sender still waits, to half a second."""
    begun_s = clock.now_s
    while True:
        try:
            penalties.check(sender)
        except FrameError:
            clock.now_s += 0.5
        else:
            waited_s, clock.now_s = clock.now_s - begun_s, begun_s
            return waited_s


def test_first_death_is_free_and_each_further_one_costs_twice_as_much() -> None:
    clock = Clock()
    penalties = Penalties(clock)
    waited: list[float] = []
    for _ in range(9):
        penalties.died("ann", "so")
        waited.append(waits_s(penalties, clock))

    assert waited == [0, 1, 2, 4, 8, 16, 32, LAST_S, LAST_S]
    assert waits_s(penalties, clock, "ben") == 0


def test_deaths_are_forgiven_after_a_while() -> None:
    clock = Clock()
    penalties = Penalties(clock)
    penalties.died("ann", "so")
    clock.now_s += FORGIVEN_S + 1

    penalties.died("ann", "so")

    penalties.check("ann")


def test_few_senders_are_remembered() -> None:
    penalties = Penalties(Clock())
    for number in range(KEPT + 1):
        for _ in range(2):
            penalties.died(f"s{number}", "so")

    penalties.check("s0")
    with pytest.raises(FrameError):
        penalties.check("s1")
