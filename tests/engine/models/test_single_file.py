"""Single files: told apart by their keys, converted without changing a bit, honest about their noise schedule."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from realtime.engine.models.parts import Parts, load_folder
from realtime.engine.models.schedules import noise_schedule
from realtime.engine.models.single_file import inspect_single_file, load_single_file
from realtime.engine.sampler import Prediction
from realtime.errors import ModelError
from tests import checkpoints, ldm

pytestmark = pytest.mark.slow

BUILDERS: dict[str, Callable[[Path], Path]] = {
    "sd": partial(checkpoints.build_sd, **checkpoints.DEEP),
    "sd2": partial(checkpoints.build_sd2, **checkpoints.DEEP, attention_head_dim=(2, 2, 4, 4)),
    "sdxl": checkpoints.build_sdxl,
}
V_PREDICTION_KEY = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each family as a folder, and as a file in LDM's layout made from it."""
    root = tmp_path_factory.mktemp("single_file")
    for family, build in BUILDERS.items():
        build(root / family)
        ldm.folder_to_single_file(root / family, root / f"{family}.safetensors", family)
    return root


def load(path: Path, base: Path, base_given: bool = True, with_vae: bool = True) -> Parts:
    return load_single_file(inspect_single_file(path), base, base_given, torch.float32, with_vae)


@pytest.mark.parametrize("family", BUILDERS)
def test_family_is_told_by_the_keys(root: Path, family: str) -> None:
    found = inspect_single_file(root / f"{family}.safetensors")

    assert (found.family.name, found.in_channels, found.has_vae) == (family, 4, True)


@pytest.mark.parametrize("family", BUILDERS)
def test_weights_are_the_folders_bit_for_bit(root: Path, family: str) -> None:
    from_file = load(root / f"{family}.safetensors", root / family)
    from_folder = load_folder(root / family, from_file.family, torch.float32, prefer_fp16=False, with_vae=True)

    for ours, theirs in zip(
        (from_file.unet, from_file.vae, *from_file.text_encoders),
        (from_folder.unet, from_folder.vae, *from_folder.text_encoders),
        strict=True,
    ):
        assert ours is not None
        assert theirs is not None
        state, expected = ours.state_dict(), theirs.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert from_file.scheduler == from_folder.scheduler
    assert from_file.zero_empty_negative == from_folder.zero_empty_negative
    assert [len(tokenizer) for tokenizer in from_file.tokenizers] == [len(each) for each in from_folder.tokenizers]


def test_own_autoencoder_is_left_out_where_another_is_used(root: Path) -> None:
    assert load(root / "sd.safetensors", root / "sd", with_vae=False).vae is None


@pytest.mark.slow
def test_half_precision_files_become_the_asked_dtype(root: Path, tmp_path: Path) -> None:
    state = {key: value.half() for key, value in load_file(root / "sd.safetensors").items()}
    save_file(state, tmp_path / "half.safetensors")

    parts = load(tmp_path / "half.safetensors", root / "sd")

    assert {parameter.dtype for parameter in parts.unet.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in parts.text_encoders[0].parameters()} == {torch.float32}


# Epsilon or v


@pytest.mark.parametrize(
    ("metadata", "extra", "expected"),
    [
        (None, {}, Prediction.EPSILON),
        ({"modelspec.prediction_type": "v"}, {}, Prediction.V_PREDICTION),
        ({"modelspec.predict_key": "v"}, {}, Prediction.V_PREDICTION),
        ({"modelspec.prediction_type": "epsilon"}, {}, Prediction.EPSILON),
        (None, {"v_pred": torch.zeros(0)}, Prediction.V_PREDICTION),
    ],
)
def test_what_the_file_says_decides(
    root: Path, tmp_path: Path, metadata: dict[str, str], extra: dict[str, torch.Tensor], expected: Prediction
) -> None:
    path = tmp_path / "stated.safetensors"
    save_file(load_file(root / "sdxl.safetensors") | extra, path, metadata=metadata)

    assert noise_schedule(load(path, root / "sdxl").scheduler).prediction_type is expected


