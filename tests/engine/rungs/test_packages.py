"""Packages of compiled regions: built once, kept, and as right as eager mode or not used."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from realtime.config import Config
from realtime.engine.models.load import load_model
from realtime.engine.regions import Kind, Outputs, Regions
from realtime.engine.rungs import aoti, builder, exactness
from realtime.engine.rungs.builder import Task
from realtime.engine.rungs.compile import CompiledRegions
from realtime.engine.rungs.folder_cache import cache_folder
from realtime.engine.rungs.packages import DIGEST, PACKAGE, PackageCache, Packages
from realtime.engine.rungs.specialise import Demand, Signature, specialise
from realtime.engine.rungs.toolchain import compiler_obstacle
from realtime.engine.rungs.upgrade import Upgrade
from realtime.engine.state import CallShape, RungState
from tests.checkpoints import build_tiny
from tests.engine.tiny_models import make_model
from tests.engine.tiny_nets import a_net, make_controlnet

OBSTACLE = compiler_obstacle("cpu")
needs_compiler = pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE or "there is a compiler")
SHAPE = CallShape(Kind.DECODE.value, 1, 0, 64, 64, ("x",))
DECODE = Signature(SHAPE, (((1, 8, 8, 8), "float32"),))
CPU = torch.device("cpu")

#: A build takes 25 s of one core: on a machine that has others to serve, minutes.
LONG_S = 280

#: For one package: preparing the headers takes longer than it saves, and so does optimising what calls the kernels.
OPTIONS = {"aot_inductor.precompile_headers": False, "aot_inductor.compile_wrapper_opt_level": "O0"}
BUILDER = f"""
import os
from realtime.engine.rungs import aoti, builder
aoti.OPTIONS["cpu"] = {OPTIONS}
builder.main()
os._exit(0)
"""


def answer(regions: CompiledRegions, latents: torch.Tensor) -> Outputs:
    """What is said of latents, compiled or not."""
    return regions.answer(SHAPE, {"x": latents})(x=latents)


def put(cache: PackageCache, key: str) -> None:
    cache.make(key, lambda path: path.write_bytes(b"code") and None)


def test_what_was_written_is_found_by_its_key_only(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path / "aoti")
    assert cache.find("a") is None

    put(cache, "a")

    found = PackageCache(tmp_path / "aoti").find("a")
    assert found is not None and found.read_bytes() == b"code"
    assert cache.find("b") is None


@pytest.mark.parametrize("damage", [PACKAGE, DIGEST])
def test_a_damaged_package_is_thrown_away_and_the_log_says_so(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = PackageCache(tmp_path)
    put(cache, "a")
    (tmp_path / "a" / damage).write_bytes(b"something else")

    with caplog.at_level(logging.WARNING):
        assert cache.find("a") is None

    assert "damaged" in caplog.text
    assert not (tmp_path / "a").exists()


def test_an_incomplete_package_is_thrown_away(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path)
    put(cache, "a")
    (tmp_path / "a" / DIGEST).unlink()

    assert cache.find("a") is None
    assert not (tmp_path / "a").exists()


def test_a_package_of_many_batches_is_loaded_once_and_checked_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    regions = CompiledRegions(Regions.of_model(make_model(is_shared=True)), Demand())
    packages = Packages(regions, CPU, torch.float32)
    loads: list[Path] = []
    wrong_batch = 4

    def load(path: Path, region: Any) -> Any:
        loads.append(path)

        def call(x: torch.Tensor) -> Outputs:
            outputs: Any = region(x)
            off = {"pictures": 255 - outputs["pictures"]} if len(x) == wrong_batch else {}
            return {**outputs, **off}

        return call

    def of(batch: int) -> Signature:
        return Signature(replace(SHAPE, batch=batch), (((batch, 4, 8, 8), "float32"),))

    monkeypatch.setattr(aoti, "load", load)
    put(PackageCache(cache_folder("aoti")), packages._key(of(2)))

    assert [packages.has(of(batch)) for batch in (1, 2, 3)] == [False, True, True]
    assert packages.take(of(2)) and packages.take(of(3)) and len(loads) == 1
    assert not packages.take(of(wrong_batch)) and not packages.has(of(5)), "wrong for one is used for no further one"
    assert of(2) in regions and of(3) in regions and of(4) not in regions


def test_package_of_nets_of_one_form_is_loaded_for_each_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file, which the second net finds too; what is loaded has one net's weights."""
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    nets = tuple(a_net(make_controlnet(seed=seed), f"net{seed}") for seed in range(2))
    regions = CompiledRegions(Regions.of_model(make_model(nets=nets)), Demand())
    packages = Packages(regions, CPU, torch.float32)
    shape = CallShape("embed/net0", 2, 0, 64, 64, ("pictures",))
    first = Signature(shape, (((2, 64, 64, 3), "uint8"),))
    second = first._replace(call=replace(shape, kind="embed/net1"))
    third = Signature(replace(shape, batch=3), (((3, 64, 64, 3), "uint8"),))
    loads: list[Any] = []

    def load(path: Path, region: Any) -> Any:
        loads.append(region)
        return region

    monkeypatch.setattr(aoti, "load", load)
    assert not packages.has(first)
    put(PackageCache(cache_folder("aoti")), packages._key(first))

    assert packages.has(second) and all(packages.take(one) for one in (first, second, third))
    assert loads == [regions.module(first), regions.module(second)] and loads[0] is not loads[1]


