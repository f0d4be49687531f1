"""LoRAs: both layouts, both kinds of network, fused exactly, refused loudly."""

from __future__ import annotations

import copy
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

from realtime.engine.models.family import SD, SDXL
from realtime.engine.models.lora import LoraSpec, _pipeline, find_lora, fuse_loras, parse_lora
from realtime.engine.models.parts import Parts, load_folder
from realtime.engine.sampler import Sampler
from realtime.errors import ConfigError, ModelError
from tests import checkpoints, ldm

pytestmark = pytest.mark.slow

TO_Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
TO_K = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
OUT = "encoder.layers.0.self_attn.out_proj"
RESNET = "up_blocks.0.resnets.0.time_emb_proj"


@pytest.fixture(scope="session")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sd(tmp_path_factory.mktemp("loras") / "sd")
    return load_folder(folder, SD, torch.float32, prefer_fp16=False, with_vae=False)


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sdxl(tmp_path_factory.mktemp("loras") / "sdxl")
    return load_folder(folder, SDXL, torch.float32, prefer_fp16=False, with_vae=False)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def silent(stage: str, percent: float | None) -> None:
    pass


def fused(parts: Parts, *loras: str) -> Parts:
    mine = copy.deepcopy(parts)
    fuse_loras(mine, [parse_lora(lora) for lora in loras], silent)
    return mine


def changes(before: torch.nn.Module, after: torch.nn.Module) -> dict[str, torch.Tensor]:
    """How each weight moved, for those that did; the names must be the same."""
    old, new = before.state_dict(), after.state_dict()
    assert old.keys() == new.keys()
    return {key: new[key] - old[key] for key in old if not torch.equal(old[key], new[key])}


def assert_moved(moved: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert moved.keys() == expected.keys()
    for key, change in expected.items():
        torch.testing.assert_close(moved[key], change, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1.0, 0.5, -1.0])
def test_diffusers_lora_is_added_to_unet_and_text_encoder(sd: Parts, tmp_path: Path, scale: float) -> None:
    layers = ldm.lora_layers(
        {f"unet.{TO_Q}": (64, 64), f"unet.{TO_K}": (64, 32), f"text_encoder.text_model.{OUT}": (32, 32)}
    )
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", layers)

    after = fused(sd, f"{path}:{scale}")

    products = {name: scale * up @ down for name, (down, up) in layers.items()}
    assert_moved(
        changes(sd.unet, after.unet),
        {f"{TO_Q}.weight": products[f"unet.{TO_Q}"], f"{TO_K}.weight": products[f"unet.{TO_K}"]},
    )
    assert_moved(
        changes(sd.text_encoders[0], after.text_encoders[0]),
        {f"{OUT}.weight": products[f"text_encoder.text_model.{OUT}"]},
    )


def test_kohya_lora_is_added_with_its_alpha(sd: Parts, tmp_path: Path) -> None:
    unet, text = (
        "lora_unet_" + TO_Q.replace(".", "_"),
        "lora_te_text_model_" + OUT.replace(".", "_"),
    )
    layers = ldm.lora_layers({unet: (64, 64), text: (32, 32)}, rank=4)
    path = ldm.save_kohya_lora(tmp_path / "style.safetensors", layers, alpha=1.0)

    after = fused(sd, str(path))

    products = {name: up @ down / 4 for name, (down, up) in layers.items()}
    assert_moved(changes(sd.unet, after.unet), {f"{TO_Q}.weight": products[unet]})
    assert_moved(changes(sd.text_encoders[0], after.text_encoders[0]), {f"{OUT}.weight": products[text]})


