"""Converts a model's networks to OpenVINO, and keeps conversions in a disk cache.

Must not know how they are run, or in which number format.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
import torch.nn.functional as F

# Keeps OpenVINO's converter from sending telemetry, for which the process would wait at its end.
sys.modules.setdefault("openvino_telemetry", cast("Any", None))
import openvino as ov  # noqa: E402

from ....params import Params  # noqa: E402
from ...denoisers.denoiser import Denoiser  # noqa: E402
from ...recipe import Recipes  # noqa: E402
from ...regions import Inputs, Kind, Outputs, Regions, to_pictures  # noqa: E402
from ...sampler import T  # noqa: E402
from ..folder_cache import FolderCache, cache_folder, not_kept  # noqa: E402

if TYPE_CHECKING:
    from ... import Progress
    from ...models.load import Model

_log = logging.getLogger(__name__)

CONVERSIONS_KEPT = 3
"""Largest number of conversions in the cache: each is as large as its model in float32."""

TRACE_BATCH, TRACE_SIDE = 2, 33
"""Batch and side of the latents that networks are traced with; both are dynamic in the result. The side is odd so that
the UNet upsamples to the size of its skip connections, and not by a fixed factor of two.
"""


class _ByName(torch.nn.Module):
    """A denoiser with the signature of a region: inputs as keywords, and its one output by the name `prediction`."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, **conditions: torch.Tensor) -> Outputs:
        return {"prediction": self.denoiser(sample, timestep, conditions)}


class Traced(NamedTuple):
    """A network to convert.

    Attributes:
        kind: its region; for STEP the network is the region's denoiser only.
        network: called with inputs as keywords, it returns outputs by name.
        example: inputs for tracing and for comparing results.
        of_any_length: names of inputs whose second dimension is dynamic too: prompts in chunks.
    """

    kind: Kind
    network: torch.nn.Module
    example: Inputs
    of_any_length: tuple[str, ...] = ()


def traced_networks(
    model: Model, batch: int = TRACE_BATCH, height: int = TRACE_SIDE, width: int = TRACE_SIDE
) -> list[Traced]:
    """The regions, of a step the denoiser, with inputs like those of frames: errors on noise would say little.

    Args:
        batch: number of rows.
        height, width: of the latents.
    """
    whole = Regions.of_model(model, fold=False)
    encode = whole.region(Kind.ENCODE)
    generator = torch.Generator().manual_seed(0)
    height_px, width_px = height * model.latent_scale_px, width * model.latent_scale_px
    pictures = _pictures(batch, height_px, width_px, generator)
    noise, ratio = torch.randn(batch, model.latent_channels, height, width, generator=generator), 0.7
    start = torch.full((batch, 2), ratio)
    with torch.no_grad():
        latents = encode(pictures, start, noise)["source"]
    params = {"prompt": "", "strength": 0.5, "num_inference_steps": 1, "height": height_px, "width": width_px}
    recipe = Recipes(model).get(Params().model_copy(update=params))  # a copy may have any size
    assert recipe is not None, "a frame of this strength does not pass through"
    step = {
        "sample": ratio * latents + ratio * noise,
        "timestep": recipe.steps[0][:, T].repeat(batch),
        **{name: torch.cat([one] * batch) for name, one in whole.denoiser.conditions(recipe, 0, False).items()},
        **({"source": latents} if whole.denoiser.takes_source else {}),
    }
    has_chunks = (model.family.prompt_chunks or 1) > 1
    return [
        Traced(Kind.ENCODE, encode, {"pictures": pictures, "start": start, "noise": noise}),
        Traced(Kind.STEP, _ByName(whole.denoiser), step, ("prompt_embeds",) if has_chunks else ()),
        Traced(Kind.DECODE, whole.region(Kind.DECODE), {"x": latents}),
        Traced(Kind.MATTE, whole.region(Kind.MATTE), {"pictures": _with_somebody(pictures)}),
    ]


def _pictures(batch: int, height_px: int, width_px: int, generator: torch.Generator) -> torch.Tensor:
    """Random pictures with the contrast of photographs, uint8 [B, H, W, 3]. The encoder's error in bfloat16 is 0.009 on
    them, 0.008 on photographs, 0.012 on flat pictures.
    """
    rough = torch.randn(batch, 3, 8, 8, generator=generator)
    grain = torch.randn(batch, 3, height_px, width_px, generator=generator)
    smooth = F.interpolate(rough, (height_px, width_px), mode="bilinear")
    return to_pictures((smooth + 0.03 * grain).clamp(-1, 1))


