"""The regions of a model, as modules of tensors: what each rung runs, captures, compiles or exports.

    encode: pictures, start, noise                          → x (noisy latents), source (latents without noise)
    step:   x, steps, noise, source, [anchor,] conditions…  → x (after one step) [, anchor]
    decode: x                                               → pictures, finite
    matte:  pictures                                        → masks; only of frames that want it, beside the model
    check:  pictures                                        → scores; of all that may be seen, where there is a checker

Beside a UNet there may be nets that steer it. Of each there are, for the rows that want it:

    hint/NAME:    pictures                                       → pictures: what nets for depth or poses are shown of
                                                                   them, views: that small; once a frame
    embed/NAME:   pictures                                       → embedded: a ControlNet's hint, or a T2I-Adapter's
                                                                   features; once a frame
    control/NAME: x, steps, embedded, weight, conditions…        → residual: what a ControlNet adds in a step

and STEP takes the sums: `control` and `features`.

Inputs and outputs are passed by name, and the inputs' names are a region's form: there is one module for each. Pictures
are uint8 and latents float32 on all rungs, so that rows in flight may change rungs between two steps.

Must not know rows, sessions, or rungs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pkgutil import resolve_name
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import nn

from ..control import Hint
from ..frame import HINT_VIEW_PX
from .denoisers.control import Adapter, FoldedControl, to_hint
from .denoisers.denoiser import ConcatDenoiser, Denoiser, PlainDenoiser
from .denoisers.folding import FoldedDenoiser, is_foldable
from .models.matte.network import SIDE_PX as MATTE_SIDE_PX
from .networks import Networks
from .recipe import GUIDANCE
from .sampler import KA, KIN, KM, KS, KX, KZ, PM, PX, T
from .state import CallShape
from .variants.table import change_unet, named, with_autoencoder

if TYPE_CHECKING:
    from .models.load import Model

CALLED = (
    "realtime.engine.denoisers.contexts",
    "realtime.engine.denoisers.residuals",
    "realtime.engine.models.load",
    "realtime.engine.sampler",
)
"""Modules with functions that regions call and no part of a region's module: what is compiled depends on them too."""

Inputs = Mapping[str, torch.Tensor]
"""A region's inputs by name: tensors [B, …]."""
Outputs = Mapping[str, torch.Tensor]
"""A region's outputs by name: tensors [B, …]."""
Run = Callable[..., Outputs]
"""Runs a region: called with its inputs as keywords, it returns its outputs."""


class Kind(StrEnum):
    """The regions' names, as in `CallShape.kind`. Those of nets are `Kind.of` a net."""

    ENCODE = "encode"
    STEP = "step"
    DECODE = "decode"
    MATTE = "matte"
    CHECK = "check"
    HINT = "hint"
    EMBED = "embed"
    CONTROL = "control"

    def of(self, net: str) -> str:
        """The name of a net's own region, or a hint's."""
        return f"{self}/{net}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a region with rows that are not joined to a batch yet.

    Attributes:
        width, height: of the pictures, in pixels.
        plain: number of rows without a second row; they come first.
        guided: number of rows with a second row (classifier-free guidance); they come next.
        columns: the region's inputs by name: a tensor [1, …] for each row. Conditions have one more for each second
            row, in the order [plain, guided, second rows].
        to_host: whether the outputs are wanted in the host's memory, as `staging.to_host` has them.
    """

    kind: str
    width: int
    height: int
    plain: int
    guided: int
    columns: Mapping[str, Sequence[torch.Tensor]]
    to_host: bool = False

    @property
    def shape(self) -> CallShape:
        """The call's form, which decides what compiled code can run it."""
        rows, names = self.plain + self.guided, tuple(sorted(self.columns))
        return CallShape(str(self.kind), rows, self.guided, self.width, self.height, names)

    def pieces(self, most: int) -> Iterator[Call]:
        """Calls of at most so many rows, whose outputs one after another are those of this one."""
        for begin in range(0, self.plain, most):
            rows = range(begin, min(begin + most, self.plain))
            yield self._piece(rows, range(0))
        for begin in range(0, self.guided, most):
            rows = range(begin, min(begin + most, self.guided))
            yield self._piece(range(0), rows)

    def _piece(self, plain: range, guided: range) -> Call:
        places = [*plain, *(self.plain + row for row in guided)]
        seconds = [self.plain + self.guided + row for row in guided]
        columns = {
            name: [column[place] for place in (places + seconds if len(column) > self.plain + self.guided else places)]
            for name, column in self.columns.items()
        }
        return replace(self, plain=len(plain), guided=len(guided), columns=columns)


