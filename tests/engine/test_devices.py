"""Which devices engines are on, and what the process of one sees."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.config import Device
from realtime.engine.devices import ORDER, VISIBLE, by_device, see_one_gpu
from realtime.errors import ConfigError
from tests.fakes.servers import a_config

GPUS = "GPU 0: NVIDIA H200 (UUID: GPU-a)\n  MIG 1g.18gb Device 0: (UUID: MIG-b)\nGPU 1: NVIDIA H200 (UUID: GPU-c)\n"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(VISIBLE, raising=False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose nvidia-smi lists two."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{GPUS}END\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv(VISIBLE, raising=False)


def names(devices: str) -> list[tuple[str, Device]]:
    return [(config.devices, config.device) for config in by_device(a_config(devices=devices))]


def test_configuration_without_devices_is_the_only_one() -> None:
    config = a_config(device="cpu")

    (only,) = by_device(config)

    assert only is config


@pytest.mark.usefixtures("no_gpu")
def test_each_device_that_is_named_gets_an_engine_though_it_is_named_twice() -> None:
    assert names("cpu,cpu") == [("cpu", Device.CPU)] * 2
    assert names("mps") == [("mps", Device.MPS)]
    assert names("cuda:7,cpu") == [("cuda:7", Device.CUDA), ("cpu", Device.CPU)], "torch says whether there is one"


@pytest.mark.usefixtures("two_gpus")
def test_all_are_the_gpus_that_there_are() -> None:
    assert names("all") == [("cuda:0", Device.CUDA), ("cuda:1", Device.CUDA)]


@pytest.mark.usefixtures("two_gpus")
def test_gpus_that_the_environment_hides_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "1")

    assert names("all") == [("cuda:0", Device.CUDA)]


@pytest.mark.usefixtures("two_gpus")
def test_gpu_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="there is no cuda:2 here"):
        names("cuda:0,cuda:2")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("hidden", ["", "-1"])
def test_gpus_that_are_all_hidden_are_not_brought_back(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, hidden)

    for devices in ("all", "cuda:0"):
        with pytest.raises(ConfigError, match="here"):
            names(devices)


@pytest.mark.usefixtures("no_gpu")
def test_all_of_none_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="shows no GPU"):
        names("all")


@pytest.mark.parametrize(
    ("name", "visible", "seen"),
    [
        ("cuda:1", None, "1"),
        ("cuda:1", "3,5", "5"),
        ("cuda:0", "GPU-a,GPU-c", "GPU-a"),
        ("cuda", "3,5", "3,5"),
        ("cpu", None, None),
        ("", None, None),
    ],
)
def test_process_sees_its_own_gpu_alone(
    name: str, visible: str | None, seen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ORDER, raising=False)
    monkeypatch.delenv(VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(VISIBLE, visible)

    see_one_gpu(name)

    assert os.environ.get(VISIBLE) == seen
    assert os.environ.get(ORDER) == ("PCI_BUS_ID" if ":" in name else None)


def test_devices_are_known_without_torch() -> None:
    code = "import sys, realtime.engine.devices; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
