"""Contexts: what a UNet's cross-attention hears beside the prompt: a negative prompt, and pictures.

A context comes as a column of keys and values, made once, as the prompt's are (see `folding`); so which contexts a call
has stands in its columns' names, and how long they are in their shapes. Rows without one are told a neutral one.

Must not know rows, regions, or how prompts and pictures are encoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ..staging import join
from ..state import ADDED
from .denoiser import Conditions, Contexts

if TYPE_CHECKING:
    from ..models.ip_adapter.adapter import IpAdapter, PictureTokens, ShownPicture
    from ..recipe import Recipe

NEGATIVE_COLUMN, SCALE_COLUMN, PICTURES_COLUMN = "negative_keys_values", "negative_scale", "picture_keys_values"
"""Names of the columns: [1, L, K], float32 [1, 1], and [1, T, K + N] with N cross-attentions, see `PictureContexts`."""
CONTEXTS = {name: ADDED[name] for name in (NEGATIVE_COLUMN, PICTURES_COLUMN)}
"""What stands in them, for people."""

NAG_TAU, NAG_ALPHA = 2.5, 0.25
"""The authors' for models of few steps."""
TINY_NORM = 1e-12
"""In place of a norm of 0."""
ABSENT = -30_000.0
"""Added to what attention finds of a token, leaves it out: below any finite sum, and within half precision."""
PICTURES_KEPT, MIXES_KEPT = 64, 32
"""Pictures whose keys and values are kept, 0.2 MB each for Stable Diffusion's four tokens in half precision; and mixes
of pictures by weight: of every session of a full server, on its way somewhere.
"""


class Told(NamedTuple):
    """The contexts of a batch, as the attentions take them; None where a call has no such column.

    Attributes:
        negative: keys and values of the negative prompt, [B, L, K].
        scale: of the negative prompt, float32 [B, 1].
        pictures: see `PictureContexts`, [B, T, K + N].
    """

    negative: torch.Tensor | None
    scale: torch.Tensor | None
    pictures: torch.Tensor | None

    @classmethod
    def of(cls, conditions: Conditions) -> Told | None:
        """The contexts among some conditions; None where there are none."""
        told = cls(conditions.get(NEGATIVE_COLUMN), conditions.get(SCALE_COLUMN), conditions.get(PICTURES_COLUMN))
        return None if told.negative is None and told.pictures is None else told


