"""The painter's family: its pictures are its networks' run by hand, whatever strength, steps, sizes and words say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.config import Config, Device
from realtime.engine import sampler
from realtime.engine.models.family import PAINTER
from realtime.engine.models.load import Model, load_model
from realtime.engine.models.painter.preconditioning import Preconditioning, asked_share
from realtime.engine.recipe import make_noise
from realtime.engine.regions import to_pictures, to_pixels
from realtime.frame import Failure
from realtime.prompts import WeightedPrompt
from tests import checkpoints
from tests.engine import tiny_models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = checkpoints.build_painter(tmp_path_factory.mktemp("models") / "painter")
    return load_model(Config(model=str(folder), device=Device.CPU))


ID, OTHER = "0" * 32, "1" * 32


def a_style(height: int, width: int) -> np.ndarray:
    """Noise of a colour of its own."""
    generator = np.random.default_rng(height)
    return generator.integers(0, generator.integers(20, 256, 3) + 1, (height, width, 3)).astype(np.uint8)


def style_of(model: Model, prompt: str) -> torch.Tensor:
    return model.prompt_encoder.encode(prompt).prompt_embeds[0]


def painted(model: Model, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    """A random picture and what the engine makes of it, uint8 [H, W, 3]."""
    engine, _ = tiny_models.make_engine(model)
    job = tiny_models.make_job(tiny_models.make_params(**params))
    (outcome,) = tiny_models.run(engine, [job])
    return job.picture, tiny_models.picture_of(outcome)


def test_it_is_a_family_without_guidance_whose_text_encoder_gives_one_vector(model: Model) -> None:
    assert model.family is PAINTER
    assert (model.latent_channels, model.latent_scale_px, model.concat_source) == (12, 8, False)
    assert style_of(model, "oil painting").shape == (1, 48)
    engine, _ = tiny_models.make_engine(model)
    assert (engine.info.family, engine.info.guidance) == ("painter", "none")


@pytest.mark.parametrize(("steps", "width"), [(1, 64), (2, 64), (1, 88)])
def test_pictures_equal_the_networks_run_by_hand(model: Model, steps: int, width: int) -> None:
    """Latents of 11 columns are rounded up to 3 at 1/32 of the resolution and cut again on the way up."""
    picture, made = painted(model, prompt="a b", strength=0.6, num_inference_steps=steps, seed=7, width=width)

    unet: Any = model.unet
    levels = torch.from_numpy(model.schedule.alphas_cumprod)
    noise = make_noise(7, steps, (12, 8, width // 8))
    with torch.no_grad():
        source = model.vae.encode(to_pixels(torch.from_numpy(picture)[None]))[0]
        clean = source
        for index, timestep in enumerate(sampler.timesteps(0.6, steps)):
            t = torch.tensor([timestep])
            level = Preconditioning.at(t, levels, unet.config["full_share"])
            noisy = level.noised(clean, noise[index : index + 1])
            change = unet(level.noise(noisy, source), source, unet.modulation(t, style_of(model, "a b")))
            clean = level.denoised(source, change)
        expected = to_pictures(model.vae.decode(clean)[0])[0].numpy()
    assert np.abs(made.astype(int) - expected).max() <= 1
    assert np.abs(made.astype(int) - picture).mean() > 10


def test_a_row_beside_others_gives_what_it_gives_alone(model: Model) -> None:
    engine, _ = tiny_models.make_engine(model)
    looks = [{"prompt": "a", "strength": 0.3}, {"prompt": "b", "strength": 0.9, "num_inference_steps": 2}]
    jobs = [tiny_models.make_job(tiny_models.make_params(seed=seed, **look)) for seed, look in enumerate(looks)]

    together = {id(outcome.job): tiny_models.picture_of(outcome) for outcome in tiny_models.run(engine, jobs)}
    for job in jobs:
        (alone,) = tiny_models.run(engine, [job])
        assert np.abs(together[id(job)].astype(int) - tiny_models.picture_of(alone)).max() <= 1


def test_strength_takes_its_share_of_one_change(model: Model) -> None:
    """At one step the change is the UNet's whole answer times `asked_share`: even in strength, nothing at nothing."""
    shares = [float(asked_share(torch.tensor(1000 * strength - 1), 1.15)) for strength in (0.001, 0.25, 0.5, 1.0)]

    assert shares == pytest.approx([0.00115, 0.2875, 0.575, 1.15])


