"""Loads the engine that the configuration names.

Must not import torch or diffusers: those live in the modules that it imports when a model asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import Engine, Progress

if TYPE_CHECKING:
    from ..config import Config


def load_engine(config: Config, progress: Progress = lambda stage, percent: None) -> Engine:
    """Load what `config.model` names.

    Args:
        config: the process's configuration.
        progress: told about the stages of loading.

    Raises:
        ModelError: the model can't be found, read or trusted.
        ConfigError: the model is there and the configuration does not fit it or this machine.
    """
    if config.model == "echo" or config.model.startswith("echo:"):
        from .echo import EchoEngine

        return EchoEngine.from_name(config.model, max_rows=config.max_rows)
    from .models.presets import check_name

    check_name(config.model)
    from .diffusion import load_diffusion_engine

    return load_diffusion_engine(config, progress)
