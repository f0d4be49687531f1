"""Nets by name: folders and files of each layout are the networks that they hold, or refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter, UNet2DConditionModel
from safetensors.torch import save_file

from realtime.config import Config, Device
from realtime.control import Hint
from realtime.engine import NetKind
from realtime.engine.models.control import ControlSpec, parse_control, parse_controls
from realtime.engine.models.control_files import load_control
from realtime.engine.models.control_presets import CONTROL_PRESETS, POSE_ESTIMATOR, find_control, guessed_hint
from realtime.engine.models.family import SD, SD2, SDXL
from realtime.engine.models.flops import share_of
from realtime.engine.models.load import load_model
from realtime.engine.models.nets import works_of
from realtime.engine.work import PEOPLE_WORK, POSE_WORK
from realtime.errors import ConfigError, ModelError
from tests.checkpoints import build_painter, build_sd, build_sdxl, put_in_hub_cache, tiny_sdxl_unet, tiny_unet
from tests.engine.tiny_nets import filled
from tests.engine.tiny_pose import tiny_rtdetr, tiny_vitpose
from tests.ldm import unet_key

EMBED = {"conditioning_embedding_out_channels": (4, 8, 8, 8)}


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def a_controlnet(unet: UNet2DConditionModel, kind: Any = ControlNetModel) -> Any:
    network = kind.from_unet(unet, load_weights_from_unet=False, **EMBED)
    if kind is ControlNetUnionModel:  # whose inner width is that of the first block, as SDXL's is
        inner = {"num_trans_channel": 32, "num_trans_head": 4, "num_proj_channel": 32}
        network = kind(**{name: value for name, value in network.config.items() if name[0] != "_"} | inner)
    return filled(network, 3)


def saved(network: Any, folder: Path) -> Path:
    network.save_pretrained(folder)
    return folder


def as_file(state: dict[str, torch.Tensor], path: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def ldm_key(name: str) -> str:
    """A ControlNet's weight in the original layout, by rules written down here anew."""
    part, _, rest = name.partition(".")
    if part == "controlnet_cond_embedding":
        where, _, tail = rest.partition(".")
        number = {"conv_in": 0, "conv_out": 14}.get(where)
        if number is None:
            block, _, tail = tail.partition(".")
            number = 2 + 2 * int(block)
        return f"input_hint_block.{number}.{tail}"
    if part == "controlnet_down_blocks":
        number, _, tail = rest.partition(".")
        return f"zero_convs.{number}.0.{tail}"
    if part == "controlnet_mid_block":
        return f"middle_block_out.0.{rest}"
    return unet_key(name, 1, {})


def same(one: Any, other: Any) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


@pytest.mark.parametrize(
    ("make", "kind"),
    [(tiny_unet, ControlNetModel), (tiny_sdxl_unet, ControlNetModel), (tiny_sdxl_unet, ControlNetUnionModel)],
)
def test_folder_and_single_file_of_either_layout_give_the_network_that_was_saved(
    make: Any, kind: Any, tmp_path: Path
) -> None:
    unet = make()
    network = a_controlnet(unet, kind)
    files = [saved(network, tmp_path / "net"), as_file(network.state_dict(), tmp_path / "net.safetensors")]
    if kind is ControlNetModel:
        original = {f"control_model.{ldm_key(name)}": tensor for name, tensor in network.state_dict().items()}
        files.append(as_file(original, tmp_path / "original.safetensors"))

    for file in files:
        found = load_control(file, unet, torch.float32, prefer_fp16=False)

        assert type(found) is kind and same(found, network) and found.config["in_channels"] == 4


def test_control_lora_is_the_units_encoder_with_what_it_adds(tmp_path: Path) -> None:
    unet = tiny_sdxl_unet()
    expected = a_controlnet(unet)
    own = unet.state_dict()
    generator = torch.Generator().manual_seed(4)
    state: dict[str, torch.Tensor] = {"lora_controlnet": torch.tensor([])}
    for name, tensor in expected.state_dict().items():
        layer, _, part = ldm_key(name).rpartition(".")
        if name not in own:
            state[f"{layer}.{part}"] = tensor
        elif part == "weight" and tensor.ndim > 1 and "attn1" not in name:
            up = torch.randn(tensor.shape[0], 2, generator=generator)
            down = torch.randn(2, *tensor.shape[1:], generator=generator)
            state |= {f"{layer}.up": up, f"{layer}.down": down}
            tensor.copy_(own[name] + (up @ down.flatten(1)).reshape(tensor.shape))
        elif part == "bias":
            state[f"{layer}.{part}"] = tensor
        else:
            tensor.copy_(own[name])

    found = load_control(as_file(state, tmp_path / "lora.safetensors"), unet, torch.float32, prefer_fp16=False)

    for name, tensor in found.state_dict().items():
        torch.testing.assert_close(tensor, expected.state_dict()[name], atol=1e-5, rtol=1e-5)
    unet.conv_in.weight.data.zero_()
    assert found.conv_in.weight.any(), "nothing is shared with the UNet, which LoRAs change"


