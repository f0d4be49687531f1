"""Loads small random models, one of which can't encode an open bracket: for processes, so by name."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from realtime.config import EngineConfig
from realtime.control import Hint
from realtime.engine import Engine, Progress
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.models.pose.estimator import PoseEstimator
from tests.engine.tiny_models import make_engine, make_model, make_picky_model
from tests.engine.tiny_nets import a_net, make_controlnet
from tests.engine.tiny_pose import STANDING, Seer


def load_steered(config: EngineConfig, progress: Progress) -> Engine:
    """A small model with a net that is shown poses."""
    torch.set_num_threads(1)
    return make_engine(with_poses(), max_rows=config.max_rows)[0]


def with_poses() -> Model:
    nets = (a_net(make_controlnet(), "openpose", Hint.POSE),)
    return replace(make_model(nets=nets), estimators={Hint.POSE: PoseEstimator(Seer(STANDING)).eval()})


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
