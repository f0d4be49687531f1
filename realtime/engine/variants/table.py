"""The table of variants: what each changes, and where it can be tried.

Must not know how one is measured, or which won.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..denoisers.folding import folded_copy, is_foldable, on_same_weights
from .attention import join_projections
from .convolutions import fuse_convolutions
from .norms import join_norms
from .operators import has_cudnn, has_onednn

if TYPE_CHECKING:
    from ..models.load import Model

CONSUMER_CAPABILITIES = ((8, 6), (8, 9), (12, 0))
"""GPUs that sum products in float16 at twice the rate of float32: GeForce RTX 30, 40, 50, and what has their chips."""

Change = Callable[[nn.Module], int]
"""Changes a network in place, on the weights that it has; returns how many of its modules were changed."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to calculate the same otherwise.

    Attributes:
        name: a value of `--variants`.
        title: for people.
        kinds: the regions that it changes, as `regions.Kind` names them.
        unet: changes a folded UNet, or a net beside it.
        vae: changes an autoencoder.
        switch: changes how this process calculates from now on, for the whole of it.
        obstacle: why it can't be used for a model where that is; empty where it can.
        needs_compiler: whether kernels are compiled at their first call.
    """

    name: str
    title: str
    kinds: tuple[str, ...]
    unet: Change | None = None
    vae: Change | None = None
    switch: Callable[[bool], None] | None = None
    obstacle: Callable[[Model], str] = lambda model: ""
    needs_compiler: Callable[[torch.device], bool] = lambda device: False

    def why_not(self, model: Model) -> str:
        """Why it can't be used for a model where that is, its networks included; empty where it can."""
        return self.obstacle(model) or ("" if self._finds_something(model) else "this model has nothing of it")

    def _finds_something(self, model: Model) -> bool:
        unet = self.unet is not None and is_foldable(model.unet) and self.unet(folded_copy(model.unet)) > 0
        vae = self.vae is not None and self.vae(on_same_weights(model.vae)) > 0
        return unet or vae or self.switch is not None


def _sums_in_half(on: bool) -> None:
    torch.backends.cuda.matmul.allow_fp16_accumulation = on


def _convolutions_obstacle(model: Model) -> str:
    if has_cudnn(model.device) or has_onednn(model.device, model.vae.dtype):
        return ""
    return "neither cuDNN nor oneDNN calculates the convolutions"


def _norms_obstacle(model: Model) -> str:
    if model.device.type == "cuda" and torch.version.hip is not None:
        return "not tried on AMD's GPUs"
    return ""


def _sums_obstacle(model: Model) -> str:
    if model.device.type != "cuda" or torch.version.hip is not None or model.dtype is not torch.float16:
        return "for products in float16 on NVIDIA's GPUs"
    if torch.cuda.get_device_capability(model.device) not in CONSUMER_CAPABILITIES:
        return "for GeForce RTX 30, 40 and 50 only: this GPU gains nothing by it"
    return ""


def _join_norms(network: nn.Module) -> int:
    # On a CPU group norm is channels last as it is, and only SiLU is done in place.
    return join_norms(network, alone=next(network.parameters()).device.type == "cuda")


VARIANTS = (
    Variant(
        name="conv-relu",
        title="convolutions of tiny autoencoders with bias, ReLU and residual in one call",
        kinds=("encode", "decode"),
        vae=fuse_convolutions,
        obstacle=_convolutions_obstacle,
    ),
    Variant(
        name="qkv",
        title="queries, keys and values of self-attention in one product",
        kinds=("step",),
        unet=join_projections,
    ),
    Variant(
        name="group-norm",
        title="group norm and SiLU together, channels last",
        kinds=("step",),
        unet=_join_norms,
        obstacle=_norms_obstacle,
        needs_compiler=lambda device: device.type == "cuda",
    ),
    Variant(
        name="fp16-sums",
        title="sums of products in float16",
        kinds=("step",),
        switch=_sums_in_half,
        obstacle=_sums_obstacle,
    ),
)
"""All variants, in the order in which they are tried, each over those that were kept before it."""


def named(names: Iterable[str]) -> tuple[Variant, ...]:
    """The variants of these names, in the table's order."""
    wanted = frozenset(names)
    return tuple(variant for variant in VARIANTS if variant.name in wanted)


def change_unet(network: nn.Module, variants: Sequence[Variant]) -> None:
    """Change a folded UNet, or a net beside it, by these variants."""
    for variant in variants:
        if variant.unet is not None:
            variant.unet(network)


def with_autoencoder(model: Model, variants: Sequence[Variant]) -> Model:
    """A model whose autoencoder is changed by these variants; the same where none changes it."""
    changes = [variant.vae for variant in variants if variant.vae is not None]
    if not changes:
        return model
    vae = on_same_weights(model.vae)
    for change in changes:
        change(vae)
    return replace(model, vae=vae)
