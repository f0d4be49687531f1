"""Engines that break on a rung again and again go on without it."""

from __future__ import annotations

import pytest

from realtime.config import Accelerate, Config
from realtime.server.descent import WITHIN_S, Descent


def left_out(descent: Descent) -> tuple[Accelerate, ...]:
    return descent.configure(Config()).avoid_rungs


def broke(descent: Descent, *breaks: str | None) -> list[bool]:
    """What is said of breaks on graphs that these sessions are to blame for."""
    return [descent.broke("graphs", blamed) for blamed in breaks]


def test_second_break_on_a_rung_is_one_too_many() -> None:
    descent = Descent()

    assert [descent.broke(rung, None) for rung in ("graphs", "aoti", "graphs")] == [False, False, True]
    assert left_out(descent) == (Accelerate.GRAPHS,)


def test_breaks_that_one_session_is_to_blame_for_are_one() -> None:
    descent = Descent()

    assert broke(descent, None, "ann", "ann", "ann") == [False] * 4
    assert left_out(descent) == ()


def test_second_session_that_is_to_blame_clears_the_first() -> None:
    descent = Descent()

    assert broke(descent, None, "ann", "ben") == [False, False, True]


def test_break_that_nobody_is_to_blame_for_is_a_second_one() -> None:
    descent = Descent()

    assert broke(descent, None, "ann", None) == [False, False, True]


def test_one_rung_after_the_other_is_left_out_beside_those_that_were_to_be() -> None:
    descent = Descent()
    for rung in ("graphs", "graphs", "aoti", "aoti"):
        descent.broke(rung, None)

    config = descent.configure(Config(avoid_rungs=(Accelerate.COMPILE,)))

    assert config.avoid_rungs == (Accelerate.COMPILE, Accelerate.GRAPHS, Accelerate.AOTI)


def test_breaks_that_are_far_apart_do_not_count_together() -> None:
    now_s = 0.0
    descent = Descent(lambda: now_s)
    broke(descent, None)
    now_s += WITHIN_S + 1

    assert broke(descent, None, None) == [False, True]


@pytest.mark.parametrize("rung", ["eager", "echo", "off", "auto", "a rung of the future"])
def test_there_is_nothing_below_eager_mode(rung: str) -> None:
    descent = Descent()

    assert [descent.broke(rung, None) for _ in range(3)] == [False] * 3
    assert left_out(descent) == ()
