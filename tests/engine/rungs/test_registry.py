"""Which backend is chosen, and that they all give the same pictures."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import pytest
import torch

from realtime.config import Accelerate
from realtime.engine.backend import EagerBackend
from realtime.engine.models.load import Model
from realtime.engine.rungs.registry import Rung, choose_backend
from realtime.errors import ConfigError
from tests.engine.tiny_models import make_model


def quiet(stage: str, percent: float | None) -> None:
    pass


def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_without_openvino_the_log_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_openvino(monkeypatch)

    backend = choose_backend(Accelerate.AUTO, make_model(), quiet)

    assert "pip install 'realtime[openvino]'" in backend.rung.why
    with pytest.raises(ConfigError, match="not installed"):
        choose_backend(Accelerate.OPENVINO, make_model(), quiet)


def test_off_is_eager_and_needs_no_reason() -> None:
    assert choose_backend(Accelerate.OFF, make_model(), quiet).rung.why == ""


def test_graphs_without_cuda_are_refused_and_never_chosen() -> None:
    with pytest.raises(ConfigError, match="accelerate graphs: it runs on cuda, the model is on cpu"):
        choose_backend(Accelerate.GRAPHS, make_model(), quiet)
    assert choose_backend(Accelerate.AUTO, make_model(), quiet).rung.name != "graphs"


def test_auto_takes_the_first_rung_of_the_models_device(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    tried: list[str] = []

    def rung(accelerate: Accelerate, device: str, obstacle: str = "") -> Rung:
        def build(model: Model, max_rows: int, progress: Any) -> EagerBackend:
            tried.append(f"{device} {max_rows}")
            return EagerBackend(model, "built")

        return Rung(accelerate, device, lambda model: obstacle, build)

    rungs = rung(Accelerate.OPENVINO, "cpu", "too old"), rung(Accelerate.GRAPHS, "cuda"), rung(Accelerate.GRAPHS, "cpu")
    monkeypatch.setattr("realtime.engine.rungs.registry.RUNGS", rungs)

    assert choose_backend(Accelerate.AUTO, model, quiet, 6).rung.why == "built"
    assert tried == ["cpu 6"]
    monkeypatch.setattr("realtime.engine.rungs.registry.RUNGS", rungs[:2])
    assert choose_backend(Accelerate.AUTO, model, quiet).rung.why == "too old"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"dtype": torch.bfloat16}, "float32"), ({"device": torch.device("meta")}, "runs on cpu")],
)
def test_openvino_that_does_not_fit_the_model_is_refused(change: dict[str, Any], reason: str) -> None:
    model: Model = replace(make_model(), **change)

    with pytest.raises(ConfigError, match=reason):
        choose_backend(Accelerate.OPENVINO, model, quiet)
