"""Chooses and loads the engine that the configuration names.

Must not import torch or diffusers with the module: only once a model is to be loaded.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

from ..config import Device, EngineConfig
from ..errors import ConfigError
from . import Engine, Progress


def load_engine(config: EngineConfig, progress: Progress = lambda stage, percent: None) -> Engine:
    """Load the engine that `config.model` names.

    Args:
        config: the process's configuration.
        progress: called with the stages of loading.

    Raises:
        ModelError: the model can't be found or read, or is in a format that could run code.
        ConfigError: the configuration does not fit the model or this machine.
    """
    if is_echo(config):
        from .echo import EchoEngine

        _refuse_checker(config)
        return EchoEngine.from_name(config.model, max_rows=config.max_rows)
    check_engine(config)
    _map_libraries_of_torch()
    from .diffusion import load_diffusion_engine

    return load_diffusion_engine(config, progress)


def check_engine(config: EngineConfig) -> None:
    """Check, without importing torch, that `config.model` can be loaded, as far as its files' headers tell.

    Raises:
        ModelError, ConfigError: see `load_engine`.
    """
    if is_echo(config):
        from .echo import EchoEngine

        _refuse_checker(config)
        EchoEngine.from_name(config.model, max_rows=config.max_rows)
        return
    from .models.ip_adapter.names import check_reference
    from .models.pose.names import check_detector
    from .models.presets import check_name

    check_name(config.model)
    if config.reference is not None:
        check_reference(config.reference)
    if config.pose_detector is not None:
        check_detector(config.pose_detector)
    if config.frame_checker is not None:
        from .models.checkers import check_checker

        check_checker(config.frame_checker)


def _refuse_checker(config: EngineConfig) -> None:
    if config.frame_checker is not None:
        raise ConfigError("--frame-checker: echo has no networks to check pictures with: take another --model")


def likely_device(wanted: Device = Device.AUTO) -> Device:
    """The device that torch would use, as far as can be told without importing it."""
    if wanted is not Device.AUTO:
        return wanted
    if shutil.which("nvidia-smi") is not None:
        try:
            is_cpu_build = "+cpu" in metadata.version("torch")
        except metadata.PackageNotFoundError:
            is_cpu_build = False
        if not is_cpu_build:
            return Device.CUDA
    return Device.MPS if sys.platform == "darwin" else Device.CPU


def is_echo(config: EngineConfig) -> bool:
    """Whether `config.model` names the engine without a model."""
    return config.model == "echo" or config.model.startswith("echo:")


def _map_libraries_of_torch() -> None:
    """Load torch's libraries without the GIL. `import torch` does so with it: the event loop stood still for half a
    second, 1.4 s on a busy machine, and heard neither requests nor signals.
    """
    torch = importlib.util.find_spec("torch")
    if not sys.platform.startswith("linux") or torch is None or torch.origin is None:
        return
    folder = Path(torch.origin).parent / "lib"
    dlopen = ctypes.CDLL(None).dlopen  # a call of ctypes lets go of the GIL, `CDLL` itself does not
    # As torch does: its dependencies for all, the rest for whoever links to it. What fails here, fails there in words.
    dlopen(os.fsencode(folder / "libtorch_global_deps.so"), os.RTLD_NOW | os.RTLD_GLOBAL)
    dlopen(os.fsencode(folder / "libtorch_python.so"), os.RTLD_NOW)
