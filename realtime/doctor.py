"""Checks the machine before anything is loaded. Must not import torch: it is for when that does not work."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata, resources
from pathlib import Path

from .config import Config, Device
from .engine.load import likely_device
from .engine.rungs.toolchain import compiler_obstacle, cxx, packages_obstacle

NEEDED = (
    "torch",
    "diffusers",
    "transformers",
    "safetensors",
    "opencv-python",
    "simplejpeg",
    "uvicorn",
    "fastapi",
)
FORECAST = (sys.executable, "-m", "realtime.bench.forecast")
FORECAST_TIMEOUT_S = 180.0
"""A busy laptop needs half a minute to load the embedded model; what takes longer than this tells nobody anything."""
SIDES_PX = (256, 384, 512)
LIVE_FPS = 10
"""Frames a second below which a picture follows visibly late."""
ROOMY_BYTES = 10 * 2**30
"""Free space below which the model cache is a note: a few models of a few GB each."""


class Verdict(StrEnum):
    """Result of a check."""

    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of one check.

    Attributes:
        subject: what was checked.
        text: what was found; where something is wrong, also what to do.
    """

    verdict: Verdict
    subject: str
    text: str

    @property
    def is_failure(self) -> bool:
        """Whether the server can't run like this."""
        return self.verdict is Verdict.FAIL


def examine() -> Iterator[Finding]:
    """The findings of all checks, each when it is known; the last one takes as long as loading a model."""
    checks: tuple[Callable[[], Finding], ...] = (
        python, packages, gpu, openvino, compiler, rungs, embedded_model, web_client, port, hub_cache, speed,
    )  # fmt: skip
    for check in checks:
        yield check()


def python() -> Finding:
    """The version of the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    verdict = Verdict.OK if sys.version_info >= (3, 11) else Verdict.FAIL
    return Finding(verdict, "python", version if verdict is Verdict.OK else f"{version}: 3.11 or newer is needed")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def packages() -> Finding:
    """The libraries that must be installed."""
    missing = [name for name in NEEDED if _installed(name) is None and _installed(f"{name}-headless") is None]
    if missing:
        return Finding(Verdict.FAIL, "packages", f"missing: {', '.join(missing)}; install the project again with pip")
    return Finding(Verdict.OK, "packages", f"torch {_installed('torch')}, diffusers {_installed('diffusers')}")


def gpu() -> Finding:
    """The GPU that would run the model."""
    if shutil.which("nvidia-smi") is None:
        what = "Apple's GPU (mps) is used where torch has it" if sys.platform == "darwin" else "no NVIDIA driver"
        return Finding(Verdict.NOTE, "gpu", f"{what}: the embedded model (--model tiny) is the one for the CPU")
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        text = "nvidia-smi is there and does not answer: run it to see why, or install NVIDIA's driver again"
        return Finding(Verdict.NOTE, "gpu", text)
    if "+cpu" in (_installed("torch") or ""):
        return Finding(Verdict.FAIL, "gpu", f"{found}, but torch is a CPU build: install a CUDA build of torch")
    return Finding(Verdict.OK, "gpu", f"{found}: try --model sd-turbo")


def openvino() -> Finding:
    """OpenVINO, which makes a CPU two to three times faster."""
    version = _installed("openvino")
    if version is None:
        return Finding(Verdict.NOTE, "openvino", "not installed; on a CPU it is 2-3 times faster: pip install openvino")
    return Finding(Verdict.OK, "openvino", version)


def compiler() -> Finding:
    """The compilers that `--accelerate compile` and `aoti` need."""
    obstacle = compiler_obstacle(likely_device()) or packages_obstacle(likely_device())
    if obstacle:
        return Finding(Verdict.NOTE, "compiler", obstacle)
    return Finding(Verdict.OK, "compiler", cxx() or "")


def rungs() -> Finding:
    """The rungs that this machine has, slowest first."""
    device = likely_device()
    is_cuda = device is Device.CUDA
    found = ["off (eager)", "graphs"] if is_cuda else ["off (eager)"]
    found += ["openvino"] if not is_cuda and _installed("openvino") else []
    found += ["compile"] if not compiler_obstacle(device) else []
    found += ["aoti"] if not packages_obstacle(device) else []
    return Finding(Verdict.OK, "rungs", f"for --accelerate on {device}: {', '.join(found)}")


def embedded_model() -> Finding:
    """The weights that ship with the package."""
    if resources.files("realtime.engine.models").joinpath("tiny/unet/config.json").is_file():
        return Finding(Verdict.OK, "embedded model", "here")
    return Finding(Verdict.FAIL, "embedded model", "its files are not in this checkout; use another --model")


def web_client() -> Finding:
    """The built web client."""
    if resources.files("realtime.server").joinpath("static/index.html").is_file():
        return Finding(Verdict.OK, "web client", "built")
    return Finding(
        Verdict.FAIL, "web client", "not built: run scripts/build in a checkout, or install a released wheel"
    )


def port() -> Finding:
    """Whether the default port is free."""
    number = Config.model_fields["port"].default
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return Finding(Verdict.NOTE, "port", f"{number} is in use: choose another with --port")
    return Finding(Verdict.OK, "port", f"{number} is free")


def hub_cache() -> Finding:
    """The folder of downloaded models, and the space on its disk."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    folder = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    offline = ", offline (HF_HUB_OFFLINE)" if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") else ""
    text = f"{folder}, {free / 2**30:.0f} GB free{offline}"
    if free > ROOMY_BYTES:
        return Finding(Verdict.OK, "model cache", text)
    return Finding(Verdict.NOTE, "model cache", f"{text}: free some, or set HF_HUB_CACHE to a folder on another disk")


def speed() -> Finding:
    """The frame rates that the embedded model will have, from two seconds of it in a process of its own."""
    others = _busy_cores()
    try:
        ran = subprocess.run(FORECAST, capture_output=True, text=True, timeout=FORECAST_TIMEOUT_S, check=True)
        found = json.loads(ran.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"it ended with {error.returncode}"])[-1]
        return Finding(Verdict.NOTE, "speed", f"the embedded model can't be run: {last}")
    except subprocess.TimeoutExpired:
        text = f"the embedded model took over {FORECAST_TIMEOUT_S:.0f} s to load: try again when the machine is idle"
        return Finding(Verdict.NOTE, "speed", text)
    # A frame's time goes with its pixels.
    rates = [1000 / found["frame_ms"] * (found["side_px"] / side) ** 2 for side in SIDES_PX]
    told = ", ".join(f"{side}×{side} {rate:.2g}" for side, rate in zip(SIDES_PX, rates, strict=True))
    text = f"embedded model, frames a second: {told} ({found['rung']})"
    if rates[0] >= LIVE_FPS:
        return Finding(Verdict.OK, "speed", text)
    busy = f"other programs kept {others:.1f} of {os.cpu_count()} cores busy: end them and ask again" if others else ""
    return Finding(Verdict.NOTE, "speed", f"{text}; slow: {busy or 'see the notes above, or use a GPU'}")


def _busy_cores() -> float:
    """Cores that were busy in the last minute, before this program loads anything; 0 below a half, or if unknown."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return load if load >= 0.5 else 0.0
