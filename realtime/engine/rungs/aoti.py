"""Modules compiled ahead of time by AOTInductor: building a package, its cache key, and loading it.

There is one package for a single row, and one for all larger batches: to compile a UNet takes minutes, and a server has
calls of many batches. Where rows of a batch differ in the number of their inputs (guidance), each batch has its own.

A package contains code and no weights. A loaded one uses the module's own tensors: they take no memory twice, and one
package serves all models of equal form, with and without LoRAs.

Must not know which networks there are, where packages are kept, or when one is built.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import platform
import sys
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch._inductor import aoti_compile_and_package, aoti_load_package

from ..regions import CALLED, Inputs, Outputs

OPTIONS: dict[str, dict[str, Any]] = {"cpu": {}, "cuda": {"conv_1x1_as_mm": True, "triton.cudagraphs": False}}
"""Inductor's options by device. CUDA graphs are our own (`graphs`): inductor's would fight them. Convolutions and
matrix products stay with cuDNN and cuBLAS: `max_autotune` and `coordinate_descent_tuning` try out some thousand kernels
for a UNet, many minutes for each batch size, by the clock of a device that serves frames meanwhile.
"""

WEIGHTS_OUTSIDE: dict[str, Any] = {
    "aot_inductor.package_constants_in_so": False,
    "aot_inductor.use_runtime_constant_folding": False,
    "freezing": False,
    # Otherwise tensors of up to eight numbers, such as the last convolution's biases, are written into the code.
    "always_keep_tensor_constants": True,
}
"""Inductor's options that keep the weights, and constants computed from them, out of the package."""


BATCHES = range(2, 64)
"""The batches that one package serves. From 64 rows on diffusers' upsampling takes another way."""
EXAMPLE_BATCH = 4
"""The batch of these for which the compiler chooses what is fast."""


def key_of(module: torch.nn.Module, example: Inputs) -> str:
    """A package's cache key: a hash of everything that its code depends on.

    That is machine, versions, our sources, options, the networks' configurations, and the shapes, dtypes and strides of
    inputs and weights; not the weights' values, nor which of `BATCHES` it is.

    Args:
        example: the inputs that it is compiled for.
    """
    device = next(iter(example.values())).device
    serves_many = _serves_many(example)
    example = _of_example_batch(example) if serves_many else example
    parts = [
        machine_of(device),
        _sources(module),
        json.dumps([OPTIONS[device.type], WEIGHTS_OUTSIDE, [min(BATCHES), max(BATCHES)] if serves_many else []]),
        str(module),
        *(_settings(child) for child in module.modules() if hasattr(child, "config")),
        *(f"{name} {_form(tensor)}" for name, tensor in sorted(_weights(module).items())),
        *(f"{name} {_form(tensor)}" for name, tensor in sorted(example.items())),
    ]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def build(module: torch.nn.Module, example: Inputs, path: Path) -> None:
    """Compile a module for inputs of these shapes, of any batch where one package serves many. Takes minutes and holds
    the GIL: not for a server's process.

    Args:
        path: the package file to write.

    Raises:
        RuntimeError: the module has tensors that are neither weights nor inputs. The compiler may raise any exception.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own code
        exported = export(module.eval(), example)
        if foreign := sorted(exported.constants.keys() - _weights(module).keys()):
            raise RuntimeError(f"tensors that are neither weights nor inputs: {', '.join(foreign)}")
        options = {**OPTIONS[next(iter(example.values())).device.type], **WEIGHTS_OUTSIDE}
        aoti_compile_and_package(exported, package_path=str(path), inductor_configs=options)


def export(module: torch.nn.Module, example: Inputs) -> torch.export.ExportedProgram:
    """A module's graph for inputs of these shapes, of any batch where one package serves many."""
    if not _serves_many(example):
        return torch.export.export(module, (), dict(example), strict=False)
    batch = torch.export.Dim("batch", min=min(BATCHES), max=max(BATCHES))
    shapes = {name: {0: batch} for name in example}
    with _named_inputs(module, example):
        return torch.export.export(module, (), _of_example_batch(example), dynamic_shapes=shapes, strict=False)


