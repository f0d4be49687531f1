"""Loads the small random model, which can't encode an open bracket: for processes, so by name."""

from __future__ import annotations

import logging

import torch

from realtime.config import EngineConfig
from realtime.engine import Engine, Progress
from tests.engine.tiny_models import make_engine, make_picky_model


def load_small(config: EngineConfig, progress: Progress) -> Engine:
    """Equal weights in each process."""
    torch.set_num_threads(1)
    logging.getLogger("small").warning("loaded %s", config.model)
    progress("ready soon", 99.0)
    engine, _ = make_engine(make_picky_model(), max_rows=config.max_rows)
    return engine
