"""Packages compiled ahead of time: named by all that they depend on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from realtime.config import Config, Device
from realtime.engine import Guidance
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import load_model
from realtime.engine.networks import Networks
from realtime.engine.regions import EmbedRegion, Kind, Regions
from realtime.engine.rungs import aoti
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.specialise import Signature
from realtime.engine.rungs.toolchain import compiler_obstacle
from tests import checkpoints
from tests.engine.tiny_models import make_job, make_model, make_params, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i, make_union_network

pytestmark = pytest.mark.slow
OBSTACLE = compiler_obstacle("cpu")
needs_compiler = pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE or "there is a compiler")


def key_of(model: Any, kind: Kind = Kind.DECODE, side: int = 8) -> str:
    return aoti.key_of(Regions.of_model(model).region(kind), {"x": torch.zeros(1, model.latent_channels, side, side)})


def test_a_key_is_the_same_for_the_same_thing_and_for_other_weights() -> None:
    model, trained = make_model(), make_model()
    with torch.no_grad():
        for parameter in trained.vae.parameters():
            parameter.mul_(1.1)

    assert key_of(make_model()) == key_of(model) == key_of(trained), "weights are no part of a package"


def test_size_dtype_layout_settings_and_region_each_change_the_key() -> None:
    half, other_layout, other_settings = make_model(), make_model(), make_model()
    half.vae.to(torch.bfloat16)
    regions = Regions.of_model(other_layout)
    other_layout.vae.to(memory_format=torch.contiguous_format)
    other_settings.vae.register_to_config(scaling_factor=0.5)

    keys = [
        key_of(make_model()),
        key_of(make_model(), side=16),
        key_of(make_model(), kind=Kind.ENCODE),
        key_of(make_model(latent_channels=8)),
        key_of(half),
        aoti.key_of(regions.region(Kind.DECODE), {"x": torch.zeros(1, 4, 8, 8)}),
        key_of(other_settings),
    ]

    assert len(set(keys)) == len(keys)


def test_machine_code_and_options_each_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key_of(make_model())]
    for name, value in (("machine_of", "another machine"), ("_sources", "another region")):
        with monkeypatch.context() as patch:
            patch.setattr(aoti, name, lambda what, value=value: value)
            keys.append(key_of(make_model()))
    monkeypatch.setitem(aoti.OPTIONS, "cpu", {"max_autotune": True})
    keys.append(key_of(make_model()))

    assert len(set(keys)) == len(keys)


def test_one_key_is_that_of_many_batches_and_guided_ones_have_their_own() -> None:
    region = Regions.of_model(make_model()).region(Kind.DECODE)
    guided = Regions.of_model(make_model(guidance=Guidance.CFG)).region(Kind.STEP, 1)

    keys = [aoti.key_of(region, {"x": torch.zeros(batch, 4, 8, 8)}) for batch in (2, 3, 63, 1, 64, 65)]
    with_second = [
        aoti.key_of(guided, {"x": torch.zeros(rows, 4, 8, 8), "biases": torch.zeros(rows + 1, 9)}) for rows in (2, 3)
    ]

    assert keys[0] == keys[1] == keys[2] and len(set(keys)) == 4
    assert len(set(with_second)) == 2


def net_key(network: Any, name: str = "net", kind: str = "control", **model: Any) -> str:
    """The key of what a net does in a step, or of what looks at its hint, for a single row."""
    steered = make_model(nets=(a_net(network, name),), **model)
    backend = CompiledBackend(steered, "aoti", "compiled")
    run(DiffusionEngine(steered, backend), [make_job(make_params(control=[{"net": name}]))])
    signature = next(one for one in backend.compiled.demand.so_far() if one.call.kind == f"{kind}/{name}")
    return aoti.key_of(backend.compiled.module(signature), signature.example(torch.device("cpu")))


def test_a_key_names_the_form_of_a_net_and_not_the_net() -> None:
    one, other = make_controlnet(seed=1), make_controlnet(seed=2)
    forms = [one, make_controlnet(norm_num_groups=4), make_controlnet(global_pool_conditions=True)]
    orders = [one, make_controlnet(controlnet_conditioning_channel_order="bgr")]

    assert net_key(one, "edges") == net_key(other, "lines")
    assert net_key(one, kind="embed") == net_key(other, kind="embed")
    assert len({net_key(network) for network in forms}) == len(forms)
    assert len({net_key(network, kind="embed") for network in orders}) == 2, "of one form but for red and blue"


def test_a_key_of_an_adapter_names_where_the_unet_takes_its_features() -> None:
    adapter = Networks(make_model(nets=(a_net(make_t2i(), "t2i"),))).nets["t2i"]
    region, example = EmbedRegion(adapter), {"pictures": torch.zeros(1, 64, 64, 3, dtype=torch.uint8)}
    before = aoti.key_of(region, example)

    adapter._places._blocks.append((64, 1, False, False))

    assert aoti.key_of(region, example) != before


def test_all_of_our_code_that_regions_run_is_in_the_key() -> None:
    """Code that is compiled is traced: what a region calls, whatever module that is in."""
    nets = (a_net(make_controlnet(), "net"), a_net(make_union_network("sd"), "union"), a_net(make_t2i(), "t2i"))
    model = make_model(nets=nets)
    backend = CompiledBackend(model, "aoti", "compiled")
    control = [{"net": name} for name in ("net", "union/canny", "t2i")]
    contexts = {"negative_prompt": "rain", "negative_scale": 3.0}
    run(DiffusionEngine(model, backend), [make_job(make_params(control=control, **contexts))])
    ours = str(Path(aoti.__file__).parents[2])

    for signature in backend.compiled.demand.so_far():
        region, example = backend.compiled.module(signature), signature.example(model.device)
        files = set[str]()

        def note(frame: Any, event: str, _: Any, files: set[str] = files) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(ours):
                files.add(frame.f_code.co_filename)

        sys.setprofile(note)
        try:
            with torch.no_grad():
                region(**example)
        finally:
            sys.setprofile(None)
        text = aoti._sources(region)
        assert len(files) > 0
        assert not [file for file in files if Path(file).read_text() not in text], signature


@pytest.mark.parametrize("family", ["sd", "sdxl", "painter"])
def test_what_is_exported_of_one_batch_runs_all(family: str, tmp_path: Path) -> None:
    if family == "painter":
        model = load_model(Config(model=str(checkpoints.build_painter(tmp_path / family)), device=Device.CPU))
    else:
        nets = {"canny": make_controlnet(), "t2i": make_t2i()} if family == "sd" else {"union": make_union_network()}
        named = tuple(a_net(network, name) for name, network in nets.items())
        model = make_model(family, guidance=Guidance.CFG, nets=named)
    backend = CompiledBackend(model, "aoti", "compiled")
    control = [{"net": net.controls[0].name} for net in model.nets]
    for params in (make_params(), make_params(control=control)):
        run(DiffusionEngine(model, backend), [make_job(params, seed) for seed in range(3)])

    kinds = {signature.call.kind for signature in backend.compiled.demand.so_far()}
    assert kinds >= {f"embed/{net.name}" for net in model.nets}
    for signature in backend.compiled.demand.so_far():
        region = backend.compiled.module(signature)
        with torch.no_grad():
            exported: Any = aoti.export(region, signature.example(model.device)).module()
            for batch in (2, 5):
                inputs = of_batch(signature, batch).example(model.device)
                ours, theirs = exported(**inputs), region(**inputs)
                assert all(torch.allclose(ours[name].float(), theirs[name].float(), atol=1e-5) for name in theirs)


def of_batch(signature: Signature, batch: int) -> Signature:
    """The same with so many rows."""
    inputs = tuple(((batch, *shape[1:]), dtype) for shape, dtype in signature.inputs)
    return Signature(replace(signature.call, batch=batch), inputs)


@needs_compiler
@pytest.mark.timeout(590)
def test_a_package_for_many_batches_gives_what_eager_mode_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"aot_inductor.precompile_headers": False, "aot_inductor.compile_wrapper_opt_level": "O0"}
    monkeypatch.setitem(aoti.OPTIONS, "cpu", options)
    region = Regions.of_model(make_model()).region(Kind.DECODE)

    aoti.build(region, {"x": torch.zeros(2, 4, 8, 8)}, tmp_path / "package.pt2")
    package = aoti.load(tmp_path / "package.pt2", region)

    for batch in (2, 3, 7):
        latents = torch.randn(batch, 4, 8, 8)
        with torch.inference_mode():
            ours, theirs = package(x=latents), region(x=latents)
        torch.testing.assert_close(ours["pictures"].int(), theirs["pictures"].int(), atol=1, rtol=0)
        assert ours["finite"].tolist() == [True] * batch


def test_a_region_with_tensors_of_its_own_is_refused() -> None:
    class Own(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.tensor([1.0, 2.0])

    with pytest.raises(RuntimeError, match="neither weights nor inputs"):
        aoti.build(Own(), {"x": torch.zeros(1, 2)}, Path("never-written.pt2"))
