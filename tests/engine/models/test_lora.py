"""LoRAs: all layouts and kinds of network, fused as their formulas say, refused by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from realtime.engine.models.family import SD, SDXL
from realtime.engine.models.lora import LoraSpec, find_lora, fuse_loras, parse_lora
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


def diffusers_fused(parts: Parts, path: Path, scale: float) -> Parts:
    """What diffusers makes of the same file."""
    mine = copy.deepcopy(parts)
    is_sdxl = parts.family is SDXL
    second = {"text_encoder_2": mine.text_encoders[-1], "tokenizer_2": mine.tokenizers[-1]}
    no_checker = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    kind: Any = diffusers.StableDiffusionXLPipeline if is_sdxl else diffusers.StableDiffusionPipeline
    pipe = kind(
        vae=None,
        unet=mine.unet,
        text_encoder=mine.text_encoders[0],
        tokenizer=mine.tokenizers[0],
        scheduler=diffusers.DDIMScheduler(clip_sample=False, steps_offset=1),
        **({**second, "add_watermarker": False} if is_sdxl else no_checker),
    )
    pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="a")
    names = [name for name in ("unet", "text_encoder", "text_encoder_2") if getattr(pipe, name, None)]
    pipe.fuse_lora(names, lora_scale=scale)
    pipe.unload_lora_weights()
    return mine


def assert_same_weights(ours: Parts, theirs: Parts) -> None:
    for mine, other in zip((ours.unet, *ours.text_encoders), (theirs.unet, *theirs.text_encoders), strict=True):
        state, expected = mine.state_dict(), other.state_dict()
        assert state.keys() == expected.keys()
        for key, weight in expected.items():
            torch.testing.assert_close(state[key], weight, atol=1e-6, rtol=1e-6, msg=key)


def save_peft_lora(path: Path, parts: Parts, **config: Any) -> Path:
    """A LoRA as diffusers' training scripts save it today: made by PEFT, its alpha in the file's metadata."""
    unet = copy.deepcopy(parts.unet)
    unet.add_adapter(peft.LoraConfig(r=4, target_modules=["to_q", "ff.net.2"], init_lora_weights=False, **config))
    if config.get("use_dora"):
        for name, weight in unet.named_parameters():
            if "magnitude" in name:
                weight.data *= 1.3
    diffusers.StableDiffusionPipeline.save_lora_weights(
        path.parent,
        unet_lora_layers=peft.get_peft_model_state_dict(unet),
        weight_name=path.name,
        unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
    )
    return path


@pytest.mark.parametrize(
    "config",
    [
        {"lora_alpha": 4},
        {"lora_alpha": 16},
        {"lora_alpha": 16, "use_rslora": True},
        {"lora_alpha": 16, "alpha_pattern": {"ff.net.2": 2}},
        {"lora_alpha": 8, "use_dora": True},
    ],
)
def test_alpha_in_metadata_is_heard_as_diffusers_hears_it(sd: Parts, tmp_path: Path, config: dict[str, Any]) -> None:
    path = save_peft_lora(tmp_path / "peft.safetensors", sd, **config)

    ours = fused(sd, str(path))

    assert_same_weights(ours, diffusers_fused(sd, path, 1.0))
    assert changes(sd.unet, ours.unet)


@pytest.mark.parametrize("scale", [1.0, 0.7, -1.0])
def test_fused_weights_are_diffusers(sd: Parts, tmp_path: Path, scale: float) -> None:
    layers = ldm.lora_layers(
        {f"unet.{TO_Q}": (64, 64), f"unet.{RESNET}": (64, 128), f"text_encoder.text_model.{OUT}": (32, 32)}
    )
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", layers)

    assert_same_weights(fused(sd, f"{path}:{scale}"), diffusers_fused(sd, path, scale))


def test_fused_weights_of_kohya_for_sdxl_are_diffusers(sdxl: Parts, tmp_path: Path) -> None:
    names = {
        "lora_unet_input_blocks_3_1_transformer_blocks_1_attn1_to_q": (64, 64),
        "lora_unet_middle_block_1_proj_in": (64, 64),
        "lora_unet_output_blocks_1_0_emb_layers_1": (64, 128),
        "lora_unet_label_emb_0_0": (128, 88),
        "lora_unet_time_embed_2": (128, 128),
        f"lora_te2_text_model_{OUT.replace('.', '_')}": (48, 48),
    }
    path = ldm.save_kohya_lora(tmp_path / "style.safetensors", ldm.lora_layers(names, rank=4), alpha=2.0)

    ours = fused(sdxl, str(path))

    assert_same_weights(ours, diffusers_fused(sdxl, path, 1.0))
    assert len(changes(sdxl.unet, ours.unet)) == 5


def test_attention_processors_of_2023_are_diffusers(sd: Parts, tmp_path: Path) -> None:
    attention, text = TO_Q.removesuffix("to_q"), OUT.removesuffix("out_proj")
    state: ldm.State = {}
    for part, down, up in (
        (f"unet.{attention}processor.to_q_lora", (2, 64), (64, 2)),
        (f"unet.{attention}processor.to_out_lora", (2, 64), (64, 2)),
        (f"text_encoder.text_model.{text}to_out_lora", (2, 32), (32, 2)),
        (f"text_encoder.text_model.{text}to_q_lora", (2, 32), (32, 2)),
    ):
        state |= {f"{part}.down.weight": torch.randn(down), f"{part}.up.weight": torch.randn(up)}
    save_file(state, tmp_path / "old.safetensors")

    ours = fused(sd, str(tmp_path / "old.safetensors"))

    assert_same_weights(ours, diffusers_fused(sd, tmp_path / "old.safetensors", 1.0))
    assert len(changes(sd.unet, ours.unet)) == len(changes(sd.text_encoders[0], ours.text_encoders[0])) == 2


# Every layer by its own alpha


def with_ranks_and_alphas(shapes: dict[str, tuple[int, ...]], names: dict[str, str]) -> tuple[ldm.State, ldm.State]:
    """A kohya LoRA whose layers all have other ranks and alphas, and what it must add to each weight.

    Args:
        shapes: of the weights, by diffusers' name of the layer.
        names: the layers' names in the file.
    """
    state: ldm.State = {}
    expected: ldm.State = {}
    for number, (layer, shape) in enumerate(shapes.items()):
        rank, alpha = 1 + number % 5, float(1 + number % 7)
        down, up = torch.randn(rank, *shape[1:]), torch.randn(shape[0], rank, *(1,) * (len(shape) - 2))
        state |= {f"{names[layer]}.lora_down.weight": down, f"{names[layer]}.lora_up.weight": up}
        state[f"{names[layer]}.alpha"] = torch.tensor(alpha)
        expected[f"{layer}.weight"] = (up.flatten(1) @ down.flatten(1)).reshape(shape) * (alpha / rank)
    return state, expected


def weights_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of all matrices and kernels, by layer."""
    kinds = torch.nn.Linear | torch.nn.Conv2d
    return {name: tuple(layer.weight.shape) for name, layer in network.named_modules() if isinstance(layer, kinds)}


