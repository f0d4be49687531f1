"""Loads small random models, one of which can't encode an open bracket: for processes, so by name."""

from __future__ import annotations

import logging

import torch

from realtime.config import EngineConfig
from realtime.engine import Engine, Progress
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import load_model
from tests.engine.tiny_models import make_engine, make_picky_model


def load_small(config: EngineConfig, progress: Progress) -> Engine:
    """Equal weights in each process."""
    torch.set_num_threads(1)
    logging.getLogger("small").warning("loaded %s", config.model)
    progress("ready soon", 99.0)
    engine, _ = make_engine(make_picky_model(), max_rows=config.max_rows)
    return engine


def load_dressed(config: EngineConfig, progress: Progress) -> Engine:
    """The model that the configuration names, with its LoRAs, in eager mode."""
    torch.set_num_threads(1)
    model = load_model(config)
    return DiffusionEngine(model, EagerBackend(model), max_rows=config.max_rows)
