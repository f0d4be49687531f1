"""Weights that change in place, on rungs that compile or copy them: each has the new ones, or says that not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.config import Config, ModelConfig
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.load import load_engine
from realtime.engine.models.load import Model, load_model
from realtime.engine.regions import Kind
from realtime.engine.rungs import aoti, builder
from realtime.engine.rungs.compile import CompiledBackend, _compiled
from realtime.engine.rungs.openvino import rung as openvino_rung
from realtime.engine.rungs.packages import Packages
from realtime.engine.rungs.specialise import Signature
from tests import checkpoints
from tests.engine.lora_files import save_formats
from tests.engine.rungs.test_packages import OPTIONS, needs_compiler
from tests.engine.rungs.test_upgrade import needs_openvino
from tests.engine.tiny_models import make_job, make_params, picture_of, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PARAMS = make_params(prompt="a house", strength=0.7, num_inference_steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    checkpoints.build_sd(folder / "sd", scheduler=checkpoints.LCM)
    save_formats(folder / "loras")
    return folder


def load(folder: Path, *loras: str) -> Model:
    return load_model(ModelConfig(model=str(folder / "sd"), vae="full", sampler="lcm", device="cpu", loras=loras))


def picture(engine: Any) -> Any:
    (outcome,) = run(engine, [make_job(PARAMS, 3)])
    return picture_of(outcome).astype(int)


def step_of(backend: CompiledBackend) -> Signature:
    return next(one for one in backend.compiled.demand.so_far() if one.call.kind == Kind.STEP)


@needs_compiler
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # Inductor's first import
@pytest.mark.parametrize("rung", ["compile", "aoti"])
def test_compiled_steps_have_the_new_weights_at_once(
    folder: Path, rung: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(aoti.OPTIONS, "cpu", OPTIONS)
    model = load(folder)
    backend = CompiledBackend(model, rung, rung)
    engine = DiffusionEngine(model, backend)
    bare = picture(engine)
    step = step_of(backend)
    if rung == "compile":
        call = _compiled(backend.compiled.module(step), step, model)
    else:
        region = backend.compiled.module(step)
        with torch.no_grad():
            aoti.build(region, step.example(torch.device("cpu")), tmp_path / "step.pt2")
        call = aoti.load(tmp_path / "step.pt2", region)
    backend.compiled.put(step, call)
    assert backend.rung.name == rung

    for names in (["kohya", "full"], ["dora"], []):
        loras = [f"{folder}/loras/{name}.safetensors:0.9" for name in names]
        engine.ready_loras(loras).put().result(0)
        ours, fused = picture(engine), load(folder, *loras)
        theirs = picture(DiffusionEngine(fused, EagerBackend(fused)))

        assert abs(ours - theirs).max() <= 1
        assert (abs(ours - bare).max() > 4) == bool(names)


def test_a_package_that_is_compared_while_weights_change_is_compared_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(folder)
    backend = CompiledBackend(model, "aoti", "aoti")
    picture(DiffusionEngine(model, backend))
    revision, tries = iter([0, 1, 1, 1]), list[int]()
    packages = Packages(backend.compiled, model.device, model.dtype, lambda: next(revision))
    monkeypatch.setattr(Packages, "_key", lambda self, signature: "key")
    monkeypatch.setattr(packages._cache, "find", lambda key: Path("step.pt2"))
    monkeypatch.setattr(packages._cache, "drop", lambda key: pytest.fail("it is right"))
    monkeypatch.setattr(aoti, "load", lambda path, module: module)

    def check(*arguments: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("its results differ")

    monkeypatch.setattr("realtime.engine.rungs.packages.check", check)

    assert packages.take(step_of(backend))
    assert len(tries) == 2


@needs_openvino
def test_openvino_hands_over_to_pytorch_until_it_has_converted_the_new_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builder, "NICENESS", 0)
    monkeypatch.setattr(openvino_rung, "SETTLED_S", 0.5)
    config = Config(
        model=str(folder / "sd"), vae="full", sampler="lcm", device="cpu", dtype="float32", accelerate="openvino"
    )
    engine: Any = load_engine(config)
    assert engine.info.rung.name == "openvino"
    bare = picture(engine)

    loras = [f"{folder}/loras/{name}.safetensors:0.9" for name in ("kohya", "full")]
    change = engine.ready_loras(loras)
    change.put().result(0)
    fused = load(folder, *loras)
    theirs = picture(DiffusionEngine(fused, EagerBackend(fused)))
    at_once, rung = picture(engine), engine.info.rung

    assert "PyTorch, slower, runs until they are converted anew" in change.notes[-1]
    assert (rung.name, rung.why) == ("eager", "until openvino has converted the model with its LoRAs")
    assert abs(at_once - theirs).max() == 0
    deadline_s = time.monotonic() + 300
    while engine.info.rung.name != "openvino" and time.monotonic() < deadline_s:
        assert abs(picture(engine) - theirs).max() <= 2
        time.sleep(0.1)
    ours = picture(engine)
    engine.close()

    assert engine.info.rung.name == "openvino"
    assert abs(ours - theirs).max() <= 2
    assert abs(ours - bare).max() > 4 and not np.array_equal(ours, bare)
