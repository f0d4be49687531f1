"""Each variant gives what PyTorch's own way gives: with other weights, with nets, in graphs, and as it is exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from realtime.config import VARIANT_NAMES, Config, Device, ModelConfig
from realtime.engine import Guidance
from realtime.engine.backend import EagerBackend
from realtime.engine.denoisers.folding import folded_copy
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.models.painter.networks import PainterAutoencoder
from realtime.engine.rungs import aoti
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.exactness import relative_l2
from realtime.engine.rungs.graphs import GraphBackend
from realtime.engine.state import VariantState
from realtime.engine.variants.attention import JoinedAttention, join_projections, joined, self_attentions
from realtime.engine.variants.convolutions import ConvRelu, fuse_convolutions
from realtime.engine.variants.norms import NormSilu, join_norms
from realtime.engine.variants.table import VARIANTS, named, with_autoencoder
from tests import checkpoints
from tests.engine.lora_files import save_formats
from tests.engine.rungs.test_packages import OPTIONS, needs_compiler
from tests.engine.tiny_models import make_job, make_model, make_params, picture_of, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i

ON_CPU = ("conv-relu", "qkv", "group-norm")
CHANGED: dict[str, type] = {"conv-relu": ConvRelu, "group-norm": NormSilu}
CLOSE = 1e-5


def varied(model: Model, *names: str) -> Model:
    return replace(model, variants=tuple(VariantState(name, is_on=True) for name in names))


def pictures(model: Model, *, params: Any = None, count: int = 3) -> Any:
    """What an engine makes, in graphs' stand-in too."""
    params = params or make_params(num_inference_steps=2, strength=0.8)
    found = []
    for backend in (EagerBackend(model), GraphBackend(EagerBackend(model), Rerun(), 4, torch.device("cpu"))):
        engine = DiffusionEngine(model, backend)
        jobs = [make_job(params, seed) for seed in range(count)]
        for _ in range(3):  # graphs are captured from the third call on
            outcomes = run(engine, jobs)
        found.append(np.stack([picture_of(one) for one in outcomes]).astype(int))
    return found


def latents_of(model: Model, *, guided: bool = False) -> torch.Tensor:
    """What a step and a picture's way into latents give of one frame, in full precision."""
    backend = Keeping(model)
    params = make_params(num_inference_steps=1, strength=0.8, guidance_scale=3.0 if guided else 1.0)
    run(DiffusionEngine(model, backend), [make_job(params, seed) for seed in range(2)])
    return torch.cat(backend.latents)