def _serves_many(example: Inputs) -> bool:
    """Whether a package for these inputs is one for all of `BATCHES`: all inputs are as many."""
    batches = {len(tensor) for tensor in example.values()}
    return len(batches) == 1 and batches.pop() in BATCHES


def _of_example_batch(example: Inputs) -> dict[str, torch.Tensor]:
    return {name: torch.cat([tensor[:1]] * EXAMPLE_BATCH) for name, tensor in example.items()}


@contextmanager
def _named_inputs(module: torch.nn.Module, names: Iterable[str]) -> Generator[None]:
    """Give a module's `forward` a signature with these keywords: `torch.export` can't tell the shapes of those that it
    takes as `**conditions`.
    """
    forward = module.forward

    def named(**inputs: torch.Tensor) -> Outputs:
        return forward(**inputs)

    signature = inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names])
    setattr(named, "__signature__", signature)  # noqa: B010
    module.forward = named
    try:
        yield
    finally:
        del module.forward


def load(path: Path, module: torch.nn.Module) -> Package:
    """Load a package that `build` made of a module of this form, on this module's weights.

    Returns:
        Called like the module. Not thread-safe: a CUDA graph can't capture locks.

    Raises:
        RuntimeError: it can't be loaded, or needs weights that the module lacks.
    """
    package = aoti_load_package(str(path), run_single_threaded=True)
    weights = _weights(module)
    wanted: list[str] = package.get_constant_fqns()
    if missing := [name for name in wanted if name not in weights]:
        raise RuntimeError(f"the package wants weights that this model lacks: {', '.join(missing)}")
    package.load_constants({name: weights[name] for name in wanted}, check_full_update=True, user_managed=True)

    return Package(package, weights)


class Package:
    """A loaded package. Holds references to the weights, of which the compiled code has the addresses only."""

    def __init__(self, package: Callable[..., Any], weights: dict[str, torch.Tensor]) -> None:
        self._package = package
        self._weights = weights

    def __call__(self, **inputs: torch.Tensor) -> Outputs:
        """The module's outputs by name, for its inputs as keywords."""
        return self._package(**inputs)


def _weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: tensor.detach() for name, tensor in named}


def _form(tensor: torch.Tensor) -> str:
    return f"{tensor.dtype} {tensor.device.type} {tuple(tensor.shape)} {tensor.stride()}"


def _settings(network: Any) -> str:
    return str(sorted((name, str(value)) for name, value in network.config.items() if not name.startswith("_")))


def _sources(module: torch.nn.Module) -> str:
    """The source of our modules that the module is made of or calls, and diffusers' version."""
    ours = {type(child).__module__ for child in module.modules() if type(child).__module__.startswith("realtime.")}
    texts = [inspect.getsource(sys.modules[name]) for name in sorted({*ours, *CALLED, __name__})]
    return f"diffusers {importlib.metadata.version('diffusers')}\n" + "\n".join(texts)


def machine_of(device: torch.device) -> str:
    """What compiled code, and how fast anything is, depends on beside the model: versions, device, settings."""
    versions = f"torch {torch.__version__} {torch.version.git_version}, Python {platform.python_version()}"
    if device.type == "cuda":
        name, capability = torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)
        kernels = (
            torch.backends.cuda.cudnn_sdp_enabled(),
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.allow_tf32,
            torch.get_float32_matmul_precision(),
        )
        return f"{versions}, CUDA {torch.version.cuda}, driver {_cuda_driver()}, {name} {capability}, {kernels}"
    # Inductor writes the number of threads into the code.
    return f"{versions}, {platform.machine()} {_instructions()}, {torch.get_num_threads()} threads"


def _cuda_driver() -> str:
    """The NVIDIA driver's version line from /proc; `unknown` where there is none."""
    try:
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except OSError:
        return "unknown"


def _instructions() -> str:
    """The CPU's instruction sets, as the compiler generates code for this very CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.processor()} {torch.backends.cpu.get_cpu_capability()}"
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