def assert_holds_formula(before: torch.nn.Module, after: torch.nn.Module, expected: ldm.State) -> None:
    """Every weight is the old one plus what is expected, within 1e-6 of its size; all others are as they were."""
    old, new = before.state_dict(), after.state_dict()
    for key, weight in old.items():
        wanted = weight + expected.get(key, torch.zeros(()))
        assert (new[key] - wanted).norm() <= 1e-6 * wanted.norm(), key


@pytest.mark.parametrize("layout", ["diffusers", "ldm"])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_each_layer_is_scaled_by_its_own_alpha(
    request: pytest.FixtureRequest, tmp_path: Path, family: str, layout: str
) -> None:
    parts: Parts = request.getfixturevalue(family)
    shapes = weights_of(parts.unet)
    has_attention = {
        block: any(name.startswith(f"up_blocks.{block}.attentions") for name in shapes) for block in (0, 1)
    }
    names = {
        layer: layer if layout == "diffusers" else ldm.unet_key(f"{layer}.weight", 1, has_attention)[: -len(".weight")]
        for layer in shapes
    }
    names = {layer: f"lora_unet_{name.replace('.', '_')}" for layer, name in names.items()}
    state, expected = with_ranks_and_alphas(shapes, names)
    texts = weights_of(parts.text_encoders[0])
    prefix = "lora_te_text_model_" if family == "sd" else "lora_te1_text_model_"
    more, in_text = with_ranks_and_alphas(texts, {layer: prefix + layer.replace(".", "_") for layer in texts})
    save_file(state | more, tmp_path / "all.safetensors")

    after = fused(parts, str(tmp_path / "all.safetensors"))

    assert len(expected) > 60
    assert_holds_formula(parts.unet, after.unet, expected)
    assert_holds_formula(parts.text_encoders[0], after.text_encoders[0], in_text)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)])
