"""Nets that steer: against diffusers' own networks and pipelines, by row in mixed batches, and no call for nothing."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    LCMScheduler,
    MultiControlNetModel,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetImg2ImgPipeline,
)

from realtime.control import INPUT, Hint, HintKey
from realtime.engine import Guidance
from realtime.engine.backend import EagerBackend
from realtime.engine.denoisers.control import Adapter, FoldedControl
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.models.nets import Net
from realtime.engine.models.pose.estimator import PoseEstimator
from realtime.engine.networks import Networks
from realtime.engine.recipe import Recipes, make_noise
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import GraphBackend
from realtime.engine.sampler import NoiseSchedule, Prediction, Sampler
from realtime.engine.work import DEPTH_WORK, POSE_WORK
from realtime.frame import Failure, Job, Result
from tests.engine.tiny_models import (
    SD_BETAS,
    Prompts,
    RecordingBackend,
    make_engine,
    make_job,
    make_model,
    make_params,
    make_picture,
    picture_of,
    run,
)
from tests.engine.tiny_nets import TYPES, a_net, make_controlnet, make_t2i, make_union_network
from tests.engine.tiny_pose import STANDING, Seer

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:diffusers"),
]

A, B = "a" * 32, "b" * 32
NOISE_USERS = (
    "pipelines.controlnet.pipeline_controlnet_img2img",
    "pipelines.controlnet.pipeline_controlnet_sd_xl_img2img",
    "schedulers.scheduling_lcm",
)
PROMPT, NEGATIVE, SEED = "a fox in the snow", "blurry", 5


def a_hint(seed: int) -> np.ndarray:
    return make_picture(100 + seed)


def hinted(job: Job) -> Job:
    """A job with a picture for each source that its params name."""
    sources = {one.source for one in job.params.control} - {INPUT}
    return replace(job, hints={HintKey(Hint.PICTURE, one): a_hint(ord(one[0])) for one in sources})


def of_hint(seed: int) -> torch.Tensor:
    return torch.from_numpy(a_hint(seed)).permute(2, 0, 1)[None].float() / 255


# -- networks ------------------------------------------------------------------------------------------------------


def steered(model: Model, **params: Any) -> tuple[Any, Recipes]:
    return Networks(model).nets, Recipes(model)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize(
    "options", [{}, {"global_pool_conditions": True}, {"controlnet_conditioning_channel_order": "bgr"}]
)
def test_folded_net_adds_what_diffusers_net_adds(family: str, options: dict[str, Any]) -> None:
    network = make_controlnet(family, **options)
    model = make_model(family, nets=(a_net(network),))
    nets, recipes = steered(model)
    recipe = recipes.get(make_params(prompt=PROMPT, num_inference_steps=2, control=[{"net": "canny"}]))
    net = nets["canny"]
    assert recipe is not None and isinstance(net, FoldedControl)
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    with torch.no_grad():
        weight = torch.tensor([[0.7]])
        told = net.conditions(recipe, 1, "canny", is_second=False)
        ours = net(x, net.embed(of_hint(1)), weight, told)
        t = recipe.steps[1][0, 0]
        added = {} if family == "sd" else {"text_embeds": recipe.prompt.pooled, "time_ids": recipe.time_ids}
        down, middle = network(
            x, t, recipe.prompt.prompt_embeds, of_hint(1), 0.7, added_cond_kwargs=added, return_dict=False
        )

    shapes = [(16, 8, 8), (16, 8, 8), (16, 4, 4), (32, 4, 4), (32, 4, 4)]
    theirs = [one.expand(1, *shape).flatten(1) for one, shape in zip([*down, middle], shapes, strict=True)]
    assert ours.abs().mean() > 0.05
    torch.testing.assert_close(ours, torch.cat(theirs, 1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_union_answers_rows_of_mixed_types_as_each_alone(family: str) -> None:
    network = make_union_network(family)
    nets, recipes = steered(make_model(family, nets=(a_net(network, "union"),)))
    recipe = recipes.get(make_params(prompt=PROMPT, num_inference_steps=2, control=[{"net": "union/canny"}]))
    net = nets["union"]
    assert recipe is not None and isinstance(net, FoldedControl)
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    hint = torch.cat([of_hint(i) for i in range(3)])

    with torch.no_grad():
        told = [net.conditions(recipe, 0, f"union/{one}", is_second=False) for one in TYPES]
        conditions = {name: torch.cat([one[name] for one in told]) for name in told[0]}
        ours = net(x, net.embed(hint), torch.tensor([[1.0], [0.5], [1.5]]), conditions)
        theirs: list[torch.Tensor] = []
        for i, (index, weight) in enumerate(zip(TYPES.values(), (1.0, 0.5, 1.5), strict=True)):
            kind = torch.zeros(1, 6)
            kind[0, index] = 1
            added = {} if family == "sd" else {"text_embeds": recipe.prompt.pooled, "time_ids": recipe.time_ids}
            down, middle = network(
                x[i : i + 1], recipe.steps[0][0, 0], recipe.prompt.prompt_embeds, [hint[i : i + 1]], kind, [index],
                weight, added_cond_kwargs=added, return_dict=False,
            )  # fmt: skip
            theirs.append(torch.cat([one.flatten(1) for one in [*down, middle]], 1))

    torch.testing.assert_close(ours, torch.cat(theirs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_adapters_features_are_diffusers_at_any_size(in_channels: int) -> None:
    network = make_t2i(in_channels=in_channels)
    adapter = Networks(make_model(nets=(a_net(network, "t2i"),))).nets["t2i"]
    assert isinstance(adapter, Adapter)

    with torch.no_grad():
        ours = adapter(of_hint(1))
        theirs = network(of_hint(1)[:, :in_channels].mean(1, keepdim=True) if in_channels == 1 else of_hint(1))
        odd = adapter(of_hint(1)[:, :, :56])

    added = torch.cat([one.flatten(1) for one in theirs], 1)
    if in_channels == 3:
        torch.testing.assert_close(ours[:, : added.shape[1]], added, atol=1e-6, rtol=1e-6)
    assert not ours[:, added.shape[1] :].any(), "the middle block gets none"
    assert odd.shape == (1, 16 * 4 * 4 + 32 * 4 * 4 + 32 * 4 * 4), "56 pixels are 7 latents, and 4 behind a block"


# -- pipelines -----------------------------------------------------------------------------------------------------


def pipeline_of(model: Model, family: str, scheduler: Any, networks: list[Any]) -> Any:
    nets = networks[0] if len(networks) == 1 else MultiControlNetModel(networks)
    parts: dict[str, Any] = {"vae": model.vae, "unet": model.unet, "scheduler": scheduler, "controlnet": nets}
    parts |= {"text_encoder": None, "tokenizer": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if family == "sdxl":
            made = StableDiffusionXLControlNetImg2ImgPipeline(
                **parts, text_encoder_2=None, tokenizer_2=None, add_watermarker=False
            )
        else:
            made = StableDiffusionControlNetImg2ImgPipeline(
                **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
            )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize(
    ("kind", "n", "guidance_scale", "control"),
    [
        (Sampler.EULER, 2, 1.0, [{"weight": 0.8}]),
        (Sampler.LCM, 4, 1.0, [{"weight": 0.8, "start": 0.25, "end": 0.75}]),
        (Sampler.EULER, 3, 3.5, [{"weight": 1.2, "end": 0.7}]),
        (Sampler.LCM, 2, 1.0, [{"weight": 0.6}, {"weight": 1.1, "end": 0.5}]),
        (Sampler.EULER, 4, 3.5, [{"weight": 0.6, "start": 0.5}, {"weight": 1.1}]),
    ],
)
def test_engine_equals_diffusers_pipeline(
    family: str, kind: Sampler, n: int, guidance_scale: float, control: list[dict[str, Any]], monkeypatch: Any
) -> None:
    networks = [make_controlnet(family, seed) for seed, _ in enumerate(control)]
    kinds = {Sampler.LCM: (LCMScheduler, {}), Sampler.EULER: (EulerDiscreteScheduler, {"timestep_spacing": "trailing"})}
    made, options = kinds[kind]
    scheduler = made(**SD_BETAS, **options)
    model = make_model(
        family,
        sampler=kind,
        guidance=Guidance.CFG,
        schedule=NoiseSchedule(scheduler.alphas_cumprod.double().numpy(), Prediction.EPSILON),
        nets=tuple(a_net(network, f"net{i}") for i, network in enumerate(networks)),
    )
    noise = iter([*make_noise(SEED, n, (4, 8, 8))[:, None], torch.zeros(1, 4, 8, 8)])
    for module in NOISE_USERS:
        monkeypatch.setattr(f"diffusers.{module}.randn_tensor", lambda *args, **kwargs: next(noise))
    prompts = Prompts(pooled=family == "sdxl")
    prompt, negative = prompts.encode(PROMPT), prompts.encode_negative(NEGATIVE)
    embeds: dict[str, Any] = {"prompt_embeds": prompt.prompt_embeds, "negative_prompt_embeds": negative.prompt_embeds}
    if family == "sdxl":
        embeds |= {"pooled_prompt_embeds": prompt.pooled, "negative_pooled_prompt_embeds": negative.pooled}
    taken: list[int] = []
    many = len(networks) > 1
    starts, ends = [one.get("start", 0.0) for one in control], [one.get("end", 1.0) for one in control]
    weights, hints = [one["weight"] for one in control], [of_hint(ord("ab"[i])) for i, _ in enumerate(control)]

    theirs = pipeline_of(model, family, scheduler, networks)(
        image=torch.from_numpy(make_picture()).permute(2, 0, 1)[None].float() / 255,
        control_image=hints if many else hints[0],
        controlnet_conditioning_scale=weights if many else weights[0],
        control_guidance_start=starts if many else starts[0],
        control_guidance_end=ends if many else ends[0],
        strength=0.5,
        num_inference_steps=2 * n,
        guidance_scale=guidance_scale,
        output_type="latent",
        callback_on_step_end=lambda pipe, i, t, kwargs: taken.append(round(float(t))) or {},
        **embeds,
    ).images
    monkeypatch.setattr("realtime.engine.recipe.sampler.timesteps", lambda strength, steps: tuple(taken))
    monkeypatch.setattr("realtime.engine.work.sampler.timesteps", lambda strength, steps: tuple(taken))
    engine, backend = make_engine(model)
    params = make_params(
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        guidance_scale=guidance_scale,
        seed=SEED,
        num_inference_steps=1,
        control=[{"net": f"net{i}", "source": (A, B)[i], **one} for i, one in enumerate(control)],
    )
    (result,) = run(engine, [hinted(make_job(params))])

    assert len(taken) == n and not isinstance(result, Failure), result
    assert theirs.std() > 0.3
    torch.testing.assert_close(backend.latents[0][None], theirs, atol=1e-4, rtol=0)


def test_adapter_equals_diffusers_unet_with_its_features() -> None:
    network = make_t2i()
    model = make_model(sampler=Sampler.DDIM, nets=(a_net(network, "t2i"),))
    engine, backend = make_engine(model)
    control = [{"net": "t2i", "weight": 0.7, "source": A}]

    run(engine, [hinted(make_job(make_params(prompt=PROMPT, seed=SEED, strength=0.5, control=control)))])

    unet: Any = model.unet
    schedule = model.schedule.alphas_cumprod
    t = 499
    alpha, sigma = schedule[t] ** 0.5, (1 - schedule[t]) ** 0.5
    with torch.no_grad():
        source = model.encode_latents(torch.from_numpy(make_picture()).permute(2, 0, 1)[None] / 127.5 - 1)
        x = alpha * source + sigma * make_noise(SEED, 1, (4, 8, 8))
        features = [0.7 * one for one in network(of_hint(ord("a")))]
        embeds = Prompts(pooled=False).encode(PROMPT).prompt_embeds
        epsilon = unet(x.float(), t, embeds, down_intrablock_additional_residuals=features).sample
    torch.testing.assert_close(backend.latents[0][None], ((x - sigma * epsilon) / alpha).float(), atol=1e-4, rtol=0)
    assert backend.calls_of_nets == [("embed/t2i", 1)]


# -- by row --------------------------------------------------------------------------------------------------------


def four_nets() -> tuple[Net, ...]:
    nets = [a_net(make_controlnet(seed=seed), f"net{seed}") for seed in range(3)]
    return (*nets, a_net(make_union_network("sd"), "union"), a_net(make_t2i(), "t2i"))


VARIETY: list[dict[str, Any]] = [
    {"control": [{"net": "net0", "source": A, "weight": 0.7}]},
    {"control": [{"net": "net1", "weight": 1.3}], "num_inference_steps": 3},
    {"control": [{"net": "net2", "source": A}, {"net": "net0", "source": B, "end": 0.5}], "num_inference_steps": 2},
    {"control": [{"net": "union/canny"}, {"net": "union/depth", "source": B, "weight": 0.4}], "prompt": "ink"},
    {"control": [{"net": "t2i", "source": A, "end": 0.5}, {"net": "t2i"}], "num_inference_steps": 2},
    {"control": []},
    {"control": [{"net": "net0", "weight": 0.0}], "num_inference_steps": 2},
    {"control": [{"net": "net0", "source": A}], "guidance_scale": 4.0, "negative_prompt": "red"},
    {"control": [{"net": "net1"}, {"net": "t2i"}], "guidance_scale": 2.0, "guidance": "once", "num_inference_steps": 2},
    {"strength": 0.0, "control": [{"net": "net0"}]},
]


def jobs_of(variety: list[dict[str, Any]]) -> list[Job]:
    jobs = [hinted(make_job(make_params(**{"prompt": "oil", **one}), seed)) for seed, one in enumerate(variety)]
    return [replace(job, number=number) for number, job in enumerate(jobs)]


def test_rows_of_a_mixed_batch_are_what_each_is_alone() -> None:
    model = make_model(guidance=Guidance.CFG, nets=four_nets())
    jobs = jobs_of(VARIETY)
    alone: list[torch.Tensor] = []
    for job in jobs:
        engine, backend = make_engine(model, max_rows=len(jobs))
        run(engine, [job])
        alone += backend.latents
    engine, together = make_engine(model, max_rows=len(jobs))

    results = run(engine, jobs)

    assert len(results) == len(jobs) and not any(isinstance(one, Failure) for one in results)
    assert len(alone) == len(together.latents) == len(jobs) - 1
    found = {row.numpy().round(2).tobytes(): row for row in together.latents}
    for one in alone:  # rows leave in the order of their steps
        assert min(float((one - other).abs().max()) for other in found.values()) < 1e-4


def test_four_rows_with_four_nets_in_one_tick_are_one_call_of_each_and_one_of_the_unet() -> None:
    model = make_model(nets=four_nets())
    names = ["net0", "net1", "net2", "union/canny"]
    jobs = jobs_of([{"control": [{"net": name, "source": A}]} for name in names])
    engine, backend = make_engine(model)

    together = [picture_of(one) for one in run(engine, jobs)]

    assert backend.rows_of_calls == [4]
    nets = ["net0", "net1", "net2", "union"]
    assert backend.calls_of_nets == [*((f"embed/{one}", 1) for one in nets), *((f"control/{one}", 1) for one in nets)]
    for picture, job in zip(together, jobs, strict=True):
        (alone,) = run(make_engine(model)[0], [job])
        np.testing.assert_allclose(picture.astype(int), picture_of(alone).astype(int), atol=1)
    assert min(np.abs(a.astype(int) - b).mean() for i, a in enumerate(together) for b in together[:i]) > 1


@pytest.mark.parametrize(
    ("control", "steps", "calls"),
    [
        ({"weight": 0.0}, 4, 0),
        ({"start": 1.0, "end": 0.0}, 4, 0),
        ({"start": 0.5}, 4, 2),
        ({"end": 0.5}, 4, 2),
        ({"end": 0.9}, 1, 0),
        ({}, 4, 4),
    ],
)
def test_no_call_is_made_for_nothing(control: dict[str, Any], steps: int, calls: int) -> None:
    engine, backend = make_engine(make_model(nets=(a_net(make_controlnet()),)))
    params = make_params(num_inference_steps=steps, control=[{"net": "canny", **control}])

    run(engine, [make_job(params)])

    assert [kind for kind, _ in backend.calls_of_nets] == ["embed/canny"] * bool(calls) + ["control/canny"] * calls


def test_only_rows_that_want_a_net_are_in_its_call_and_guided_ones_twice() -> None:
    engine, backend = make_engine(make_model(guidance=Guidance.CFG, nets=(a_net(make_controlnet()),)))
    steered_row: dict[str, Any] = {"control": [{"net": "canny"}]}

    run(engine, jobs_of([{}, steered_row, {**steered_row, "guidance_scale": 3.0}, {"guidance_scale": 3.0}]))

    assert backend.calls_of_nets == [("embed/canny", 2), ("control/canny", 3)]
    assert backend.rows_of_calls == [6]


def test_weight_of_nothing_gives_the_bits_of_no_net() -> None:
    model = make_model(nets=(a_net(make_controlnet()),))
    pictures = [
        picture_of(run(make_engine(model)[0], [make_job(make_params(control=control))])[0])
        for control in ([], [{"net": "canny", "weight": 0.0}])
    ]

    np.testing.assert_array_equal(*pictures)


def test_params_that_steer_alike_share_a_recipe() -> None:
    recipes = Recipes(make_model(nets=four_nets()))
    one, other = {"net": "net0"}, {"net": "net1", "source": A}

    made = [
        recipes.get(make_params(control=control))
        for control in ([one, other], [other, one], [one, other, {"net": "net2", "weight": 0.0}])
    ]

    assert made[0] is made[1] is made[2]


# -- what can't be -------------------------------------------------------------------------------------------------


def test_frame_whose_hint_is_missing_fails_alone() -> None:
    engine, _ = make_engine(make_model(nets=(a_net(make_controlnet()),)))
    lost = make_job(make_params(control=[{"net": "canny", "source": A}]))

    failed, made = run(engine, [lost, make_job(make_params(), 1)])

    assert isinstance(failed, Failure) and failed.error.code == "invalid_params"
    assert str(failed.error) == f"these params can't be used: the picture of {A} is missing"
    assert picture_of(made).any()


def test_frame_with_a_net_that_is_not_there_fails_alone() -> None:
    engine, _ = make_engine()

    (failed,) = run(engine, [make_job(make_params(control=[{"net": "canny"}]))])

    assert isinstance(failed, Failure) and "there is no net 'canny' here" in str(failed.error)


def test_engine_names_its_nets() -> None:
    engine, _ = make_engine(make_model(nets=(a_net(make_union_network("sd"), "union"), a_net(make_t2i(), "t2i"))))

    assert [(one.name, one.kind) for one in engine.info.controls] == [
        *((f"union/{one}", "controlnet") for one in TYPES),
        ("t2i", "adapter"),
    ]
    assert RecordingBackend(engine._model).regions.nets.keys() == {"union", "t2i"}


# -- cost ----------------------------------------------------------------------------------------------------------


def test_net_costs_its_share_of_each_row_in_the_steps_in_which_it_is_called() -> None:
    nets = (a_net(make_controlnet(), "canny", share=0.3), a_net(make_t2i(), "t2i", share=0.05))
    engine, _ = make_engine(make_model(guidance=Guidance.CFG, nets=nets))
    plain = make_params(num_inference_steps=4, guidance_scale=3.0, guidance="once")
    controlled = plain.patched({"control": [{"net": "canny", "end": 0.5}, {"net": "t2i"}]}, plain)

    pixels = 64 * 64
    assert engine.cost(plain).works == (2 * pixels, pixels, pixels, pixels)
    assert engine.cost(controlled).works == (
        2 * pixels + round(0.6 * pixels) + round(0.05 * pixels),
        pixels + round(0.3 * pixels),
        pixels,
        pixels,
    )


# -- depth -----------------------------------------------------------------------------------------------------------


class Nearness(torch.nn.Module):
    """Stands for the estimator: red is near."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels[:, :1].repeat(1, 3, 1, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def test_depth_is_made_once_a_frame_of_inputs_and_pictures_for_those_who_want_it() -> None:
    nets = (a_net(make_controlnet(), "depth", Hint.DEPTH), a_net(make_t2i(), "t2i", Hint.DEPTH))
    model = replace(make_model(nets=nets), estimators={Hint.DEPTH: Nearness()})
    engine, backend = make_engine(model)
    shown: list[np.ndarray] = []
    answer = backend.answer
    backend.answer = lambda call, inputs: (
        (  # type: ignore[method-assign]
            shown.append(inputs["pictures"].numpy()) if call.kind == "embed/depth" else None
        )
        or answer(call, inputs)
    )
    jobs = jobs_of([{"control": [{"net": "depth"}, {"net": "t2i"}]}, {}, {"control": [{"net": "depth", "source": A}]}])

    results = run(engine, jobs)

    assert not any(isinstance(one, Failure) for one in results)
    assert backend.calls_of_nets == [("hint/depth", 2), ("embed/depth", 2), ("embed/t2i", 1), ("control/depth", 2)]
    expected = [np.repeat(picture[..., :1], 3, 2) for picture in (jobs[0].picture, a_hint(ord("a")))]
    np.testing.assert_array_equal(shown[0], np.stack(expected))
    assert engine.cost(jobs[2].params).works[0] == round(1.5 * 64 * 64) + DEPTH_WORK
    seen = [one.hints for one in results if isinstance(one, Result)]
    assert [list(hints) for hints in seen] == [[(Hint.DEPTH, INPUT)], [], [(Hint.DEPTH, A)]]
    np.testing.assert_array_equal(seen[0][HintKey(Hint.DEPTH, INPUT)], expected[0])


