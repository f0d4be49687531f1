"""The regions in OpenVINO, for CPUs: the same pictures as PyTorch's eager mode, two to three times as fast.

Where the CPU calculates in half precision by itself, OpenVINO may: bfloat16 takes half the time of float32.

Must not know rows, or when it is a good choice.
"""

from __future__ import annotations

import hashlib
import json
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
import torch.nn.functional as F

# OpenVINO's converter would tell its makers of every conversion, and the process's end would wait for that.
sys.modules.setdefault("openvino_telemetry", cast("Any", None))
import openvino as ov  # noqa: E402

from . import regions  # noqa: E402
from .accelerate import PlainBackend  # noqa: E402
from .cache import cache_folder  # noqa: E402
from .regions import (  # noqa: E402
    Call,
    CloseRegion,
    Kind,
    OpenRegion,
    Outputs,
    Regions,
    TorchNetworks,
    takes_timestep_cond,
    to_pictures,
)
from .staging import join  # noqa: E402

if TYPE_CHECKING:
    from . import Progress
    from .models import Model

_log = logging.getLogger(__name__)

FLOAT32 = "f32"

#: OpenVINO's names of number formats, and what people call them.
FORMATS = {FLOAT32: "float32", "bf16": "bfloat16", "f16": "float16"}

#: How far from PyTorch's float32 results a network's may be, as the norm of the difference over the norm. Measured on
#: the embedded model: 2e-6 in float32, 0.005 to 0.01 in bfloat16.
TOLERANCE = {FLOAT32: 1e-4, "bf16": 1e-2, "f16": 1e-2}

#: The same of pictures: a value that lies between two grey levels may be rounded either way.
ROUNDING = 5e-4

#: Conversions kept on disk, newest first: one is as large as its model in float32.
CONVERSIONS_KEPT = 3

#: Batch and side of the latents that the networks are traced with; both stay free in the result. An odd side makes the
#: UNet trace the way that fits all: it upsamples to the size of what it halved, not by two.
TRACE_BATCH, TRACE_SIDE = 2, 33


class OpenVinoBackend(PlainBackend):
    """A `Backend` on OpenVINO's CPU plug-in.

    Opening and closing run there whole: PyTorch's threads spin for a while behind each operation on a whole picture,
    and the encoder behind the conversion took 8 ms for 4. Of a step only the UNet does: the rest is a few thousand
    numbers, and depends on how many rows are guided.

    One network serves all batch and picture sizes: measured on the embedded model, free dimensions cost the autoencoder
    nothing next to fixed ones, and the UNet 1 ms of 5.

    Args:
        model: on the CPU, in float32. Unless it must be exact, half precision is taken where the CPU has it. A network
            whose results suffer by that stays in float32.
        progress: told about the stages.

    Raises:
        RuntimeError: the results differ from PyTorch's. (The converter raises whatever it likes.)
    """

    def __init__(self, model: Model, progress: Progress) -> None:
        core = ov.Core()
        torch_networks = TorchNetworks(model)
        networks = _networks(model, torch_networks)
        folder = cache_folder("openvino") / _key(model, networks)
        converted = _converted(core, folder, networks, progress)
        native = native_precision(core)
        wanted = FLOAT32 if model.exact or native not in TOLERANCE else native
        known = _Checked(folder, f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}, {wanted}")
        taken = dict(known.taken)
        runs: list[Run] = []
        for traced, network in zip(networks, converted, strict=True):
            if traced.name in taken:
                runs.append(_run(core, network, taken[traced.name]))
            else:
                run, taken[traced.name] = _checked_run(core, network, traced, wanted)
                runs.append(run)
        known.keep(taken)
        opens, unet, closes = runs
        self._runs = {Kind.OPEN: opens, Kind.CLOSE: closes}
        version = str(ov.__version__).partition("-")[0]
        said = _said(taken, native, model.exact)
        super().__init__(
            Regions.of_networks(model, _Networks(torch_networks, unet)),
            model.device,
            f"openvino {version} on cpu, {torch.get_num_threads()} threads, {said}",
        )

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        if (run := self._runs.get(call.kind)) is None:
            return super().run(call)
        return run([join(column, torch.device("cpu")) for column in call.columns.values()])


