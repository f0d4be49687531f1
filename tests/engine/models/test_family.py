"""Families: told apart by their folders; and a new one with networks of its own is one value and its parity."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.config import Config, Device
from realtime.engine import sampler
from realtime.engine.models import family as families
from realtime.engine.models.family import FAMILIES, SD, SD2, SDXL, TINY, Family, FolderFacts, find_family
from realtime.engine.models.load import Model, load_model
from realtime.engine.recipe import make_noise
from realtime.engine.regions import to_pictures, to_pixels
from realtime.errors import ConfigError, ModelError
from tests import checkpoints
from tests.engine import tiny_models
from tests.engine.models.own_family import STYLED, build_styled


def load(folder: Path, **config: Any) -> Model:
    return load_model(Config(model=str(folder), **{"device": Device.CPU, **config}))


@pytest.mark.parametrize(
    ("unet", "autoencoder", "has_card", "family"),
    [
        ({"cross_attention_dim": 768}, "AutoencoderKL", False, SD),
        ({"cross_attention_dim": 768, "out_channels": 4}, "AutoencoderTiny", False, SD),
        ({"cross_attention_dim": 1024}, None, False, SD2),
        ({"cross_attention_dim": 2048, "addition_embed_type": "text_time"}, "AutoencoderKL", False, SDXL),
        ({"cross_attention_dim": 2048, "addition_embed_type": "text_time"}, "AutoencoderKL", True, SDXL),
        ({"out_channels": 8}, "AutoencoderTiny", False, TINY),
        ({"out_channels": 4}, "AutoencoderTiny", True, TINY),
        ({}, None, False, SD),
        ({"out_channels": "many"}, None, False, SD),
    ],
)
def test_a_folder_is_of_one_family(
    unet: dict[str, Any], autoencoder: str | None, has_card: bool, family: Family
) -> None:
    assert find_family(FolderFacts(unet, autoencoder, has_card)) is family


def test_families_have_names_of_their_own_and_all_that_single_files_need() -> None:
    assert sorted(family.name for family in FAMILIES) == ["painter", "sd", "sd2", "sdxl", "tiny"]
    assert all(bool(family.single_file_prefixes) == (family.base is not None) for family in FAMILIES)


@pytest.mark.parametrize(("build", "extra"), [(checkpoints.build_sd, True), (checkpoints.build_sdxl, False)])
def test_text_encoders_of_another_family_are_refused(tmp_path: Path, build: Any, extra: bool) -> None:
    folder = build(tmp_path / "model")
    if extra:
        checkpoints.save_text_encoder_2(folder / "text_encoder_2")
        checkpoints.save_tokenizer(folder / "tokenizer_2")
    else:
        (folder / "text_encoder_2" / "config.json").unlink()

    with pytest.raises(ModelError, match="an SDXL model has two text encoders and others one"):
        load(folder, vae="full")


# A family of its own


@pytest.fixture
def styled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of a family that is there for this test."""
    monkeypatch.setattr(families, "FAMILIES", (STYLED, *FAMILIES))
    return build_styled(tmp_path / "styled")


def test_a_new_family_is_one_value(styled: Path) -> None:
    model = load(styled)

    assert model.family is STYLED
    assert (model.latent_channels, model.latent_scale_px, model.concat_source) == (6, 4, True)
    assert model.conditions == ("modulation",)
    assert model.prompt_encoder.encode("(a:1.2) b").prompt_embeds.shape == (1, 5)
    engine, _ = tiny_models.make_engine(model)
    assert (engine.info.family, engine.info.guidance) == ("styled", "none")


def test_pictures_of_a_new_family_equal_its_networks_run_by_hand(styled: Path) -> None:
    model = load(styled)
    engine, _ = tiny_models.make_engine(model)
    params = tiny_models.make_params(prompt="(a:1.2) b", num_inference_steps=2, strength=0.6, seed=7)
    job = tiny_models.make_job(params)

    (outcome,) = tiny_models.run(engine, [job])

    unet: Any = model.unet
    table = sampler.table(model.sampler, model.schedule, sampler.timesteps(0.6, 2))
    noise = make_noise(7, 2, (6, 16, 16))
    with torch.no_grad():
        style = model.prompt_encoder.encode("(a:1.2) b").prompt_embeds
        source = model.vae.encode(to_pixels(torch.from_numpy(job.picture)[None]))[0] * 2.0
        x = table.start[0] * source + table.start[1] * noise[:1]
        for i, (t, kin, kx, km, kz, *_) in enumerate(table.steps.tolist()):
            m = unet(torch.cat([kin * x, source], 1), unet.modulate(torch.tensor([t]), style))
            x = kx * x + km * m + (kz * noise[i + 1 : i + 2] if kz else 0)
        expected = to_pictures(model.vae.decode(x / 2.0)[0])[0].numpy()
    assert np.abs(tiny_models.picture_of(outcome).astype(int) - expected).max() <= 1
    assert len(np.unique(expected)) > 50


def test_what_a_family_does_not_take_is_refused(styled: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its own autoencoder only"):
        load(styled, vae=str(checkpoints.build_taesd(tmp_path / "taesd")))
    with pytest.raises(ModelError, match=r"LoRA style: models of this family \(styled\) take none"):
        load(styled, loras=("style",))


def test_networks_of_another_family_are_refused(styled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sd = checkpoints.build_sd(tmp_path / "sd")
    everything = dataclasses.replace(STYLED, matches=lambda facts: True)
    monkeypatch.setattr(families, "FAMILIES", (everything,))

    with pytest.raises(ModelError, match="a 'UNet2DConditionModel'; this server runs StyleUnet there"):
        load(sd)
