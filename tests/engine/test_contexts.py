"""Contexts: a row's picture is its own, neutral ones change nothing, and what is told is made once, on the device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine import Guidance
from realtime.engine.backend import EagerBackend
from realtime.engine.denoisers.contexts import (
    ABSENT,
    NEGATIVE_COLUMN,
    PICTURES_COLUMN,
    SCALE_COLUMN,
    PictureContexts,
    normalised_guidance,
    shared,
)
from realtime.engine.denoisers.denoiser import Contexts
from realtime.engine.denoisers.folding import FoldedDenoiser
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.recipe import Recipes
from realtime.engine.regions import Inputs, Kind
from realtime.engine.rungs import aoti
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.sampler import Prediction, Sampler
from realtime.engine.state import CallShape
from realtime.frame import Failure, Job, Result
from realtime.params import Params
from realtime.pixels import Pixels
from realtime.prompts import Layers, Reference
from tests.engine.test_regions import OnDevice
from tests.engine.tiny_adapters import SIDE, AdapterKind, make_adapter
from tests.engine.tiny_models import make_engine, make_job, make_model, make_params, make_picture, run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PROMPT = "a fox in the snow"
SEEN: dict[str, Pixels] = {f"{n}" * 32: make_picture(20 + n, SIDE, SIDE) for n in range(5)}
IDS = tuple(SEEN)


def test_a_weight_that_rises_from_nothing_fades_in(tmp_path: Path) -> None:
    engine, backend = make_engine(pictured_model(tmp_path))

    def latents(weight: float) -> torch.Tensor:
        references = [{"picture": IDS[0], "weight": 0.8}, {"picture": IDS[1], "weight": weight}]
        run(engine, [replace(make_job(make_params(references=references)), references=SEEN)])
        return backend.latents[-1]

    at = {weight: latents(weight) for weight in (0.0, 1e-4, 0.1, 0.2, 0.8)}

    torch.testing.assert_close(at[1e-4], at[0.0], atol=1e-3, rtol=0)
    distances = [(at[weight] - at[0.0]).abs().mean() for weight in (1e-4, 0.1, 0.2, 0.8)]
    assert distances == sorted(distances) and distances[-1] > 10 * distances[0]


def test_a_picture_that_is_heard_nowhere_takes_nothing_from_others(tmp_path: Path) -> None:
    """Of two pictures, one for the style and one for the composition, each is heard alone in its layers."""
    model = pictured_model(tmp_path, family="sdxl")
    adapter = model.ip_adapter
    assert adapter is not None
    count = len(adapter.to_keys_values) // 2
    first, last = (tuple(float(index == one) for index in range(count)) for one in (0, count - 1))
    adapter.layers = {Layers.ALL: (1.0,) * count, Layers.STYLE: first, Layers.COMPOSITION: last}
    contexts = PictureContexts(adapter, torch.zeros(1))
    adapter.look(SEEN)
    style, composition = (
        adapter.shown(Reference(picture=name, weight=0.7, layers=layers))
        for name, layers in ((IDS[0], Layers.STYLE), (IDS[1], Layers.COMPOSITION))
    )

    with torch.no_grad():
        both, alone = (
            contexts.column([style, composition], 2, is_second=False),
            contexts.column([style], 2, is_second=False),
        )

    width = adapter.to_keys_values[0].out_features
    biases = both[0, :, -count:]
    torch.testing.assert_close(both[:, :4, : 2 * width], alone[:, :4, : 2 * width])
    assert biases[:4, 0].tolist() == [0.0] * 4 and biases[4:, 0].tolist() == [ABSENT] * 4
    assert biases[:4, -1].tolist() == [ABSENT] * 4 and biases[4:, -1].tolist() == [0.0] * 4
    assert not both[:, :, sum(one.out_features for one in adapter.to_keys_values[:3])].any(), (
        "values of the layers between"
    )


def test_guidance_of_one_is_what_was_found_bit_for_bit_and_a_large_one_is_bounded() -> None:
    found, avoided = torch.randn(2, 3, 5, 64, generator=torch.Generator().manual_seed(0)).half().mul(300).unbind()
    scale = torch.tensor([[1.0], [4.0], [10.0]])

    guided = normalised_guidance(found, avoided, scale)
    nothing = normalised_guidance(torch.zeros_like(found), avoided, scale)

    assert torch.equal(guided[0], found[0]) and not torch.equal(guided[1], found[1])
    lengths = guided.float().abs().sum(-1) / found.float().abs().sum(-1)
    assert guided.dtype is torch.float16 and guided.isfinite().all() and lengths.max() < 1 + 0.25 * 1.5 + 0.01
    assert nothing.isfinite().all()


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_neutral_contexts_change_no_bit(family: str, tmp_path: Path, monkeypatch: Any) -> None:
    model = pictured_model(tmp_path, family=family)
    unlike = {"negative_prompt": "rain", "negative_scale": 1.0, "references": [{"picture": IDS[0], "weight": 0.0}]}
    wanted = Contexts(has_negative=True, pictures=2)
    latents: list[torch.Tensor] = []
    columns: list[set[str]] = []
    for of_model, fields, contexts in (
        (replace(model, ip_adapter=None), {}, None),
        (model, unlike, None),
        (model, {}, wanted),
    ):
        if contexts is not None:
            monkeypatch.setattr("realtime.engine.rows.shared", lambda recipes, contexts=contexts: contexts)
        engine, backend = make_engine(of_model)
        monkeypatch.setattr(backend, "run", noting(backend.run, columns))
        params = make_params(prompt=PROMPT, num_inference_steps=2, **fields)
        run(engine, [replace(make_job(params), references=SEEN)])
        latents.append(backend.latents[0])

    assert torch.equal(latents[0], latents[1]) and torch.equal(latents[0], latents[2])
    plain, neutral, told = (columns[at] for at in (1, 5, 9))
    assert plain == neutral == told - {NEGATIVE_COLUMN, SCALE_COLUMN, PICTURES_COLUMN} != told


def noting(run: Any, columns: list[set[str]]) -> Any:
    def noted(call: Any) -> Any:
        columns.append(set(call.columns))
        return run(call)

    return noted


def test_forms_of_a_call_are_few(tmp_path: Path) -> None:
    """Whatever sessions ask for: with a negative prompt or not, and 0, 1, 2, 4 or 8 places for pictures."""
    chance, model = np.random.default_rng(1), pictured_model(tmp_path)
    recipes = Recipes(model, hears_contexts=True)
    forms = set()
    for _ in range(200):
        rows = []
        for _ in range(int(chance.integers(1, 5))):
            references = [{"picture": name} for name in chance.choice(IDS, int(chance.integers(0, 5)), replace=False)]
            params = make_params(references=references, negative_scale=float(chance.choice([1, 3])))
            rows.append(recipes.get(params, SEEN))
        forms.add(shared(rows))

    assert {places for _, places in forms} == {0, 1, 2, 4} and len(forms) == 8


def test_what_is_told_of_a_picture_is_made_once(tmp_path: Path) -> None:
    model = pictured_model(tmp_path)
    recipes, denoiser = Recipes(model, hears_contexts=True), FoldedDenoiser(model, torch.contiguous_format)
    adapter = model.ip_adapter
    assert adapter is not None
    projected: list[int] = []
    adapter.to_keys_values[0].register_forward_hook(lambda *_: projected.append(1))
    columns = []
    for weight in (0.5, 0.9, 0.5):
        recipe = recipes.get(make_params(references=[{"picture": IDS[0], "weight": weight}]), SEEN)
        assert recipe is not None
        columns.append(denoiser.contexts(recipe, 0, False, Contexts(pictures=1))[PICTURES_COLUMN])

    assert adapter.pictures_encoded == len(SEEN) and len(projected) == 1
    assert columns[0] is columns[2] is not columns[1]


def test_a_picture_that_is_gone_costs_its_row_alone(tmp_path: Path) -> None:
    engine, _ = make_engine(pictured_model(tmp_path))
    params = make_params(references=[{"picture": "a" * 32}])

    failed, made = run(engine, [make_job(params), job("plain")])

    assert isinstance(failed, Failure) and "references: the picture aaaa" in str(failed.error)
    assert isinstance(made, Result)


@pytest.mark.parametrize("name", ["avoiding", "one picture", "both"])
@pytest.mark.slow
def test_contexts_are_exported_as_a_graph_of_tensors_for_every_batch(name: str, tmp_path: Path) -> None:
    model = pictured_model(tmp_path, "plus", "sdxl")
    backend = CompiledBackend(model, "aoti", "compiled")
    params = variant(name).patched({"num_inference_steps": 1}, Params())
    jobs = [replace(make_job(params, seed), references=SEEN) for seed in range(3)]
    run(DiffusionEngine(model, backend), jobs)

    step = next(one for one in backend.compiled.demand.so_far() if one.call.kind == Kind.STEP)
    region = backend.compiled.module(step)
    assert {NEGATIVE_COLUMN, PICTURES_COLUMN} & set(step.call.names)
    with torch.no_grad():
        exported: Any = aoti.export(region, step.example(model.device)).module()
        for batch in (2, 5):
            inputs = {
                one: tensor[:1].repeat(batch, *[1] * (tensor.ndim - 1))
                for one, tensor in step.example(model.device).items()
            }
            torch.testing.assert_close(exported(**inputs)["x"], region(**inputs)["x"], atol=1e-4, rtol=1e-4)
    assert aoti.key_of(region, step.example(model.device))


@pytest.mark.parametrize("name", ["avoiding", "both", "guided after a picture"])
def test_no_value_of_a_context_leaves_the_device(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = pictured_model(tmp_path)
    backend = EagerBackend(model)
    calls: list[tuple[CallShape, Inputs]] = []

    def answer(call: CallShape, inputs: Inputs) -> Any:
        calls.append((call, inputs))
        return backend.regions.region_for(call)

    monkeypatch.setattr(backend, "answer", answer)
    run(DiffusionEngine(model, backend), [job(name)])
    call, inputs = next((call, inputs) for call, inputs in calls if call.kind == Kind.STEP)

    region = backend.regions.region_for(call).to("meta")
    on_meta = {name: tensor.to("meta") for name, tensor in inputs.items()}
    with torch.no_grad(), OnDevice() as device:
        results = region(**on_meta)

    assert device.operations > 30 and all(one.device.type == "meta" for one in results.values())
    assert {NEGATIVE_COLUMN, PICTURES_COLUMN} & set(call.names)


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "avoiding": {"negative_prompt": "blurry", "negative_scale": 3.0},
    "avoiding more": {"negative_prompt": "rain BREAK fog", "negative_scale": 7.5, "num_inference_steps": 3},
    "long": {"prompt": "oil BREAK ink", "negative_prompt": "fog", "negative_scale": 2.0},
    "one picture": {"references": [{"picture": IDS[0]}]},
    "faint": {"references": [{"picture": IDS[0], "weight": 0.01}, {"picture": IDS[1], "weight": 1.5}]},
    "three": {"references": [{"picture": name, "weight": 0.3 * i} for i, name in enumerate(IDS[1:4], 1)]},
    "both": {"negative_prompt": "rain", "negative_scale": 4.0, "references": [{"picture": IDS[4], "weight": 1.2}]},
    "guided": {"guidance_scale": 3.0, "negative_prompt": "rain"},
    "guided after a picture": {
        "guidance_scale": 2.0,
        "num_inference_steps": 2,
        "references": [{"picture": IDS[2], "weight": 0.9}, {"picture": IDS[3], "weight": 0.2}],
    },
}


def variant(name: str) -> Params:
    return make_params(**{"prompt": PROMPT, "seed": len(name), **VARIANTS[name]})


def job(name: str, seed: int = 0) -> Job:
    return replace(make_job(variant(name), seed, session=name), references=SEEN)


def pictured_model(folder: Path, kind: AdapterKind = "plain", family: str = "sd") -> Model:
    model = make_model(family, sampler=Sampler.EULER_A, guidance=Guidance.CFG, prediction=Prediction.V_PREDICTION)
    return replace(model, ip_adapter=make_adapter(folder, model.unet, family, kind))


@pytest.mark.parametrize(("family", "kind"), [("sd", "plain"), ("sdxl", "plus")])
@pytest.mark.slow
def test_rows_of_every_mix_equal_themselves_alone(family: str, kind: AdapterKind, tmp_path: Path) -> None:
    model = pictured_model(tmp_path, kind, family)
    alone: dict[str, torch.Tensor] = {}
    for name in VARIANTS:
        engine, backend = make_engine(model)
        run(engine, [job(name)])
        alone[name] = backend.latents[0]
    chance = np.random.default_rng(4)

    for _ in range(12):
        names = [str(name) for name in chance.choice(list(VARIANTS), 5, replace=False)]
        engine, backend = make_engine(model)
        run(engine, [job(name) for name in names])
        found = dict(
            zip(sorted(names, key=lambda name: variant(name).num_inference_steps), backend.latents, strict=True)
        )
        for name, latents in found.items():
            torch.testing.assert_close(latents, alone[name], atol=2e-5, rtol=0, msg=lambda t, name=name: f"{name}: {t}")
    assert len({latents.sum().item() for latents in alone.values()}) == len(VARIANTS)
