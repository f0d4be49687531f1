"""The gate alone: what is run, what is answered by the picture that is there, what by the one that comes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from realtime.channel import Channel
from realtime.frame import Job
from realtime.params import Params
from realtime.scheduling.still import Judgement, StillGate
from realtime.session import Delivery
from tests.fakes.frames import a_job

BLACK, WHITE = 0.0, 255.0


def job(number: int, level: float = BLACK, params: Params | None = None) -> Job:
    return dataclasses.replace(a_job(number, params), number=number, thumbnail=np.full((32, 32, 3), level, np.float32))


def a_gate() -> StillGate:
    return StillGate(Channel(lambda: None))


def gate_after(delivery: Delivery, number: int = 1) -> StillGate:
    """A gate whose first job was run and delivered."""
    gate = a_gate()
    gate.run(job(number))
    gate.settled(number, delivery)
    return gate


def test_first_frame_is_run() -> None:
    gate = a_gate()

    assert gate.judge(job(1)) is Judgement.RUN
    assert not gate.is_still


def test_frame_that_shows_the_same_repeats_the_picture_that_was_sent() -> None:
    gate = gate_after(Delivery.SENT)

    assert gate.judge(job(2)) is Judgement.REPEAT
    assert gate.is_still
    assert gate.judge(job(3, WHITE)) is Judgement.RUN
    assert not gate.is_still


@pytest.mark.parametrize("delivery", [Delivery.REFUSED, Delivery.SUPERSEDED, Delivery.GONE])
def test_picture_that_the_client_never_got_is_repeated_by_nobody(delivery: Delivery) -> None:
    assert gate_after(delivery).judge(job(2)) is Judgement.RUN


def test_frame_with_other_params_is_run() -> None:
    gate = gate_after(Delivery.SENT)

    assert gate.judge(job(2, params=Params(prompt="other"))) is Judgement.RUN


def test_frame_that_has_no_thumbnail_is_run() -> None:
    gate = gate_after(Delivery.SENT)

    assert gate.judge(dataclasses.replace(job(2), thumbnail=None)) is Judgement.RUN


def test_frame_like_one_under_way_follows_it_and_the_newest_follower_counts() -> None:
    gate = a_gate()
    gate.run(job(1))
    second, third = job(2), job(3)

    assert gate.judge(second) is Judgement.FOLLOW
    assert gate.follow(second) is None
    assert gate.judge(third) is Judgement.FOLLOW
    assert gate.follow(third) is second
    assert gate.settled(1, Delivery.SENT) is third


def test_job_that_nobody_follows_leaves_nothing() -> None:
    gate = a_gate()
    gate.run(job(1))

    assert gate.settled(1, Delivery.SENT) is None


def test_older_job_under_way_does_not_unseat_the_newer_reference() -> None:
    gate = a_gate()
    gate.run(job(1))
    gate.run(job(2, WHITE))
    gate.settled(1, Delivery.REFUSED)

    assert gate.judge(job(3, WHITE)) is Judgement.FOLLOW


def rested(gate: StillGate, params: Params, first: int, level: float = BLACK) -> int:
    """Number of frames alike that are run from this one on, before one is a repeat."""
    for number in range(first, first + 100):
        if gate.judge(job(number, level, params)) is not Judgement.RUN:
            return number - first
        assert not gate.is_still
        gate.run(job(number, level, params))
        gate.settled(number, Delivery.SENT)
    raise AssertionError("it never rests")


@pytest.mark.parametrize("calm", [0.0, 0.1, 1.0])
def test_calm_picture_is_repeated_once_it_has_come_to_rest_and_not_before(calm: float) -> None:
    params = Params(calm=calm)
    gate = a_gate()

    assert rested(gate, params, 1) == 1 + params.frames_to_rest
    assert rested(gate, params, 200) == 0
    assert rested(gate, params, 300, WHITE) == 1 + params.frames_to_rest
    assert rested(gate, Params(calm=calm, prompt="other"), 400, WHITE) == 1 + params.frames_to_rest


def test_less_calm_comes_to_rest_sooner() -> None:
    assert [Params(calm=calm).frames_to_rest for calm in (0.0, 0.01, 0.5, 1.0)] == [0, 1, 10, 20]
