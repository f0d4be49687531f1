"""Whether this machine has what `--accelerate compile` and `aoti` need to compile networks, and where CUDA lies.

Must not import torch: `doctor` asks before it is known whether that works.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path


def cxx() -> str | None:
    """Path of the C++ compiler that torch's inductor would call; None where there is none."""
    return shutil.which(os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++"))


TRITON_CAPABILITY = (7, 0)
"""The least compute capability that triton makes code for, Volta's. Source: triton's README."""


def compiler_obstacle(device: str, capability: tuple[int, int] | None = None) -> str:
    """Why networks can't be compiled for a device, and what to do; empty where they can.

    Args:
        device: torch's name of the device's type: `cpu`, `cuda`, `mps`.
        capability: a GPU's compute capability, where it is known.
    """
    if capability is not None and capability < TRITON_CAPABILITY:
        found, least = (".".join(map(str, one)) for one in (capability, TRITON_CAPABILITY))
        return f"networks are compiled for GPUs of compute capability {least} and above, this one has {found}"
    if device not in ("cpu", "cuda"):
        return f"networks are compiled for CUDA and the CPU, the model is on {device}"
    if sys.platform == "win32":
        return "networks are compiled on Linux and macOS only"
    if cxx() is None:
        return "there is no C++ compiler: install g++ (Debian, Ubuntu: apt install g++), or name one in CXX"
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        return "triton is not installed: pip install triton"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python's headers are missing: install python3-dev (Debian, Ubuntu: apt install python3-dev)"
    return ""


def packages_obstacle(device: str, capability: tuple[int, int] | None = None) -> str:
    """As `compiler_obstacle`, for AOTInductor's packages: their C++ code is compiled against CUDA's headers."""
    if device == "cuda" and cuda_home() is None:
        headers = "CUDA's headers are missing: install the CUDA toolkit, or name its folder in CUDA_HOME"
        return compiler_obstacle(device, capability) or headers
    return compiler_obstacle(device, capability)


def cuda_home() -> Path | None:
    """The CUDA toolkit's folder, if it has the headers that compiled code includes; None where there is none.

    torch's own guess, the folder above `nvcc` on the path, has no headers where `nvcc` is a script in /usr/local/bin.
    The wheels that torch depends on contain only a part of them.
    """
    named = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    guesses = [Path(named)] if named else []
    if (nvcc := shutil.which("nvcc")) is not None:
        guesses += [Path(nvcc).parent.parent, Path(nvcc).resolve().parent.parent]
    guesses.append(Path("/usr/local/cuda"))
    wanted = ("include/cuda.h", "include/cuda_runtime_api.h", "include/crt/host_defines.h")
    return next((guess for guess in guesses if all((guess / header).is_file() for header in wanted)), None)


def name_cuda(scratch: Path) -> None:
    """Set CUDA_HOME and LIBRARY_PATH for the compilers that this process starts, where CUDA is found. To be called
    before torch is imported.

    Args:
        scratch: folder for a link named `libcuda.so`: drivers install `libcuda.so.1`, the linker looks for this name.
    """
    if (home := cuda_home()) is not None:
        os.environ["CUDA_HOME"] = str(home)
    if (driver := _driver()) is not None:
        (scratch / "libcuda.so").symlink_to(driver)
        known = os.environ.get("LIBRARY_PATH")
        os.environ["LIBRARY_PATH"] = str(scratch) if not known else f"{scratch}{os.pathsep}{known}"


def _driver() -> Path | None:
    """Path of CUDA's driver library as Linux's loader finds it; None where there is none."""
    try:
        ctypes.CDLL("libcuda.so.1")
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return None
    return next((Path(line.split(maxsplit=5)[5]) for line in maps.splitlines() if "/libcuda.so" in line), None)
