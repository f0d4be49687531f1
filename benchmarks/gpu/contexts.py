"""What contexts cost: ticks in which some rows have a negative prompt that acts in attention, or pictures, or neither.

Must not know how they are calculated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from .engines import job_of, model_of, now_ms
from .rungs import ROUNDS, ROUNDS_DRY, ends
from .working import Found, Setting

if TYPE_CHECKING:
    from realtime.engine.diffusion import DiffusionEngine
    from realtime.engine.models.ip_adapter.adapter import IpAdapter
    from realtime.engine.models.load import Model
    from realtime.frame import Job

WARMUP = 6
"""Ticks of each kind before the first that counts: graphs are captured with the third."""
SEEN_WIDTH, TOKENS = 1024, 4
REFERENCE = "a" * 32
KINDS: Mapping[str, dict[str, Any]] = {
    "negative": {"negative_prompt": "blurry", "negative_scale": 3.0},
    "picture": {"references": [{"picture": REFERENCE}]},
    "both": {"negative_prompt": "blurry", "negative_scale": 3.0, "references": [{"picture": REFERENCE}]},
}


def contexts(setting: Setting, found: Found) -> None:
    """Medians of ticks in milliseconds, by what so many of the rows have; the kinds take turns."""
    import torch

    from realtime.engine.backend import EagerBackend
    from realtime.engine.diffusion import DiffusionEngine
    from realtime.engine.rungs.graphs import captured

    ours = setting.engines().eager
    model = model_of(ours)
    with torch.inference_mode(False):
        model = replace(model, ip_adapter=random_adapter(model))
    _, rows = ends(setting)
    engine = DiffusionEngine(model, captured(EagerBackend(model), model, rows, ()), max_rows=rows)
    plain = [job_of(ours, row, row, num_inference_steps=1) for row in range(rows)]
    arms = {"plain": plain}
    for kind, fields in KINDS.items():
        for count in (1, rows):
            wanted = [replace(job, params=job.params.patched(fields, job.params)) for job in plain[:count]]
            arms[f"{kind}, {count} of {rows}"] = [*wanted, *plain[count:]]
    took: dict[str, list[float]] = {arm: [] for arm in arms}
    for round_ in range(WARMUP + (ROUNDS_DRY if setting.dry else ROUNDS)):
        for arm, jobs in arms.items():
            ms = _tick_ms(engine, jobs)
            if round_ >= WARMUP:
                took[arm].append(ms)
    found["contexts_tick_ms"] = {arm: round(median(each), 3) for arm, each in took.items()}
    setting.keep(found)
    engine.close()


def _tick_ms(engine: DiffusionEngine, jobs: list[Job]) -> float:
    import numpy as np

    seen = {REFERENCE: np.zeros((32, 32, 3), np.uint8)}
    begin_ms = now_ms()
    made = engine.tick([replace(job, references=seen) for job in jobs]).collect()
    assert len(made) == len(jobs)
    return now_ms() - begin_ms


def random_adapter(model: Model) -> IpAdapter:
    """An adapter in the shape of the published ones, with an image encoder that sees the same in all pictures."""
    import torch
    from torch import nn

    from realtime.engine.models.ip_adapter.adapter import IpAdapter
    from realtime.engine.models.ip_adapter.load import cross_attentions
    from realtime.engine.models.ip_adapter.projection import ImageProjection
    from realtime.prompts import Layers

    unet: Any = model.unet
    width = int(unet.config["cross_attention_dim"])

    class Sees(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(image_size=32)

        def forward(self, pixels: torch.Tensor) -> Any:
            return SimpleNamespace(image_embeds=pixels.new_ones(1, SEEN_WIDTH))

    attentions = cross_attentions(unet).values()
    layers = [nn.Linear(width, one.out_features, bias=False) for each in attentions for one in (each.to_k, each.to_v)]
    projection = ImageProjection(SEEN_WIDTH, width, TOKENS)
    adapter = IpAdapter(cast("Any", Sees()), projection, layers, {Layers.ALL: (1.0,) * len(attentions)})
    for network in adapter.networks:
        network.requires_grad_(False).to(model.device, model.dtype)
    return adapter
