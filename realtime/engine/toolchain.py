"""Whether this machine can compile networks: what `--accelerate compile` and `aoti` stand on.

Must not import torch: `doctor` asks before anybody knows whether that works.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path


def cxx() -> str | None:
    """The C++ compiler that torch's inductor would call; None where there is none."""
    return shutil.which(os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++"))


def compiler_obstacle(device: str) -> str:
    """Why networks can't be compiled for a device, and what to do; empty where they can.

    Args:
        device: torch's name of the device's type: `cpu`, `cuda`, `mps`.
    """
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