class EncodeRegion(nn.Module):
    """Pictures to latents, with and without noise.

    Args:
        encode_latents: see `Networks`.
    """

    def __init__(self, encode_latents: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.encode_latents = encode_latents

    def forward(self, pictures: torch.Tensor, start: torch.Tensor, noise: torch.Tensor) -> Outputs:
        """`x = ka·source + kb·noise`.

        Args:
            pictures: uint8 [B, H, W, 3].
            start: float32 [B, 2]: ka and kb.
            noise: float32 [B, C, h, w].

        Returns:
            `x`: the noisy latents, and `source`: the pictures' own; float32 [B, C, h, w].
        """
        source = self.encode_latents(to_pixels(pictures)).float()
        k = start[:, :, None, None, None]
        return {"x": k[:, 0] * source + k[:, 1] * noise, "source": source}


class StepRegion(nn.Module):
    """One step of every row, in one UNet call.

    Args:
        denoiser: the UNet.
        guided: number of rows that have a second row. They are the last of B; their second rows follow in `conditions`.
    """

    def __init__(self, denoiser: Denoiser, guided: int) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.guided = guided

    def forward(
        self,
        x: torch.Tensor,
        steps: torch.Tensor,
        noise: torch.Tensor,
        source: torch.Tensor,
        anchor: torch.Tensor | None = None,
        **conditions: torch.Tensor,
    ) -> Outputs:
        """`x' = kx·x + km·m + kz·noise + ks·source + ka·anchor`, with m the UNet's prediction for kin·x.

        For a guided row, m = m_second + guidance_scale · (m_first − m_second).
        Source: Ho and Salimans 2022, "Classifier-Free Diffusion Guidance", formula 6, with w = guidance_scale − 1.

        Args:
            x: float32 [B, C, h, w].
            steps: float32 [B, 10], columns as in `Recipe.steps`.
            noise: float32 [B, C, h, w].
            source: the latents of the rows' own pictures, float32 [B, C, h, w].
            anchor: float32 [B, C, h, w], in the form of calls with rows of one-time guidance (`Recipe.is_once`).
            conditions: `Denoiser.conditions` and what nets add (see `residuals`), each [B + guided, …].

        Returns:
            `x`: x', float32 [B, C, h, w]. With `anchor` also the next one: of guided rows the clean latents that their
            second rows predict, px·x + pm·m_second; of the others as it was.
        """
        k = steps[:, :, None, None, None]
        rows = x.shape[0]  # `len` would make the batch a constant where this is exported
        plain = rows - self.guided
        m = second = self._predict(k[:, KIN] * x, steps[:, T], source, conditions)
        if self.guided:
            first, second = m[:rows], torch.cat([m[:plain], m[rows:]])
            m = second + k[:, GUIDANCE] * (first - second)
        after = k[:, KX] * x + k[:, KM] * m + k[:, KZ] * noise + k[:, KS] * source
        if anchor is None:
            return {"x": after}
        predicted = k[:, PX] * x + k[:, PM] * second
        return {"x": after + k[:, KA] * anchor, "anchor": torch.cat([anchor[:plain], predicted[plain:]])}

    def _predict(
        self, sample: torch.Tensor, timestep: torch.Tensor, source: torch.Tensor, conditions: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """The UNet's prediction for all rows, then for the second rows, float32 [B + guided, C, h, w]."""

        def told_twice(column: torch.Tensor) -> torch.Tensor:
            return torch.cat([column, column[column.shape[0] - self.guided :]]) if self.guided else column

        told = {**conditions, "source": told_twice(source)} if self.denoiser.takes_source else conditions
        return self.denoiser(told_twice(sample), told_twice(timestep), told).float()


class DecodeRegion(nn.Module):
    """Latents to pictures.

    Args:
        decode_latents: see `Networks`.
    """

    def __init__(self, decode_latents: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.decode_latents = decode_latents

    def forward(self, x: torch.Tensor) -> Outputs:
        """Decode, and check for not-a-number, which the cast to uint8 would hide.

        Args:
            x: float32 [B, C, h, w].

        Returns:
            `pictures`: uint8 [B, H, W, 3]; `finite`: bool [B], whether all of a row's latents and pixels are finite.
        """
        pixels = self.decode_latents(x).float()
        finite = torch.isfinite(x).flatten(1).all(1) & torch.isfinite(pixels).flatten(1).all(1)
        return {"pictures": to_pictures(pixels), "finite": finite}


class MatteRegion(nn.Module):
    """Pictures to masks of the people in them.

    Args:
        find_people: see `Networks`.
    """

    def __init__(self, find_people: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.find_people = find_people

    def forward(self, pictures: torch.Tensor) -> Outputs:
        """Squeeze to the network's size, and find people.

        Args:
            pictures: uint8 [B, H, W, 3].

        Returns:
            `masks`: uint8 [B, 256, 256, 1]: how surely a pixel shows a person, 0 to 255.
        """
        pixels = pictures.permute(0, 3, 1, 2).float() / 255
        masks = self.find_people(F.interpolate(pixels, (MATTE_SIDE_PX, MATTE_SIDE_PX), mode="bilinear"))
        return {"masks": (masks * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()}


class CheckRegion(nn.Module):
    """Pictures to how unsafe they are.

    Args:
        checker: see `Checker`.
    """

    def __init__(self, checker: nn.Module) -> None:
        super().__init__()
        self.checker = checker

    def forward(self, pictures: torch.Tensor) -> Outputs:
        """Look at pictures.

        Args:
            pictures: uint8 [B, H, W, 3].

        Returns:
            `scores`: float32 [B], 0 to 1.
        """
        return {"scores": self.checker(to_hint(pictures))}


class HintRegion(nn.Module):
    """Pictures to what nets are shown of them, where a network makes that.

    Args:
        estimate: float32 [B, 3, H, W] in [0, 1] to uint8 [B, H, W, 3].
    """

    def __init__(self, estimate: nn.Module) -> None:
        super().__init__()
        self.estimate = estimate

    def forward(self, pictures: torch.Tensor) -> Outputs:
        """Make hints.

        Args:
            pictures: uint8 [B, H, W, 3].

        Returns:
            `pictures`: uint8 [B, H, W, 3], and `views`: the same with no side above `HINT_VIEW_PX`, for people.
        """
        made = self.estimate(to_hint(pictures))
        height, width = made.shape[1:3]
        shrink = min(1.0, HINT_VIEW_PX / max(height, width))
        size = max(1, round(height * shrink)), max(1, round(width * shrink))
        small = F.interpolate(made.permute(0, 3, 1, 2).float(), size, mode="bilinear", antialias=True)
        views = small.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        return {"pictures": made, "views": views}


class EmbedRegion(nn.Module):
    """Pictures to what a net makes of them once a frame.

    Args:
        embed: of a net: float32 [B, 3, H, W] in [0, 1] to [B, …] in the model's dtype.
    """

    def __init__(self, embed: nn.Module) -> None:
        super().__init__()
        self.embed = embed

    def forward(self, pictures: torch.Tensor) -> Outputs:
        """Look at hints.

        Args:
            pictures: uint8 [B, H, W, 3].

        Returns:
            `embedded`: [B, …] in the model's dtype.
        """
        return {"embedded": self.embed(to_hint(pictures))}


class ControlRegion(nn.Module):
    """One step of a ControlNet."""

    def __init__(self, net: FoldedControl) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        x: torch.Tensor,
        steps: torch.Tensor,
        embedded: torch.Tensor,
        weight: torch.Tensor,
        **conditions: torch.Tensor,
    ) -> Outputs:
        """What the net adds, times its weight.

        Args:
            x: float32 [B, C, h, w].
            steps: float32 [B, 10], columns as in `Recipe.steps`.
            embedded: of the net's EMBED.
            weight: float32 [B, 1].
            conditions: `FoldedControl.conditions`, each [B, …].

        Returns:
            `residual`: [B, R] in the model's dtype, see `residuals`.
        """
        return {"residual": self.net(steps[:, KIN, None, None, None] * x, embedded, weight, conditions)}


class Regions:
    """The regions of one model.

    Args:
        networks: the autoencoder's two halves, and the matte's.
        denoiser: the UNet.
    """

    def __init__(self, networks: Networks, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self._networks = networks
        self._made: dict[tuple[str, int, tuple[str, ...]], nn.Module] = {}
        self._nothing: dict[tuple[torch.Size, torch.dtype], torch.Tensor] = {}

    @property
    def nets(self) -> Mapping[str, FoldedControl | Adapter]:
        """What steers the UNet, by name."""
        return self._networks.nets

    def nothing(self, like: torch.Tensor) -> torch.Tensor:
        """Zeros of this form: the same object each time, so that a graph's buffer that holds it is not filled again."""
        form = like.shape, like.dtype
        if form not in self._nothing:
            self._nothing[form] = torch.zeros_like(like)
        return self._nothing[form]

    @classmethod
    def of_model(cls, model: Model, *, fold: bool = True) -> Regions:
        """The regions in PyTorch, with the model's variants.

        Args:
            fold: whether to fold the UNet (see `folding`) where it can be.
        """
        variants = named(one.name for one in model.variants if one.is_on)
        networks = Networks(with_autoencoder(model, variants))
        denoiser = _denoiser(model, networks, fold)
        if isinstance(denoiser, FoldedDenoiser):
            change_unet(denoiser.unet, variants)
        for net in networks.nets.values():
            if isinstance(net, FoldedControl):
                change_unet(net.network, variants)
        return cls(networks, ConcatDenoiser(denoiser) if model.concat_source else denoiser)

    def region(self, kind: str, guided: int = 0, names: tuple[str, ...] = ()) -> nn.Module:
        """A region in one of its forms: the same object for the same arguments.

        Args:
            guided: see `StepRegion`; 0 for the other kinds.
            names: of its inputs, as in `CallShape.names`.
        """
        form = kind, guided, names
        if form not in self._made:
            self._made[form] = self._make(kind, guided).eval()
        return self._made[form]

    def region_for(self, call: CallShape) -> nn.Module:
        """The region that answers calls of this form."""
        return self.region(call.kind, call.guided, call.names)

    def _make(self, kind: str, guided: int) -> nn.Module:
        kind, _, name = kind.partition("/")
        match Kind(kind):
            case Kind.ENCODE:
                return EncodeRegion(self._networks.encode_latents)
            case Kind.STEP:
                return StepRegion(self.denoiser, guided)
            case Kind.DECODE:
                return DecodeRegion(self._networks.decode_latents)
            case Kind.MATTE:
                return MatteRegion(self._networks.find_people)
            case Kind.CHECK:
                return CheckRegion(cast("nn.Module", self._networks.checker))
            case Kind.HINT:
                return HintRegion(self._networks.estimators[Hint(name)])
            case Kind.EMBED:
                net = self.nets[name]
                return EmbedRegion(net.embed if isinstance(net, FoldedControl) else net)
            case Kind.CONTROL:
                return ControlRegion(cast("FoldedControl", self.nets[name]))


def _denoiser(model: Model, networks: Networks, fold: bool) -> Denoiser:
    if model.family.denoiser is not None:
        return resolve_name(model.family.denoiser)(model, networks.layout)
    if fold and is_foldable(model.unet):
        return FoldedDenoiser(model, networks.layout)
    return PlainDenoiser(networks.unet)


def to_pixels(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    # In this order the difference is exact in bfloat16 too, which a rung may calculate in.
    return (pictures.permute(0, 3, 1, 2).float() - 127.5) / 127.5


def to_pictures(pixels: torch.Tensor) -> torch.Tensor:
    """Float [B, 3, H, W], nominally in [-1, 1], to uint8 [B, H, W, 3], rounded and clamped."""
    scaled = ((pixels + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