def test_zero_terminal_snr_marker_is_heard(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "ztsnr.safetensors"
    save_file(load_file(root / "sdxl.safetensors") | {"ztsnr": torch.zeros(0), "v_pred": torch.zeros(0)}, path)

    assert noise_schedule(load(path, root / "sdxl").scheduler).alphas_cumprod[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("spread", "expected"), [(0.2, Prediction.V_PREDICTION), (0.02, Prediction.EPSILON)])
@pytest.mark.slow
def test_sd2_weights_decide_where_nobody_says(root: Path, tmp_path: Path, spread: float, expected: Prediction) -> None:
    state = load_file(root / "sd2.safetensors")
    state[V_PREDICTION_KEY] = torch.linspace(-spread, spread, len(state[V_PREDICTION_KEY]))
    path = tmp_path / "sd2.safetensors"
    save_file(state, path)

    guessed, chosen = load(path, root / "sd2", base_given=False), load(path, root / "sd2", base_given=True)

    assert noise_schedule(guessed.scheduler).prediction_type is expected
    assert noise_schedule(chosen.scheduler).prediction_type is Prediction.V_PREDICTION  # the base's word


# Quantised


def scaled_fp8(state: ldm.State, spelling: str) -> tuple[ldm.State, ldm.State]:
    """A file in ComfyUI's scaled fp8, and the values that its weights then have."""
    fp8 = torch.float8_e4m3fn
    parts = {"old": ("scale_weight", "scale_input"), "new": ("weight_scale", "input_scale")}[spelling]
    written: ldm.State = {"scaled_fp8": torch.zeros(2, dtype=fp8)} if spelling == "old" else {}
    values = dict(state)
    for number, (key, weight) in enumerate(state.items()):
        layer, _, part = key.rpartition(".")
        if part != "weight" or weight.ndim != 2 or not key.startswith(("model.diffusion_model.", "cond_stage_model.")):
            written[key] = weight
            continue
        by_row = number % 2 == 1
        scale = (weight.abs().amax(1) if by_row else weight.abs().max()) / 448
        rows = scale[:, None] if by_row else scale
        written |= {key: (weight / rows).to(fp8), f"{layer}.{parts[0]}": scale, f"{layer}.{parts[1]}": torch.ones(())}
        if spelling == "new":
            mark = json.dumps({"format": "float8_e4m3fn"}).encode()
            written[f"{layer}.comfy_quant"] = torch.tensor(list(mark), dtype=torch.uint8)
        values[key] = written[key].float() * rows
    return written, values


@pytest.mark.parametrize("spelling", ["old", "new"])
def test_scaled_fp8_weights_are_multiplied_by_their_scales(root: Path, tmp_path: Path, spelling: str) -> None:
    state = load_file(root / "sd.safetensors")
    written, values = scaled_fp8(state, spelling)
    save_file(written, tmp_path / "scaled.safetensors")
    save_file(values, tmp_path / "values.safetensors")

    ours, expected = (load(tmp_path / f"{name}.safetensors", root / "sd") for name in ("scaled", "values"))

    for mine, other in zip((ours.unet, *ours.text_encoders), (expected.unet, *expected.text_encoders), strict=True):
        wanted = other.state_dict()
        assert all(torch.equal(weight, wanted[key]) for key, weight in mine.state_dict().items())
    original = load(root / "sd.safetensors", root / "sd").unet.state_dict()
    for key, weight in ours.unet.state_dict().items():
        assert (weight - original[key]).norm() <= 0.04 * original[key].norm(), key  # e4m3 has three bits


def test_plain_fp8_weights_are_the_values_that_they_say(root: Path, tmp_path: Path) -> None:
    state = {key: value.to(torch.float8_e4m3fn) for key, value in load_file(root / "sd.safetensors").items()}
    save_file(state, tmp_path / "fp8.safetensors")

    unet = load(tmp_path / "fp8.safetensors", root / "sd").unet

    key = "model.diffusion_model.time_embed.0.weight"
    assert torch.equal(unet.state_dict()["time_embedding.linear_1.weight"], state[key].float())


LAYER = "model.diffusion_model.time_embed.0"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({f"{LAYER}.weight_scale": torch.ones(4, 2)}, r"has a scale by block \(\(4, 2\)"),
        ({f"{LAYER}.weight_scale": torch.tensor(float("nan"))}, "isn't finite"),
        ({f"{LAYER}.lost.weight_scale": torch.ones(())}, "the scale of a weight that isn't there"),
        ({f"{LAYER}.weight": torch.ones(64, 16, dtype=torch.uint8)}, r"time_embed\.0\.weight' is quantised \('U8'\)"),
        ({f"{LAYER}.weight": torch.ones(64, 16, dtype=torch.int8)}, r"time_embed\.0\.weight' is quantised \('I8'\)"),
        ({f"{LAYER}.comfy_quant": torch.tensor(list(b'{"format": "nvfp4"}'))}, r"is quantised \('nvfp4'\)"),
        (
            {f"{LAYER}.comfy_quant": torch.tensor(list(b'{"format": "float8_e4m3fn", "convrot": true}'))},
            r"is quantised \('float8_e4m3fn, convrot'\)",
        ),
        ({f"{LAYER}.comfy_quant": torch.tensor(list(b"{"))}, "can't be read: take the unquantised"),
        ({f"{LAYER}.weight.absmax": torch.ones(4)}, r"1 of its weights are none .* such as '.*absmax'"),
        ({f"{LAYER}.weight_scale_2": torch.ones(())}, r"1 of its weights are none .* such as '.*weight_scale_2'"),
        ({"first_stage_model.decoder.more.weight": torch.ones(4)}, r"such as 'first_stage_model\.decoder\.more"),
        ({"cond_stage_model.transformer.more.weight": torch.ones(4)}, r"such as 'cond_stage_model\.trans.*more"),
        (dict.fromkeys([f"{LAYER}.more{n}" for n in range(500)], torch.ones(())), "500 of its weights are none"),
    ],
)
def test_what_no_network_takes_is_refused_by_name(root: Path, tmp_path: Path, extra: ldm.State, message: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(load_file(root / "sd.safetensors") | {key: tensor.clone() for key, tensor in extra.items()}, path)

    with pytest.raises(ModelError, match=message) as error:
        load(path, root / "sd")

    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500 + len(str(path))
    assert str(error.value).startswith(str(path))


def test_the_quantisation_that_the_metadata_states_is_heard(root: Path, tmp_path: Path) -> None:
    stated = json.dumps({"format_version": "1.0", "layers": {LAYER: {"format": "mxfp8"}}})
    save_file(load_file(root / "sd.safetensors"), tmp_path / "odd.safetensors", {"_quantization_metadata": stated})

    with pytest.raises(ModelError, match=r"time_embed\.0' is quantised \('mxfp8'\)"):
        load(tmp_path / "odd.safetensors", root / "sd")


def test_what_published_files_have_besides_does_not_matter(root: Path, tmp_path: Path) -> None:
    besides = {
        "cond_stage_model.logit_scale": torch.ones(()),
        "cond_stage_model.transformer.text_projection.weight": torch.ones(4, 4),
        "first_stage_model.loss.logvar": torch.ones(()),
        "model_ema.decay": torch.ones(()),
        "alphas_cumprod": torch.ones(1000),
        "model_ema.num_updates": torch.zeros((), dtype=torch.int32),
    }
    save_file(load_file(root / "sd.safetensors") | besides, tmp_path / "more.safetensors")

    assert load(tmp_path / "more.safetensors", root / "sd").unet is not None


# What is refused


@pytest.mark.parametrize("mark", ["edm_mean", "edm_vpred.sigma_max"])
def test_models_with_other_noise_levels_are_refused(root: Path, tmp_path: Path, mark: str) -> None:
    save_file(load_file(root / "sdxl.safetensors") | {mark: torch.ones(1)}, tmp_path / "edm.safetensors")

    with pytest.raises(ModelError, match=f"its noise levels are EDM's .{mark}"):
        inspect_single_file(tmp_path / "edm.safetensors")


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda key: not key.startswith("cond_stage_model"), "no text encoder"),
        (lambda key: key.startswith("first_stage_model"), "not a Stable Diffusion"),
        (lambda key: key != "model.diffusion_model.input_blocks.3.0.op.weight", "its UNet lacks weights"),
        (lambda key: "decoder.mid.attn_1.q.weight" not in key, "its autoencoder lacks weights"),
        (lambda key: "encoder.layers.1" not in key, "its text encoder lacks weights"),
    ],
)
def test_incomplete_files_are_refused(root: Path, tmp_path: Path, keep: Callable[[str], bool], message: str) -> None:
    path = tmp_path / "cut.safetensors"
    save_file({key: value for key, value in load_file(root / "sd.safetensors").items() if keep(key)}, path)

    with pytest.raises(ModelError, match=message) as error:
        load(path, root / "sd")

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["unet.down_blocks.0.to_q.lora_A.weight"], "a LoRA, not a model"),
        (["lora_unet_down_blocks_0.lora_down.weight"], "a LoRA, not a model"),
        (["down_blocks.0.resnets.0.conv1.weight"], "one part of a diffusers model"),
        (["double_blocks.0.img_attn.qkv.weight"], "not a Stable Diffusion"),
        ([], "not a Stable Diffusion"),
    ],
)
def test_other_files_are_told_for_what_they_are(tmp_path: Path, keys: list[str], message: str) -> None:
    save_file({key: torch.zeros(1) for key in keys}, tmp_path / "other.safetensors")

    with pytest.raises(ModelError, match=message):
        inspect_single_file(tmp_path / "other.safetensors")


def test_refiner_is_refused(root: Path, tmp_path: Path) -> None:
    state = {
        key.replace("embedders.1", "embedders.0"): value
        for key, value in load_file(root / "sdxl.safetensors").items()
        if "embedders.0" not in key
    }
    save_file(state, tmp_path / "refiner.safetensors")

    with pytest.raises(ModelError, match="refiner"):
        inspect_single_file(tmp_path / "refiner.safetensors")


def test_base_of_another_family_is_one_line(root: Path) -> None:
    with pytest.raises(ModelError) as error:
        load(root / "sdxl.safetensors", root / "sd")

    assert "\n" not in str(error.value)
