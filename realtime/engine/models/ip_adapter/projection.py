"""The networks of an IP-Adapter that make tokens of what an image encoder saw, with weights named as in its files.

Must not know files, or what the tokens are for.

Source: Ye et al. 2023, "IP-Adapter" (arXiv 2308.06721), section 3.2; weights are named as in the published files.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

HEAD_WIDTH = 64
"""Of the resampler's attentions, in all published adapters."""


class ImageProjection(nn.Module):
    """The embedding of a whole picture to tokens: the plain adapter's.

    Args:
        seen_width: of the image encoder's embedding.
        width: of a token.
        tokens: number of tokens.

    Attributes:
        tokens: likewise.
    """

    def __init__(self, seen_width: int, width: int, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.proj = nn.Linear(seen_width, tokens * width)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """[B, seen_width] to [B, tokens, width]."""
        return self.norm(self.proj(seen).unflatten(1, (self.tokens, -1)))


class PerceiverAttention(nn.Module):
    """Latents that look at themselves and at what was seen.

    Source: Alayrac et al. 2022, "Flamingo" (arXiv 2204.14198), the perceiver resampler.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        inner = heads * HEAD_WIDTH
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, seen: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """[B, S, width] and [B, tokens, width] to [B, tokens, width]."""
        seen, latents = self.norm1(seen), self.norm2(latents)
        keys, values = self.to_kv(torch.cat([seen, latents], 1)).chunk(2, -1)
        query, keys, values = (
            one.unflatten(2, (-1, HEAD_WIDTH)).transpose(1, 2) for one in (self.to_q(latents), keys, values)
        )
        return self.to_out(F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).flatten(2))


class Resampler(nn.Module):
    """The patches of a picture to tokens: the adapter Plus's.

    Args:
        seen_width: of the image encoder's hidden states.
        hidden_width: of the latents.
        width: of a token.
        tokens: number of tokens.
        depth: number of layers.
        heads: of each attention.
        inner_width: of what is behind each attention.

    Attributes:
        tokens: number of tokens.
    """

    def __init__(
        self, seen_width: int, hidden_width: int, width: int, tokens: int, depth: int, heads: int, inner_width: int
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.latents = nn.Parameter(torch.zeros(1, tokens, hidden_width))
        self.proj_in = nn.Linear(seen_width, hidden_width)
        self.proj_out = nn.Linear(hidden_width, width)
        self.norm_out = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            nn.ModuleList([PerceiverAttention(hidden_width, heads), _feed_forward(hidden_width, inner_width)])
            for _ in range(depth)
        )

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """[B, S, seen_width] to [B, tokens, width]."""
        seen, latents = self.proj_in(seen), self.latents.expand(len(seen), -1, -1)
        for layer in self.layers:
            attend, feed = layer.children()
            latents = attend(seen, latents) + latents
            latents = feed(latents) + latents
        return self.norm_out(self.proj_out(latents))


def _feed_forward(width: int, inner_width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, inner_width, bias=False),
        nn.GELU(),
        nn.Linear(inner_width, width, bias=False),
    )


Projection = ImageProjection | Resampler


def projection_for(shapes: Mapping[str, tuple[int, ...]], width: int) -> Projection | None:
    """The network that weights of these names and shapes are for, without them; None where they are for no such one.

    Args:
        shapes: by name, as they are called in the network.
        width: of a token.
    """
    with torch.device("meta"):
        if shape := shapes.get("proj.weight"):
            network: Projection = ImageProjection(shape[1], width, shape[0] // width)
        elif "latents" in shapes and "layers.0.0.to_q.weight" in shapes and "layers.0.1.1.weight" in shapes:
            (_, tokens, hidden), (_, seen) = shapes["latents"], shapes["proj_in.weight"]
            depth = len({name.split(".")[1] for name in shapes if name.startswith("layers.")})
            heads, inner = shapes["layers.0.0.to_q.weight"][0] // HEAD_WIDTH, shapes["layers.0.1.1.weight"][0]
            network = Resampler(seen, hidden, width, tokens, depth, heads, inner)
        else:
            return None
    fits = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == dict(shapes)
    return network if fits else None
