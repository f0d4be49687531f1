"""Packages compiled ahead of time: named by all that they depend on, and as right as eager mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from realtime.config import Accelerate, Config
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import load_diffusion_engine
from realtime.engine.models import load
from realtime.engine.models.load import load_model
from realtime.engine.regions import Kind, Outputs, Regions
from realtime.engine.rungs import aoti, builder, exactness, registry
from realtime.engine.rungs.climb import Climb
from realtime.engine.rungs.compile import CompiledRegions, Demand, Signature
from realtime.engine.rungs.folder_cache import cache_folder
from realtime.engine.rungs.toolchain import compiler_obstacle
from realtime.engine.state import RungState
from realtime.errors import ConfigError
from tests.checkpoints import build_tiny
from tests.engine.tiny_models import make_model

OBSTACLE = compiler_obstacle("cpu")
needs_compiler = pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE or "there is a compiler")
DECODE = Signature(Kind.DECODE, 0, (("x", (1, 8, 8, 8), "float32"),))
CPU = torch.device("cpu")

#: A build takes 13 s of one core: on a machine that has others to serve, minutes.
LONG_S = 280


def answer(regions: CompiledRegions, latents: torch.Tensor) -> Outputs:
    """What is said of latents, compiled or not."""
    return regions.answer(Kind.DECODE, 0, {"x": latents})(x=latents)


def key_of(model: Any, kind: Kind = Kind.DECODE, side: int = 8) -> str:
    signature = Signature(kind, 0, (("x", (1, model.latent_channels, side, side), "float32"),))
    return aoti.key_of(Regions.of_model(model).region(kind), signature.example(CPU))


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
    for name, value in (("_machine", "another machine"), ("_sources", "another region")):
        with monkeypatch.context() as patch:
            patch.setattr(aoti, name, lambda what, value=value: value)
            keys.append(key_of(make_model()))
    monkeypatch.setitem(aoti.OPTIONS, "cpu", {"max_autotune": True})
    keys.append(key_of(make_model()))

    assert len(set(keys)) == len(keys)


def test_a_region_with_tensors_of_its_own_is_refused() -> None:
    class Own(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.tensor([1.0, 2.0])

    with pytest.raises(RuntimeError, match="neither weights nor inputs"):
        aoti.build(Own(), {"x": torch.zeros(2)}, Path("never-written.pt2"))


def test_results_that_differ_or_are_no_numbers_are_refused() -> None:
    region, example = Regions.of_model(make_model()).region(Kind.DECODE), {"x": torch.randn(1, 4, 8, 8)}

    aoti.check(region, region, example, torch.float32)

    def slightly_off(x: torch.Tensor) -> Any:
        right = region(x)
        return {**right, "pictures": right["pictures"] // 2}

    with pytest.raises(RuntimeError, match="differ"):
        aoti.check(slightly_off, region, example, torch.float32)
    with pytest.raises(RuntimeError, match="differ"):
        aoti.check(lambda x: {**region(x), "finite": torch.tensor([torch.nan])}, region, example, torch.float32)


@pytest.mark.parametrize("accelerate", [Accelerate.COMPILE, Accelerate.AOTI])
def test_without_a_compiler_the_error_says_what_to_do(accelerate: Accelerate, monkeypatch: pytest.MonkeyPatch) -> None:
    for obstacle in ("compiler_obstacle", "packages_obstacle"):
        monkeypatch.setattr(registry, obstacle, lambda device: "there is no C++ compiler: install g++")

    with pytest.raises(ConfigError, match=f"accelerate {accelerate}: there is no C\\+\\+ compiler: install g\\+\\+"):
        registry.start(accelerate, make_model(), lambda stage, percent: None)


def test_frames_are_warmed_up_again_on_what_was_made_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first user would wait while torch.compile compiles once more."""
    model, order = make_model(), list[str]()
    backend = EagerBackend(model)
    run = backend.run
    monkeypatch.setattr(backend, "run", lambda call: order.append(call.kind) or run(call))
    start = registry.Start(backend, lambda progress: order.append("made"))
    monkeypatch.setattr(registry, "start", lambda *args: start)
    monkeypatch.setattr(load, "load_model", lambda *args: model)

    load_diffusion_engine(Config(), lambda stage, percent: None).close()

    assert order == ["encode", "step", "decode", "made", "encode", "step", "decode"]


