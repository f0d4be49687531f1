"""Those who make a frame: our engine on a rung, diffusers' pipeline, StreamDiffusion. Each says how long it takes.

Must not know which of them is better, or how numbers are shown.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
import torch
from PIL import Image

from ...config import Accelerate, Config, Device, Dtype
from ...errors import EngineError
from ...frame import Failure, Format, Frame, Job, Result
from ...params import OutputFormat, Params
from .. import Engine, Pending, load_engine
from ..codec import Pixels
from ..parts import load_autoencoder, load_text_encoder, load_tokenizer, load_unet
from ..quiet import quiet
from .shapes import kl_autoencoder

with quiet():
    from diffusers import (
        AutoPipelineForImage2Image,  # pyright: ignore[reportPrivateImportUsage]
        EulerDiscreteScheduler,  # pyright: ignore[reportPrivateImportUsage]
        LCMScheduler,  # pyright: ignore[reportPrivateImportUsage]
        StableDiffusionImg2ImgPipeline,  # pyright: ignore[reportPrivateImportUsage]
        StableDiffusionPipeline,  # pyright: ignore[reportPrivateImportUsage]
    )
    from transformers import CLIPTextModel

WARMUP_ROUNDS = 3
BEING_MADE = "is being made"
"""What the engine's rung says while it climbs."""
QUIET_S = 4.0
CLIMBING = (Accelerate.AUTO.value, "aoti")
"""Rungs that are made while frames flow."""
PROMPT = "a photo"
STRENGTH = 0.5
T_INDICES = {1: [35], 2: [35, 45], 4: [18, 26, 35, 45]}
"""Of StreamDiffusion's fifty timesteps, by step count: those of its examples."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where all contenders run.

    Attributes:
        side_px: of their pictures.
        small: random models of few channels; only to see that everything runs.
    """

    device: torch.device
    dtype: torch.dtype
    side_px: int
    small: bool

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def timed(machine: Machine, make: Callable[[], object], frames: int, seconds: float) -> dict[str, float]:
    """Make frames over and over, each round waited for.

    Args:
        make: one round.
        frames: in a round.
        seconds: how long at least; two rounds at the least.

    Returns:
        Median and 95th percentile of a round's time, and the median's share of a frame.
    """
    for _ in range(WARMUP_ROUNDS):
        make()
    machine.wait()
    times_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or len(times_ms) < 2:
        begin_s = time.perf_counter()
        make()
        machine.wait()
        times_ms.append((time.perf_counter() - begin_s) * 1000)
    times_ms.sort()
    median_ms = times_ms[len(times_ms) // 2]
    return {
        "p50_ms": round(median_ms, 3),
        "p95_ms": round(times_ms[min(len(times_ms) - 1, int(0.95 * len(times_ms)))], 3),
        "ms_per_frame": round(median_ms / frames, 3),
    }


class Ours:
    """Our engine on one rung: pixels in the host's memory in and out; no JPEG on either side.

    Args:
        folder: of the model; its own autoencoder is taken.

    Raises:
        ConfigError: this machine does not have the rung.
    """

    def __init__(self, folder: Path, accelerate: str, machine: Machine, max_rows: int = 16) -> None:
        dtype = {torch.float32: Dtype.FLOAT32, torch.float16: Dtype.FLOAT16, torch.bfloat16: Dtype.BFLOAT16}
        self._machine = machine
        self._accelerate = accelerate
        self._begin_s = time.perf_counter()
        self.engine: Engine = load_engine(
            Config(
                model=str(folder),
                vae="full",
                accelerate=Accelerate(accelerate),
                device=Device(machine.device.type),
                dtype=dtype[machine.dtype],
                max_rows=max_rows,
            )
        )
        self.load_s = self.settled_s = time.perf_counter() - self._begin_s
        self._number = 0

    @property
    def rung(self) -> str:
        """What runs, in words."""
        return self.engine.info.rung

    def told(self) -> dict[str, str | float]:
        """What runs, how long it took until the engine served, and until it ran on this rung."""
        return {"what": self.rung, "load_s": round(self.load_s, 2), "settled_s": round(self.settled_s, 2)}

    def settle(self, batches: Sequence[int], timeout_s: float) -> bool:
        """Make frames of these batches until no higher rung has been made for them for a while; whether in time.

        A rung that climbs looks from time to time which batches are in use, so one look must have found nothing.
        """
        if self._accelerate not in CLIMBING:
            return True
        end_s = time.perf_counter() + timeout_s
        for batch in batches:
            busy_s = time.perf_counter()
            while (now_s := time.perf_counter()) - busy_s < QUIET_S and now_s < end_s:
                self.frames(batch, 1)
                if BEING_MADE in self.rung:
                    busy_s = time.perf_counter()
        self.settled_s = time.perf_counter() - self._begin_s
        return time.perf_counter() < end_s

    def jobs(self, batch: int, steps: int, first: int = 0) -> list[Job]:
        """A frame of each of so many sessions; the pictures follow from `first`."""
        side = self._machine.side_px
        defaults = {**dict(Params()), **self.engine.info.defaults}
        fixed = {"width": side, "height": side, "num_inference_steps": steps, "strength": STRENGTH, "prompt": PROMPT}
        params = Params.model_validate({**defaults, **fixed, "output_format": OutputFormat.JPEG})
        made: list[Job] = []
        for row in range(batch):
            self._number += 1
            now_ns = time.monotonic_ns()
            frame = Frame(self._number, Format.NONE, b"", 0, now_ns)
            pixels = picture(first + row, side)
            made.append(Job(frame, params, f"trial-{row}", now_ns, self._number, encode=False, picture=pixels))
        return made

    def frames(self, batch: int, steps: int, first: int = 0) -> list[Result]:
        """Make a frame of each of so many sessions, and wait for them."""
        results: list[Result] = []
        pending = self.engine.tick(self.jobs(batch, steps, first))
        results += _results(pending)
        while self.engine.busy_rows:
            results += _results(self.engine.tick([]))
        return results

    def pipelined(self, batch: int, steps: int, rounds: int) -> float:
        """Milliseconds a frame where the next tick is launched before the last one is collected, as a server does."""
        begin_s = time.perf_counter()
        last: Pending | None = None
        for round_ in range(rounds):
            admitted = self.jobs(batch, steps, round_)
            while True:
                pending = self.engine.tick(admitted)
                if last is not None:
                    _results(last)
                last, admitted = pending, []
                if not self.engine.busy_rows:
                    break
        if last is not None:
            _results(last)
        return (time.perf_counter() - begin_s) * 1000 / (rounds * batch)

    def pictures(self, batch: int, steps: int) -> list[Pixels]:
        """What the frames of the first pictures look like."""
        results = sorted(self.frames(batch, steps), key=lambda result: result.job.number)
        return [result.picture.copy() for result in results]

    def close(self) -> None:
        """Free the device."""
        self.engine.close()


def _results(pending: Pending) -> list[Result]:
    results: list[Result] = []
    for outcome in pending.collect():
        if isinstance(outcome, Failure):
            raise EngineError(f"a frame of the trial failed: {outcome.error}")
        results.append(outcome)
    return results


@functools.lru_cache(64)
def picture(seed: int, side_px: int) -> Pixels:
    """A random picture with some structure; made once, as making it is not what is timed."""
    cells = np.random.default_rng(seed % 8).integers(30, 220, (side_px // 8, side_px // 8, 3), dtype=np.uint8)
    return cells.repeat(8, 0).repeat(8, 1)


def diffusers_pipeline(folder: Path, machine: Machine, *, with_taesd: bool) -> Callable[[], object]:
    """diffusers' image-to-image pipeline as its documentation has it: Pillow in and out, one step, a prompt a frame.

    Args:
        with_taesd: take the small autoencoder; else Stable Diffusion's own.
    """
    pipeline: Any = StableDiffusionImg2ImgPipeline(
        vae=_autoencoder(folder, machine, with_taesd),
        text_encoder=_text_encoder(folder, machine),
        tokenizer=load_tokenizer(folder / "tokenizer"),
        unet=_unet(folder, machine),
        scheduler=cast(Any, EulerDiscreteScheduler(timestep_spacing="trailing", steps_offset=1)),
        safety_checker=cast(Any, None),
        feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )
    pipeline = AutoPipelineForImage2Image.from_pipe(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    picture = _picture(machine)

    def frame() -> object:
        # Two steps at half strength are one call of the UNet.
        return pipeline(PROMPT, image=picture, num_inference_steps=2, strength=STRENGTH, guidance_scale=0.0)

    return frame


def stream_diffusion(folder: Path, steps: int, machine: Machine, *, batched: bool = True) -> Callable[[], object]:
    """StreamDiffusion's own package on the same weights, with its stream batch; a tensor in and a tensor out.

    Kinder than its own server: no picture is converted, and the prompt is encoded once.

    Raises:
        ImportError: the package is not here (`pip install --no-deps streamdiffusion==0.1.1`).
    """
    package: Any = importlib.import_module("streamdiffusion")
    pipeline: Any = StableDiffusionPipeline(
        vae=_autoencoder(folder, machine, True),
        text_encoder=cast(Any, None),
        tokenizer=cast(Any, None),
        unet=_unet(folder, machine),
        scheduler=cast(Any, LCMScheduler(steps_offset=1)),
        safety_checker=cast(Any, None),
        feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )
    side = machine.side_px
    stream: Any = package.StreamDiffusion(
        pipeline,
        T_INDICES[steps],
        torch_dtype=machine.dtype,
        width=side,
        height=side,
        use_denoising_batch=batched,
        cfg_type="none",
    )
    width = int(pipeline.unet.config["cross_attention_dim"])
    embeds = torch.randn(1, 77, width, dtype=machine.dtype, device=machine.device)
    pipeline.encode_prompt = lambda **kwargs: (embeds, embeds)  # pyright: ignore[reportUnknownLambdaType]
    stream.prepare(PROMPT, num_inference_steps=50, guidance_scale=1.0, generator=torch.Generator())
    pixels = torch.rand(1, 3, side, side, dtype=machine.dtype, device=machine.device)

    def frame() -> object:
        with _events(machine):
            return stream(pixels)

    return frame


@contextlib.contextmanager
def _events(machine: Machine) -> Generator[None]:
    """CUDA's events, which it asks for on any device."""
    if machine.device.type == "cuda":
        yield
        return
    with mock.patch("torch.cuda.Event"), mock.patch("torch.cuda.synchronize"):
        yield


def _unet(folder: Path, machine: Machine) -> Any:
    unet = load_unet(folder / "unet", machine.dtype, None)
    return cast(Any, unet).to(machine.device).eval().requires_grad_(False)


def _autoencoder(folder: Path, machine: Machine, with_taesd: bool) -> Any:
    if not with_taesd:
        with quiet():
            return kl_autoencoder(machine.dtype, machine.device, machine.small)
    return cast(Any, load_autoencoder(folder, machine.dtype, False)).to(machine.device).eval()


def _text_encoder(folder: Path, machine: Machine) -> Any:
    return cast(Any, load_text_encoder(CLIPTextModel, folder / "text_encoder", machine.dtype, None)).to(machine.device)


def _picture(machine: Machine) -> Image.Image:
    side = machine.side_px
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def difference(pictures: Sequence[Pixels], reference: Sequence[Pixels]) -> dict[str, float]:
    """How far pictures are from those that they should be.

    Returns:
        The relative error in the 2-norm around the reference's mean grey, and the largest difference in levels of 255.
    """
    ours = np.stack(pictures).astype(np.float64)
    theirs = np.stack(reference).astype(np.float64)
    norm = float(np.linalg.norm(theirs - theirs.mean()))
    error = float(np.linalg.norm(ours - theirs)) / (norm or 1.0)
    return {"relative": round(error, 6), "largest_levels": float(np.abs(ours - theirs).max())}
