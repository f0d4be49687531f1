"""What a UNet is told: by a row's recipe, and by its picture."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch

from realtime.engine import Guidance
from realtime.engine.backend import PlainBackend
from realtime.engine.denoisers.denoiser import Conditions, Denoiser, PlainDenoiser
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.networks import Networks
from realtime.engine.recipe import Recipe, Recipes
from realtime.engine.regions import Regions
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.state import RungState
from tests.engine.tiny_models import make_job, make_model, make_params, run


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"prompt_embeds"}),
        ({"guidance": Guidance.EMBEDDED}, {"prompt_embeds", "timestep_cond"}),
        ({"family": "sdxl"}, {"prompt_embeds", "text_embeds", "time_ids"}),
    ],
)
def test_a_unet_is_told_what_it_takes_and_nothing_else(options: dict[str, Any], names: set[str]) -> None:
    model = make_model(**options)
    recipe = Recipes(model).get(make_params())
    assert recipe is not None

    assert PlainDenoiser(Networks(model).unet).conditions(recipe, 0, False).keys() == names


class Sourced(Denoiser):
    """Lets each row's source act on the prediction, and keeps what it saw of them."""

    takes_source = True

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.sources: list[list[float]] = []

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> Conditions:
        return self.denoiser.conditions(recipe, step, is_second)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        self.sources.append(conditions["source"].mean((1, 2, 3)).tolist())
        return self.denoiser(sample, timestep, conditions) + conditions["source"]


def sourced(max_rows: int = 4) -> tuple[DiffusionEngine, PlainBackend, Sourced]:
    model = make_model(guidance=Guidance.CFG)
    networks = Networks(model)
    denoiser = Sourced(PlainDenoiser(networks.unet))
    backend = PlainBackend(Regions(networks, denoiser), model.device, RungState("eager", "sourced"))
    return DiffusionEngine(model, backend, max_rows=max_rows), backend, denoiser


def grey(level: int) -> Any:
    return torch.full((64, 64, 3), level, dtype=torch.uint8).numpy()


def test_each_row_keeps_the_source_of_its_picture_over_its_steps_and_for_its_second_row() -> None:
    engine, _, denoiser = sourced()
    guided, plain = (make_params(num_inference_steps=2, guidance_scale=scale) for scale in (3.0, 1.0))
    alone = {}
    for level in (0, 51, 255):
        run(engine, [make_job(make_params(), picture=grey(level))])
        alone[level] = pytest.approx(denoiser.sources.pop()[0], abs=1e-5)

    engine.tick([make_job(guided, 0, picture=grey(0)), make_job(plain, 1, picture=grey(255))])
    on_the_device = [weakref.ref(row.source) for row in engine._rows]
    pending = engine.tick([make_job(plain, 2, picture=grey(51))])

    # Plain rows, then the guided one, then its second row.
    assert denoiser.sources == [[alone[255], alone[0], alone[0]], [alone[255], alone[51], alone[0], alone[0]]]
    assert alone[0] != alone[255]
    assert len(pending.jobs) == len(on_the_device) == 2
    assert [tensor() for tensor in on_the_device] == [None, None], "who left takes no memory there"


def test_source_of_a_picture_is_replayed_by_graphs() -> None:
    engine, backend, _ = sourced(max_rows=2)
    capture = Rerun()
    replayed = DiffusionEngine(
        make_model(guidance=Guidance.CFG), GraphBackend(backend, capture, 2, torch.device("cpu")), max_rows=2
    )
    jobs = [
        make_job(make_params(num_inference_steps=2, guidance_scale=3.0 * i), i, picture=grey(90 * i)) for i in (1, 2)
    ]
    for _ in range(EAGER_CALLS + 1):
        ours = run(replayed, jobs)

    theirs = run(engine, jobs)

    for mine, eager in zip(ours, theirs, strict=True):
        torch.testing.assert_close(
            torch.from_numpy(mine.picture).int(),
            torch.from_numpy(eager.picture).int(),
            atol=1,
            rtol=0,  # type: ignore[union-attr]
        )