Run = Callable[[Sequence[torch.Tensor]], Outputs]


class _Networks:
    """`Networks` of PyTorch, but for the UNet."""

    def __init__(self, networks: TorchNetworks, unet: Run) -> None:
        self.encode_latents, self.decode_latents = networks.encode_latents, networks.decode_latents
        self._unet = unet

    def unet(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """See `UnetCall`."""
        extra = [] if timestep_cond is None else [timestep_cond]
        extra += [] if added is None else [added["text_embeds"], added["time_ids"]]
        return self._unet([sample, timestep, prompt_embeds, *extra])[0]


def native_precision(core: ov.Core) -> str:
    """What OpenVINO takes on this CPU where it is free to: the fastest format that the CPU has circuits for."""
    return str(core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name())


def _said(taken: dict[str, str], native: str, exact: bool) -> str:
    """The number formats, and why, for the log."""
    if exact:
        return "float32 as asked for"
    if native == FLOAT32:
        return "float32: this CPU has no half precision"
    single = [name for name, precision in taken.items() if precision == FLOAT32]
    if len(single) == len(taken):
        return f"float32: {FORMATS[native]} would change the pictures"
    kept = f", {' and '.join(single)} in float32 for exactness" if single else ""
    return f"{FORMATS[native]}, which this CPU has{kept}"


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


class _Traced(NamedTuple):
    """A network, and an input to trace it with."""

    name: str
    network: torch.nn.Module
    example: tuple[torch.Tensor, ...]


def _networks(model: Model, networks: TorchNetworks) -> list[_Traced]:
    """Opening, UNet and closing, with inputs like those they will see: errors on noise say little about pictures."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(TRACE_BATCH, *shape, generator=generator)

    side = TRACE_SIDE * model.latent_scale_px
    smooth = F.interpolate(normal(3, 8, 8), (side, side), mode="bilinear")
    # As rich in contrast as a photograph: the encoder's error in bfloat16 is 0.008 there, 0.009 here, 0.012 on flat
    # pictures.
    pictures = to_pictures((smooth + 0.03 * normal(3, side, side)).clamp(-1, 1))
    start, noise = torch.full((TRACE_BATCH, 2), 0.7), normal(model.latent_channels, TRACE_SIDE, TRACE_SIDE)
    opens = OpenRegion(networks.encode_latents)
    with torch.no_grad():
        x, source = opens(pictures, start, noise)
    prompt = model.prompt_encoder.encode("")
    inputs = [
        torch.cat([x, source], 1) if model.concat_source else x,
        torch.full((TRACE_BATCH,), 499.0),
        prompt.prompt_embeds.repeat(TRACE_BATCH, 1, 1),
    ]
    has_timestep_cond = takes_timestep_cond(model)
    if has_timestep_cond:
        inputs.append(normal(int(model.unet.config["time_cond_proj_dim"])))
    if prompt.pooled is not None:
        inputs += [prompt.pooled.repeat(TRACE_BATCH, 1), torch.full((TRACE_BATCH, 6), 256.0)]
    return [
        _Traced("opening", opens, (pictures, start, noise)),
        _Traced("unet", _Unet(networks, has_timestep_cond), tuple(inputs)),
        _Traced("closing", CloseRegion(networks.decode_latents), (source,)),
    ]


def is_converted(model: Model) -> bool:
    """Whether this model's conversion is in the cache, so that `OpenVinoBackend` is there in a second."""
    networks = _networks(model, TorchNetworks(model))
    folder = cache_folder("openvino") / _key(model, networks)
    return all((folder / f"{traced.name}.xml").is_file() for traced in networks)


def _converted(core: ov.Core, folder: Path, networks: Sequence[_Traced], progress: Progress) -> list[ov.Model]:
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


def _key(model: Model, networks: Sequence[_Traced]) -> str:
    """A name that changes with the weights (LoRAs are fused into them), the networks' form and the converters."""
    digest = hashlib.blake2b(digest_size=12)
    configs: list[Any] = [model.unet.config, model.vae.config]
    settings = [sorted((k, str(v)) for k, v in config.items() if not k.startswith("_")) for config in configs]
    digest.update(f"{ov.__version__} {torch.__version__} {TRACE_SIDE} {settings}".encode())
    digest.update(Path(regions.__file__).read_bytes())
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
    converted.reshape({i: ov.PartialShape(_free(tensor)) for i, tensor in enumerate(example)})
    return converted


def _free(tensor: torch.Tensor) -> list[int]:
    """A tensor's shape with batch and the picture's sides free."""
    if tensor.ndim != 4:
        return [-1, *tensor.shape[1:]]
    return [-1, -1, -1, tensor.shape[3]] if tensor.dtype is torch.uint8 else [-1, tensor.shape[1], -1, -1]


def _run(core: ov.Core, network: ov.Model, precision: str) -> Run:
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(network, "CPU", options).create_infer_request()

    def run(inputs: Sequence[torch.Tensor]) -> Outputs:
        arrays = [np.ascontiguousarray(tensor.numpy()) for tensor in inputs]
        # The outputs are copied: the next call writes where they were, and rows still hold them.
        return tuple(torch.from_numpy(array) for array in request.infer(arrays, share_inputs=True).values())

    return run


def _checked_run(core: ov.Core, network: ov.Model, traced: _Traced, wanted: str) -> tuple[Run, str]:
    """The network in the precision that is wanted, or in float32 where its results are too far from PyTorch's.

    Raises:
        RuntimeError: they are so in float32, too.
    """
    one = tuple(tensor[:1] for tensor in traced.example)  # one row where two were traced
    with torch.no_grad():
        expected = traced.network(*one)
    found = ""
    for precision in dict.fromkeys((wanted, FLOAT32)):
        run = _run(core, network, precision)
        excess, found = max(_excess(ours, theirs, precision) for ours, theirs in zip(run(one), expected, strict=True))
        if excess <= 0:
            return run, precision
        _log.info("openvino: results of the %s in %s %s", traced.name, FORMATS[precision], found)
    raise RuntimeError(f"results of the {traced.name} {found}")


def _excess(ours: torch.Tensor, theirs: torch.Tensor, precision: str) -> tuple[float, str]:
    """How much further than allowed an output is from PyTorch's, and in words how far it is."""
    limit = TOLERANCE[precision]
    if theirs.dtype is torch.uint8:
        limit = limit if limit < 0 else max(limit, ROUNDING)
    norm = float(theirs.double().norm())
    difference = float((ours.double() - theirs.double()).norm()) / (norm or 1.0)
    # Not-a-number is no number that is allowed.
    return (difference - limit if difference == difference else float("inf")), f"differ by {difference:.2g}"


class _Checked:
    """What was found out about a conversion on this CPU before: which network passes in which precision."""

    def __init__(self, folder: Path, machine: str) -> None:
        self._file, self._machine = folder / "checked.json", machine
        try:
            self._all: dict[str, dict[str, str]] = json.loads(self._file.read_text("utf-8"))
            self.taken = {name: FORMATS[said] and said for name, said in self._all.get(machine, {}).items()}
        except (OSError, ValueError, AttributeError, KeyError):  # not there, or damaged
            self._all, self.taken = {}, {}

    def keep(self, taken: dict[str, str]) -> None:
        """Remember, so that the next start need not compare again."""
        if taken == self.taken:
            return
        try:
            self._file.write_text(json.dumps(self._all | {self._machine: taken}, indent=1), "utf-8")
        except OSError as error:  # the conversion could not be kept either, and that was said
            _log.debug("%s: %s", self._file, error)