def test_nets_of_a_model_are_loaded_with_names_hints_and_weights(tmp_path: Path) -> None:
    folder = build_sdxl(tmp_path / "model")
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    union = saved(a_controlnet(unet, ControlNetUnionModel), tmp_path / "promax")
    canny = saved(a_controlnet(unet), tmp_path / "some-canny")
    adapter = filled(T2IAdapter(3, [32, 64], 1, 16, "full_adapter_xl"), 1)
    sources = (
        f"union={union}:0.5",
        f"edges={canny}",
        f"t2i-lineart={saved(adapter, tmp_path / 'adapter')}:0.7",
    )

    model = load_model(Config(model=str(folder), vae="full", device=Device.CPU, control=sources))

    assert [(one.name, one.hint, one.weight, one.kind) for net in model.nets for one in net.controls] == [
        ("union/scribble", Hint.SCRIBBLE, 0.5, NetKind.CONTROLNET),
        ("union/canny", Hint.CANNY, 0.5, NetKind.CONTROLNET),
        ("union/lineart", Hint.LINES, 0.5, NetKind.CONTROLNET),
        ("edges", Hint.CANNY, 1.0, NetKind.CONTROLNET),
        ("t2i-lineart", Hint.LINES, 0.7, NetKind.ADAPTER),
    ]
    assert [note for note in model.notes if "not shown depth, because depth-anything/" in note]
    assert [note for note in model.notes if "not shown poses, because usyd-community/" in note]
    assert [net.share > 0 for net in model.nets] == [True] * 3
    assert all(weight.dtype is torch.float32 for net in model.nets for weight in net.network.parameters())


# -- what is refused -------------------------------------------------------------------------------------------------


def refusal(model: Path, *control: str) -> str:
    with pytest.raises((ModelError, ConfigError)) as caught:
        load_model(Config(model=str(model), vae="full", device=Device.CPU, control=control))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_net_of_another_family_is_refused_with_the_one_that_is_right(tmp_path: Path) -> None:
    model = build_sd(tmp_path / "sd")
    wider = saved(a_controlnet(tiny_unet(cross_attention_dim=768)), tmp_path / "for-sd1")
    deeper = saved(a_controlnet(tiny_unet(block_out_channels=(32, 32))), tmp_path / "deeper")
    sdxl = saved(filled(T2IAdapter(3, [16, 32], 1, 8, "full_adapter"), 1), tmp_path / "adapter")

    assert "a net for SD 1.x, and the model is one of models whose text has" in refusal(model, f"canny={wider}")
    assert "its blocks are not those of the model" in refusal(model, f"canny={deeper}")
    assert "an adapter for SD 1.x, which does not fit the model" in refusal(model, f"canny={sdxl}")


