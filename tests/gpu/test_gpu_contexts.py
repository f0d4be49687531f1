"""Contexts on the device: replayed as in eager mode, in every form, finite in half precision. Twin of test_contexts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import load_model
from realtime.engine.rungs.graphs import GraphBackend
from tests.engine.tiny_adapters import SIDE, save_adapter
from tests.engine.tiny_models import make_picture
from tests.gpu.places import ROWS, Place, jobs, pictures, settle

pytestmark = pytest.mark.slow

SEEN = {f"{n}" * 32: make_picture(n, SIDE, SIDE) for n in range(2)}
WANTED: tuple[dict[str, Any], ...] = (
    {"negative_prompt": "rain", "negative_scale": 10.0},
    {"references": [{"picture": "0" * 32, "weight": 1.2}]},
    {"references": [{"picture": "0" * 32}, {"picture": "1" * 32, "weight": 0.2}], "negative_scale": 3.0},
    {},
)


def test_rows_with_contexts_are_replayed_as_eager_mode_makes_them_alone(place: Place, tmp_path: Path) -> None:
    file = save_adapter(tmp_path, place.model.unet, "plus")
    model = load_model(place.config.model_copy(update={"reference": str(file)}))
    wanted = [
        replace(job, references=SEEN)
        for i, fields in enumerate(WANTED)
        for job in jobs(1, i, num_inference_steps=2, guidance_scale=1.0, **fields)
    ]
    eager = DiffusionEngine(model, EagerBackend(model), max_rows=ROWS)
    alone = [pictures(eager, [job])[0] for job in wanted]
    plain = pictures(place.eager(), jobs(1, 0, num_inference_steps=2, guidance_scale=1.0))[0]
    capture = place.capture()
    graphs = DiffusionEngine(model, GraphBackend(EagerBackend(model), capture, ROWS, place.device), max_rows=ROWS)

    replayed = settle(graphs, capture, wanted)

    place.assert_alike(replayed, alone)
    assert capture.captures >= 3
    assert np.abs(alone[0].astype(int) - plain.astype(int)).max() > 3, "what is asked for is seen"
