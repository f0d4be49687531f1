"""Whether this machine can compile networks."""

from __future__ import annotations

import importlib.util

import pytest

from realtime.engine import toolchain


def with_compiler(monkeypatch: pytest.MonkeyPatch, found: str | None = "/usr/bin/g++") -> None:
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: found)


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with_compiler(monkeypatch, None)

    assert "apt install g++" in toolchain.compiler_obstacle("cpu")


def test_cuda_wants_triton_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with_compiler(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert "pip install triton" in toolchain.compiler_obstacle("cuda")
    assert "triton" not in toolchain.compiler_obstacle("cpu")


def test_apples_gpu_is_not_compiled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_compiler(monkeypatch)

    assert "the model is on mps" in toolchain.compiler_obstacle("mps")


def test_the_compiler_is_the_one_that_torch_would_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "my-compiler")
    asked: list[str] = []
    monkeypatch.setattr(toolchain.shutil, "which", asked.append)

    toolchain.cxx()

    assert asked == ["my-compiler"]
