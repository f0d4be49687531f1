"""Networks that ship in int8: taken where they should be, and never in another model's place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from realtime.config import Config
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.regions import Kind
from tests.engine.tiny_models import make_job, make_model, make_params, picture_of, run

pytest.importorskip("realtime.engine.rungs.openvino.conversion", exc_type=ImportError)

from realtime.engine.rungs.openvino import backend as backends
from realtime.engine.rungs.openvino import shipped
from realtime.engine.rungs.openvino.backend import OpenVinoBackend
from realtime.engine.rungs.openvino.conversion import converted, key_of, ov, traced_networks

pytestmark = pytest.mark.slow

PHOTO = Path(__file__).parents[2] / "data" / "frames" / "astronaut.jpg"


def quiet(stage: str, percent: float | None) -> None:
    pass


def cpu_prefers(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    monkeypatch.setattr(backends, "native_precision", lambda core: precision)


def ship_decoder(model: Model, weights: Model) -> None:
    """Put a decoder of `weights` into the model's folder, in float32: how exact int8 is is another test's affair."""
    (decoder,) = (one for one in traced_networks(weights) if one.kind is Kind.DECODE)
    (network,) = converted(ov.Core(), key_of(weights, [decoder]), [decoder], quiet)
    assert model.folder is not None
    shipped.write(model.folder, {Kind.DECODE: network}, traced_networks(model))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model that ships its decoder, on a CPU without half precision."""
    cpu_prefers(monkeypatch, "f32")
    model = replace(make_model(), folder=tmp_path)
    ship_decoder(model, model)
    return model


def names(model: Model) -> list[Kind]:
    """What ships and would be run."""
    return list(backends.quantised(ov.Core(), model, traced_networks(model)))


def pictures(backend: Any, model: Model) -> list[np.ndarray]:
    jobs = [make_job(make_params(num_inference_steps=2, seed=seed), seed) for seed in range(2)]
    return [picture_of(outcome).astype(int) for outcome in run(DiffusionEngine(model, backend), jobs)]


def test_they_are_run_where_the_cpu_has_no_half_precision(model: Model) -> None:
    assert not backends.is_converted(model)

    backend = OpenVinoBackend(model, quiet)

    assert backends.is_converted(model), "the two others"
    assert backend.rung.precision == "int8"
    assert str(backend.rung).endswith("int8 (decode) and float32: this CPU has no half precision")
    np.testing.assert_allclose(pictures(backend, model), pictures(EagerBackend(model), model), atol=1)


def test_half_precision_is_preferred_and_float32_taken_at_its_word(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names(model) == [Kind.DECODE]
    assert names(replace(model, exact=True)) == []
    cpu_prefers(monkeypatch, "bf16")
    assert names(model) == []


def test_a_folder_without_any_is_no_news(model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert names(replace(model, folder=tmp_path / "other")) == []
    assert names(replace(model, folder=None)) == []
    assert not caplog.records


def test_other_weights_are_told_apart(model: Model) -> None:
    with torch.no_grad():
        list(model.vae.parameters())[-1].add_(1e-4)

    assert names(model) == []


@pytest.mark.parametrize("written", ["no json", "[]"])
def test_damaged_list_costs_only_speed(model: Model, caplog: pytest.LogCaptureFixture, written: str) -> None:
    assert model.folder is not None
    (model.folder / shipped.FOLDER / shipped.LIST).write_text(written)

    assert names(model) == []
    assert "can't be read and are not used" in caplog.text


def test_network_that_is_missing_costs_only_speed(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    assert model.folder is not None
    (model.folder / shipped.FOLDER / "decode.xml").unlink()

    assert names(model) == []
    assert "can't be read and are not used" in caplog.text


def test_network_whose_results_are_wrong_is_replaced(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    other = replace(make_model(), folder=model.folder)
    with torch.no_grad():
        for parameter in other.vae.parameters():
            parameter.mul_(1.5)
    ship_decoder(model, other)

    backend = OpenVinoBackend(model, quiet)

    assert backend.rung.precision == "float32"
    assert "the decode that ships in int8 is not used: results of the decode differ from PyTorch's" in caplog.text
    np.testing.assert_allclose(pictures(backend, model), pictures(EagerBackend(model), model), atol=1)


def test_network_without_its_weights_is_replaced(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    assert model.folder is not None
    weights = model.folder / shipped.FOLDER / "decode.bin"
    weights.write_bytes(weights.read_bytes()[:100])

    backend = OpenVinoBackend(model, quiet)

    assert backend.rung.precision == "float32"
    assert "not used" in caplog.text


def test_the_embedded_models_are_of_its_weights_and_near_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_prefers(monkeypatch, "f32")
    model = load_model(Config(model="tiny"))
    assert model.folder is not None
    made_of = json.loads((model.folder / shipped.FOLDER / shipped.LIST).read_text())
    traced = {one.kind: one for one in traced_networks(model)}
    assert set(made_of) == set(names(model)) == {Kind.ENCODE, Kind.STEP, Kind.DECODE}

    picture = cv2.resize(cv2.imread(str(PHOTO)), (256, 256), interpolation=cv2.INTER_AREA)[..., ::-1].copy()
    noise = np.zeros((1, model.latent_channels, 32, 32), np.float32)
    start = {"pictures": picture[None], "start": np.array([[1.0, 0.0]], np.float32), "noise": noise}
    core = ov.Core()
    small = backends.quantised(core, model, list(traced.values()))
    encode, decode = (core.compile_model(small[kind]) for kind in (Kind.ENCODE, Kind.DECODE))
    ours = decode({"x": encode(start)["x"]})["pictures"]
    with torch.no_grad():
        latents = traced[Kind.ENCODE].network(**{name: torch.from_numpy(value) for name, value in start.items()})["x"]
        theirs = traced[Kind.DECODE].network(x=latents)["pictures"].numpy()
    assert 10 * np.log10(255**2 / np.mean((ours.astype(float) - theirs) ** 2)) > 32
