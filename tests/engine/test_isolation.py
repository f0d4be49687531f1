"""Sessions that share ticks get what they would get alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from realtime.engine import Guidance, rows
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.sampler import Prediction, Sampler
from realtime.frame import Job
from realtime.params import Params
from tests.engine.tiny_models import make_engine, make_job, make_model, make_params

pytestmark = pytest.mark.slow

FRAMES_OF_A_SESSION = 40
"""With these, 276 and 338 of the 286 and 362 pairs of a row beside another (by session, step and params) occur that
three times as many frames bring about.
"""
SESSIONS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"prompt": "a fox", "strength": 0.5}, {"prompt": "a fox", "strength": 0.52}],
    "guided": [
        {"prompt": "snow", "negative_prompt": "rain", "guidance_scale": 1.5, "num_inference_steps": 3},
        {"prompt": "snow BREAK ice", "negative_prompt": "rain", "guidance_scale": 1.5, "num_inference_steps": 3},
    ],
    "long": [
        {"prompt": "ink", "strength": 0.9, "num_inference_steps": 4, "seed": 7},
        {"prompt": "oil BREAK ink", "seed": 8},
    ],
    "tall": [{"prompt": "a fox", "width": 64, "height": 72, "num_inference_steps": 2, "seed": 1}],
}
Key = tuple[str, int]


def params_of(session: str, seq: int) -> Params:
    """A session's params; some sessions change them every ten frames."""
    variants = SESSIONS[session]
    return make_params(**variants[seq // 10 % len(variants)])


def jobs_of(session: str) -> list[Job]:
    return [make_job(params_of(session, seq), seq, session) for seq in range(FRAMES_OF_A_SESSION)]


@contextmanager
def delivered_latents() -> Iterator[dict[Key, torch.Tensor]]:
    """Collects the latents of every delivered frame, by session and seq."""
    found: dict[Key, torch.Tensor] = {}
    decode = rows.decode_latents

    def recorded(group: Any, backend: Any, **options: Any) -> list[rows.Finished]:
        finished = decode(group, backend, **options)
        for row, latents in zip(group, backend.latents[-len(group) :], strict=True):
            found[row.job.session, row.job.frame.seq] = latents
        return finished

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "decode_latents", recorded)
        yield found


def run_interleaved(engine: DiffusionEngine, per_session: int) -> int:
    """Admit frames of all sessions at random moments; the most rows that one tick held."""
    chance = random.Random(3)
    waiting = {session: jobs_of(session)[::-1] for session in SESSIONS}
    in_flight = dict.fromkeys(SESSIONS, 0)
    most = 0
    while engine.busy_rows or any(waiting.values()):
        admitted: list[Job] = []
        for session, jobs in waiting.items():
            if jobs and in_flight[session] < per_session and chance.random() < 0.7 and len(admitted) < engine.free_rows:
                admitted.append(jobs.pop())
                in_flight[session] += 1
        most = max(most, engine.busy_rows + len(admitted))
        pending = engine.tick(admitted)
        for job in pending.jobs:
            in_flight[job.session] -= 1
    return most


def model() -> Model:
    # A v-predicting one: at timestep 499 the epsilon of random weights makes rounding (1e-6 a call) twice as large.
    return make_model(
        sampler=Sampler.EULER_A, guidance=Guidance.CFG, prediction=Prediction.V_PREDICTION, is_shared=True
    )


@pytest.fixture(scope="module")
def alone() -> dict[Key, torch.Tensor]:
    """What each session gets from an engine of its own."""
    with delivered_latents() as found:
        for session in SESSIONS:
            engine, _ = make_engine(model())
            for job in jobs_of(session):
                engine.tick([job])
                while engine.busy_rows:
                    engine.tick([])
    return found


@pytest.mark.parametrize("per_session", [1, 2])
def test_interleaved_sessions_get_what_they_get_alone(per_session: int, alone: dict[Key, torch.Tensor]) -> None:
    engine, _ = make_engine(model(), max_rows=6)

    with delivered_latents() as together:
        most = run_interleaved(engine, per_session)

    assert most >= 4
    assert len(together) == len(alone) == 4 * FRAMES_OF_A_SESSION
    for key, latents in alone.items():
        torch.testing.assert_close(
            together[key], latents, atol=1e-5, rtol=0, msg=lambda text, key=key: f"{key}: {text}"
        )
    # The comparison means something only where sessions differ.
    assert (together["plain", 0] - together["long", 0]).abs().max() > 0.1
