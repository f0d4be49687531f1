"""Which backend is chosen, and that they all give the same pictures."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.config import Accelerate
from realtime.engine.accelerate import EagerBackend, Rung, choose_backend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models import Guidance, Model
from realtime.errors import ConfigError
from tests.engine.tiny_models import make_job, make_model, make_params, picture_of, run

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
MODELS: dict[str, dict[str, Any]] = {
    "embedded model": {"concat_source": True, "latent_channels": 8},
    "sdxl with embedded guidance": {"family": "sdxl", "guidance": Guidance.EMBEDDED},
}


def quiet(stage: str, percent: float | None) -> None:
    pass


def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@needs_openvino
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_openvino_gives_the_same_pictures_for_any_batch_and_size(options: dict[str, Any]) -> None:
    model = replace(make_model(**options), exact=True)
    # 9 latents high: no multiple of what the UNet halves.
    sizes = [(64, 64), (64, 64), (96, 64), (64, 72)]
    jobs = [
        make_job(make_params(width=width, height=height, guidance_scale=2.0, num_inference_steps=2, seed=i), i)
        for i, (width, height) in enumerate(sizes)
    ]
    fast = choose_backend(Accelerate.AUTO, model, quiet)

    theirs, ours = (run(DiffusionEngine(model, backend), jobs) for backend in (EagerBackend(model), fast))

    assert fast.rung.startswith("openvino 20") and fast.rung.endswith("float32 as asked for")
    for mine, eager in zip(ours, theirs, strict=True):
        # 1 of 255 where a value lies on the border of two.
        np.testing.assert_allclose(picture_of(mine).astype(int), picture_of(eager), atol=1)


@needs_openvino
def test_a_conversion_is_kept_and_never_taken_for_other_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    converted: list[str] = []

    def note(stage: str, percent: float | None) -> None:
        if percent is not None:
            converted.append(stage)

    model = replace(
        make_model(), exact=True
    )  # in bfloat16 a conversion that was read rounds otherwise than a fresh one
    first = choose_backend(Accelerate.OPENVINO, model, note)
    assert len(converted) == 3
    again = choose_backend(Accelerate.OPENVINO, model, note)
    assert len(converted) == 3, "read, not converted"
    jobs = [make_job(make_params())]
    ours, theirs = (picture_of(run(DiffusionEngine(model, backend), jobs)[0]) for backend in (again, first))
    np.testing.assert_array_equal(ours, theirs)

    with torch.no_grad():
        next(model.unet.parameters()).mul_(1.5)
    choose_backend(Accelerate.OPENVINO, model, note)
    assert len(converted) == 6, "other weights, another conversion"


@needs_openvino
def test_a_damaged_conversion_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    model = make_model()
    choose_backend(Accelerate.OPENVINO, model, quiet)
    for file in tmp_path.rglob("unet.xml"):
        file.write_text("no network")

    backend = choose_backend(Accelerate.OPENVINO, model, quiet)

    assert backend.rung.startswith("openvino 20")
    assert all(file.read_text() != "no network" for file in tmp_path.rglob("unet.xml"))


def limits(half: float, single: float) -> dict[str, float]:
    return {"f32": single, "bf16": half, "f16": half}


@needs_openvino
def test_half_precision_gives_nearly_the_same_pictures_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    monkeypatch.setattr("realtime.engine.openvino_backend.native_precision", lambda core: "bf16")
    # OpenVINO calculates bfloat16 on every CPU that has AVX-512; elsewhere it takes float32, which is as good here.
    monkeypatch.setattr("realtime.engine.openvino_backend.TOLERANCE", limits(half=0.05, single=1e-4))
    model = make_model(concat_source=True, latent_channels=8)
    jobs = [make_job(make_params(width=64, height=64, num_inference_steps=2, seed=i), i) for i in range(3)]

    fast = choose_backend(Accelerate.AUTO, model, quiet)

    assert "bfloat16, which this CPU has" in fast.rung
    theirs, ours = (run(DiffusionEngine(model, backend), jobs) for backend in (EagerBackend(model), fast))
    for mine, eager in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(picture_of(mine).astype(int), picture_of(eager), atol=12)


@needs_openvino
def test_a_network_that_half_precision_harms_stays_in_float32(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    monkeypatch.setattr("realtime.engine.openvino_backend.native_precision", lambda core: "bf16")
    monkeypatch.setattr("realtime.engine.openvino_backend.TOLERANCE", limits(half=-1.0, single=1e-4))

    backend = choose_backend(Accelerate.AUTO, make_model(), quiet)

    assert backend.rung.endswith("float32: bfloat16 would change the pictures")


@needs_openvino
def test_results_are_compared_once_for_a_conversion_and_a_precision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    model = replace(make_model(), exact=True)
    choose_backend(Accelerate.OPENVINO, model, quiet)
    monkeypatch.setattr("realtime.engine.openvino_backend.TOLERANCE", limits(half=-1.0, single=-1.0))

    assert choose_backend(Accelerate.OPENVINO, model, quiet).rung.endswith("float32 as asked for")

    for file in tmp_path.rglob("checked.json"):
        file.write_text("[]")
    with pytest.raises(ConfigError, match="differ"):
        choose_backend(Accelerate.OPENVINO, model, quiet)


@needs_openvino
def test_a_cpu_without_half_precision_runs_float32_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.engine.openvino_backend.native_precision", lambda core: "f32")

    assert choose_backend(Accelerate.AUTO, make_model(), quiet).rung.endswith("this CPU has no half precision")


@needs_openvino
def test_openvino_whose_results_differ_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    monkeypatch.setattr("realtime.engine.openvino_backend.TOLERANCE", limits(half=-1.0, single=-1.0))

    backend = choose_backend(Accelerate.AUTO, make_model(), quiet)

    assert "eager" in backend.rung and "openvino can't run this model" in backend.rung
    with pytest.raises(ConfigError, match="differ"):
        choose_backend(Accelerate.OPENVINO, make_model(), quiet)


def test_without_openvino_the_log_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_openvino(monkeypatch)

    backend = choose_backend(Accelerate.AUTO, make_model(), quiet)

    assert "pip install 'realtime[openvino]'" in backend.rung
    with pytest.raises(ConfigError, match="not installed"):
        choose_backend(Accelerate.OPENVINO, make_model(), quiet)


def test_off_is_eager_and_needs_no_reason() -> None:
    assert choose_backend(Accelerate.OFF, make_model(), quiet).rung.endswith("threads")


def test_graphs_without_cuda_are_refused_and_never_chosen() -> None:
    with pytest.raises(ConfigError, match="accelerate graphs: it runs on cuda, the model is on cpu"):
        choose_backend(Accelerate.GRAPHS, make_model(), quiet)
    assert "graphs" not in choose_backend(Accelerate.AUTO, make_model(), quiet).rung


def test_auto_takes_the_first_rung_of_the_models_device(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    tried: list[str] = []

    def rung(accelerate: Accelerate, device: str, obstacle: str = "") -> Rung:
        def build(model: Model, max_rows: int, progress: Any) -> EagerBackend:
            tried.append(f"{device} {max_rows}")
            return EagerBackend(model, "built")

        return Rung(accelerate, device, lambda model: obstacle, build)

    rungs = rung(Accelerate.OPENVINO, "cpu", "too old"), rung(Accelerate.GRAPHS, "cuda"), rung(Accelerate.GRAPHS, "cpu")
    monkeypatch.setattr("realtime.engine.accelerate.RUNGS", rungs)

    assert "built" in choose_backend(Accelerate.AUTO, model, quiet, 6).rung
    assert tried == ["cpu 6"]
    monkeypatch.setattr("realtime.engine.accelerate.RUNGS", rungs[:2])
    assert "(too old)" in choose_backend(Accelerate.AUTO, model, quiet).rung


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"dtype": torch.bfloat16}, "float32"), ({"device": torch.device("meta")}, "runs on cpu")],
)
def test_openvino_that_does_not_fit_the_model_is_refused(change: dict[str, Any], reason: str) -> None:
    model: Model = replace(make_model(), **change)

    with pytest.raises(ConfigError, match=reason):
        choose_backend(Accelerate.OPENVINO, model, quiet)
