"""Chooses and loads the engine that the configuration names.

Must not import torch or diffusers with the module: only once a model is to be loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import Engine, Progress

if TYPE_CHECKING:
    from ..config import Config


def check_model(name: str) -> None:
    """Check, without importing torch, that `config.model` can be loaded, as far as its files' headers tell.

    Raises:
        ModelError: it can't; the message is one line and says what to do.
    """
    if not _is_echo(name):
        from .models.presets import check_name

        check_name(name)


def _is_echo(name: str) -> bool:
    return name == "echo" or name.startswith("echo:")


def load_engine(config: Config, progress: Progress = lambda stage, percent: None) -> Engine:
    """Load the engine that `config.model` names.

    Args:
        config: the process's configuration.
        progress: called with the stages of loading.

    Raises:
        ModelError: the model can't be found or read, or is in a format that could run code.
        ConfigError: the configuration does not fit the model or this machine.
    """
    if _is_echo(config.model):
        from .echo import EchoEngine

        return EchoEngine.from_name(config.model, max_rows=config.max_rows)
    check_model(config.model)
    from .diffusion import load_diffusion_engine

    return load_diffusion_engine(config, progress)