class Keeping(EagerBackend):
    """Keeps what goes into the decoder."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.latents: list[torch.Tensor] = []

    def run(self, call: Any) -> Any:
        if call.kind == "decode":
            self.latents += [x.clone() for x in call.columns["x"]]
        return super().run(call)


def test_the_configuration_names_the_variants_of_the_table() -> None:
    assert tuple(variant.name for variant in VARIANTS) == VARIANT_NAMES
    assert [variant.name for variant in named(["qkv", "conv-relu"])] == ["conv-relu", "qkv"]


@pytest.mark.parametrize("name", ON_CPU)
@pytest.mark.parametrize("family", ["sd", "sdxl", "guided"])
@pytest.mark.slow
def test_a_variant_gives_the_same(name: str, family: str) -> None:
    guided = family == "guided"
    options: dict[str, Any] = {"guidance": Guidance.CFG} if guided else {"family": family}
    plain = make_model(**options)
    ours = varied(make_model(**options), name)

    assert relative_l2(latents_of(ours, guided=guided), latents_of(plain, guided=guided)) < CLOSE
    for one, other in zip(pictures(ours), pictures(plain), strict=True):
        assert abs(one - other).max() <= 1


@pytest.mark.slow
def test_all_variants_together_give_the_same_beside_nets_and_with_a_negative_prompt() -> None:
    nets = tuple(a_net(network, name) for name, network in {"canny": make_controlnet(), "t2i": make_t2i()}.items())
    plain = make_model(nets=nets)
    params = make_params(
        control=[{"net": "canny"}, {"net": "t2i"}], negative_prompt="snow", negative_scale=2.0, num_inference_steps=2
    )
    expected = pictures(plain, params=params)
    with_variants = varied(plain, *ON_CPU)
    backend = EagerBackend(with_variants)

    for one, other in zip(pictures(with_variants, params=params), expected, strict=True):
        assert abs(one - other).max() <= 1
    net = backend.regions.nets["canny"]
    assert any(isinstance(module, NormSilu) for module in net.modules()), "nets are changed too"


def test_projections_are_views_of_one_tensor_which_others_write_into() -> None:
    unet = make_model().unet
    folded = folded_copy(unet)
    attention = self_attentions(folded)[0]
    mine: Any = next(module for module in unet.modules() if getattr(module, "to_q", None) is not None)
    before = [layer.weight.clone() for layer in (mine.to_q, mine.to_k, mine.to_v)]

    assert join_projections(folded) == len(self_attentions(folded_copy(unet))) > 0

    assert isinstance(attention.processor, JoinedAttention) and attention.to_q is None
    assert torch.equal(attention.to_qkv.weight, torch.cat(before)), "they are as they were"
    mine.to_k.weight.data.copy_(torch.full_like(mine.to_k.weight, 7.0))
    width = len(mine.to_q.weight)
    assert (attention.to_qkv.weight[width : 2 * width] == 7).all(), "what LoRAs write is there at once"
    assert torch.equal(attention.to_qkv.weight[:width], before[0])


def test_projections_are_joined_once_for_all_that_share_them() -> None:
    unet = make_model().unet
    first, second = folded_copy(unet), folded_copy(unet)

    join_projections(first)
    (mine, *_) = (module.to_qkv for module in first.modules() if hasattr(module, "to_qkv"))
    join_projections(second)
    (other, *_) = (module.to_qkv for module in second.modules() if hasattr(module, "to_qkv"))

    assert mine.weight.data_ptr() == other.weight.data_ptr(), "a graph that was captured goes on"


def test_joined_layers_keep_their_biases() -> None:
    layers = [nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(4, 3)]
    x = torch.randn(2, 4)
    expected = torch.cat([layer(x) for layer in layers], 1)

    assert torch.allclose(joined(layers)(x), expected, atol=1e-6)


def test_layers_of_other_kinds_stay_apart() -> None:
    unet = make_model().unet
    folded: Any = folded_copy(unet)
    for attention in self_attentions(folded):
        attention.to_k = nn.Linear(attention.to_k.in_features, attention.to_k.out_features, bias=True)

    assert join_projections(folded) == 0


@pytest.mark.parametrize("kind", ["taesd", "painter"])
def test_fused_convolutions_encode_and_decode_the_same(kind: str) -> None:
    torch.manual_seed(3)
    model = make_model()
    if kind == "painter":
        model = replace(model, vae=PainterAutoencoder().eval())
    ours = with_autoencoder(model, named(["conv-relu"])).vae
    vae: Any = model.vae
    pixels = torch.randn(2, 3, 64, 48).to(memory_format=torch.channels_last)

    with torch.no_grad():
        latents = vae.encode(pixels, return_dict=False)[0]
        found: Any = ours
        assert relative_l2(found.encode(pixels, return_dict=False)[0], latents) < CLOSE
        theirs = vae.decode(latents, return_dict=False)[0]
        assert relative_l2(found.decode(latents, return_dict=False)[0], theirs) < CLOSE
    assert not any(isinstance(module, nn.ReLU) for module in ours.modules()) or kind == "painter"
    assert {id(one) for one in ours.parameters()} == {id(one) for one in vae.parameters()}, "on the same weights"


def test_operators_tell_their_form_without_a_device() -> None:
    with FakeTensorMode():
        x = torch.empty(2, 64, 9, 7, dtype=torch.float16, device="cuda")
        weight, norm = (torch.empty(form, dtype=torch.float16, device="cuda") for form in ((32, 64, 3, 3), (64,)))
        smaller = torch.ops.realtime.conv_relu(x, weight, None, None, [2, 2], [1, 1])
        same = torch.ops.realtime.group_norm(x, 32, norm, norm, 1e-5, True)

    assert (smaller.shape, smaller.dtype, smaller.device.type) == ((2, 32, 5, 4), torch.float16, "cuda")
    assert same.shape == x.shape
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in (smaller, same))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_operators_are_what_their_fakes_tell(layout: torch.memory_format) -> None:
    x = torch.randn(2, 8, 6, 5).to(memory_format=layout)
    weight, bias = torch.randn(8, 8, 3, 3), torch.randn(8)

    for residual in (None, x):
        inputs = (x, weight, bias, residual, [1, 1], [1, 1])
        torch.library.opcheck(
            torch.ops.realtime.conv_relu.default, inputs, test_utils=("test_schema", "test_faketensor")
        )
        expected = F.relu(F.conv2d(x, weight, bias, padding=1) + (0 if residual is None else residual))
        assert torch.allclose(torch.ops.realtime.conv_relu(*inputs), expected, atol=1e-5)
    for silu in (True, False):
        inputs = (x, 4, bias, bias, 1e-5, silu)
        torch.library.opcheck(
            torch.ops.realtime.group_norm.default, inputs, test_utils=("test_schema", "test_faketensor")
        )
        expected = F.group_norm(x, 4, bias, bias, 1e-5)
        assert torch.allclose(torch.ops.realtime.group_norm(*inputs), F.silu(expected) if silu else expected, atol=1e-5)


def test_only_what_stands_before_a_relu_is_fused() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(), nn.Conv2d(4, 4, 1))

    assert fuse_convolutions(net) == 0


def test_norms_without_silu_behind_them_are_replaced_where_that_is_wanted() -> None:
    silu_only, all_of_them = folded_copy(make_model().unet), folded_copy(make_model().unet)

    some, more = join_norms(silu_only, alone=False), join_norms(all_of_them, alone=True)

    assert some < more
    left = [module for module in silu_only.modules() if type(module) is nn.GroupNorm]
    assert len(left) == more, "each norm holds the one that it stands for, or was left"
    with torch.no_grad():
        assert sum(isinstance(module, NormSilu) for module in all_of_them.modules()) == more


@pytest.mark.slow
def test_live_loras_are_in_the_pictures_of_a_varied_engine_at_once(tmp_path: Path) -> None:
    checkpoints.build_sd(tmp_path / "sd", scheduler=checkpoints.LCM)
    loras = save_formats(tmp_path / "loras")

    def load(*worn: str) -> Model:
        return load_model(ModelConfig(model=str(tmp_path / "sd"), vae="full", sampler="lcm", device="cpu", loras=worn))

    model = varied(load(), "qkv", "group-norm")
    eager = EagerBackend(model)
    graphs = GraphBackend(EagerBackend(model), Rerun(), 4, torch.device("cpu"))
    engines = [DiffusionEngine(model, eager), DiffusionEngine(model, graphs)]
    jobs = [make_job(make_params(prompt="a house", strength=0.7, num_inference_steps=2), 3)]
    for engine in engines:
        engine.warm_up()
    bare = picture_of(run(engines[0], jobs)[0]).astype(int)

    for names in (["kohya", "full"], ["dora"], []):
        wanted = [f"{loras[name]}:0.9" for name in names]
        for engine in engines:
            engine.ready_loras(wanted).put().result(0)
        fused = load(*wanted)
        theirs = picture_of(run(DiffusionEngine(fused, EagerBackend(fused)), jobs)[0]).astype(int)
        for engine in engines:
            ours = picture_of(run(engine, jobs)[0]).astype(int)
            assert abs(ours - theirs).max() <= 1
            assert (abs(ours - bare).max() > 4) == bool(names)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd", "painter"])
def test_what_is_exported_has_the_operators_and_gives_the_same_for_all_batches(family: str, tmp_path: Path) -> None:
    if family == "painter":
        model = load_model(Config(model=str(checkpoints.build_painter(tmp_path / family)), device=Device.CPU))
    else:
        model = make_model()
    backend = CompiledBackend(varied(model, *ON_CPU), "aoti", "compiled")
    run(DiffusionEngine(model, backend), [make_job(make_params(), seed) for seed in range(3)])
    called: set[str] = set()

    for signature in backend.compiled.demand.so_far():
        if signature.call.kind not in ("encode", "step", "decode"):
            continue
        region, example = backend.compiled.module(signature), signature.example(model.device)
        with torch.no_grad():
            exported: Any = aoti.export(region, example).module()
            called |= {str(node.target) for node in exported.graph.nodes if "realtime" in str(node.target)}
            ours, theirs = exported(**example), region(**example)
        for name, their in theirs.items():
            assert torch.allclose(ours[name].float(), their.float(), atol=1.0 if their.dtype is torch.uint8 else 1e-4)

    wanted = {"realtime.conv_relu.default", "realtime.group_norm.default"}
    assert called == (wanted if family == "sd" else {"realtime.conv_relu.default"})


@needs_compiler
@pytest.mark.timeout(590)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # Inductor's first import
@pytest.mark.parametrize("kind", ["decode", "step"])
def test_a_package_calls_the_operators_and_follows_weights_that_change(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(aoti.OPTIONS, "cpu", OPTIONS)
    model = make_model()
    backend = CompiledBackend(varied(model, *ON_CPU), "aoti", "compiled")
    run(DiffusionEngine(model, backend), [make_job(make_params(), 1)])
    signature = next(one for one in backend.compiled.demand.so_far() if one.call.kind == kind)
    region, example = backend.compiled.module(signature), signature.example(model.device)
    with torch.no_grad():
        aoti.build(region, example, tmp_path / "one.pt2")
    package = aoti.load(tmp_path / "one.pt2", region)

    for change in (1.0, 1.25):
        for network in (model.unet, model.vae):
            for name, parameter in network.named_parameters():
                if name.endswith(("to_k.weight", "conv.2.weight", "conv1.weight")):
                    parameter.data.mul_(change)
        with torch.inference_mode():
            ours, theirs = package(**example), region(**example)
        for name, their in theirs.items():
            assert relative_l2(ours[name].float(), their.float()) < 1e-4, name
