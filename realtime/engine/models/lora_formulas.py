"""What a LoRA adds to a layer: the formula of each format.

Must not know files, networks or names of layers. Sources: kohya-ss' sd-scripts (`networks/lora.py`), LyCORIS
(`lycoris/modules`), PEFT (`tuners/lora`), Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation" (2024).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ...errors import ModelError

LayerParts = Mapping[str, torch.Tensor]
"""The tensors of one layer of a LoRA, by part; see `lora_keys.LoraKeys`."""

_RIDERS = frozenset({"alpha", "magnitude", "dora_scale", "up_bias", "diff_b", "b_norm"})
"""Parts that stand beside any format's: scale, DoRA's magnitudes, changes of the bias."""


class Product(NamedTuple):
    """A change of a weight before it is scaled.

    Attributes:
        change: as many numbers as the weight, in its order.
        rank: that alpha is divided by; None where the format isn't scaled.
    """

    change: torch.Tensor
    rank: int | None


@dataclass(frozen=True, slots=True)
class Alpha:
    """The alpha of layers for which a file has no tensor of it.

    Attributes:
        value: None for the rank, so that the scale is 1.
        by_root: whether it is divided by the root of the rank (rsLoRA), instead of the rank.
    """

    value: float | None = None
    by_root: bool = False

    def scale(self, parts: LayerParts, rank: int | None) -> float:
        """What a product of this rank is multiplied by."""
        if rank is None:
            return 1.0
        own = float(parts["alpha"]) if "alpha" in parts else self.value
        if own is None:
            return 1.0
        return own / rank**0.5 if self.by_root and "alpha" not in parts else own / rank


def _lora(parts: LayerParts) -> Product:
    down, up = parts["down"], parts["up"]
    rank = down.shape[0]
    if "mid" in parts:
        return Product(_tucker(parts["mid"], up.flatten(1).T, down.flatten(1)), rank)
    return Product(up.flatten(1) @ down.flatten(1), rank)


def _loha(parts: LayerParts) -> Product:
    factors = [(parts[f"hada_w{n}_a"], parts[f"hada_w{n}_b"], parts.get(f"hada_t{n}")) for n in (1, 2)]
    one, two = (a @ b if t is None else _tucker(t, a, b) for a, b, t in factors)
    return Product(one * two, parts["hada_w1_b"].shape[0])


def _lokr(parts: LayerParts) -> Product:
    ranks = [parts[name].shape[0] for name in ("lokr_w1_b", "lokr_w2_b") if name in parts]
    one, two = (_lokr_factor(parts, f"lokr_w{n}", parts.get(f"lokr_t{n}")) for n in (1, 2))
    one = one.reshape(*one.shape, *(1,) * (two.ndim - one.ndim))
    return Product(torch.kron(one, two.contiguous()), ranks[-1] if ranks else None)


def _lokr_factor(parts: LayerParts, name: str, core: torch.Tensor | None) -> torch.Tensor:
    if name in parts:
        return parts[name]
    a, b = parts[f"{name}_a"], parts[f"{name}_b"]
    return a @ b if core is None else _tucker(core, a, b)


def _tucker(core: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A convolution's kernel [O, I, h, w] of a core [p, q, h, w] and matrices a [p, O] and b [q, I]."""
    return torch.einsum("pqhw,po,qi->oihw", core, a, b)


def _difference(parts: LayerParts) -> Product:
    return Product(next(parts[name] for name in ("diff", "w_norm") if name in parts), None)