def test_kohya_sdxl_lora_in_ldm_block_names_reaches_all_three_networks(sdxl: Parts, tmp_path: Path) -> None:
    unet = "lora_unet_input_blocks_3_1_transformer_blocks_1_attn1_to_q"
    one, two = (f"lora_te{number}_text_model_{OUT.replace('.', '_')}" for number in (1, 2))
    layers = ldm.lora_layers({unet: (64, 64), one: (32, 32), two: (48, 48)})
    path = ldm.save_kohya_lora(tmp_path / "style.safetensors", layers, alpha=2.0)

    after = fused(sdxl, str(path))

    products = {name: up @ down for name, (down, up) in layers.items()}
    key = TO_Q.replace("transformer_blocks.0", "transformer_blocks.1")
    assert_moved(changes(sdxl.unet, after.unet), {f"{key}.weight": products[unet]})
    assert_moved(changes(sdxl.text_encoders[0], after.text_encoders[0]), {f"{OUT}.weight": products[one]})
    assert_moved(changes(sdxl.text_encoders[1], after.text_encoders[1]), {f"text_model.{OUT}.weight": products[two]})


def test_fused_equals_unfused(sd: Parts, tmp_path: Path) -> None:
    layers = ldm.lora_layers({f"unet.{TO_Q}": (64, 64), f"unet.{RESNET}": (64, 128)})
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", layers)
    inputs = torch.randn(2, 4, 8, 8), torch.tensor([10, 700]), torch.randn(2, 77, 32)
    unfused = copy.deepcopy(sd)

    with torch.no_grad(), _pipeline(unfused, SD.lora_pipeline) as pipe:
        pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="a")
        pipe.set_adapters(["a"], [0.7])
        expected = unfused.unet(*inputs).sample
    with torch.no_grad():
        got = fused(sd, f"{path}:0.7").unet(*inputs).sample
        base = sd.unet(*inputs).sample

    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert (got - base).abs().max() > 1e-2


def test_scale_zero_is_the_base(sd: Parts, tmp_path: Path) -> None:
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}))

    assert changes(sd.unet, fused(sd, f"{path}:0").unet) == {}


def test_several_loras_add_up_and_leave_nothing_behind(sd: Parts, tmp_path: Path) -> None:
    one = ldm.save_diffusers_lora(tmp_path / "1.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}, seed=1))
    two = ldm.save_diffusers_lora(tmp_path / "2.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}, seed=2))

    after = fused(sd, str(one), str(two))

    key = f"{TO_Q}.weight"
    alone = [changes(sd.unet, fused(sd, str(path)).unet)[key] for path in (one, two)]
    torch.testing.assert_close(changes(sd.unet, after.unet)[key], alone[0] + alone[1], atol=1e-5, rtol=0)
    assert not hasattr(after.unet, "peft_config") or not after.unet.peft_config
    assert type(after.unet.get_submodule(TO_Q)) is torch.nn.Linear


@pytest.mark.parametrize("name", ["lcm-lora-sd15", "latent-consistency/lcm-lora-sdv1-5/a/b/c.safetensors"])
def test_lora_from_the_hub_is_found_in_the_cache(sd: Parts, tmp_path: Path, name: str) -> None:
    files = tmp_path / "files"
    (files / "a" / "b").mkdir(parents=True)
    layers = ldm.lora_layers({f"unet.{TO_Q}": (64, 64)})
    for path in ("pytorch_lora_weights.safetensors", "a/b/c.safetensors"):
        ldm.save_diffusers_lora(files / path, layers)
    checkpoints.put_in_hub_cache(tmp_path / "hub", "latent-consistency/lcm-lora-sdv1-5", files)

    after = fused(sd, f"{name}:0.5")

    assert list(changes(sd.unet, after.unet)) == [f"{TO_Q}.weight"]


# Names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lcm-lora-sd15", LoraSpec("lcm-lora-sd15", 1.0)),
        ("lcm-lora-sd15:0.5", LoraSpec("lcm-lora-sd15", 0.5)),
        ("org/name:-1", LoraSpec("org/name", -1.0)),
        (r"C:\loras\a.safetensors", LoraSpec(r"C:\loras\a.safetensors", 1.0)),
        (r"C:\loras\a.safetensors:2", LoraSpec(r"C:\loras\a.safetensors", 2.0)),
    ],
)
def test_scale_stands_behind_the_name(text: str, expected: LoraSpec) -> None:
    assert parse_lora(text) == expected


@pytest.mark.parametrize("text", [":1", "a:nan", "a:inf"])
def test_nonsense_scales_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="loras"):
        parse_lora(text)


