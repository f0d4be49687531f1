"""Self-attention with queries, keys and values in one product, on the weights that there are.

Must not know regions, or what a model is trained for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..denoisers.contexts import ContextAttention, Told, attend
from ..models.quiet import quiet

with quiet():
    from diffusers.models.attention import BasicTransformerBlock


class JoinedAttention(ContextAttention):
    """Self-attention whose layer `to_qkv` makes queries, keys and values."""

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: None = None,
        contexts: Told | None = None,
    ) -> torch.Tensor:
        """See `ContextAttention`; there is nothing to hear but itself."""
        query, keys, values = attn.to_qkv(hidden_states).unflatten(2, (3, attn.heads, -1)).permute(2, 0, 3, 1, 4)
        return attn.to_out[0](attend(query, keys, values))


def self_attentions(network: nn.Module) -> list[Any]:
    """The attentions of a folded network's samples to themselves whose three products can be one."""
    blocks = [module for module in network.modules() if isinstance(module, BasicTransformerBlock)]
    found: list[Any] = [block.attn1 for block in blocks]
    return [one for one in found if type(one.processor) is ContextAttention and _are_alike(_layers(one))]


def join_projections(network: nn.Module) -> int:
    """Give the self-attentions of a folded network one product each. Its weights come to lie side by side.

    Returns:
        How many there are.
    """
    attentions = self_attentions(network)
    for attention in attentions:
        attention.to_qkv = joined(_layers(attention))
        attention.to_q = attention.to_k = attention.to_v = None
        attention.processor = JoinedAttention()
    return len(attentions)


def joined(layers: Sequence[nn.Linear]) -> nn.Linear:
    """One layer whose outputs are those of these layers, side by side.

    Their weights are moved into its own, once for all that share them, and are views of it from then on: what is
    written to theirs, as LoRAs are, is in it at once, and they take no memory twice.
    """
    with torch.inference_mode(False):
        whole = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers), device="meta")
        whole.weight = nn.Parameter(_side_by_side([layer.weight for layer in layers]), requires_grad=False)
        biases = list(filter(_is_there, (layer.bias for layer in layers)))
        whole.bias = nn.Parameter(_side_by_side(biases), requires_grad=False) if biases else None  # pyright: ignore
        return whole


def _is_there(bias: torch.Tensor | None) -> bool:
    return bias is not None


def _layers(attention: Any) -> list[nn.Linear]:
    return [attention.to_q, attention.to_k, attention.to_v]


def _are_alike(layers: Sequence[nn.Module]) -> bool:
    plain = [layer for layer in layers if type(layer) is nn.Linear]
    forms = {(one.in_features, one.out_features, _is_there(one.bias), one.weight.dtype) for one in plain}
    return len(plain) == len(layers) and len(forms) == 1


def _side_by_side(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """The parameters joined along their first dimension, in memory that they share with it."""
    first, ends = parameters[0].data, [one.data_ptr() + one.nbytes for one in parameters]
    if all(one.data_ptr() == end for one, end in zip(parameters[1:], ends[:-1], strict=True)) and all(
        one.untyped_storage().data_ptr() == first.untyped_storage().data_ptr() for one in parameters
    ):
        length = sum(len(one) for one in parameters)
        return first.as_strided((length, *first.shape[1:]), first.stride())
    whole = torch.cat([one.data for one in parameters])
    for one, part in zip(parameters, whole.split([len(one) for one in parameters]), strict=True):
        one.data = part
    return whole
