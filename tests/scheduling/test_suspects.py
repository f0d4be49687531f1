"""Whose frames break engines."""

from __future__ import annotations

from realtime.frame import Order
from realtime.params import Params
from realtime.scheduling.suspects import ASIDE_MAX_S, ASIDE_S, Suspects
from tests.fakes.clock import FakeClock
from tests.fakes.frames import a_frame

SECOND_MS = 1000


def an_order(session: str, version: int = 0) -> Order:
    return Order(a_frame(), Params(version=version), session, 0)


def refusals(suspects: Suspects, *orders: Order) -> list[bool]:
    return [suspects.refusal(order) is not None for order in orders]


def test_all_that_an_engine_had_are_suspected_and_none_is_blamed_for_one_break() -> None:
    suspects = Suspects(FakeClock())

    assert suspects.broke([an_order("a"), an_order("b"), an_order("a")]) is None
    assert ("a" in suspects, "b" in suspects, "c" in suspects) == (True, True, False)
    assert refusals(suspects, an_order("a"), an_order("b")) == [False, False]


def test_session_whose_frame_comes_out_is_not_suspected_any_more() -> None:
    suspects = Suspects(FakeClock())
    suspects.broke([an_order("a"), an_order("b")])

    suspects.cleared(an_order("a"))

    assert ("a" in suspects, "b" in suspects) == (False, True)
    assert suspects.broke([an_order("a")]) is None


def test_session_that_breaks_two_engines_in_a_row_is_set_aside_and_told() -> None:
    suspects = Suspects(FakeClock())
    suspects.broke([an_order("a"), an_order("b")])

    assert suspects.broke([an_order("b")]) == "b"
    error = suspects.refusal(an_order("b"))
    assert error is not None and error.code == "set_aside"
    assert "broke 2 times" in str(error) and "wait 10 s" in str(error)
    assert refusals(suspects, an_order("a")) == [False]


def test_other_params_are_tried_again_and_suspected_anew() -> None:
    suspects = Suspects(FakeClock())
    for _ in range(2):
        suspects.broke([an_order("a", 1)])

    assert refusals(suspects, an_order("a", 1), an_order("a", 2)) == [True, False]
    assert suspects.broke([an_order("a", 2)]) is None


def test_what_is_set_aside_is_tried_again_each_time_after_twice_as_long() -> None:
    clock = FakeClock()
    suspects = Suspects(clock)
    suspects.broke([an_order("a")])
    waits_s: list[float] = []
    for _ in range(9):
        suspects.broke([an_order("a")])
        waited_s = 0
        while suspects.refusal(an_order("a")) is not None:
            clock.advance_ms(5 * SECOND_MS)
            waited_s += 5
        waits_s.append(waited_s)

    assert waits_s[:3] == [ASIDE_S, 2 * ASIDE_S, 4 * ASIDE_S]
    assert max(waits_s) == ASIDE_MAX_S


def test_session_that_is_over_is_forgotten() -> None:
    suspects = Suspects(FakeClock())
    suspects.broke([an_order("a")])

    suspects.forget("a")

    assert "a" not in suspects