def normalised_guidance(positive: torch.Tensor, negative: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """What attention finds, guided away from what it finds of a negative prompt. Calculated in float32.

    At a scale of 1 it is `positive`, bit for bit; the result's L1 norm is at most `1 + α·(τ − 1)` times that of it.

    Args:
        positive, negative: [B, L, C], all heads side by side, before the last projection.
        scale: float32 [B, 1].

    Source: Chen et al. 2025, "Normalized Attention Guidance" (arXiv 2505.21179).
    """
    found, avoided = positive.float(), negative.float()
    guided = found + (scale[:, :, None] - 1) * (found - avoided)
    allowed, length = NAG_TAU * found.abs().sum(-1, keepdim=True), guided.abs().sum(-1, keepdim=True)
    guided = guided * (allowed / length.clamp_min(TINY_NORM)).clamp_max(1)
    return (found + NAG_ALPHA * (guided - found)).to(positive.dtype)


class ContextAttention:
    """Attention without a mask, and nothing behind its last product, that hears contexts.

    Its layers `to_k` and `to_v` take their parts of folded keys and values; where pictures may be among the contexts,
    `to_bias` takes the part of the biases that is this attention's.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: None = None,
        contexts: Told | None = None,
    ) -> torch.Tensor:
        """See diffusers' `AttnProcessor2_0`; `contexts` is what `cross_attention_kwargs` has of that name."""
        is_cross = encoder_hidden_states is not None
        query = _by_head(attn, attn.to_q(hidden_states))
        found = _found(attn, query, encoder_hidden_states if encoder_hidden_states is not None else hidden_states)
        if is_cross and contexts is not None:
            if contexts.negative is not None and contexts.scale is not None:
                found = normalised_guidance(found, _found(attn, query, contexts.negative), contexts.scale)
            if contexts.pictures is not None:
                bias = attn.to_bias(contexts.pictures)[:, None, None, :, 0]
                found = found + _found(attn, query, contexts.pictures, bias)
        return attn.to_out[0](found)


def _by_head(attn: Any, tensor: torch.Tensor) -> torch.Tensor:
    return tensor.unflatten(2, (attn.heads, -1)).transpose(1, 2)


def _found(attn: Any, query: torch.Tensor, told: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """What a query finds in a context, [B, L, C]."""
    keys, values = _by_head(attn, attn.to_k(told)), _by_head(attn, attn.to_v(told))
    return attend(query, keys, values, bias)


def attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """What queries [B, heads, L, D] find of keys and values [B, heads, T, D]: [B, L, C]."""
    return F.scaled_dot_product_attention(query, keys, values, bias).transpose(1, 2).flatten(2)


def shared(recipes: Iterable[Recipe]) -> Contexts:
    """The contexts that a call has for rows of these recipes: all that one of them wants.

    Places for pictures are powers of two, so that few forms of a call come about.
    """
    wanted = [(recipe.avoided is not None, len(recipe.pictures)) for recipe in recipes]
    most = max((count for _, count in wanted), default=0)
    return Contexts(any(avoids for avoids, _ in wanted), 1 << (most - 1).bit_length() if most else 0)


class PictureContexts:
    """Makes the columns of pictures: for each of T tokens the keys and values of all N cross-attentions, and for each
    attention a bias.

    A picture's weight in an attention is 0 where its layers leave that out. The largest of the weights goes into the
    values: attention is linear in them. The others stand to it as their weights do: what attention finds of a token is
    multiplied by its picture's share of the largest, which is the logarithm of that added before the softmax. So
    pictures of one weight are heard as those that are joined, and one whose weight falls to 0 fades out.

    Source: Ye et al. 2023, "IP-Adapter" (arXiv 2308.06721), section 3.2.

    Args:
        adapter: whose keys and values they are.
        like: the column's dtype and device are those of this tensor.
    """

    def __init__(self, adapter: IpAdapter, like: torch.Tensor) -> None:
        self._adapter = adapter
        self._dtype, self._device = like.dtype, like.device
        self._widths = [layer.out_features for layer in adapter.to_keys_values]
        self._keys_values = lru_cache(PICTURES_KEPT)(self._project)
        self._mixed = lru_cache(MIXES_KEPT)(self._mix)
        self._nobody = lru_cache(4)(self._make_nobody)

    def column(self, pictures: Sequence[ShownPicture], places: int, *, is_second: bool) -> torch.Tensor:
        """[1, T · places, K + N]; the same object for the same pictures.

        Args:
            is_second: whether it is for a second row, which is told of as many pictures of nothing.
        """
        if not pictures:
            return self._nobody(places)
        if is_second:
            pictures = [one._replace(tokens=self._adapter.nothing) for one in pictures]
        return self._mixed(tuple(pictures), places)

    def _project(self, picture: PictureTokens) -> torch.Tensor:
        return torch.cat([layer(picture.tokens) for layer in self._adapter.to_keys_values], 2)

    def _make_nobody(self, places: int) -> torch.Tensor:
        """Of no picture: all values are 0, and so is what attention finds."""
        length, width = places * self._adapter.tokens, sum(self._widths) + len(self._widths) // 2
        return torch.zeros(1, length, width, dtype=self._dtype, device=self._device)

    def _mix(self, pictures: tuple[ShownPicture, ...], places: int) -> torch.Tensor:
        # By picture and attention, on the CPU: a few hundred numbers.
        weights = torch.tensor([[one.weight * part for part in self._adapter.layers[one.layers]] for one in pictures])
        strongest = weights.amax(0)
        shares = weights / strongest.clamp_min(TINY_NORM)
        biases = torch.where(shares > 0, shares.log(), ABSENT)
        scales = torch.stack([torch.ones_like(strongest), strongest], 1).flatten()
        spread = self._moved(scales.repeat_interleave(torch.tensor(self._widths))[None, None])
        tokens = self._adapter.tokens
        rows = [
            torch.cat([self._keys_values(one.tokens) * spread, self._moved(bias.expand(1, tokens, -1))], 2)
            for one, bias in zip(pictures, biases, strict=True)
        ]
        absent = self._nobody(places - len(pictures)).clone() if places > len(pictures) else None
        if absent is not None:
            absent[..., sum(self._widths) :] = ABSENT
            rows.append(absent)
        return torch.cat(rows, 1)

    def _moved(self, tensor: torch.Tensor) -> torch.Tensor:
        return join([tensor.to(self._dtype).contiguous()], self._device)


def name_biases(attentions: Sequence[nn.Module], part: Any, start: int) -> None:
    """Give each of a UNet's cross-attentions its `to_bias`, behind all keys and values.

    Args:
        part: makes a layer that takes so many of a column from so far on.
    """
    for index, attention in enumerate(attentions):
        attention.to_bias = part(start + index, 1)
