"""How long what failed is left alone."""

from __future__ import annotations

from realtime.governor.backoff import BACKOFF_MAX_NS, BACKOFF_MIN_NS, Backoff


def test_backoff_ends_and_is_longer_each_time_that_the_same_fails_again() -> None:
    backoff = Backoff()
    assert backoff.first_allowed(0) == 0

    backoff.failed(2, 0, is_again=False)
    assert backoff.first_allowed(BACKOFF_MIN_NS - 1) == 3
    assert backoff.first_allowed(BACKOFF_MIN_NS) == 0

    backoff.failed(2, 0, is_again=True)
    assert backoff.first_allowed(2 * BACKOFF_MIN_NS - 1) == 3
    assert backoff.first_allowed(2 * BACKOFF_MIN_NS) == 0

    backoff.failed(1, 0, is_again=False)
    assert backoff.first_allowed(BACKOFF_MIN_NS) == 0


def test_no_backoff_is_for_ever() -> None:
    backoff = Backoff()
    for _ in range(20):
        backoff.failed(1, 0, is_again=True)

    assert backoff.until_ns == BACKOFF_MAX_NS
