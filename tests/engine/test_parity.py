"""The engine against diffusers' own pipelines: same weights, noise and timesteps, every step through `tick`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelImg2ImgPipeline,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionXLImg2ImgPipeline,
    TCDScheduler,
)

from realtime.engine import Guidance
from realtime.engine.recipe import make_noise
from realtime.engine.sampler import TCD_GAMMA, NoiseSchedule, Prediction, Sampler
from realtime.pixels import Pixels
from realtime.references import NO_REFERENCES
from tests.engine.tiny_models import (
    SD_BETAS,
    Prompts,
    make_engine,
    make_job,
    make_model,
    make_networks,
    make_params,
    make_picture,
    picture_of,
    run,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:diffusers"),
]

SCHEDULERS: dict[Sampler, tuple[type, dict[str, Any]]] = {
    Sampler.LCM: (LCMScheduler, {}),
    Sampler.TCD: (TCDScheduler, {}),
    Sampler.EULER: (EulerDiscreteScheduler, {"timestep_spacing": "trailing"}),
    Sampler.EULER_A: (EulerAncestralDiscreteScheduler, {"timestep_spacing": "trailing"}),
    Sampler.DDIM: (DDIMScheduler, {"timestep_spacing": "trailing", "clip_sample": False}),
}
NOISE_USERS = (
    "pipelines.stable_diffusion.pipeline_stable_diffusion_img2img",
    "pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img",
    "pipelines.latent_consistency_models.pipeline_latent_consistency_img2img",
    "schedulers.scheduling_lcm",
    "schedulers.scheduling_tcd",
    "schedulers.scheduling_euler_ancestral_discrete",
)
PROMPT, NEGATIVE, SEED = "a fox in the snow", "blurry", 5


class Case:
    """One comparison: the engine with the timesteps that the pipeline took, both with the engine's noise."""

    def __init__(self, monkeypatch: Any, kind: Sampler, prediction: Prediction, family: str, guidance: Guidance):
        scheduler_class, options = SCHEDULERS[kind]
        self.scheduler = scheduler_class(**SD_BETAS, **options, prediction_type=prediction.value)
        schedule = NoiseSchedule(self.scheduler.alphas_cumprod.double().numpy(), prediction)
        self.model = make_model(family, sampler=kind, guidance=guidance, schedule=schedule, is_shared=True)
        self.prompts = Prompts(pooled=family == "sdxl")
        self.family = family
        self._monkeypatch = monkeypatch

    def pipeline(self) -> Any:
        parts: dict[str, Any] = {"vae": self.model.vae, "unet": self.model.unet, "scheduler": self.scheduler}
        parts |= {"text_encoder": None, "tokenizer": None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.family == "sdxl":
                pipeline = StableDiffusionXLImg2ImgPipeline(
                    **parts, text_encoder_2=None, tokenizer_2=None, add_watermarker=False
                )
            elif self.model.guidance is Guidance.EMBEDDED:
                pipeline = LatentConsistencyModelImg2ImgPipeline(
                    **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
                )
            else:
                pipeline = StableDiffusionImg2ImgPipeline(
                    **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
                )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def diffusers(
        self, n: int, guidance_scale: float, output_type: str = "latent", **more: Any
    ) -> tuple[torch.Tensor, list[int]]:
        """The pipeline's result and the timesteps it took; it is called with `more`, too."""
        noise = iter([*make_noise(SEED, n, (4, 8, 8))[:, None], torch.zeros(1, 4, 8, 8)])
        for module in NOISE_USERS:
            self._monkeypatch.setattr(f"diffusers.{module}.randn_tensor", lambda *args, **kwargs: next(noise))
        prompt, negative = self.prompts.encode(PROMPT), self.prompts.encode_negative(NEGATIVE)
        embeds: dict[str, Any] = {"prompt_embeds": prompt.prompt_embeds}
        if self.model.guidance is not Guidance.EMBEDDED:
            embeds["negative_prompt_embeds"] = negative.prompt_embeds
        if self.family == "sdxl":
            embeds |= {"pooled_prompt_embeds": prompt.pooled, "negative_pooled_prompt_embeds": negative.pooled}
        # Stable Diffusion's pipelines run int(steps · strength) calls, the LCM pipeline runs `steps`.
        steps = n if self.model.guidance is Guidance.EMBEDDED else 2 * n
        eta: dict[str, Any] = {"eta": TCD_GAMMA} if isinstance(self.scheduler, TCDScheduler) else {}
        taken: list[int] = []
        picture = torch.from_numpy(make_picture()).permute(2, 0, 1)[None].float() / 255
        images = self.pipeline()(
            image=picture,
            strength=0.5,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            output_type=output_type,
            callback_on_step_end=lambda pipe, i, t, kwargs: taken.append(round(float(t))) or {},
            **embeds,
            **eta,
            **more,
        ).images
        return images, taken

    def engine(
        self,
        taken: list[int],
        guidance_scale: float,
        seen: Mapping[str, Pixels] = NO_REFERENCES,
        **fields: Any,
    ) -> tuple[torch.Tensor, np.ndarray]:
        """The engine's latents and picture; `fields` are of the params, `seen` the pictures that they name."""
        self._monkeypatch.setattr("realtime.engine.recipe.sampler.timesteps", lambda strength, n: tuple(taken))
        engine, backend = make_engine(self.model)
        params = make_params(
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            guidance_scale=guidance_scale,
            seed=SEED,
            num_inference_steps=1,
            **fields,
        )
        (result,) = run(engine, [replace(make_job(params), references=seen)])
        assert len(backend.rows_of_calls) == len(taken)
        return backend.latents[0], picture_of(result)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize("prediction", [Prediction.EPSILON, Prediction.V_PREDICTION])
@pytest.mark.parametrize("kind", list(Sampler))
@pytest.mark.slow
def test_engine_equals_diffusers_pipeline(
    kind: Sampler, prediction: Prediction, family: str, n: int, monkeypatch: Any
) -> None:
    case = Case(monkeypatch, kind, prediction, family, Guidance.NONE)

    theirs, taken = case.diffusers(n, guidance_scale=1.0)
    ours, _ = case.engine(taken, guidance_scale=1.0)

    assert len(taken) == n
    torch.testing.assert_close(ours[None], theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", [Sampler.EULER, Sampler.LCM])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_classifier_free_guidance_with_a_negative_prompt_equals_diffusers(
    family: str, kind: Sampler, monkeypatch: Any
) -> None:
    case = Case(monkeypatch, kind, Prediction.EPSILON, family, Guidance.CFG)

    theirs, taken = case.diffusers(2, guidance_scale=3.5)
    ours, _ = case.engine(taken, guidance_scale=3.5)

    torch.testing.assert_close(ours[None], theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("guidance_scale", [1.0, 8.5])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_embedded_guidance_equals_the_latent_consistency_pipeline(
    n: int, guidance_scale: float, monkeypatch: Any
) -> None:
    case = Case(monkeypatch, Sampler.LCM, Prediction.EPSILON, "sd", Guidance.EMBEDDED)

    theirs, taken = case.diffusers(n, guidance_scale)
    ours, _ = case.engine(taken, guidance_scale)

    assert len(taken) == n
    torch.testing.assert_close(ours[None], theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_pictures_equal_diffusers_pictures(family: str, monkeypatch: Any) -> None:
    case = Case(monkeypatch, Sampler.EULER_A, Prediction.EPSILON, family, Guidance.NONE)

    theirs, taken = case.diffusers(2, guidance_scale=1.0, output_type="pt")
    _, ours = case.engine(taken, guidance_scale=1.0)

    expected = theirs[0].permute(1, 2, 0).numpy() * 255
    assert expected.std() > 20
    np.testing.assert_allclose(ours, expected, atol=0.51)


def test_source_latents_beside_the_noisy_ones_equal_a_literal_loop() -> None:
    """InstructPix2Pix's layout, with 8 + 8 channels as the embedded model has."""
    model = make_model(concat_source=True, latent_channels=8, prediction=Prediction.V_PREDICTION)
    unet, vae = make_networks("sd", concat_source=True, latent_channels=8)
    engine, backend = make_engine(model)
    params = make_params(prompt=PROMPT, strength=0.8, num_inference_steps=3, seed=SEED)

    run(engine, [make_job(params)])

    scheduler = LCMScheduler(**SD_BETAS, prediction_type="v_prediction")
    alphas = scheduler.alphas_cumprod.sqrt()
    betas = (1 - scheduler.alphas_cumprod).sqrt()
    noise = make_noise(SEED, 3, (8, 8, 8))[:, None]
    with torch.no_grad():
        source = vae.encode(torch.from_numpy(make_picture()).permute(2, 0, 1)[None] / 127.5 - 1).latents
        embeds = Prompts(pooled=False).encode(PROMPT).prompt_embeds
        y = alphas[799] * source + betas[799] * noise[0]
        for i, (t, t_next) in enumerate([(799, 533), (533, 266), (266, None)]):
            v = unet(torch.cat([y, source], 1), t, encoder_hidden_states=embeds).sample
            x0 = alphas[t] * y - betas[t] * v
            y = x0 if t_next is None else alphas[t_next] * x0 + betas[t_next] * noise[i + 1]
    torch.testing.assert_close(backend.latents[0][None], y, atol=1e-4, rtol=0)
