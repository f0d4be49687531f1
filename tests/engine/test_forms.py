"""Forms that are kept for a second: a row's picture is the same in each, and graphs do not flap."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from realtime.engine import Guidance
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.forms import KEPT_S, Forms
from realtime.engine.models.load import Model
from realtime.engine.regions import Call, Kind, Outputs
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import GraphBackend
from realtime.params import GuidanceMode
from tests.engine.tiny_models import RecordingBackend, make_job, make_model, make_params, picture_of, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def forms() -> tuple[Forms, Clock]:
    clock = Clock()
    return Forms(KEPT_S, clock), clock


# -- alone ---------------------------------------------------------------------------------------------------------


def test_what_is_wanted_is_kept_for_a_second_behind_the_last_time() -> None:
    kept, clock = forms()
    kept.kept("here", {"control": "zeros"})
    clock.now_s += 0.9
    kept.kept("here", {"control": "zeros", "anchor": None})
    clock.now_s += 0.9

    assert kept.kept("here", {}) == {"control": "zeros", "anchor": None}
    clock.now_s += 0.2
    assert kept.kept("here", {}) == {}


def test_places_are_kept_each_for_itself_and_forgotten() -> None:
    kept, clock = forms()
    kept.kept("here", {"control": 1})

    assert kept.kept("there", {}) == {}
    assert kept.kept("there", {"anchor": 2}) == {"anchor": 2}
    clock.now_s += 2
    assert kept.kept("there", {}) == {} and kept._wanted == {}


def test_without_a_time_nothing_is_kept() -> None:
    plain = Forms()

    assert plain.kept("here", {"control": 1}) == {"control": 1}
    assert plain.kept("here", {}) == {}


# -- in an engine --------------------------------------------------------------------------------------------------


class Watching(RecordingBackend):
    """Keeps forms, and the names of the steps' columns."""

    def __init__(self, model: Model, clock: Clock | None) -> None:
        super().__init__(model)
        if clock is not None:
            self.forms = Forms(KEPT_S, clock)
        self.steps: list[frozenset[str]] = []

    def run(self, call: Call) -> Outputs:
        if call.kind is Kind.STEP:
            self.steps.append(frozenset(call.columns))
        return super().run(call)


FEATURES: dict[str, dict[str, Any]] = {
    "control": {"control": [{"net": "canny", "weight": 0.8}]},
    "features": {"control": [{"net": "t2i", "weight": 0.8}]},
    "negative_keys_values": {"negative_prompt": "rain", "negative_scale": 2.0},
    "anchor": {"guidance_scale": 3.0, "guidance": GuidanceMode.ONCE},
}


def a_model() -> Model:
    nets = (a_net(make_controlnet("sd")), a_net(make_t2i(), "t2i"))
    return make_model(guidance=Guidance.CFG, nets=nets)


@pytest.mark.parametrize("column", FEATURES)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_form_that_somebody_wanted_stays_and_changes_no_picture(column: str) -> None:
    clock, model = Clock(), a_model()
    plain, kept = Watching(model, None), Watching(model, clock)
    alone, engine = DiffusionEngine(model, plain), DiffusionEngine(model, kept)
    rich = make_job(make_params(prompt="a fox", num_inference_steps=2, **FEATURES[column]), 1)
    poor = make_job(make_params(prompt="a bird", num_inference_steps=2), 2)
    run(alone, [poor])
    (expected,) = run(alone, [poor])
    assert column not in plain.steps[-1]

    run(engine, [rich])
    clock.now_s += 0.5
    (soon,) = run(engine, [poor])
    assert column in kept.steps[-1]
    clock.now_s += 1.1
    (later,) = run(engine, [poor])

    assert column not in kept.steps[-1]
    np.testing.assert_allclose(picture_of(soon).astype(int), picture_of(expected), atol=1)
    np.testing.assert_array_equal(picture_of(later), picture_of(expected))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_nobody_is_asked_for_a_form_that_is_kept_only() -> None:
    clock, model = Clock(), a_model()
    backend = Watching(model, clock)
    engine = DiffusionEngine(model, backend)
    run(engine, [make_job(make_params(**FEATURES["control"]), 1)])
    backend.calls_of_nets.clear()

    run(engine, [make_job(make_params(), 2)])

    assert "control" in backend.steps[-1] and backend.calls_of_nets == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_steps_have_one_form_where_features_come_and_go_within_a_second() -> None:
    """Without, a step with control and one without had graphs each, for every number of rows."""
    model, random_ = a_model(), random.Random(5)
    graphs: dict[bool, set[Any]] = {}
    for is_kept in (False, True):
        clock = Clock()
        backend = GraphBackend(RecordingBackend(model), Rerun(), 4, model.device, frame_graphs=False)
        backend.forms = Forms(KEPT_S if is_kept else 0.0, clock)
        engine = DiffusionEngine(model, backend, max_rows=4)
        run(engine, [make_job(make_params(**FEATURES["control"]), 0)])
        for tick in range(24):
            control = FEATURES["control"] if random_.random() < 0.4 else {}
            run(engine, [make_job(make_params(**control), tick)])
            clock.now_s += 0.05
        size = next(iter(backend._sizes._sizes.values()))
        graphs[is_kept] = {key.form for key in size.graphs if key.kind == Kind.STEP}

    assert len(graphs[False]) == 2
    assert len(graphs[True]) == 1


def test_graphs_keep_forms_and_eager_mode_does_not() -> None:
    model = make_model(is_shared=True)
    eager = RecordingBackend(model)
    backend = GraphBackend(eager, Rerun(), 4, model.device)

    assert backend.forms.kept(1, {"a": 1}) == backend.forms.kept(1, {}) == {"a": 1}
    assert eager.forms.kept(1, {"a": 1}) and eager.forms.kept(1, {}) == {}