def test_half_precision_weights_are_the_formulas_rounded_once(
    sd: Parts, tmp_path: Path, dtype: torch.dtype, tolerance: float
) -> None:
    half = copy.deepcopy(sd)
    half.unet.to(dtype)
    (down, up), *_ = (layers := ldm.lora_layers({f"unet.{TO_Q}": (64, 64)})).values()
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", layers)

    after = fused(half, f"{path}:0.3")

    wanted = half.unet.get_submodule(TO_Q).weight.float() + 0.3 * up @ down
    assert torch.equal(after.unet.get_submodule(TO_Q).weight, wanted.to(dtype))
    torch.testing.assert_close(after.unet.get_submodule(TO_Q).weight.float(), wanted, rtol=tolerance, atol=tolerance)


def test_half_precision_that_overflows_is_refused(sd: Parts, tmp_path: Path) -> None:
    half = copy.deepcopy(sd)
    half.unet.half()
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}))

    with pytest.raises(ModelError, match=r"overflows: take a smaller scale"):
        fuse_loras(half, [LoraSpec(str(path), 1e6)], silent)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0])
def test_dora_gives_the_magnitudes_that_it_says(sd: Parts, tmp_path: Path, axis: int, scale: float) -> None:
    (down, up), *_ = ldm.lora_layers({TO_Q: (64, 64)}).values()
    magnitudes = torch.rand(64) + 0.5
    key = f"lora_unet_{TO_Q.replace('.', '_')}"
    state = {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(1.0)}
    save_file(state | {f"{key}.dora_scale": magnitudes.unsqueeze(1 - axis)}, tmp_path / "dora.safetensors")

    after = fused(sd, f"{tmp_path / 'dora.safetensors'}:{scale}")

    before = sd.unet.get_submodule(TO_Q).weight
    full = before + up @ down / 2
    dora = full / full.norm(dim=1 - axis, keepdim=True) * magnitudes.unsqueeze(1 - axis)
    assert_holds_formula(sd.unet, after.unet, {f"{TO_Q}.weight": scale * (dora - before)})


def test_full_differences_reach_weights_biases_and_norms(sd: Parts, tmp_path: Path) -> None:
    norm, conv = "up_blocks.0.resnets.0.norm1", "down_blocks.0.resnets.0.conv1"
    state = {
        f"lora_unet_{norm.replace('.', '_')}.w_norm": torch.randn(sd.unet.get_submodule(norm).weight.shape),
        f"lora_unet_{norm.replace('.', '_')}.b_norm": torch.randn(sd.unet.get_submodule(norm).bias.shape),
        f"lora_unet_{conv.replace('.', '_')}.diff": torch.randn(sd.unet.get_submodule(conv).weight.shape),
        f"lora_unet_{conv.replace('.', '_')}.diff_b": torch.randn(sd.unet.get_submodule(conv).bias.shape),
    }
    save_file(state, tmp_path / "full.safetensors")

    after = fused(sd, f"{tmp_path / 'full.safetensors'}:0.5")

    keys = (f"{norm}.weight", f"{norm}.bias", f"{conv}.weight", f"{conv}.bias")
    expected = {key: 0.5 * change for key, change in zip(keys, state.values(), strict=True)}
    assert_holds_formula(sd.unet, after.unet, expected)
    assert changes(sd.unet, after.unet).keys() == expected.keys()


