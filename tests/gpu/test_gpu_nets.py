"""Nets on the device: replayed as in eager mode, by row, in half precision, with graphs from the warm-up on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diffusers import ControlNetModel, T2IAdapter

from realtime.control import INPUT, Hint, HintKey
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import load_model
from realtime.engine.rungs.graphs import GraphBackend
from realtime.frame import Job
from tests.checkpoints import tiny_unet
from tests.engine.tiny_models import make_picture
from tests.engine.tiny_nets import filled
from tests.gpu.places import ROWS, Place, jobs, pictures

pytestmark = pytest.mark.slow

WANTED = (
    [{"net": "canny", "weight": 0.8}],
    [{"net": "t2i-lineart"}],
    [{"net": "canny", "end": 0.5}, {"net": "t2i-lineart", "weight": 0.5}],
    [],
)


def steered_jobs() -> list[Job]:
    """Of different nets, weights and steps, or of none."""
    hints = {HintKey(hint, INPUT): make_picture(9) for hint in (Hint.CANNY, Hint.LINES)}
    return [
        replace(job, hints=hints)
        for i, control in enumerate(WANTED)
        for job in jobs(1, i, num_inference_steps=2, guidance_scale=1.0, control=control)
    ]


def test_rows_that_nets_steer_are_replayed_as_eager_mode_makes_them_alone(place: Place, tmp_path: Path) -> None:
    net = ControlNetModel.from_unet(
        tiny_unet(), load_weights_from_unet=False, conditioning_embedding_out_channels=(4, 8, 8, 8)
    )
    filled(net, 3).save_pretrained(tmp_path / "net")
    filled(T2IAdapter(3, [32, 64], 1, 16, "full_adapter_xl"), 1).save_pretrained(tmp_path / "adapter")
    control = (f"canny={tmp_path / 'net'}", f"t2i-lineart={tmp_path / 'adapter'}")
    model = load_model(place.config.model_copy(update={"control": control}))
    wanted = steered_jobs()
    eager = DiffusionEngine(model, EagerBackend(model), max_rows=ROWS)
    alone = [pictures(eager, [job])[0] for job in wanted]
    capture = place.capture()
    graphs = DiffusionEngine(model, GraphBackend(EagerBackend(model), capture, ROWS, place.device), max_rows=ROWS)
    graphs.warm_up()
    for _ in range(2):
        replayed = pictures(graphs, wanted)

        place.assert_alike(replayed, alone)
    assert np.abs(alone[0].astype(int) - alone[-1]).max() > 3, "what is asked for is seen"
    assert capture.captures > 3 * ROWS
