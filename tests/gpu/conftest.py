"""Where the tests of this folder run: on the GPU in half precision, and on the CPU that stands in for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.gpu.places import CPU, GPU, Place

HAS_GPU = torch.cuda.is_available() and torch.version.cuda is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "test_gpu_packages" in item.nodeid)  # what compiles for long costs no other its turn
    for item in items:
        if item.get_closest_marker("gpu") and not HAS_GPU:
            item.add_marker(pytest.mark.skip(reason="there is no NVIDIA GPU here"))


@pytest.fixture(
    scope="session", params=[pytest.param(CPU, id="twin"), pytest.param(GPU, id="gpu", marks=pytest.mark.gpu)]
)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(request.param, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session", params=[pytest.param(GPU, id="gpu", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """For what only a GPU does."""
    return Place(request.param, tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _cache_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path / "cache"))
