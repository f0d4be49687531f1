"""Whether a worker is alive, by a clock that the test steps."""

from __future__ import annotations

from realtime.server.remote.pulse import BEAT_EVERY_NS, DEADLINE_NS, LOOK_EVERY_NS, Pulse


def look_for(pulse: Pulse, since_ns: int, for_ns: int) -> tuple[int, bool]:
    """Look as often as is promised; when it was looked last, and whether the worker was lost then."""
    now_ns, is_lost = since_ns, False
    while now_ns < since_ns + for_ns:
        now_ns += LOOK_EVERY_NS
        is_lost = pulse.is_lost(now_ns)
    return now_ns, is_lost


def test_worker_is_lost_behind_the_deadline_and_not_before() -> None:
    pulse = Pulse(0)

    now_ns, at_the_deadline = look_for(pulse, 0, DEADLINE_NS)
    _, behind_it = look_for(pulse, now_ns, LOOK_EVERY_NS)

    assert (at_the_deadline, behind_it) == (False, True)


def test_worker_that_gives_signs_is_never_lost_and_one_that_thaws_is_there_again() -> None:
    pulse, now_ns, lost = Pulse(0), 0, list[bool]()
    for _ in range(10):
        now_ns, is_lost = look_for(pulse, now_ns, DEADLINE_NS // 2)
        lost.append(is_lost)
        pulse.heard()
    now_ns, frozen = look_for(pulse, now_ns, 2 * DEADLINE_NS)
    pulse.heard()

    assert not any(lost)
    assert (frozen, pulse.is_lost(now_ns + LOOK_EVERY_NS)) == (True, False)


def test_time_in_which_the_server_stood_still_does_not_count() -> None:
    pulse = Pulse(0)

    assert not pulse.is_lost(60 * DEADLINE_NS)


def test_worker_is_asked_every_quarter_of_a_second_and_not_while_it_owes_an_answer() -> None:
    pulse = Pulse(0)
    at_first = pulse.due(0)
    pulse.asked(0)
    owing = pulse.due(10 * BEAT_EVERY_NS)
    pulse.answered()
    soon, later = pulse.due(BEAT_EVERY_NS - 1), pulse.due(BEAT_EVERY_NS)

    assert (at_first, owing, soon, later) == (True, False, False, True)


def test_worker_that_owes_a_sign_is_surely_silent_a_beat_after_it_was_asked() -> None:
    pulse = Pulse(0)
    at_first = pulse.silent_since_ns(DEADLINE_NS)
    pulse.asked(DEADLINE_NS)
    soon, later = pulse.silent_since_ns(DEADLINE_NS + 1), pulse.silent_since_ns(2 * DEADLINE_NS)

    assert (at_first, soon, later) == (DEADLINE_NS, DEADLINE_NS + 1, DEADLINE_NS + BEAT_EVERY_NS)
