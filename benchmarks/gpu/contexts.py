"""What contexts cost: ticks in which some rows have a negative prompt that acts in attention, or pictures, or neither.

Must not know how they are calculated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from .engines import job_of, model_of
from .rungs import ends
from .ticks import PLAIN, in_turns
from .working import Found, Setting

if TYPE_CHECKING:
    from realtime.engine.models.ip_adapter.adapter import IpAdapter
    from realtime.engine.models.load import Model

SEEN_WIDTH, TOKENS = 1024, 4
REFERENCE = "a" * 32
KINDS: Mapping[str, dict[str, Any]] = {
    "negative": {"negative_prompt": "blurry", "negative_scale": 3.0},
    "picture": {"references": [{"picture": REFERENCE}]},
    "both": {"negative_prompt": "blurry", "negative_scale": 3.0, "references": [{"picture": REFERENCE}]},
}


def contexts(setting: Setting, found: Found) -> None:
    """See `in_turns`, by what so many of the rows have."""
    import numpy as np
    import torch

    ours = setting.engines().eager
    model = model_of(ours)
    with torch.inference_mode(False):
        model = replace(model, ip_adapter=random_adapter(model))
    _, rows = ends(setting)
    seen = {REFERENCE: np.zeros((32, 32, 3), np.uint8)}
    plain = [replace(job_of(ours, row, row, num_inference_steps=1), references=seen) for row in range(rows)]
    arms = {PLAIN: plain}
    for kind, fields in KINDS.items():
        for count in (1, rows):
            wanted = [replace(job, params=job.params.patched(fields, job.params)) for job in plain[:count]]
            arms[f"{kind}, {count} of {rows}"] = [*wanted, *plain[count:]]
    in_turns(setting, found, "contexts", model, arms, rows)


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
