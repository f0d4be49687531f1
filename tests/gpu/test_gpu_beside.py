"""Prompts that are encoded beside the ticks, on a stream of their own: the same pictures. Twin of test_beside."""

from __future__ import annotations

import pytest

from realtime.engine.backend import EagerBackend
from realtime.engine.beside import Beside
from realtime.engine.diffusion import DiffusionEngine
from tests.gpu.places import ROWS, Place, jobs, pictures

pytestmark = pytest.mark.slow

PROMPTS = 12


def test_prompts_made_beside_ticks_in_flight_give_the_pictures_of_those_made_in_them(place: Place) -> None:
    """New ones all the time, and old ones given up: what one stream frees is not written while the other reads it."""
    wanted = [job for i in range(PROMPTS) for job in jobs(1, i, prompt=f"number {i}", guidance_scale=1.0)]
    expected = [pictures(place.eager(), [job])[0] for job in wanted]
    beside = Beside(place.device)
    engine = DiffusionEngine(place.model, EagerBackend(place.model), max_rows=ROWS, beside=beside)
    texts = place.model.prompt_encoder._texts
    most, texts._most = texts._most, 3
    texts.forget()
    engine.recipes.forget()
    try:
        for _ in range(2):
            for i, job in enumerate(wanted):
                other = wanted[(i + 1) % PROMPTS]
                engine.recipes.forget()
                coming = engine.prepare_beside(other)
                engine.prepare_beside(job).result()
                assert engine.is_prepared(job)
                place.assert_alike(pictures(engine, [job]), [expected[i]])
                coming.result()
    finally:
        texts._most = most
        beside.close()