def _with_somebody(pictures: torch.Tensor) -> torch.Tensor:
    """The pictures [B, H, W, 3] with a head on shoulders in each, which the matte's network finds."""
    height, width = pictures.shape[1:3]
    y = torch.linspace(-1, 1, height)[None, :, None, None]
    x = torch.linspace(-1, 1, width)[None, None, :, None]
    shoulders, hair, face = (1.1, 0.8, 0.7), (-0.1, 0.4, 0.55), (0.0, 0.34, 0.48)
    for (at_y, across, down), colour in {shoulders: (50, 70, 120), hair: (45, 35, 30), face: (215, 165, 140)}.items():
        inside = (x / across) ** 2 + ((y - at_y) / down) ** 2 < 1
        pictures = torch.where(inside, torch.tensor(colour, dtype=torch.uint8), pictures)
    return pictures


def conversions() -> FolderCache:
    """The cache of conversions, each with the results of checks on it (`known`)."""
    return FolderCache(cache_folder("openvino"), max_count=CONVERSIONS_KEPT)


def converted(core: ov.Core, key: str, networks: Sequence[Traced], progress: Progress) -> list[ov.Model]:
    """The networks in OpenVINO: read from the cache (0.1 s), else converted (5 s) and kept.

    Args:
        core: reads them.
        key: from `key_of`.
    """
    progress("reading the openvino conversion", None)
    cache = conversions()
    if (folder := cache.find(key)) is not None:
        try:
            return [core.read_model(folder / f"{traced.kind}.xml") for traced in networks]
        except (OSError, RuntimeError) as error:
            _log.warning("the openvino conversion in %s is damaged, it is made anew: %s", folder, error)
            cache.drop(key)
    elif others := len(cache):
        where = cache.path(key).parent
        _log.info("none of the %d openvino conversions in %s is of this model and version: one is made", others, where)
    models: list[ov.Model] = []
    for i, traced in enumerate(networks):
        progress("converting to openvino", 100 * i / len(networks))
        models.append(_convert(traced))

    def write(folder: Path) -> None:
        for traced, model in zip(networks, models, strict=True):
            ov.save_model(model, folder / f"{traced.kind}.xml", compress_to_fp16=False)

    try:
        cache.make(key, write)
    except (OSError, RuntimeError) as error:  # a full or read-only disk costs the next start 5 s
        _log.warning("openvino's conversion: %s", not_kept("openvino", error))
    return models


def key_of(model: Model, networks: Sequence[Traced]) -> str:
    """A conversion's cache key: a hash of the weights (LoRAs are fused into them), the networks' form and
    configurations, our sources, and the versions of torch and OpenVINO.
    """
    digest = hashlib.blake2b(digest_size=12)
    configs: list[Any] = [model.unet.config, model.vae.config]
    settings = [sorted((k, str(v)) for k, v in config.items() if not k.startswith("_")) for config in configs]
    digest.update(f"{ov.__version__} {torch.__version__} {TRACE_SIDE} {settings}".encode())
    classes = {type(child) for traced in networks for child in traced.network.modules()} | {type(model)}
    ours = {cls.__module__ for cls in classes if cls.__module__.startswith("realtime.")}
    for name in sorted(ours):
        digest.update(inspect.getsource(sys.modules[name]).encode())
    for _, network, *_ in networks:
        digest.update(str(network).encode())
        for name, tensor in network.state_dict().items():
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


class _ByPosition(torch.nn.Module):
    """A network as the tracer needs it: with positional inputs and outputs instead of named ones.

    Args:
        network: as in `Traced`.
        inputs: names in the order in which `forward` takes tensors.

    Attributes:
        outputs: names in the order in which `forward` returned tensors.
    """

    def __init__(self, network: torch.nn.Module, inputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network.eval()
        self._inputs = inputs
        self.outputs: list[str] = []

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs: Outputs = self.network(**dict(zip(self._inputs, inputs, strict=True)))
        self.outputs = list(outputs)
        return tuple(outputs.values())


def _convert(traced: Traced) -> ov.Model:
    """Trace and convert a network; make batch and sides dynamic, and name inputs and outputs as in PyTorch."""
    names, tensors = zip(*traced.example.items(), strict=True)
    network = _ByPosition(traced.network, names)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of Python numbers; results are compared later
        # The converter would trace with `check_trace`: 5 s instead of 3 for the embedded model.
        graph = torch.jit.trace(network, tensors, check_trace=False)
        converted = ov.convert_model(graph, example_input=tensors)
    for ports, their_names in ((converted.inputs, names), (converted.outputs, network.outputs)):
        for port, name in zip(ports, their_names, strict=True):
            port.get_tensor().set_names({name})
    shapes = {name: _free(tensor) for name, tensor in traced.example.items()}
    for name in traced.of_any_length:
        shapes[name][1] = -1
    converted.reshape({name: ov.PartialShape(shape) for name, shape in shapes.items()})
    return converted


def _free(tensor: torch.Tensor) -> list[int]:
    """A tensor's shape with -1 for the batch, and for height and width where it has four dimensions."""
    if tensor.ndim != 4:
        return [-1, *tensor.shape[1:]]
    return [-1, -1, -1, tensor.shape[3]] if tensor.dtype is torch.uint8 else [-1, tensor.shape[1], -1, -1]