_FORMATS: tuple[tuple[frozenset[str], frozenset[str], Callable[[LayerParts], Product]], ...] = (
    (frozenset({"down", "up"}), frozenset({"mid"}), _lora),
    (frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}), frozenset({"hada_t1", "hada_t2"}), _loha),
    (frozenset({"lokr_w1", "lokr_w2"}), frozenset(), _lokr),
    (frozenset({"lokr_w1", "lokr_w2_a", "lokr_w2_b"}), frozenset({"lokr_t2"}), _lokr),
    (frozenset({"lokr_w1_a", "lokr_w1_b", "lokr_w2"}), frozenset(), _lokr),
    (frozenset({"lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"}), frozenset({"lokr_t2"}), _lokr),
    (frozenset({"diff"}), frozenset(), _difference),
    (frozenset({"w_norm"}), frozenset(), _difference),
)
"""Parts that a format has, parts that it may have, and its formula."""


def added(parts: LayerParts, weight: torch.Tensor, alpha: Alpha) -> torch.Tensor | None:
    """What a LoRA at scale 1 adds to a layer's weight.

    Args:
        parts: of the layer, float32.
        weight: of the layer, float32; on `meta` as the parts, where only shapes are to be checked.
        alpha: for a layer without its own.

    Returns:
        The shape of `weight`; None where only the bias changes.

    Raises:
        ModelError: the parts make no known format, or don't fit the weight.
    """
    own = parts.keys() - _RIDERS
    if not own:
        if parts.keys() & {"magnitude", "dora_scale"}:
            raise ModelError("it has DoRA's magnitudes and no matrices")
        return None
    formula = next((formula for needed, may, formula in _FORMATS if needed <= own and own <= needed | may), None)
    if formula is None:
        raise ModelError(f"it has parts that make no known format ({', '.join(sorted(own))})")
    try:
        change, rank = formula(parts)
        # A matrix for a 1×1 convolution, and the other way round, is the same numbers.
        if change.shape[0] != weight.shape[0] or change.numel() != weight.numel():
            raise ModelError(f"it is {_sides(change)} and the layer {_sides(weight)}")
        change = change.reshape(weight.shape) * alpha.scale(parts, rank)
        return _decomposed(parts, weight, change)
    except RuntimeError:
        raise ModelError(f"its matrices don't fit each other, or the layer's {_sides(weight)}") from None


def _decomposed(parts: LayerParts, weight: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """The change that DoRA makes of a LoRA's: magnitudes · (W + change) / ‖W + change‖ − W, by row or by column."""
    if not parts.keys() & {"magnitude", "dora_scale"}:
        return change
    full = weight + change
    magnitudes = parts.get("dora_scale", parts.get("magnitude"))
    assert magnitudes is not None
    # PEFT's are always by output; LyCORIS and OneTrainer write either, and the side of 1 says which.
    by_input = "dora_scale" in parts and magnitudes.ndim > 1 and magnitudes.shape[0] == 1
    axis = 1 if by_input else 0
    if magnitudes.numel() != weight.shape[axis]:
        raise ModelError(f"its magnitudes are {_sides(magnitudes)} and the layer {_sides(weight)}")
    others = [at for at in range(weight.ndim) if at != axis]
    norm = full.square().sum(others, keepdim=True).sqrt()
    return full * (magnitudes.reshape(norm.shape) / norm) - weight


def added_to_bias(parts: LayerParts, bias: torch.Tensor | None, alpha: Alpha) -> torch.Tensor | None:
    """What a LoRA at scale 1 adds to a layer's bias; None where it doesn't change it.

    Raises:
        ModelError: the layer has none, or one of another length.
    """
    changes = [parts[name] for name in ("diff_b", "b_norm") if name in parts]
    if "up_bias" in parts and "down" in parts:
        changes.append(parts["up_bias"] * alpha.scale(parts, parts["down"].shape[0]))
    elif "up_bias" in parts:
        raise ModelError("it has the bias of a matrix that isn't there")
    if not changes:
        return None
    if bias is None or any(change.numel() != bias.numel() for change in changes):
        raise ModelError(f"it changes a bias that the layer has {'otherwise' if bias is not None else 'not'}")
    return sum((change.reshape(bias.shape) for change in changes), torch.zeros_like(bias))


def _sides(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "one number"
