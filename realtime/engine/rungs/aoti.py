"""Networks compiled ahead of time (AOTInductor): built, named by all that they depend on, loaded and checked.

A package is code without weights. The weights under a loaded one are the module's own tensors, in place: they take no
memory twice, and a LoRA, or another model of the same shapes, is never answered with foreign weights.

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch._inductor import aoti_compile_and_package, aoti_load_package

from ..regions import Inputs, Outputs

OPTIONS: dict[str, dict[str, Any]] = {"cpu": {}, "cuda": {"conv_1x1_as_mm": True, "triton.cudagraphs": False}}
"""Inductor's options by device. CUDA graphs are our own (`graphs`): inductor's would fight them. Convolutions and
matrix products stay with cuDNN and cuBLAS: `max_autotune` and `coordinate_descent_tuning` try out some thousand kernels
for a UNet, many minutes for each batch size, by the clock of a device that serves frames meanwhile.
"""

WEIGHTS_OUTSIDE: dict[str, Any] = {
    "aot_inductor.package_constants_in_so": False,
    "aot_inductor.use_runtime_constant_folding": False,
    "freezing": False,
    # Or tensors of up to eight numbers, such as the biases of a model's last convolution, are written into the code.
    "always_keep_tensor_constants": True,
}
"""Nothing of the weights goes into the code: neither they themselves nor what could be computed from them beforehand.
"""


def key_of(module: torch.nn.Module, example: Inputs) -> str:
    """A name that changes with everything that a package of this module for these inputs depends on.

    The values of the weights are not in it, their shapes, dtypes and memory layout are.
    """
    device = next(iter(example.values())).device
    parts = [
        _machine(device),
        _sources(module),
        json.dumps([OPTIONS[device.type], WEIGHTS_OUTSIDE]),
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
    """Compile a module for inputs of these shapes. Takes minutes and holds the interpreter: not for a server's process.

    Raises:
        RuntimeError: the module has tensors that are neither weights nor inputs. (The compiler raises what it likes.)
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        exported = torch.export.export(module.eval(), (), dict(example), strict=False)
        if foreign := sorted(exported.constants.keys() - _weights(module).keys()):
            raise RuntimeError(f"tensors that are neither weights nor inputs: {', '.join(foreign)}")
        options = {**OPTIONS[next(iter(example.values())).device.type], **WEIGHTS_OUTSIDE}
        aoti_compile_and_package(exported, package_path=str(path), inductor_configs=options)


def load(path: Path, module: torch.nn.Module) -> Package:
    """A package as something to call like the module, with the module's weights in place.

    Not thread-safe: a CUDA graph can't capture the locks that would make it so.

    Raises:
        RuntimeError: it can't be loaded, or wants weights that the module lacks.
    """
    package = aoti_load_package(str(path), run_single_threaded=True)
    weights = _weights(module)
    wanted: list[str] = package.get_constant_fqns()
    if missing := [name for name in wanted if name not in weights]:
        raise RuntimeError(f"the package wants weights that this model lacks: {', '.join(missing)}")
    package.load_constants({name: weights[name] for name in wanted}, check_full_update=True, user_managed=True)

    return Package(package, weights)


class Package:
    """A loaded package. Keeps the tensors alive whose addresses it was given."""

    def __init__(self, package: Callable[..., Any], weights: dict[str, torch.Tensor]) -> None:
        self._package = package
        self._weights = weights

    def __call__(self, **inputs: torch.Tensor) -> Outputs:
        """What the module would say."""
        return self._package(**inputs)


def _weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: tensor.detach() for name, tensor in named}


def _form(tensor: torch.Tensor) -> str:
    return f"{tensor.dtype} {tensor.device.type} {tuple(tensor.shape)} {tensor.stride()}"


def _settings(network: Any) -> str:
    return str(sorted((name, str(value)) for name, value in network.config.items() if not name.startswith("_")))


def _sources(module: torch.nn.Module) -> str:
    """What our code around the networks says, and whose the networks are."""
    ours = {type(child).__module__ for child in module.modules() if type(child).__module__.startswith("realtime.")}
    texts = [inspect.getsource(sys.modules[name]) for name in sorted(ours | {"realtime.engine.models.load", __name__})]
    return f"diffusers {importlib.metadata.version('diffusers')}\n" + "\n".join(texts)


def _machine(device: torch.device) -> str:
    versions = f"torch {torch.__version__} {torch.version.git_version}, Python {platform.python_version()}"
    if device.type == "cuda":
        name, capability = torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)
        return f"{versions}, CUDA {torch.version.cuda}, driver {_cuda_driver()}, {name} {capability}"
    # The number of threads is in the code that inductor writes.
    return f"{versions}, {platform.machine()} {_instructions()}, {torch.get_num_threads()} threads"


def _cuda_driver() -> str:
    """The kernel driver's version, where Linux says it."""
    try:
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except OSError:
        return "unknown"


def _instructions() -> str:
    """The CPU's instruction sets: the compiler is told to use what this machine has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.processor()} {torch.backends.cpu.get_cpu_capability()}"
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
