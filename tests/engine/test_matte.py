"""Masks are made of the frames that want them, in one call, and are those that each would have alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.regions import Call, Kind, Outputs
from realtime.frame import Result
from realtime.params import Beyond, Matte
from tests.engine.tiny_models import RecordingBackend, make_engine, make_job, make_params, picture_of, run
from tests.golden_mattes import pictures

SIDE = 256


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The numbers of frames in the calls of the matte region."""
    calls: list[int] = []
    plain = RecordingBackend.run

    def counted(backend: RecordingBackend, call: Call) -> Outputs:
        if call.kind is Kind.MATTE:
            calls.append(call.plain)
        return plain(backend, call)

    monkeypatch.setattr(RecordingBackend, "run", counted)
    yield calls


def mask_of(outcome: object) -> np.ndarray:
    assert isinstance(outcome, Result), outcome
    assert outcome.mask is not None
    return outcome.mask


def only(engine: DiffusionEngine, picture: np.ndarray, **fields: object) -> Result:
    (outcome,) = run(engine, [make_job(make_params(width=SIDE, height=SIDE, **fields), picture=picture)])
    assert isinstance(outcome, Result), outcome
    return outcome


def test_frames_of_all_mattes_share_one_call_and_get_what_they_get_alone(masked: list[int]) -> None:
    engine, _ = make_engine()
    seen = pictures()[[0, 1, 0, 1]]
    mattes = list(Matte)
    alone = [only(engine, picture, matte=matte) for picture, matte in zip(seen, mattes, strict=True)]
    masked.clear()

    jobs = [make_job(make_params(width=SIDE, height=SIDE, matte=m), i, picture=seen[i]) for i, m in enumerate(mattes)]
    together = run(engine, jobs)

    assert masked == [2], "of the two that want one"
    for matte, one, other in zip(mattes, alone, together, strict=True):
        assert isinstance(other, Result)
        np.testing.assert_allclose(picture_of(one).astype(int), picture_of(other), atol=1)
        assert (one.mask is not None) == (other.mask is not None) == matte.finds_people
        if one.mask is not None:
            np.testing.assert_allclose(one.mask.astype(int), mask_of(other), atol=1)


def test_nobody_who_wants_a_mask_makes_no_call(masked: list[int]) -> None:
    engine, _ = make_engine()

    (outcome,) = run(engine, [make_job(make_params(beyond=Beyond.KEY))])

    assert masked == []
    assert isinstance(outcome, Result) and outcome.mask is None


def test_mask_is_made_once_a_frame_when_it_leaves_whatever_its_steps(masked: list[int]) -> None:
    engine, _ = make_engine()
    slow, quick = (make_params(num_inference_steps=n, matte=Matte.PERSON) for n in (3, 1))

    outcomes = run(engine, [make_job(slow, 0), make_job(quick, 1)])

    assert masked == [1, 1]
    assert all(mask_of(outcome).shape == (256, 256) for outcome in outcomes)


def test_frames_of_two_sizes_take_one_call_each(masked: list[int]) -> None:
    engine, _ = make_engine()
    tall = make_params(width=64, height=128, matte=Matte.BACKGROUND)

    run(engine, [make_job(make_params(matte=Matte.PERSON), 0), make_job(tall, 1), make_job(tall, 2)])

    assert sorted(masked) == [1, 2]


def test_frame_that_passes_through_gets_its_mask_too(masked: list[int]) -> None:
    engine, backend = make_engine()

    outcome = only(engine, pictures()[0], matte=Matte.PERSON, strength=0.0)

    assert backend.rows_of_calls == [] and masked == [1]
    assert 0.2 < (mask_of(outcome) > 127).mean() < 0.6
    np.testing.assert_array_equal(picture_of(outcome), pictures()[0])


def test_a_matte_does_not_change_what_is_painted() -> None:
    engine, _ = make_engine()

    plain, person = (only(engine, pictures()[0], matte=matte) for matte in (Matte.OFF, Matte.PERSON))

    np.testing.assert_array_equal(picture_of(plain), picture_of(person))
