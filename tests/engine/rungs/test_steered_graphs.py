"""What nets steer on graphs: the pictures of eager mode, with a place for guided rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime.engine import Guidance
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.rungs.graphs import EAGER_CALLS
from realtime.frame import Failure, Job
from tests.engine.rungs.capturing import with_graphs
from tests.engine.tiny_models import (
    RecordingBackend,
    make_job,
    make_model,
    make_params,
    picture_of,
    run,
)
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i, make_union_network


def steered_model() -> Model:
    nets = [a_net(make_controlnet(seed=seed), f"net{seed}") for seed in range(2)]
    nets += [a_net(make_union_network("sd"), "union"), a_net(make_t2i(), "t2i")]
    return make_model(guidance=Guidance.CFG, nets=tuple(nets))


def steered_jobs() -> list[Job]:
    controls: list[list[dict[str, Any]]] = [
        [{"net": "net0", "weight": 0.7}],
        [{"net": "net1"}, {"net": "union/canny", "end": 0.5}],
        [{"net": "t2i"}, {"net": "net0", "start": 0.5}],
        [],
    ]
    return [
        make_job(make_params(prompt=f"{i}", num_inference_steps=2, control=control, guidance_scale=1.0 + i), i)
        for i, control in enumerate(controls)
    ]


def test_nets_pictures_are_those_of_eager_mode_also_once_they_are_captured() -> None:
    model, jobs = steered_model(), steered_jobs()
    eager = DiffusionEngine(model, RecordingBackend(model), max_rows=4)
    expected = [picture_of(one) for one in run(eager, jobs)]
    engine, backend, capture = with_graphs(model)

    for number in range(EAGER_CALLS + 3):
        order = [*jobs[number % 4 :], *jobs[: number % 4]]  # buffers are filled anew
        found = {int(str(one.order.params.prompt)): picture_of(one) for one in run(engine, order)}
        for i, picture in enumerate(expected):
            np.testing.assert_allclose(found[i].astype(int), picture.astype(int), atol=1)

    graphs = {key.kind for key in backend._sizes.called(64, 64).graphs}
    assert {"control/net0", "control/net1", "control/union", "embed/t2i"} <= graphs
    forms = {tuple(name for name, _ in key.form) for key in backend._sizes.called(64, 64).graphs if key.kind == "step"}
    assert any("control" in form for form in forms) and capture.captures >= 6


def test_guided_rows_of_a_full_batch_have_a_place_in_the_calls_of_nets() -> None:
    model = steered_model()
    engine, backend, _ = with_graphs(model)
    params = make_params(guidance_scale=3.0, control=[{"net": "net0"}])

    for _ in range(EAGER_CALLS + 1):
        results = run(engine, [make_job(params, seed) for seed in range(4)])

    places = [key.places for key in backend._sizes.called(64, 64).graphs if key.kind == "control/net0"]
    assert places == [8] and not any(isinstance(one, Failure) for one in results)