def test_torch_compile_compiles_each_region_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def note(graph: torch.fx.GraphModule, example: list[torch.Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    compile_module = torch.compile
    monkeypatch.setattr(torch, "compile", lambda m, **of_inductor: compile_module(m, backend=note, dynamic=False))
    monkeypatch.setattr(registry, "compiler_obstacle", lambda device: "")
    monkeypatch.setattr(load, "load_model", lambda *args: make_model())

    engine = load_diffusion_engine(Config(accelerate=Accelerate.COMPILE), lambda stage, percent: None)
    engine.warm_up()
    engine.close()

    assert len(graphs) == 3


class Built:
    """A server's climb to one package, made by a real builder, once for all tests."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.config = Config(model=str(build_tiny(folder / "model")), device="cpu")

    def climb(self) -> tuple[CompiledRegions, list[Any]]:
        """Climb until the package answers; the regions, and the orders that went to a builder."""
        regions = CompiledRegions(Regions.of_model(load_model(self.config)), Demand())
        with torch.inference_mode():
            answer(regions, DECODE.example(CPU)["x"])
        orders: list[Any] = []
        arrived = threading.Event()
        put = regions.put

        def put_and_tell(signature: Signature, call: Any) -> None:
            put(signature, call)
            arrived.set()

        def start(config: Config, order: dict[str, Any]) -> builder.Builder:
            orders.append(order)
            return builder.Builder(config, order)

        regions.put = put_and_tell
        climb = Climb(self.config, lambda backend: None, start)
        climb.start(lambda climb: registry.climb_by_packages(climb, regions, CPU, torch.float32))
        assert arrived.wait(LONG_S), climb.beside(RungState("aoti", "aoti"))
        climb.close()
        return regions, orders


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    built = Built(tmp_path_factory.mktemp("aoti"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALTIME_CACHE", str(built.cache))
        patch.setattr(builder, "NICENESS", 0)
        built.climb()
    yield built


@pytest.fixture
def cache(built: Built, monkeypatch: pytest.MonkeyPatch, _no_settings_of_the_users: None) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(built.cache))
    monkeypatch.setattr(builder, "NICENESS", 0)


@needs_compiler
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_a_package_is_built_once_kept_and_equal_to_eager_mode(built: Built) -> None:
    regions, orders = built.climb()

    assert orders == [], "it was in the cache"
    latents = torch.randn(1, 8, 8, 8)
    with torch.inference_mode():
        ours, theirs = answer(regions, latents), regions.module(DECODE)(latents)
    assert DECODE in regions
    torch.testing.assert_close(ours["pictures"].int(), theirs["pictures"].int(), atol=1, rtol=0)
    assert ours["finite"].tolist() == [True]
    assert answer(regions, latents * torch.nan)["finite"].tolist() == [False]


@needs_compiler
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_a_package_never_answers_with_foreign_weights(built: Built) -> None:
    plain, _ = built.climb()
    fused, _ = built.climb()
    with torch.no_grad():
        for parameter in fused.module(DECODE).parameters():  # as a LoRA does
            parameter.mul_(1.2)

    latents = torch.randn(1, 8, 8, 8)
    with torch.inference_mode():
        ours, eager = (answer(regions, latents)["pictures"].int() for regions in (fused, plain))
        theirs = fused.module(DECODE)(latents)["pictures"].int()

    torch.testing.assert_close(ours, theirs, atol=1, rtol=0)
    assert (ours - eager).abs().max() > 10


@needs_compiler
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_a_package_that_is_damaged_or_wrong_is_not_used(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    regions = CompiledRegions(Regions.of_model(load_model(built.config)), Demand())
    cached = registry.PackageCache(cache_folder("aoti"))
    (package,) = cache_folder("aoti").glob("*/package.pt2")
    whole = package.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(exactness, "LIMITS", {"float32": -1.0})
        patch.setattr(exactness, "ROUNDING", -1.0)
        assert not registry._load(cached, regions, DECODE, CPU, torch.float32)
    assert not package.exists(), "a wrong one is thrown away"

    cached.make(package.parent.name, lambda path: path.write_bytes(whole[: len(whole) // 2]) and None)
    assert not registry._load(cached, regions, DECODE, CPU, torch.float32), "written whole, and no package"
    cached.make(package.parent.name, lambda path: path.write_bytes(whole) and None)
    package.write_bytes(whole[:-1])
    assert not registry._load(cached, regions, DECODE, CPU, torch.float32), "changed since it was written"
    cached.make(package.parent.name, lambda path: path.write_bytes(whole) and None)
    assert registry._load(cached, regions, DECODE, CPU, torch.float32)
