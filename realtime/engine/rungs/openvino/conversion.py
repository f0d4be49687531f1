"""A model's networks in OpenVINO's form: traced, converted, kept on disk under a name that says what they are.

Must not know how they are run, or in which number format.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
import torch.nn.functional as F

# OpenVINO's converter would tell its makers of every conversion, and the process's end would wait for that.
sys.modules.setdefault("openvino_telemetry", cast("Any", None))
import openvino as ov  # noqa: E402

from ... import regions  # noqa: E402
from ...regions import CloseRegion, OpenRegion, Outputs, TorchNetworks, takes_timestep_cond, to_pictures  # noqa: E402
from ..cache import cache_folder  # noqa: E402

if TYPE_CHECKING:
    from ... import Progress
    from ...models.load import Model

_log = logging.getLogger(__name__)

#: Conversions kept on disk, newest first: one is as large as its model in float32.
CONVERSIONS_KEPT = 3

#: Batch and side of the latents that the networks are traced with; both stay free in the result. An odd side makes the
#: UNet trace the way that fits all: it upsamples to the size of what it halved, not by two.
TRACE_BATCH, TRACE_SIDE = 2, 33


class _Unet(torch.nn.Module):
    """`forward` takes tensors only, in the order of `UnetCall`."""

    def __init__(self, networks: TorchNetworks, has_timestep_cond: bool) -> None:
        super().__init__()
        self.unet = networks.unet
        self._timestep_conds = int(has_timestep_cond)

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, prompt_embeds: torch.Tensor, *extra: torch.Tensor
    ) -> Outputs:
        conds, added = extra[: self._timestep_conds], extra[self._timestep_conds :]
        named = dict(zip(("text_embeds", "time_ids"), added, strict=True)) if added else None
        return (self.unet(sample, timestep, prompt_embeds, conds[0] if conds else None, named),)


class Traced(NamedTuple):
    """A network, and an input to trace it with."""

    name: str
    network: torch.nn.Module
    example: tuple[torch.Tensor, ...]


def traced_networks(
    model: Model, batch: int = TRACE_BATCH, height: int = TRACE_SIDE, width: int = TRACE_SIDE
) -> list[Traced]:
    """Opening, UNet and closing, with inputs like those they will see: errors on noise say little about pictures.

    Args:
        height: of the latents.
        width: of the latents.
    """
    networks = TorchNetworks(model)
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(batch, *shape, generator=generator)

    sides = height * model.latent_scale_px, width * model.latent_scale_px
    smooth = F.interpolate(normal(3, 8, 8), sides, mode="bilinear")
    # As rich in contrast as a photograph: the encoder's error in bfloat16 is 0.008 there, 0.009 here, 0.012 on flat
    # pictures.
    pictures = to_pictures((smooth + 0.03 * normal(3, *sides)).clamp(-1, 1))
    start, noise = torch.full((batch, 2), 0.7), normal(model.latent_channels, height, width)
    opens = OpenRegion(networks.encode_latents)
    with torch.no_grad():
        x, source = opens(pictures, start, noise)
    prompt = model.prompt_encoder.encode("")
    inputs = [
        torch.cat([x, source], 1) if model.concat_source else x,
        torch.full((batch,), 499.0),
        prompt.prompt_embeds.repeat(batch, 1, 1),
    ]
    has_timestep_cond = takes_timestep_cond(model)
    if has_timestep_cond:
        inputs.append(normal(int(model.unet.config["time_cond_proj_dim"])))
    if prompt.pooled is not None:
        inputs += [prompt.pooled.repeat(batch, 1), torch.full((batch, 6), 256.0)]
    return [
        Traced("opening", opens, (pictures, start, noise)),
        Traced("unet", _Unet(networks, has_timestep_cond), tuple(inputs)),
        Traced("closing", CloseRegion(networks.decode_latents), (source,)),
    ]


def is_converted(model: Model) -> bool:
    """Whether this model's conversion is in the cache, so that `OpenVinoBackend` is there in a second."""
    networks = traced_networks(model)
    folder = folder_of(model, networks)
    return all((folder / f"{traced.name}.xml").is_file() for traced in networks)


def converted(core: ov.Core, folder: Path, networks: Sequence[Traced], progress: Progress) -> list[ov.Model]:
    """The networks in OpenVINO's form: read where they were converted before (0.1 s), else converted (5 s) and kept."""
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


def folder_of(model: Model, networks: Sequence[Traced]) -> Path:
    """Where a conversion is kept.

    The name changes with the weights (LoRAs are fused into them), the networks' form and the converters.
    """
    digest = hashlib.blake2b(digest_size=12)
    configs: list[Any] = [model.unet.config, model.vae.config]
    settings = [sorted((k, str(v)) for k, v in config.items() if not k.startswith("_")) for config in configs]
    digest.update(f"{ov.__version__} {torch.__version__} {TRACE_SIDE} {settings}".encode())
    digest.update(Path(regions.__file__).read_bytes())
    for _, network, _ in networks:
        digest.update(str(network).encode())
        for name, tensor in network.state_dict().items():
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return cache_folder("openvino") / digest.hexdigest()


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
        warnings.simplefilter("ignore")  # the tracer's doubts about Python numbers; a comparison is the answer to them
        # Left to itself, the converter traces with torch's own check: 5 s instead of 3 for the embedded model.
        traced = torch.jit.trace(network.eval(), example, check_trace=False)
        converted = ov.convert_model(traced, example_input=example)
    converted.reshape({i: ov.PartialShape(_free(tensor)) for i, tensor in enumerate(example)})
    return converted


def _free(tensor: torch.Tensor) -> list[int]:
    """A tensor's shape with batch and the picture's sides free."""
    if tensor.ndim != 4:
        return [-1, *tensor.shape[1:]]
    return [-1, -1, -1, tensor.shape[3]] if tensor.dtype is torch.uint8 else [-1, tensor.shape[1], -1, -1]
