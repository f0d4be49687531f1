"""Models from every kind of source: what they are, what they run with, and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import huggingface_hub
import pytest
import torch

from realtime.config import Config, Device, Dtype
from realtime.engine import Guidance
from realtime.engine.models import load as loading
from realtime.engine.models import presets
from realtime.engine.models.family import SD2, SDXL, TINY
from realtime.engine.models.load import Model, load_model, resolve_device, resolve_dtype
from realtime.engine.sampler import Prediction, Sampler
from realtime.errors import ConfigError, ModelError, RealtimeError
from tests import checkpoints, ldm

TO_Q = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    checkpoints.build_sd(root / "sd")
    checkpoints.build_sd2(root / "sd2")
    checkpoints.build_lcm(root / "lcm")
    checkpoints.build_sdxl(root / "sdxl")
    checkpoints.build_tiny(root / "tiny")
    checkpoints.build_taesd(root / "taesd")
    ldm.folder_to_single_file(root / "sd", root / "sd.safetensors", "sd")
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, and an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def load(model: Path | str, **config: Any) -> Model:
    return load_model(Config(model=str(model), **{"device": Device.CPU, **config}))


# What a folder is


@pytest.mark.parametrize(
    ("name", "family", "sampler", "guidance", "prediction", "channels", "concat"),
    [
        ("sd", "sd", Sampler.DDIM, Guidance.CFG, Prediction.EPSILON, 4, False),
        ("sd2", "sd", Sampler.DDIM, Guidance.CFG, Prediction.V_PREDICTION, 4, False),
        ("lcm", "sd", Sampler.LCM, Guidance.EMBEDDED, Prediction.EPSILON, 4, False),
        ("sdxl", "sdxl", Sampler.EULER, Guidance.CFG, Prediction.EPSILON, 4, False),
        ("tiny", "tiny", Sampler.LCM, Guidance.NONE, Prediction.V_PREDICTION, 8, True),
    ],
)
@pytest.mark.slow
def test_a_folder_is_known_for_what_it_is(
    root: Path,
    name: str,
    family: str,
    sampler: Sampler,
    guidance: Guidance,
    prediction: Prediction,
    channels: int,
    concat: bool,
) -> None:
    model = load(root / name, vae="full")

    assert model.name == str(root / name)
    assert (model.family.name, model.sampler, model.guidance) == (family, sampler, guidance)
    assert (model.latent_channels, model.concat_source, model.latent_scale_px) == (channels, concat, 8)
    assert model.schedule.prediction_type is prediction
    assert model.schedule.alphas_cumprod.shape == (1000,)
    assert (model.device, model.dtype, model.notes) == (torch.device("cpu"), torch.float32, ())
    for network in (model.unet, model.vae):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert (model.prompt_encoder.encode("a cat").pooled is not None) == (family == "sdxl")


def test_sd2_is_told_by_the_width_of_its_tokens(tmp_path: Path) -> None:
    from realtime.engine.models.sources import find_source

    folder = checkpoints.build_sd(tmp_path / "wide", cross_attention_dim=1024)

    assert find_source(str(folder), None, lambda stage, percent: None, prefer_fp16=False).family is SD2


def test_stages_of_loading_are_told(root: Path) -> None:
    told: list[tuple[str, float | None]] = []

    load_model(Config(model=str(root / "tiny"), device=Device.CPU), lambda *what: told.append(what))

    assert told == [(f"loading {root / 'tiny'}", None), (f"moving {root / 'tiny'} to cpu", None)]


@pytest.mark.parametrize("name", ["sd", "sdxl", "tiny"])
@pytest.mark.slow
def test_loading_says_nothing_that_does_not_matter(root: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    load(root / name, vae="full")

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["lcm", "sdxl", "tiny"])
@pytest.mark.slow
def test_output_follows_picture_and_prompt(root: Path, name: str) -> None:
    """The checkpoints are worth testing with: what goes in is seen in what comes out."""
    model = load(root / name, vae="full")
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    sizes = {"text_embeds": torch.zeros(2, checkpoints.PROJECTION), "time_ids": torch.zeros(2, 6)}

    def run(pixels: torch.Tensor, prompt: str) -> torch.Tensor:
        latents = model.encode_latents(pixels)
        embeds = model.prompt_encoder.encode(prompt).prompt_embeds.expand(2, -1, -1)
        noisy = torch.cat([latents, latents], 1) if model.concat_source else latents
        added = sizes if model.family is SDXL else None
        return model.unet(noisy, torch.tensor([10, 700]), embeds, added_cond_kwargs=added).sample

    with torch.no_grad():
        one, two, three = run(pixels, "a cat"), run(-pixels, "a cat"), run(pixels, "winter night")

    assert (one - two).abs().mean() > 1e-3
    assert (one - three).abs().mean() > 1e-3


# Latents


@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_full_autoencoder_gives_the_mode_in_the_unets_scale(root: Path, name: str) -> None:
    model = load(root / name, vae="full")
    pixels = torch.rand(2, 3, 64, 32) * 2 - 1

    with torch.no_grad():
        latents = model.encode_latents(pixels)
        decoded = model.decode_latents(latents)
        posterior = model.vae.encode(pixels).latent_dist  # type: ignore[union-attr]
        expected = model.vae.decode(posterior.mode()).sample.clamp(-1, 1)

    scale = {"sd": 0.18215, "sdxl": 0.13025}[name]
    torch.testing.assert_close(latents, posterior.mode() * scale)
    assert latents.shape == (2, 4, 8, 4)
    torch.testing.assert_close(decoded, expected, atol=1e-5, rtol=0)


def test_tiny_autoencoder_takes_and_gives_the_same_ranges(root: Path) -> None:
    model = load(root / "sd", vae=str(root / "taesd"))
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1

    with torch.no_grad():
        latents = model.encode_latents(pixels)
        decoded = model.decode_latents(100 * latents)
        expected = model.vae.decoder(100 * latents).clamp(-1, 1)

    torch.testing.assert_close(latents, model.vae.encoder(pixels))
    torch.testing.assert_close(decoded, expected)
    assert decoded.abs().max() <= 1


def test_shift_factor_is_honoured(tmp_path: Path) -> None:
    vae = checkpoints.tiny_autoencoder_kl(1, shift_factor=0.5, scaling_factor=2.0)
    model = load(checkpoints.build_sd(tmp_path / "sd", vae=vae), vae="full")
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1

    with torch.no_grad():
        latents = model.encode_latents(pixels)
        mode = vae.encode(pixels).latent_dist.mode()  # type: ignore[union-attr]

        torch.testing.assert_close(latents, (mode - 0.5) * 2)
        torch.testing.assert_close(model.decode_latents(latents), vae.decode(mode).sample.clamp(-1, 1))


def test_sdxls_own_autoencoder_is_kept_from_overflowing_in_half_precision(root: Path) -> None:
    model = load(root / "sdxl", vae="full", dtype=Dtype.FLOAT16)

    assert (model.unet.dtype, model.vae.dtype) == (torch.float16, torch.float32)
    with torch.no_grad():
        latents = model.encode_latents(torch.zeros(1, 3, 64, 64, dtype=torch.float16))
        assert latents.dtype is torch.float16
        assert model.decode_latents(latents).dtype is torch.float16
    assert model.prompt_encoder.encode("a cat").prompt_embeds.dtype is torch.float16


# Which autoencoder


@pytest.mark.parametrize(("name", "repo"), [("sd", "madebyollin/taesd"), ("sdxl", "madebyollin/taesdxl")])
def test_taesd_is_the_default(root: Path, cache: Path, name: str, repo: str) -> None:
    checkpoints.put_in_hub_cache(cache, repo, root / "taesd")

    model = load(root / name)

    assert type(model.vae).__name__ == "AutoencoderTiny"
    assert model.notes == ()


def test_without_taesd_the_full_autoencoder_runs_and_that_is_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load(root / "sd")

    assert type(model.vae).__name__ == "AutoencoderKL"
    assert len(model.notes) == 1
    assert "slower" in model.notes[0]
    assert "madebyollin/taesd is not in the local cache" in model.notes[0]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == list(model.notes)


def test_an_autoencoder_by_folder_or_hub_id_or_inside_a_model(root: Path, cache: Path) -> None:
    checkpoints.put_in_hub_cache(cache, "org/vae", root / "taesd", revision="v2")

    assert type(load(root / "sd", vae="org/vae@v2").vae).__name__ == "AutoencoderTiny"
    assert type(load(root / "sd", vae=str(root / "taesd")).vae).__name__ == "AutoencoderTiny"
    assert type(load(root / "sd", vae=str(root / "sdxl")).vae).__name__ == "AutoencoderKL"


def test_a_model_without_autoencoder_runs_with_taesd_and_only_so(root: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "sd", tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "vae")

    with pytest.raises(ModelError, match="no autoencoder of its own"):
        load(tmp_path / "bare")
    with pytest.raises(ModelError, match="no autoencoder of its own"):
        load(tmp_path / "bare", vae="full")
    checkpoints.put_in_hub_cache(cache, "madebyollin/taesd", root / "taesd")
    assert type(load(tmp_path / "bare").vae).__name__ == "AutoencoderTiny"


# Which sampler, guidance and defaults


@pytest.mark.parametrize("sampler", Sampler)
@pytest.mark.slow
def test_the_user_may_name_the_sampler(root: Path, sampler: Sampler) -> None:
    assert load(root / "tiny", sampler=sampler.value).sampler is sampler


def test_an_lcm_lora_brings_its_sampler(root: Path, tmp_path: Path) -> None:
    path = ldm.save_diffusers_lora(tmp_path / "lcm-lora.safetensors", ldm.lora_layers({TO_Q: (64, 64)}))

    assert load(root / "sd", vae="full", loras=(str(path),)).sampler is Sampler.LCM
    assert load(root / "sd", vae="full", loras=(str(path),), sampler="tcd").sampler is Sampler.TCD


def test_the_card_of_a_model_gives_defaults_and_styles(root: Path) -> None:
    model = load(root / "tiny")

    assert model.defaults["prompt"] == "oil painting"
    assert model.defaults["strength"] == 0.6
    assert model.defaults["num_inference_steps"] == 2
    assert (model.defaults["width"], model.defaults["height"]) == (64, 64)
    assert model.styles["styles"] == [{"name": "Oil", "prompt": "oil painting"}]
    assert list(model.styles) == ["styles", "moods"]


def test_defaults_of_unknown_models_fit_their_sampler(root: Path) -> None:
    lcm, sd = load(root / "lcm", vae="full").defaults, load(root / "sd", vae="full").defaults

    assert (lcm["num_inference_steps"], lcm["guidance_scale"], lcm["width"]) == (4, 8.0, 64)
    assert (sd["num_inference_steps"], sd["guidance_scale"]) == (8, 1.0)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"default_steps": 99}, "num_inference_steps"),
        ({"default_strength": "much"}, "strength"),
        ({"width": 100}, "width"),
        ([], "not a JSON object"),
        ({"pictures": "all"}, "a list of at most 32"),
        ({"pictures": [{"name": "a"}]}, "a name and a file"),
        ({"pictures": [{"name": "a", "file": "../realtime.json"}]}, "a name and a file"),
        ({"pictures": [{"name": "a", "file": "a.png"}]}, "No such file"),
        ({"pictures": [{"name": "a", "file": "large.png"}]}, "may have 100000 bytes"),
    ],
)
def test_a_broken_card_is_refused(root: Path, tmp_path: Path, card: object, message: str) -> None:
    shutil.copytree(root / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny" / "realtime.json").write_text(json.dumps(card))
    (tmp_path / "tiny" / "pictures").mkdir()
    (tmp_path / "tiny" / "pictures" / "large.png").write_bytes(bytes(100_001))

    with pytest.raises(ModelError, match=message):
        load(tmp_path / "tiny")


# Presets and the hub


def test_the_embedded_model_is_the_default(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "files", lambda package: root)

    model = load_model(Config(device=Device.CPU))

    assert (model.name, model.family, model.guidance) == ("tiny", TINY, Guidance.NONE)
    assert model.defaults["guidance_scale"] == 1.0
    assert model.defaults["width"] == 64  # the card's word over the preset's


@pytest.mark.parametrize("name", ["sd-turbo", "stabilityai/sd-turbo"])
def test_a_preset_and_its_hub_id_are_one_model(root: Path, cache: Path, tmp_path: Path, name: str) -> None:
    checkpoints.put_in_hub_cache(cache, "stabilityai/sd-turbo", root / "sd2")
    checkpoints.put_in_hub_cache(cache, "madebyollin/taesd", root / "taesd")

    model = load(name)

    assert (model.name, model.guidance) == (name, Guidance.NONE)
    assert (model.defaults["width"], model.defaults["num_inference_steps"]) == (512, 2)


def test_a_preset_brings_its_lora_and_its_sampler(root: Path, cache: Path, tmp_path: Path) -> None:
    sd15, lora = "stable-diffusion-v1-5/stable-diffusion-v1-5", "latent-consistency/lcm-lora-sdv1-5"
    checkpoints.put_in_hub_cache(cache, sd15, root / "sd")
    checkpoints.put_in_hub_cache(cache, "madebyollin/taesd", root / "taesd")
    (tmp_path / "lora").mkdir()
    ldm.save_diffusers_lora(tmp_path / "lora" / "pytorch_lora_weights.safetensors", ldm.lora_layers({TO_Q: (64, 64)}))
    checkpoints.put_in_hub_cache(cache, lora, tmp_path / "lora")

    preset, plain = load("lcm-sd15"), load(sd15)

    assert (preset.sampler, preset.guidance) == (Sampler.LCM, Guidance.CFG)
    assert plain.sampler is Sampler.DDIM
    key = TO_Q.removeprefix("unet.") + ".weight"
    assert not torch.equal(preset.unet.state_dict()[key], plain.unet.state_dict()[key])


def test_half_precision_files_serve_where_there_are_no_others(cache: Path, tmp_path: Path) -> None:
    folder = checkpoints.build_sd(tmp_path / "sd", variant="fp16")
    checkpoints.put_in_hub_cache(cache, "org/half", folder, revision="fp16")

    model = load("org/half@fp16", vae="full")

    assert {parameter.dtype for parameter in model.unet.parameters()} == {torch.float32}
    assert model.vae.dtype is torch.float32


def test_a_hub_model_without_the_wanted_autoencoder_says_so(root: Path, cache: Path, tmp_path: Path) -> None:
    snapshot = checkpoints.put_in_hub_cache(cache, "org/name", root / "sd")
    (snapshot / "vae" / "diffusion_pytorch_model.safetensors").unlink()

    with pytest.raises(ModelError, match="org/name is not in the local cache"):
        load("org/name", vae="full")
    assert type(load("org/name", vae=str(root / "taesd")).vae).__name__ == "AutoencoderTiny"


# Single files


@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.slow
def test_a_single_file_runs_with_a_base_folder_or_the_familys_own(
    root: Path, cache: Path, tmp_path: Path, family: str
) -> None:
    path = ldm.folder_to_single_file(root / family, tmp_path / "model.safetensors", family)
    repo = {"sd": "stable-diffusion-v1-5/stable-diffusion-v1-5", "sdxl": "stabilityai/stable-diffusion-xl-base-1.0"}
    base = checkpoints.put_in_hub_cache(cache, repo[family], root / family)
    for weights in base.rglob("*.safetensors"):
        weights.unlink()  # of the base, only configuration is wanted

    by_folder, by_default = load(path, base=str(root / family), vae="full"), load(path, vae="full")

    assert by_folder.family.name == by_default.family.name == family
    expected = load(root / family, vae="full").unet.state_dict()
    for model in (by_folder, by_default):
        assert all(torch.equal(weight, expected[key]) for key, weight in model.unet.state_dict().items())
        assert type(model.vae).__name__ == "AutoencoderKL"
    assert load(path, base=str(root / family), vae=str(root / "taesd")).latent_scale_px == 8


# What is refused


def edit_json(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def only_pickles(folder: Path) -> None:
    for path in list(folder.rglob("*.safetensors")):
        path.rename(path.with_suffix(".bin"))


def drop_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    state.pop("conv_out.weight")
    save_file(state, path)


def add_a_scale(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(path) | {"conv_out.weight_scale": torch.ones(())}, path)


DAMAGES: dict[str, tuple[Any, str]] = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "not a diffusers folder"),
    "pickles": (only_pickles, "only pickled weights"),
    "a missing weight": (drop_a_weight, "1 weights are missing"),
    "a scale": (add_a_scale, "1 of its weights are none that such a network has, such as 'conv_out.weight_scale'"),
    "a forged header": (
        lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\xff" * 100),
        "not a safetensors file",
    ),
    "a cut file": (
        lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(
            (f / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()[:-10]
        ),
        "cut short",
    ),
    "a broken config": (lambda f: (f / "unet" / "config.json").write_text("{"), "not JSON"),
    "another network": (lambda f: edit_json(f / "unet" / "config.json", _class_name="SD3Transformer2DModel"), "SD3"),
    "another autoencoder": (lambda f: edit_json(f / "vae" / "config.json", _class_name="AutoencoderKLWan"), "KLWan"),
    "another text encoder": (lambda f: edit_json(f / "text_encoder" / "config.json", model_type="t5"), "'t5'"),
    "another scheduler": (
        lambda f: edit_json(f / "scheduler" / "scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler"),
        "flow-matching",
    ),
    "nonsense in a config": (lambda f: edit_json(f / "unet" / "config.json", out_channels="many"), "can't be loaded"),
    "other shapes": (lambda f: edit_json(f / "unet" / "config.json", block_out_channels=[32, 96]), "can't be loaded"),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), "tokenizer is missing"),
    "a broken tokenizer": (lambda f: (f / "tokenizer" / "vocab.json").write_text("{"), "can't be loaded"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.slow
def test_damaged_folders_are_one_line_that_names_the_place(root: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(root / "sd", folder)
    harm, message = DAMAGES[damage]
    harm(folder)

    with pytest.raises(ModelError, match=message) as error:
        load(folder, vae="full")

    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    ("unet", "message"),
    [
        ({"in_channels": 9}, "an inpainting model"),
        ({"in_channels": 5}, "takes 5 channels"),
        ({"in_channels": 8, "out_channels": 8}, "8 channels and the autoencoder's 4"),
        ({"cross_attention_dim": 64}, "32 numbers a token and the UNet takes 64"),
        ({"class_embed_type": "timestep"}, "inputs that this server does not have"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, unet: dict[str, Any], message: str) -> None:
    folder = checkpoints.build_sd(tmp_path / "sd", **unet)

    with pytest.raises(ModelError, match=message) as error:
        load(folder, vae="full")

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"model": "nonsense"}, ModelError, "there is no model 'nonsense': give a preset"),
        ({"model": "org/name"}, ModelError, "org/name is not in the local cache and HF_HUB_OFFLINE is set"),
        ({"model": "sd-turbo"}, ModelError, "stabilityai/sd-turbo is not in the local cache"),
        ({"model": "org/name/file.safetensors"}, ModelError, "there is no file org/name/file"),
        ({"model": "~nobody-here/model"}, ModelError, "there is no model '~nobody"),
        ({"model": "n" * 5000}, ModelError, "there is no model"),
        ({"model": "\0"}, ModelError, "there is no model"),
        ({"model": "{root}/sd/model_index.json"}, ModelError, r"not a \.safetensors file"),
        ({"model": "../../etc"}, ModelError, "there is no model|not a diffusers folder"),
        ({"model": "https://example.org/model"}, ModelError, "there is no model"),
        ({"model": "missing.safetensors"}, ModelError, "there is no file missing"),
        ({"model": "model.ckpt"}, ModelError, "can run code"),
        ({"model": "{root}"}, ModelError, "not a diffusers folder"),
        ({"model": "{root}/sd", "vae": "nonsense"}, ModelError, "there is no autoencoder 'nonsense'"),
        ({"model": "{root}/sd", "vae": "org/vae"}, ModelError, "org/vae is not in the local cache"),
        ({"model": "{root}/sd", "vae": "{root}/sd/unet"}, ModelError, "a 'UNet2DConditionModel'"),
        ({"model": "{root}/sd", "vae": "{root}"}, ModelError, "no autoencoder in it"),
        ({"model": "{root}/sd", "vae": "{root}/tiny"}, ModelError, "4 channels and the autoencoder's 8"),
        ({"model": "{root}/tiny", "vae": "{root}/taesd"}, ConfigError, "its own autoencoder only"),
        ({"model": "{root}/sd.safetensors", "base": "nonsense"}, ModelError, "there is no base 'nonsense'"),
        ({"model": "{root}/sd.safetensors", "base": "{root}"}, ModelError, "it has no unet"),
        (
            {"model": "{root}/sd.safetensors", "base": "{root}/sdxl"},
            ModelError,
            r"of the family sd \(text of 32 .*, and the base .*/sdxl is of sdxl \(80\): leave --base out",
        ),
        ({"model": "{root}/sd.safetensors"}, ModelError, "stable-diffusion-v1-5 is not in the local cache"),
        ({"model": "{root}/sd", "base": "{root}/sd"}, ConfigError, "base: only a single"),
        ({"model": "{root}/sd", "sampler": "heun"}, ConfigError, "sampler: 'heun' is not one of lcm, tcd"),
        ({"model": "{root}/sd", "loras": ("a:nan",)}, ConfigError, "loras"),
        ({"model": "{root}/sd", "vae": "full", "loras": ("nonsense",)}, ModelError, "there is no LoRA"),
    ],
)
def test_each_mistake_is_one_line(root: Path, config: dict[str, Any], error: type[RealtimeError], message: str) -> None:
    filled = {key: value.format(root=root) if isinstance(value, str) else value for key, value in config.items()}

    with pytest.raises(error, match=message) as raised:
        load(**filled)

    assert "\n" not in str(raised.value)


# Devices


def test_cuda_without_cuda_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(ConfigError, match="device cuda"):
        resolve_device(Device.CUDA)


def test_mps_without_mps_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    with pytest.raises(ConfigError, match="device mps"):
        resolve_device(Device.MPS)


@pytest.mark.parametrize(
    ("cuda", "mps", "device", "dtype"),
    [
        (True, False, "cuda", torch.float16),
        (False, True, "mps", torch.float16),
        (True, True, "cuda", torch.float16),
        (False, False, "cpu", torch.float32),
    ],
)
def test_auto_takes_the_best_device(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, device: str, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    found = resolve_device(Device.AUTO)

    assert found.type == device
    assert resolve_dtype(Dtype.AUTO, found) is dtype
    assert resolve_dtype(Dtype.BFLOAT16, found) is torch.bfloat16


def test_cudnns_attention_is_left_out_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "resolve_device", lambda device: torch.device("cuda"))
    monkeypatch.setattr(loading, "find_source", mock.Mock(side_effect=ModelError("far enough")))
    was_enabled = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        with pytest.raises(ModelError, match="far enough"):
            load_model(Config())

        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(was_enabled)
