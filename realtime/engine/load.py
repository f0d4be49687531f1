"""Chooses and loads the engine that the configuration names.

Must not import torch or diffusers with the module: only once a model is to be loaded.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import Engine, Progress

if TYPE_CHECKING:
    from ..config import Config


def load_engine(config: Config, progress: Progress = lambda stage, percent: None) -> Engine:
    """Load the engine that `config.model` names.

    Args:
        config: the process's configuration.
        progress: called with the stages of loading.

    Raises:
        ModelError: the model can't be found or read, or is in a format that could run code.
        ConfigError: the configuration does not fit the model or this machine.
    """
    if _is_echo(config):
        from .echo import EchoEngine

        return EchoEngine.from_name(config.model, max_rows=config.max_rows)
    check_engine(config)
    _map_libraries_of_torch()
    from .diffusion import load_diffusion_engine

    return load_diffusion_engine(config, progress)


def check_engine(config: Config) -> None:
    """Check, without importing torch, that `config.model` can be loaded, as far as its files' headers tell.

    Raises:
        ModelError, ConfigError: see `load_engine`.
    """
    if _is_echo(config):
        from .echo import EchoEngine

        EchoEngine.from_name(config.model, max_rows=config.max_rows)
        return
    from .models.presets import check_name

    check_name(config.model)


def _is_echo(config: Config) -> bool:
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