@pytest.mark.parametrize(
    ("name", "sampler"),
    [
        ("lcm-lora-sdxl", Sampler.LCM),
        ("latent-consistency/lcm-lora-ssd-1b", Sampler.LCM),
        ("h1t/TCD-SD15-LoRA", Sampler.TCD),
        ("my_lcm_style.safetensors", Sampler.LCM),
        ("calcmark.safetensors", None),
        ("org/style", None),
    ],
)
def test_loras_for_few_steps_are_known_by_name(name: str, sampler: Sampler | None) -> None:
    assert LoraSpec(name).sampler is sampler


# What is refused


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({f"unet.{TO_Q}": (64, 99)}, "another family"),
        ({f"unet.{TO_Q.replace('down_blocks.1', 'down_blocks.7')}": (64, 64)}, "another family"),
        (
            {f"unet.{TO_Q}": (64, 64), f"unet.{TO_Q.replace('down_blocks.1', 'down_blocks.7')}": (64, 64)},
            "1 of its 2 layers aren't in this one",
        ),
        ({f"text_encoder_2.text_model.{OUT}": (48, 48)}, "1 of its 1 layers aren't in this one"),
    ],
)
def test_lora_for_another_model_is_refused(
    sd: Parts, tmp_path: Path, layers: dict[str, tuple[int, int]], message: str
) -> None:
    path = ldm.save_diffusers_lora(tmp_path / "wrong.safetensors", ldm.lora_layers(layers))
    mine = copy.deepcopy(sd)

    with pytest.raises(ModelError, match=message) as error:
        fuse_loras(mine, [LoraSpec(str(path))], silent)

    assert "\n" not in str(error.value)
    assert str(error.value).startswith("LoRA ")
    assert changes(sd.unet, mine.unet) == {}


@pytest.mark.slow
def test_a_missing_unet_layer_is_not_made_up_for_by_text_layers(sd: Parts, tmp_path: Path) -> None:
    names = ["lora_unet_" + TO_Q.replace(".", "_"), "lora_unet_" + TO_Q.replace("1", "7", 1).replace(".", "_")]
    texts = [f"lora_te_text_model_{OUT.replace('.', '_').replace('0', str(layer))}" for layer in range(3)]
    layers = ldm.lora_layers({**dict.fromkeys(names, (64, 64)), **dict.fromkeys(texts, (32, 32))})
    path = ldm.save_kohya_lora(tmp_path / "wrong.safetensors", layers, alpha=1.0)

    with pytest.raises(ModelError, match="1 of its 5 layers"):
        fused(sd, str(path))


def test_lora_with_nan_is_refused(sd: Parts, tmp_path: Path) -> None:
    layers = ldm.lora_layers({f"unet.{TO_Q}": (64, 64)})
    layers[f"unet.{TO_Q}"][0][0, 0] = float("nan")
    path = ldm.save_diffusers_lora(tmp_path / "nan.safetensors", layers)

    with pytest.raises(ModelError, match="LoRA") as error:
        fused(sd, str(path))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "there is no LoRA 'nonsense'"),
        ("missing.safetensors", "there is no LoRA"),
        ("loras/missing.safetensors", "there is no LoRA"),
        ("~nobody-here/lora.safetensors", "there is no LoRA"),
        ("org/name", "not in the local cache"),
        ("lcm-lora-sd15", "not in the local cache"),
        ("https://example.org/a.safetensors", "there is no LoRA"),
    ],
)
def test_unknown_loras_are_one_line(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as error:
        find_lora(LoraSpec(name), silent)

    assert "\n" not in str(error.value)


def test_files_that_are_no_lora_are_refused(sd: Parts, tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    (tmp_path / "lora.ckpt").write_bytes(b"\x80\x04.")
    (tmp_path / "forged.safetensors").write_bytes(b"\xff" * 20)

    for name, message in {
        "model.safetensors": "no lora weights",
        "lora.ckpt": "can run code",
        "forged.safetensors": "not a safetensors file",
    }.items():
        with pytest.raises(ModelError, match=message):
            fused(sd, str(tmp_path / name))