def test_poses_are_found_by_row_in_one_call_and_each_row_is_what_it_is_alone() -> None:
    nets = (a_net(make_controlnet(seed=1), "openpose", Hint.POSE), a_net(make_controlnet(seed=2), "depth", Hint.DEPTH))
    estimators = {Hint.DEPTH: Nearness(), Hint.POSE: PoseEstimator(Seer(STANDING)).eval()}
    model = replace(make_model(nets=nets), estimators=estimators)
    asked: list[dict[str, Any]] = [
        {"control": [{"net": "openpose"}]},
        {},
        {"control": [{"net": "openpose", "weight": 0.5, "source": A}, {"net": "depth"}]},
        {"control": [{"net": "openpose", "weight": 0.0}]},
    ]
    engine, backend = make_engine(model)

    together = run(engine, jobs_of(asked))
    calls = list(backend.calls_of_nets)
    alone = [run(make_engine(model)[0], [job])[0] for job in jobs_of(asked)]
    replaying = GraphBackend(EagerBackend(model), Rerun(), 4, model.device)
    for _ in range(3):  # the first calls are not captured
        replayed = run(DiffusionEngine(model, replaying), jobs_of(asked))
    plain = run(make_engine(make_model())[0], jobs_of([{}] * 4))

    assert calls == [("hint/pose", 2), ("hint/depth", 1), ("embed/openpose", 2), ("embed/depth", 1),
                     ("control/openpose", 2), ("control/depth", 1)]  # fmt: skip
    for one, other, again in zip(together, alone, replayed, strict=True):
        assert np.abs(picture_of(one).astype(int) - picture_of(other)).max() <= 1
        assert np.abs(picture_of(one).astype(int) - picture_of(again)).max() <= 1
        assert isinstance(one, Result) and isinstance(again, Result)
        assert one.hints.keys() == again.hints.keys()
    assert np.abs(picture_of(together[0]).astype(int) - picture_of(plain[0])).max() > 3, "the skeleton steers"
    np.testing.assert_array_equal(picture_of(together[3]), picture_of(plain[3]))
    assert engine.cost(jobs_of(asked)[0].params).works[0] == round(1.5 * 64 * 64) + POSE_WORK
    [key] = together[0].hints  # type: ignore[union-attr]
    skeleton = together[0].hints[key]  # type: ignore[union-attr]
    assert key == (Hint.POSE, INPUT) and skeleton.shape == (64, 64, 3)
    assert 0.01 < (skeleton.max(2) > 100).mean() < 0.3, "limbs on black"
