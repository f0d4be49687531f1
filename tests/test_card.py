"""The GPU as its driver describes it, by stand-ins for the driver."""

from __future__ import annotations

import ctypes
import stat
from pathlib import Path
from typing import Any

import pytest

from realtime import card
from realtime.card import Card, find_card

RTX_4090 = {
    card.CLOCK_RATE: 2_520_000,
    card.MULTIPROCESSOR_COUNT: 128,
    card.MEMORY_CLOCK_RATE: 10_501_000,
    card.MEMORY_BUS_WIDTH: 384,
    card.CAPABILITY_MAJOR: 8,
    card.CAPABILITY_MINOR: 9,
}


class Driver:
    """Stands for libcuda with one card; functions return 0 for success, as it does."""

    def __init__(self, attributes: dict[int, int], error: int = 0) -> None:
        self._attributes, self._error = attributes, error

    def cuInit(self, flags: int) -> int:
        return self._error

    def cuDeviceGet(self, device: Any, number: int) -> int:
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:
        name.value = b"NVIDIA GeForce RTX 4090"
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:
        memory._obj.value = 25_400_000_000
        return 0

    def cuDeviceGetAttribute(self, value: Any, number: int, device: Any) -> int:
        if number not in self._attributes:
            return 1
        value._obj.value = self._attributes[number]
        return 0


def with_driver(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)


def with_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, says: str) -> None:
    def no_driver(name: str) -> None:
        raise OSError(name)

    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{says}'\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_driver_tells_bandwidth_and_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    with_driver(monkeypatch, Driver(RTX_4090))

    found = find_card()

    assert found is not None
    assert (found.name, found.capability, found.memory_gb) == ("NVIDIA GeForce RTX 4090", (8, 9), 25.4)
    assert found.bandwidth_gb_s == pytest.approx(1008, abs=1)
    assert found.processor_ghz == pytest.approx(128 * 2.52)


def test_what_the_driver_does_not_tell_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {number: RTX_4090[number] for number in (card.CAPABILITY_MAJOR, card.CAPABILITY_MINOR)}
    with_driver(monkeypatch, Driver(kept))

    found = find_card()

    assert found == Card("NVIDIA GeForce RTX 4090", (8, 9), 25.4)


def test_nvidia_smi_answers_where_the_driver_can_not_be_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_smi(monkeypatch, tmp_path, "NVIDIA L4, 23034, 8.9")

    assert find_card() == Card("NVIDIA L4", (8, 9), 23034 * 2**20 / 1e9)


def test_driver_that_fails_and_a_tool_that_says_something_else_are_no_card(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_smi(monkeypatch, tmp_path, "Field compute_cap is not a valid field to query.")
    assert find_card() is None

    with_driver(monkeypatch, Driver(RTX_4090, error=100))
    assert find_card() is None


def test_hidden_gpu_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_smi(monkeypatch, tmp_path, "NVIDIA L4, 23034, 8.9")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert find_card() is None


@pytest.mark.parametrize(
    ("name", "capability", "half"),
    [("NVIDIA GeForce GTX 1080", (6, 1), False), ("NVIDIA GeForce GTX 1650", (7, 5), False), ("T4", (7, 5), True)],
)
def test_half_precision_wants_tensor_cores(name: str, capability: tuple[int, int], half: bool) -> None:
    assert Card(name, capability).has_half is half