def test_alpha_in_plain_metadata_is_heard_and_a_tensors_precedes_it(sd: Parts, tmp_path: Path) -> None:
    """As SimpleTuner writes it."""
    (down, up), *_ = (layers := ldm.lora_layers({f"unet.{TO_Q}": (64, 64)})).values()
    path = ldm.save_diffusers_lora(tmp_path / "style.safetensors", layers)
    for tensors, scale in (({}, 4), ({f"unet.{TO_Q}.alpha": torch.tensor(1.0)}, 0.5)):
        save_file(load_file(path) | tensors, path, metadata={"unet.lora_alpha": "8", "unet.r": "2"})

        assert_moved(changes(sd.unet, fused(sd, str(path)).unet), {f"{TO_Q}.weight": scale * up @ down})


def test_bundled_embeddings_are_no_reason_to_refuse_and_are_told(sd: Parts, tmp_path: Path) -> None:
    layers = ldm.lora_layers({f"lora_unet_{TO_Q.replace('.', '_')}": (64, 64)})
    path = ldm.save_kohya_lora(tmp_path / "style.safetensors", layers, alpha=1.0)
    bundled = {"bundle_emb.<cat>.string_to_param.*": torch.zeros(2, 32), "bundle_emb.<cat>.clip_l": torch.zeros(2, 32)}
    save_file(load_file(path) | bundled, path)
    mine = copy.deepcopy(sd)

    notes = fuse_loras(mine, [LoraSpec(str(path))], silent)

    assert list(changes(sd.unet, mine.unet)) == [f"{TO_Q}.weight"]
    assert [note.partition(": ")[2] for note in notes] == [
        "its embedding '<cat>' isn't used: that word has the meaning that it has without it"
    ]


def test_a_layer_named_in_two_layouts_is_changed_once(sdxl: Parts, tmp_path: Path) -> None:
    theirs = "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q"
    ours = f"lora_unet_{TO_Q.replace('.', '_')}"
    layers = ldm.lora_layers({ours: (64, 64)})
    twice = ldm.save_kohya_lora(tmp_path / "twice.safetensors", layers | ldm.lora_layers({theirs: (64, 64)}), alpha=2.0)
    once = ldm.save_kohya_lora(tmp_path / "once.safetensors", layers, alpha=2.0)
    other = ldm.save_kohya_lora(
        tmp_path / "other.safetensors", layers | ldm.lora_layers({theirs: (64, 64)}, seed=1), alpha=2.0
    )

    assert changes(fused(sdxl, str(once)).unet, fused(sdxl, str(twice)).unet) == {}
    with pytest.raises(ModelError, match="changes a layer twice"):
        fused(sdxl, str(other))


