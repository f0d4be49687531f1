"""The NVIDIA GPU at hand, as its driver describes it.

Must not import torch, which may be missing or of another build. Must not know models.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
SMI_S = 10.0
"""How long nvidia-smi may take."""

# Source: CUdevice_attribute in cuda.h.
CLOCK_RATE, MULTIPROCESSOR_COUNT, MEMORY_CLOCK_RATE, MEMORY_BUS_WIDTH = 13, 16, 36, 37
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU. What is not known is None.

    Attributes:
        name: as the driver says it, for example `NVIDIA GeForce RTX 4090`.
        capability: compute capability.
        memory_gb: all of its memory, in 10⁹ bytes.
        bandwidth_gb_s: of its memory by its clock and width, in 10⁹ bytes a second.
        processor_ghz: number of multiprocessors, times their highest clock.
    """

    name: str
    capability: tuple[int, int] | None = None
    memory_gb: float | None = None
    bandwidth_gb_s: float | None = None
    processor_ghz: float | None = None

    @property
    def has_half(self) -> bool:
        """Whether its tensor cores calculate in half precision: from Volta on, but for the GTX 16 series."""
        return self.capability is not None and self.capability >= (7, 0) and "GTX 16" not in self.name


def find_card() -> Card | None:
    """The first GPU that a process sees; None where there is none, or its driver does not answer."""
    return _by_driver() or _by_smi()


def _by_driver() -> Card | None:
    """The card by CUDA's driver library, which answers without making a context."""
    try:
        driver: Any = ctypes.CDLL(DRIVER)
    except OSError:
        return None
    device, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(128)
    if (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
        or driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    ):
        return None

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        return 0 if driver.cuDeviceGetAttribute(ctypes.byref(value), number, device) else value.value

    # Clocks are in kHz, the bus in bits; memory moves two words a clock.
    bandwidth = 2 * attribute(MEMORY_CLOCK_RATE) * attribute(MEMORY_BUS_WIDTH) / 8 / 1e6
    processor_ghz = attribute(MULTIPROCESSOR_COUNT) * attribute(CLOCK_RATE) / 1e6
    return Card(
        name.value.decode(errors="replace"),
        (attribute(CAPABILITY_MAJOR), attribute(CAPABILITY_MINOR)),
        memory.value / 1e9,
        bandwidth or None,
        processor_ghz or None,
    )


def _by_smi() -> Card | None:
    """The card by nvidia-smi, which knows no bandwidth."""
    tool = shutil.which("nvidia-smi")
    if tool is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    command = [tool, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=SMI_S, check=True).stdout
        name, mebibytes, capability = (part.strip() for part in said.splitlines()[0].rsplit(",", 2))
        major, minor = capability.split(".")
        return Card(name, (int(major), int(minor)), int(mebibytes) * 2**20 / 1e9)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