class Built:
    """A server's upgrade to one package, made by a real builder, once for all tests."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.config = Config(model=str(build_tiny(folder / "model")), device="cpu")

    def upgrade(self) -> tuple[CompiledRegions, list[Task]]:
        """Upgrade until the package answers; the regions, and the tasks that went to a builder."""
        regions = CompiledRegions(Regions.of_model(load_model(self.config)), Demand())
        with torch.inference_mode():
            answer(regions, DECODE.example(CPU)["x"])
        tasks: list[Task] = []
        arrived = threading.Event()
        put = regions.put

        def put_and_tell(signature: Signature, call: Any) -> None:
            put(signature, call)
            arrived.set()

        def start(config: Config, task: Task) -> builder.Builder:
            tasks.append(task)
            return builder.Builder(config, task, (sys.executable, "-c", BUILDER))

        regions.put = put_and_tell
        upgrade = Upgrade(self.config, lambda backend: None, start)
        upgrade.start(partial(specialise, Packages(regions, CPU, torch.float32)))
        assert arrived.wait(LONG_S), upgrade.beside(RungState("aoti", "aoti"))
        upgrade.close()
        return regions, tasks


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    built = Built(tmp_path_factory.mktemp("aoti"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALTIME_CACHE", str(built.cache))
        patch.setattr(builder, "NICENESS", 0)
        patch.setitem(aoti.OPTIONS, "cpu", OPTIONS)
        built.upgrade()
    yield built


@pytest.fixture
def cache(built: Built, monkeypatch: pytest.MonkeyPatch, _no_settings_of_the_users: None) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(built.cache))
    monkeypatch.setitem(aoti.OPTIONS, "cpu", OPTIONS)


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_a_package_is_built_once_kept_and_equal_to_eager_mode(built: Built) -> None:
    regions, tasks = built.upgrade()

    assert tasks == [], "it was in the cache"
    latents = torch.randn(1, 8, 8, 8)
    with torch.inference_mode():
        ours, theirs = answer(regions, latents), regions.module(DECODE)(latents)
    assert DECODE in regions
    torch.testing.assert_close(ours["pictures"].int(), theirs["pictures"].int(), atol=1, rtol=0)
    assert ours["finite"].tolist() == [True]
    assert answer(regions, latents * torch.nan)["finite"].tolist() == [False]


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_a_package_never_answers_with_foreign_weights(built: Built) -> None:
    plain, _ = built.upgrade()
    fused, _ = built.upgrade()
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
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("cache")
def test_a_package_that_is_damaged_or_wrong_is_not_used(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    regions = CompiledRegions(Regions.of_model(load_model(built.config)), Demand())
    packages, cached = Packages(regions, CPU, torch.float32), PackageCache(cache_folder("aoti"))
    (package,) = cache_folder("aoti").glob("*/package.pt2")
    whole = package.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(exactness, "LIMITS", {"float32": -1.0})
        patch.setattr(exactness, "ROUNDING", -1.0)
        assert packages.has(DECODE) and not packages.take(DECODE)
    assert not packages.has(DECODE), "a wrong one is thrown away"

    cached.make(package.parent.name, lambda path: path.write_bytes(whole[: len(whole) // 2]) and None)
    assert not packages.take(DECODE), "written whole, and no package"
    cached.make(package.parent.name, lambda path: path.write_bytes(whole) and None)
    package.write_bytes(whole[:-1])
    assert not packages.has(DECODE) and not packages.take(DECODE), "changed since it was written"
    cached.make(package.parent.name, lambda path: path.write_bytes(whole) and None)
    assert packages.take(DECODE) and DECODE in regions