def test_pefts_own_file_takes_its_alpha_from_the_file_beside_it(sd: Parts, tmp_path: Path) -> None:
    (down, up), *_ = (layers := ldm.lora_layers({f"base_model.model.{TO_Q}": (64, 64)})).values()
    path = ldm.save_diffusers_lora(tmp_path / "adapter_model.safetensors", layers)

    with pytest.raises(ModelError, match=r"strength is in adapter_config\.json"):
        fused(sd, str(path))
    (tmp_path / "adapter_config.json").write_text('{"r": 2, "lora_alpha": 8}')

    assert_moved(changes(sd.unet, fused(sd, str(path)).unet), {f"{TO_Q}.weight": 4 * up @ down})


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
        ({f"unet.{TO_Q}": (64, 99)}, r"it is 64×99 and the layer 64×64: .* made for a model of another family"),
        ({f"unet.{TO_Q.replace('down_blocks.1', 'down_blocks.7')}": (64, 64)}, "another model: 1 of its 1 layers"),
        (
            {f"unet.{TO_Q}": (64, 64), f"unet.{TO_Q.replace('down_blocks.1', 'down_blocks.7')}": (64, 64)},
            "1 of its 2 layers aren't in this one, such as 'unet.down_blocks.7.",
        ),
        ({f"text_encoder_2.text_model.{OUT}": (48, 48)}, "1 of its 1 layers aren't in this one"),
        ({f"my_model.{TO_Q}": (64, 64)}, r"of an unknown layout, such as 'my_model\.down.*; known are lora_unet_…"),
        ({"transformer.single_transformer_blocks.0.attn.to_q": (64, 64)}, "for a transformer such as Flux"),
        ({"lora_unet_double_blocks_0_img_attn_qkv": (64, 64)}, "for a transformer such as Flux"),
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


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"oft_blocks": torch.zeros(4, 16, 16)}, r"of a kind .* such as 'lora_unet_.*oft_blocks'"),
        ({"a1.weight": torch.zeros(4, 16)}, r"of a kind .* such as 'lora_unet_.*a1.weight'"),
        ({"set_weight": torch.zeros(64, 64)}, r"of a kind .* such as 'lora_unet_.*set_weight'"),
        ({"lokr_w1": torch.zeros(8, 8)}, r"parts that make no known format \(down, lokr_w1, up\)"),
        ({"alpha": torch.tensor(float("nan"))}, r"numbers that aren't finite \(alpha\)"),
        ({"alpha": torch.ones(2)}, "isn't one number"),
        ({"lora_down.weight": torch.zeros(0, 64), "lora_up.weight": torch.zeros(64, 0)}, r"is empty \(down\)"),
        ({"lora_up.weight": torch.full((64, 2), float("inf"))}, r"numbers that aren't finite \(up\)"),
        ({"lora_up.weight": torch.ones(64, 2, dtype=torch.int8)}, r"is quantised \(int8\)"),
        ({"lora_up.weight": torch.ones(64, 3)}, r"matrices don't fit each other"),
        ({"dora_scale": torch.ones(3, 1)}, r"its magnitudes are 3×1 and the layer 64×64"),
        ({"diff_b": torch.ones(64)}, "changes a bias that the layer has not"),
        ({"lora_mid.weight": torch.ones(3, 3)}, r"matrices don't fit each other"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(sd: Parts, tmp_path: Path, parts: ldm.State, message: str) -> None:
    key = f"lora_unet_{TO_Q.replace('.', '_')}"
    path = ldm.save_kohya_lora(tmp_path / "odd.safetensors", ldm.lora_layers({key: (64, 64)}), alpha=1.0)
    save_file(load_file(path) | {f"{key}.{part}": tensor for part, tensor in parts.items()}, path)
    mine = copy.deepcopy(sd)

    with pytest.raises(ModelError, match=message) as error:
        fuse_loras(mine, [LoraSpec(str(path))], silent)

    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    assert changes(sd.unet, mine.unet) == {}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"lora_adapter_metadata": "["}, "no JSON object"),
        ({"lora_adapter_metadata": '{"unet.lora_alpha": "much"}'}, "lora_alpha is 'much'"),
        ({"lora_adapter_metadata": '{"unet.lora_alpha": 1e999}'}, "lora_alpha is 'inf'"),
        ({"unet.lora_alpha": "nan"}, "lora_alpha is 'nan'"),
        ({"lora_adapter_metadata": '{"unet.alpha_pattern": {"(a+)+$": 1}}'}, "names of layers are wanted"),
        ({"lora_adapter_metadata": '{"unet.alpha_pattern": 3}'}, "alpha_pattern is no JSON object"),
    ],
)
def test_nonsense_in_metadata_is_refused(sd: Parts, tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    path = ldm.save_diffusers_lora(tmp_path / "odd.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}))
    save_file(load_file(path), path, metadata=metadata)

    with pytest.raises(ModelError, match=message):
        fused(sd, str(path))


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
