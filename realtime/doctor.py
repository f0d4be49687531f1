"""Checks the machine before anything is loaded. Must not import torch: it is for when that does not work."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata, resources
from pathlib import Path

from .card import Card, find_card
from .computed import AOTI, CONTEXT_GB, GRAPHS, SIZES, basis_of, has_room_for_builder, rate_of, rows_that_fit
from .config import Config, Device
from .engine.load import likely_device
from .engine.rungs.toolchain import compiler_obstacle, cxx, packages_obstacle
from .engine.rungs.tried import TrialCache
from .outputs.choosing import found_encoders
from .outputs.h264 import SOFTWARE, TRIAL_SIDE_PX

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
OLDEST_IN_CUDA_13 = (7, 5)
"""Compute capability, Turing's. Source: CUDA 13's release notes, which drop Maxwell, Pascal and Volta."""
SIDES_PX = (256, 384, 512)
LIVE_FPS = 10
"""Frames a second below which a picture follows visibly late."""
TRIALS_TOLD = 6
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
    card = find_card() if likely_device() is Device.CUDA else None
    checks: tuple[Callable[[], Finding | Iterable[Finding]], ...] = (
        python, packages, gpu, lambda: generation(card), openvino, lambda: compiler(card), lambda: rungs(card),
        lambda: models_on(card), variants, embedded_model, web_client, port, hub_cache, video_encoder, speed,
    )  # fmt: skip
    for check in checks:
        found = check()
        yield from (found,) if isinstance(found, Finding) else found


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
        what = (
            "Apple's GPU (mps) is used where torch has it, in eager mode"
            if sys.platform == "darwin"
            else "no NVIDIA driver"
        )
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


def generation(card: Card | None) -> list[Finding]:
    """What a GPU of this kind is to be told, if anything."""
    if "+rocm" in (torch := _installed("torch") or ""):
        text = "torch is built for ROCm: CUDA graphs run on AMD's GPUs, packages (aoti) do not; not tried by us"
        return [Finding(Verdict.NOTE, "gpu generation", text)]
    if card is None or card.capability is None:
        return []
    capability = ".".join(map(str, card.capability))
    if card.capability < OLDEST_IN_CUDA_13 and "+cu13" in torch:
        text = f"torch {torch} has no code for compute capability {capability}: install one that is built for CUDA 12"
        return [Finding(Verdict.FAIL, "gpu generation", text)]
    if not card.has_half:
        text = f"{card.name} (compute capability {capability}) is slow or wrong in float16: start with --dtype float32"
        return [Finding(Verdict.NOTE, "gpu generation", text)]
    return [Finding(Verdict.OK, "gpu generation", f"compute capability {capability}")]


def _capability(card: Card | None) -> tuple[int, int] | None:
    return None if card is None else card.capability


def compiler(card: Card | None = None) -> Finding:
    """The compilers that `--accelerate compile` and `aoti` need."""
    device, capability = likely_device(), _capability(card)
    obstacle = compiler_obstacle(device, capability) or packages_obstacle(device, capability)
    if obstacle:
        return Finding(Verdict.NOTE, "compiler", obstacle)
    return Finding(Verdict.OK, "compiler", cxx() or "")


def rungs(card: Card | None = None) -> Finding:
    """The rungs that this machine has, slowest first, and on CUDA the one that `auto` takes."""
    device, capability = likely_device(), _capability(card)
    is_cuda = device is Device.CUDA
    has_packages = not packages_obstacle(device, capability)
    found = ["off (eager)", GRAPHS] if is_cuda else ["off (eager)"]
    found += ["openvino"] if not is_cuda and _installed("openvino") else []
    found += ["compile"] if not compiler_obstacle(device, capability) else []
    found += [AOTI] if has_packages else []
    taken = "graphs, then aoti as packages are made" if has_packages else GRAPHS
    return Finding(
        Verdict.OK,
        "rungs",
        f"for --accelerate on {device}: {', '.join(found)}" + (f"; auto takes {taken}" if is_cuda else ""),
    )


def models_on(card: Card | None) -> list[Finding]:
    """For each model of a size that is known: whether it fits into the GPU's memory, and the computed frame rates."""
    if card is None or card.memory_gb is None:
        return []
    found_rungs = [GRAPHS] if packages_obstacle(Device.CUDA, card.capability) else [GRAPHS, AOTI]
    return [_model_on(card, card.memory_gb, name, found_rungs) for name in SIZES]


def _model_on(card: Card, memory_gb: float, name: str, found_rungs: Sequence[str]) -> Finding:
    subject, size = f"gpu, {name}", SIZES[name]
    rows, basis = rows_that_fit(card, size), basis_of(card)
    if not rows:
        wanted_gb = size.weights_gb + CONTEXT_GB + size.row_gb
        return Finding(
            Verdict.NOTE, subject, f"it wants {wanted_gb:.1f} GB free, and the GPU has {memory_gb:.1f}: too large"
        )
    fits = f"fits, {rows} frame{'s' if rows > 1 else ''} at once"
    if basis is None:
        return Finding(Verdict.OK, subject, f"{fits}; how fast is not known of this GPU: serve it and see")
    told: list[str] = []
    is_short = AOTI in found_rungs and not has_room_for_builder(card, size, rows)
    for rung in [GRAPHS] if is_short else found_rungs:
        rate = rate_of(basis.times, size, rows, rung)
        told.append(f"{_two_digits(rate.alone)} fps for one, {_two_digits(rate.together)} for all ({rung})")
    how = f"computed, not measured, ±30 %{basis.how and f', {basis.how}'}"
    how += "; no memory to build packages (aoti) beside it" if is_short else ""
    where = f"{size.side_px}×{size.side_px}, {size.steps} steps"
    return Finding(Verdict.OK, subject, f"{fits}; {where}: {', then '.join(told)}; {how}")


def variants() -> list[Finding]:
    """What trials of variants have found on this machine, of the models that were tried last."""
    found: dict[str, Finding] = {}
    for tried in TrialCache().all()[:TRIALS_TOLD]:
        told = "; ".join(f"{one}{one.why and f': {one.why}'}" for one in tried.variants)
        is_whole = all(one.ratio is not None for one in tried.variants)
        subject = f"variants, {tried.about}"
        found.setdefault(subject, Finding(Verdict.OK if is_whole else Verdict.NOTE, subject, told))
    return list(found.values())


def _two_digits(value: float) -> str:
    """A number with the two digits that count."""
    return f"{float(f'{value:.2g}'):g}"


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


def video_encoder() -> Finding:
    """What encodes H.264 that is sent on, by a trial of each encoder."""
    *_, taken = found = found_encoders()
    took = f"{taken.frame_ms:.1f} ms a picture of {TRIAL_SIDE_PX}×{TRIAL_SIDE_PX}" if taken.frame_ms else ""
    told = f"{taken.name} is used{took and f', {took}'}{(taken.obstacle and f' ({taken.obstacle})') or ''}"
    if taken.name != SOFTWARE:
        return Finding(Verdict.OK, "video encoder", told)
    missing = "; ".join(f"{trial.name}: {trial.obstacle}" for trial in found[:-1])
    return Finding(Verdict.OK, "video encoder", f"{told}{missing and f'; no hardware ({missing})'}")


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