def test_what_is_no_net_is_refused(tmp_path: Path) -> None:
    model = build_sd(tmp_path / "sd")
    empty = tmp_path / "empty"
    empty.mkdir()
    other = as_file({"a.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    original = as_file({"body.0.block1.weight": torch.zeros(1)}, tmp_path / "t2i.safetensors")
    cut = a_controlnet(tiny_unet()).state_dict()
    del cut["conv_in.bias"]
    (tmp_path / "pickled.pth").write_bytes(b"")

    assert "there is no net in it (no config.json)" in refusal(model, f"canny={empty}")
    assert "no ControlNet, and no Control-LoRA" in refusal(model, f"canny={other}")
    assert "a T2I-Adapter in its original layout" in refusal(model, f"canny={original}")
    assert "it is damaged" in refusal(model, f"canny={as_file(cut, tmp_path / 'cut.safetensors')}")
    assert "can run code" in refusal(model, f"canny={tmp_path / 'pickled.pth'}")
    assert "a 'UNet2DConditionModel' is no net that steers here" in refusal(model, f"canny={model / 'unet'}")
    assert "there is no net 'nowhere'" in refusal(model, "canny=nowhere")
    assert "is not in the local cache" in refusal(model, "canny=org/name")
    assert "there is no net 'union' for models of the family sd: its presets are canny, depth" in refusal(
        model, "union"
    )


def test_net_for_depth_alone_is_refused_where_nothing_tells_it(tmp_path: Path) -> None:
    model = build_sd(tmp_path / "sd")
    net = saved(a_controlnet(UNet2DConditionModel.from_pretrained(model / "unet")), tmp_path / "net")

    assert "depth-anything/Depth-Anything-V2-Small-hf is not in the local cache" in refusal(model, f"depth={net}")
    assert "usyd-community/vitpose-base-simple is not in the local cache" in refusal(model, f"openpose={net}")


def test_net_for_poses_is_loaded_with_what_finds_them_and_a_detector_wants_such_a_net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = build_sd(tmp_path / "sd")
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    net = saved(a_controlnet(unet), tmp_path / "net")
    tiny_vitpose().save_pretrained(tmp_path / "pose")
    put_in_hub_cache(tmp_path / "hub", POSE_ESTIMATOR.repo, tmp_path / "pose")
    tiny_rtdetr().save_pretrained(tmp_path / "people")
    plain = Config(model=str(folder), vae="full", device=Device.CPU, control=(f"openpose={net}",))

    alone = load_model(plain)
    several = load_model(plain.model_copy(update={"pose_detector": str(tmp_path / "people")}))

    assert list(alone.estimators) == [Hint.POSE] and not alone.finds_people and several.finds_people
    works = [works_of(model.nets, finds_people=model.finds_people)["openpose"].before for model in (alone, several)]
    assert works == [POSE_WORK, PEOPLE_WORK]
    other = plain.model_copy(update={"pose_detector": "rtdetr", "control": (f"canny={net}",)})
    with pytest.raises(ConfigError, match="pose_detector: no net is shown poses: add --control openpose, or leave"):
        load_model(other)


def test_model_that_sees_its_input_takes_no_nets(tmp_path: Path) -> None:
    words = refusal(build_painter(tmp_path / "painter"), f"canny={tmp_path}")

    assert words == "control: models of this family (painter) see their input without nets: leave --control out"


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("canny", ControlSpec("canny")),
        ("a=org/name", ControlSpec("a", "org/name")),
        ("a=org/name:0.8", ControlSpec("a", "org/name", 0.8)),
        ("a=canny:0", ControlSpec("a", "canny", 0.0)),
        ("a=C:\\nets\\one", ControlSpec("a", "C:\\nets\\one")),
    ],
)
def test_names_sources_and_weights(text: str, spec: ControlSpec) -> None:
    assert parse_control(text) == spec


@pytest.mark.parametrize(
    "texts", [("=a",), ("a=",), ("a/b",), ("",), ("a=b:3",), ("a=b:nan",), ("a=:1",), ("a", "a=b")]
)
def test_what_is_no_name_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^control: "):
        parse_controls(texts)


def test_presets_of_one_name_are_of_several_families() -> None:
    assert len({(one.name, one.family.name) for one in CONTROL_PRESETS}) == len(CONTROL_PRESETS)
    sources = {str(one.source) for family in (SD, SD2, SDXL) if (one := find_control("canny", family))}
    assert len(sources) == 3


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("edges", "x"), Hint.CANNY),
        (("a", "control_v11f1p_sd15_depth"), Hint.DEPTH),
        (("a", "control_v11p_sd15_openpose_fp16"), Hint.POSE),
        (("dwpose", "x"), Hint.POSE),
        (("softline", "canny"), Hint.LINES),
        (("mine", "net"), Hint.PICTURE),
    ],
)
def test_hint_is_guessed_by_name_then_by_file(names: tuple[str, ...], hint: Hint) -> None:
    assert guessed_hint(*names) is hint


def test_share_of_stable_diffusions_net_is_a_third() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8, sample_size=64
        )
        net = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
        adapter = T2IAdapter()

    assert share_of(net, unet) == pytest.approx(283 / 803, abs=0.01)
    assert share_of(adapter, unet) == pytest.approx(60 / 803, abs=0.01)
