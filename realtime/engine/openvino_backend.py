"""The networks in OpenVINO, for CPUs: the same float32 results as PyTorch's eager mode, faster.

Measured on the embedded model at 256x256: 1.5 times as fast on one core (55 ms a frame for 80), and several times where
other processes want the cores too: OpenMP's threads wait for each other spinning.

Must not know rows, or when it is a good choice.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch

# OpenVINO's converter would tell its makers of every conversion, and the process's end would wait for that.
sys.modules.setdefault("openvino_telemetry", cast("Any", None))
import openvino as ov  # noqa: E402

from .cache import cache_folder  # noqa: E402
from .regions import TorchNetworks  # noqa: E402

if TYPE_CHECKING:
    from . import Progress
    from .models import Model

_log = logging.getLogger(__name__)

#: A conversion whose results are further from PyTorch's than this is not used. Measured: 4e-6.
TOLERANCE = 1e-3

#: Conversions kept on disk, newest first: one is as large as its model in float32.
CONVERSIONS_KEPT = 3

#: Batch and side of the latents that the networks are traced with; both stay free in the result.
TRACE_BATCH, TRACE_SIDE = 2, 32


class OpenVinoNetworks:
    """`Networks` on OpenVINO's CPU plug-in.

    One network serves all batch and picture sizes: measured on the embedded model, free dimensions cost nothing next
    to fixed ones. Latents that the UNet can't halve evenly take the eager way, whose graph is another one.

    Args:
        model: on the CPU, in float32.
        progress: told about the stages.

    Raises:
        RuntimeError: the results differ from PyTorch's. (The converter raises whatever it likes.)
    """

    def __init__(self, model: Model, progress: Progress) -> None:
        core = ov.Core()
        threads = torch.get_num_threads()
        # OpenVINO would take bfloat16 where the CPU has it; then pictures differ by up to 0.05.
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        calls: list[Call] = []
        networks = _networks(model)
        for traced, converted in zip(
            networks, _converted(core, _key(model, networks), networks, progress), strict=True
        ):
            calls.append(_call(core.compile_model(converted, "CPU", options)))
            _check(traced, calls[-1])
        self._encode, self._unet, self._decode = calls
        self._eager = TorchNetworks(model)
        self._multiple = 2 ** int(model.unet.num_upsamplers)
        version = str(ov.__version__).partition("-")[0]
        self.rung = f"openvino {version} on cpu, {threads} threads, float32"

    def encode_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `Networks`."""
        return self._encode([pixels])

    def unet(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """See `Networks`."""
        if any(side % self._multiple for side in sample.shape[2:]):
            return self._eager.unet(sample, timestep, prompt_embeds, timestep_cond, added)
        extra = [] if timestep_cond is None else [timestep_cond]
        extra += [] if added is None else [added["text_embeds"], added["time_ids"]]
        return self._unet([sample, timestep, prompt_embeds, *extra])

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """See `Networks`."""
        return self._decode([latents])


Call = Callable[[Sequence[torch.Tensor]], torch.Tensor]


class _Encoder(torch.nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self.vae = model.vae

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._model.encode_latents(pixels)


class _Decoder(torch.nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self.vae = model.vae

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self._model.decode_latents(latents)


class _Unet(torch.nn.Module):
    """`forward` takes tensors only, in the order of `OpenVinoNetworks.unet`."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.unet = model.unet
        self._timestep_conds = int(model.unet.config["time_cond_proj_dim"] is not None)

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        *extra: torch.Tensor,
    ) -> torch.Tensor:
        unet: Any = self.unet
        added = extra[self._timestep_conds :]
        return unet(
            sample,
            timestep,
            encoder_hidden_states=prompt_embeds,
            timestep_cond=extra[0] if self._timestep_conds else None,
            added_cond_kwargs=dict(zip(("text_embeds", "time_ids"), added, strict=True)) if added else None,
            return_dict=False,
        )[0]


class _Traced(NamedTuple):
    """A network, and an input to trace it with."""

    name: str
    network: torch.nn.Module
    example: tuple[torch.Tensor, ...]


def _networks(model: Model) -> list[_Traced]:
    """Encoder, UNet and decoder."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(TRACE_BATCH, *shape, generator=generator)

    side = TRACE_SIDE
    pixels = normal(3, side * model.latent_scale_px, side * model.latent_scale_px).clamp(-1, 1)
    prompt = model.prompt_encoder.encode("")
    inputs = [
        normal(int(model.unet.config["in_channels"]), side, side),
        torch.full((TRACE_BATCH,), 499.0),
        prompt.prompt_embeds.repeat(TRACE_BATCH, 1, 1),
    ]
    if model.unet.config["time_cond_proj_dim"] is not None:
        inputs.append(normal(int(model.unet.config["time_cond_proj_dim"])))
    if prompt.pooled is not None:
        inputs += [prompt.pooled.repeat(TRACE_BATCH, 1), torch.full((TRACE_BATCH, 6), 256.0)]
    return [
        _Traced("encoder", _Encoder(model), (pixels,)),
        _Traced("unet", _Unet(model), tuple(inputs)),
        _Traced("decoder", _Decoder(model), (normal(model.latent_channels, side, side),)),
    ]


def is_converted(model: Model) -> bool:
    """Whether this model's conversion is in the cache, so that `OpenVinoBackend` is there in a second."""
    networks = _networks(model)
    folder = cache_folder("openvino") / _key(model, networks)
    return all((folder / f"{traced.name}.xml").is_file() for traced in networks)


def _converted(core: ov.Core, key: str, networks: Sequence[_Traced], progress: Progress) -> list[ov.Model]:
    """The networks in OpenVINO's form: read where they were converted before (0.1 s), else converted (5 s) and kept."""
    folder = cache_folder("openvino") / key
    progress("reading the openvino conversion", None)
    try:
        models = [core.read_model(folder / f"{traced.name}.xml") for traced in networks]
        os.utime(folder)
        return models
    except (OSError, RuntimeError):  # not there, or damaged
        shutil.rmtree(folder, ignore_errors=True)
    models: list[ov.Model] = []
    for i, traced in enumerate(networks):
        progress("converting to openvino", 100 * i / len(networks))
        models.append(_convert(traced.network, traced.example))
    try:
        _keep(folder, dict(zip((traced.name for traced in networks), models, strict=True)))
    except (OSError, RuntimeError) as error:  # a full or read-only disk costs the next start 5 s
        _log.warning("the openvino conversion can't be kept in %s: %s", folder.parent, error)
    return models


def _key(model: Model, networks: Sequence[_Traced]) -> str:
    """A name that changes with the weights (LoRAs are fused into them), the networks' form and the converters."""
    digest = hashlib.blake2b(digest_size=12)
    configs: list[Any] = [model.unet.config, model.vae.config]
    settings = [sorted((k, str(v)) for k, v in config.items() if not k.startswith("_")) for config in configs]
    digest.update(f"{ov.__version__} {torch.__version__} {settings}".encode())
    for _, network, _ in networks:
        digest.update(str(network).encode())
        for name, tensor in network.state_dict().items():
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _keep(folder: Path, models: dict[str, ov.Model]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, model in models.items():
            ov.save_model(model, temporary / f"{name}.xml", compress_to_fp16=False)
        temporary.rename(folder)  # whole or not at all; two servers may start at once
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    newest_first = sorted(folder.parent.iterdir(), key=lambda kept: kept.stat().st_mtime, reverse=True)
    for old in newest_first[CONVERSIONS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _convert(network: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> ov.Model:
    """Trace, and free the batch and the picture's sides."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's doubts about Python numbers; `_check` is the answer to them
        # Left to itself, the converter traces with torch's own check: 5 s instead of 3 for the embedded model.
        traced = torch.jit.trace(network.eval(), example, check_trace=False)
        converted = ov.convert_model(traced, example_input=example)
    shapes = [[-1, *tensor.shape[1:2], *([-1, -1] if tensor.ndim == 4 else tensor.shape[2:])] for tensor in example]
    converted.reshape({i: ov.PartialShape(shape) for i, shape in enumerate(shapes)})
    return converted


def _call(compiled: ov.CompiledModel) -> Call:
    request = compiled.create_infer_request()

    def call(inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        arrays = [np.ascontiguousarray(tensor.numpy()) for tensor in inputs]
        return torch.from_numpy(request.infer(arrays, share_inputs=True)[0])

    return call


def _check(traced: _Traced, call: Call) -> None:
    """Compare with PyTorch, on one row where two were traced."""
    one = tuple(tensor[:1] for tensor in traced.example)
    with torch.no_grad():
        difference = float((call(one) - traced.network(*one)).abs().max())
    if not difference <= TOLERANCE:
        raise RuntimeError(f"results differ by {difference:.2g}")
