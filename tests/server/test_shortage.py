"""Whether memory suffices for one model more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime.config import Device
from realtime.engine import free_memory
from realtime.engine.free_memory import GPU_RESERVE_BYTES, HOST_COPIES, HOST_RESERVE_BYTES, needed_memory
from realtime.engine.models.shelf import Shelved, list_shelved, weights
from realtime.server.shortage import shortage
from tests.fakes.servers import a_config

TINY = next(one for one in list_shelved() if one.name == "tiny")
COUNT = weights(TINY, prefer_fp16=False) or 0


def of(free: int | None, devices: tuple[str, ...] = ("cpu",), shelved: Shelved = TINY, **fields: Any) -> str:
    return shortage(shelved, a_config(**fields), devices, lambda device, name: free)


def test_the_weights_of_the_embedded_model_are_counted() -> None:
    files = (Path(free_memory.__file__).parent / "models" / "tiny").glob("*/*.safetensors")

    assert 2 * COUNT <= sum(file.stat().st_size for file in files) < 4 * COUNT


@pytest.mark.parametrize(
    ("device", "dtype", "needed"),
    [
        (Device.CPU, "auto", HOST_COPIES * 4 * 10**9 + HOST_RESERVE_BYTES),
        (Device.CPU, "bfloat16", HOST_COPIES * 2 * 10**9 + HOST_RESERVE_BYTES),
        (Device.CUDA, "auto", 2 * 10**9 + GPU_RESERVE_BYTES),
        (Device.CUDA, "float32", 4 * 10**9 + GPU_RESERVE_BYTES),
    ],
)
def test_a_weight_takes_as_much_as_its_number_format(device: Device, dtype: str, needed: int) -> None:
    assert needed_memory(10**9, device, a_config(dtype=dtype).dtype) == needed


def test_what_is_missing_is_said_in_numbers() -> None:
    assert of(100_000_000) == "tiny takes about 0.5 GB beside the model that serves, and 0.1 GB are free (cpu)"


def test_enough_memory_is_nothing_to_speak_of() -> None:
    assert of(4_000_000_000) == ""


def test_engines_that_share_the_hosts_memory_need_it_together() -> None:
    one = needed_memory(COUNT, Device.CPU, a_config().dtype)

    assert of(2 * one, ("cpu", "cpu")) == ""
    assert of(2 * one - 1, ("cpu", "cpu")) != ""


def test_each_gpu_is_asked_for_its_own() -> None:
    asked: list[tuple[Device, str]] = []

    def free(device: Device, name: str) -> int:
        asked.append((device, name))
        return 10**11

    assert shortage(TINY, a_config(devices="cuda:0,cuda:1"), ("cuda:0", "cuda:1"), free) == ""
    assert asked == [(Device.CUDA, "cuda:0"), (Device.CUDA, "cuda:1")]


@pytest.mark.parametrize("free", [None, 0])
def test_what_is_not_known_is_not_checked(free: int | None) -> None:
    assert of(None) == ""
    assert of(free, shelved=Shelved("nobody/knows", "nobody/knows")) == ""


def test_host_says_what_is_free_within_the_containers_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    monkeypatch.setattr(free_memory, "MEMORY", meminfo)
    monkeypatch.setattr(free_memory, "CGROUP", tmp_path)
    whole = free_memory.free_memory(Device.CPU)
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("2000000000\n")
    limited = free_memory.free_memory(Device.CPU)
    meminfo.unlink()

    assert (whole, limited, free_memory.free_memory(Device.CPU)) == (4_096_000_000, 1_000_000_000, None)


def test_gpu_is_asked_by_the_name_that_the_environment_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = "--id=5" ] && echo 1024\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")

    assert free_memory.free_memory(Device.CUDA, "cuda:1") == 2**30
    assert free_memory.free_memory(Device.CUDA, "cuda:0") is None
    assert free_memory.free_memory(Device.CUDA, "cuda:7") is None
    assert free_memory.free_memory(Device.MPS) is None
