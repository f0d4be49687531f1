"""Chooses and loads the engine that the configuration names.

Must not import torch or diffusers with the module: only once a model is to be loaded.
"""

from __future__ import annotations

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
    if config.model == "echo" or config.model.startswith("echo:"):
        from .echo import EchoEngine

        return EchoEngine.from_name(config.model, max_rows=config.max_rows)
    from .models.presets import check_name

    check_name(config.model)
    from .diffusion import load_diffusion_engine

    return load_diffusion_engine(config, progress)