def test_a_v_prediction_stands_for_the_change() -> None:
    generator = torch.Generator().manual_seed(0)
    source, noise, change = torch.randn(3, 2, 12, 4, 4, generator=generator)
    level = Preconditioning.at(torch.tensor([5, 900]), torch.linspace(0.999, 0.01, 1000), 1.15)

    noisy = level.noised(source, noise)
    v = level.v_prediction(noisy, source, change)

    torch.testing.assert_close(level.a * noisy - level.b * v, source + level.share * change, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(level.noise(noisy, source), noise, atol=1e-4, rtol=1e-4)
    packed = Preconditioning.unpack(level.pack())
    assert all(torch.equal(getattr(packed, name), getattr(level, name)) for name in ("a", "b", "share"))


def test_a_weight_stretches_what_its_words_change(model: Model) -> None:
    both, without = style_of(model, "a b"), style_of(model, "a ")

    torch.testing.assert_close(style_of(model, "a (b:1.0)"), both)
    torch.testing.assert_close(style_of(model, "a (b:0.0)"), without)
    torch.testing.assert_close(style_of(model, "a (b:2.0)"), both + (both - without))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = checkpoints.build_painter(tmp_path_factory.mktemp("models") / "seeing", hears_pictures=True)
    return load_model(Config(model=str(folder), device=Device.CPU))


def test_picture_in_a_prompt_is_a_style_vector_like_a_texts(seeing: Model) -> None:
    engine, _ = tiny_models.make_engine(seeing)
    assert engine.info.hears_pictures
    pictures = {ID: a_style(192, 96), OTHER: a_style(96, 300)}
    params = tiny_models.make_params(
        prompt=(WeightedPrompt(text="a", weight=1.0), WeightedPrompt(picture=ID, weight=3.0)), strength=0.8
    )

    seeing.prompt_encoder.look(pictures)
    mixed = seeing.prompt_encoder.encode(params.prompt).prompt_embeds[0]

    reader: Any = seeing.prompt_encoder
    vectors = [reader._encode_picture(picture)[0][0] for picture in pictures.values()]
    assert vectors[0].shape == (1, 48)
    assert not torch.allclose(*vectors, atol=0.01), "another picture is another style"
    torch.testing.assert_close(mixed, 0.25 * style_of(seeing, "a") + 0.75 * vectors[0])


def test_engine_looks_at_the_pictures_that_a_job_brings(seeing: Model) -> None:
    engine, _ = tiny_models.make_engine(seeing)
    params = tiny_models.make_params(prompt=(WeightedPrompt(picture="f" * 32),), strength=0.8)
    job = tiny_models.make_job(params)

    (missing,) = tiny_models.run(engine, [job])
    (made,) = tiny_models.run(engine, [replace(job, references={"f" * 32: a_style(128, 128)})])
    (again,) = tiny_models.run(engine, [job])

    assert isinstance(missing, Failure) and "send it again" in str(missing.error)
    assert np.array_equal(tiny_models.picture_of(made), tiny_models.picture_of(again))
    assert np.abs(tiny_models.picture_of(made).astype(int) - job.picture).mean() > 10


@pytest.mark.parametrize("hears", [True, False])
def test_pictures_of_its_card_are_told_where_pictures_are_heard(tmp_path: Path, hears: bool) -> None:
    folder = checkpoints.build_painter(tmp_path / "painter", hears_pictures=hears)
    (folder / "pictures").mkdir()
    (folder / "pictures" / "amber.png").write_bytes(b"a picture")
    card = {"pictures": [{"name": "amber field", "file": "amber.png"}], "best_steps": 1}
    (folder / "realtime.json").write_text(json.dumps(card))

    engine, _ = tiny_models.make_engine(load_model(Config(model=str(folder), device=Device.CPU)))

    assert engine.info.pictures == ((("amber field", b"a picture"),) if hears else ())
    assert engine.info.best_steps == 1


def test_model_without_an_image_encoder_hears_words_alone(model: Model) -> None:
    engine, _ = tiny_models.make_engine(model)

    assert not engine.info.hears_pictures


def test_another_seed_is_another_picture_and_the_same_seed_the_same(model: Model) -> None:
    one, again, other = (painted(model, prompt="a", strength=0.8, seed=seed)[1] for seed in (1, 1, 2))

    assert np.array_equal(one, again)
    assert np.abs(one.astype(int) - other).mean() > 1
