"""Whether this machine can compile networks."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from realtime.engine.rungs import toolchain


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


def test_old_gpus_are_told_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with_compiler(monkeypatch)

    obstacles = [toolchain.compiler_obstacle("cuda", capability) for capability in ((6, 1), (7, 5), None)]

    assert "7.0 and above, this one has 6.1" in obstacles[0]
    assert not any("capability" in obstacle for obstacle in obstacles[1:])


def test_apples_gpu_is_not_compiled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_compiler(monkeypatch)

    assert "the model is on mps" in toolchain.compiler_obstacle("mps")


def test_the_compiler_is_the_one_that_torch_would_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "my-compiler")
    asked: list[str] = []
    monkeypatch.setattr(toolchain.shutil, "which", asked.append)

    toolchain.cxx()

    assert asked == ["my-compiler"]


def toolkit(folder: Path) -> Path:
    """A folder with the headers of a CUDA toolkit."""
    for header in ("cuda.h", "cuda_runtime_api.h", "crt/host_defines.h"):
        (folder / "include" / header).parent.mkdir(parents=True, exist_ok=True)
        (folder / "include" / header).touch()
    return folder


@pytest.fixture
def no_cuda_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_HOME", "CUDA_PATH", "LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_cuda_named")
def test_a_link_to_nvcc_leads_to_its_toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = toolkit(tmp_path / "cuda-13.0")
    (home / "bin").mkdir()
    (home / "bin" / "nvcc").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvcc").symlink_to(home / "bin" / "nvcc")
    with_compiler(monkeypatch, str(tmp_path / "bin" / "nvcc"))

    assert toolchain.cuda_home() == home


def test_the_toolkit_that_is_named_is_taken_if_it_has_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_compiler(monkeypatch, None)
    monkeypatch.setenv("CUDA_HOME", str(toolkit(tmp_path / "named")))
    assert toolchain.cuda_home() == tmp_path / "named"

    (tmp_path / "named" / "include" / "cuda.h").unlink()
    assert toolchain.cuda_home() != tmp_path / "named"


def test_packages_for_cuda_want_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "compiler_obstacle", lambda device, capability=None: "")
    monkeypatch.setattr(toolchain, "cuda_home", lambda: None)

    assert "CUDA_HOME" in toolchain.packages_obstacle("cuda")
    assert toolchain.packages_obstacle("cpu") == ""


@pytest.mark.usefixtures("no_cuda_named")
def test_compilers_are_told_where_toolkit_and_driver_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"LIBRARY_PATH": "/known"}
    monkeypatch.setattr(toolchain.os, "environ", environment)
    monkeypatch.setattr(toolchain, "cuda_home", lambda: Path("/toolkit"))
    monkeypatch.setattr(toolchain, "_driver", lambda: Path("/driver/libcuda.so.1"))

    toolchain.name_cuda(tmp_path)

    assert environment["CUDA_HOME"] == "/toolkit"
    assert environment["LIBRARY_PATH"] == f"{tmp_path}{os.pathsep}/known"
    assert (tmp_path / "libcuda.so").readlink() == Path("/driver/libcuda.so.1")
