"""Nets by name: parses what the user wrote, finds the files, and loads them beside a model's UNet.

Must not know how nets are called, or what params ask of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...control import NET_MAX_CHARS
from ...errors import ConfigError, ModelError
from .. import ControlInfo, NetKind
from .components import UNet2DConditionModel, prefixed
from .control_files import ControlNetUnionModel, T2IAdapter, control_files, load_control
from .control_presets import (
    CONTROL_PRESETS,
    UNION_TYPES,
    ControlPreset,
    controls_for,
    find_control,
    guessed_hint,
)
from .files import local_path
from .flops import share_of
from .header import refuse_pickle
from .hub import HubId, fetch, parse_hub_id
from .nets import Net
from .parts import Parts
from .presets import one_file

if TYPE_CHECKING:
    from .. import Progress

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{NET_MAX_CHARS // 2 - 1}}}")


@dataclass(frozen=True, slots=True)
class ControlSpec:
    """A net as the user named it.

    Attributes:
        name: what params call it.
        source: hub id, folder or file; None for the preset of that name.
        weight: to begin with; None for the preset's, or 1.
    """

    name: str
    source: str | None = None
    weight: float | None = None


def parse_control(text: str) -> ControlSpec:
    """Parse `NAME[=SOURCE[:WEIGHT]]`.

    Raises:
        ConfigError: it is none.
    """
    name, equals, source = text.partition("=")
    if not _NAME.fullmatch(name) or (equals and not source):
        raise ConfigError(f"control: {text!r} is not NAME[=SOURCE[:WEIGHT]]: write canny, or canny=org/name:0.8")
    where, colon, number = source.rpartition(":")
    if not colon or local_path(source):
        return ControlSpec(name, source or None)
    try:
        weight = float(number)
    except ValueError:
        return ControlSpec(name, source)
    if not where or not math.isfinite(weight) or not 0 <= weight <= 2:
        raise ConfigError(f"control: {text!r}: a weight is a number from 0 to 2: write canny=org/name:0.8")
    return ControlSpec(name, where, weight)


def parse_controls(texts: Sequence[str]) -> list[ControlSpec]:
    """Parse all of them. Raises ConfigError where one is wrong, or two have the same name."""
    specs = [parse_control(text) for text in texts]
    names = [spec.name for spec in specs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"control: two nets have the name {twice}: give each its own, as edges=canny")
    return specs


def load_nets(
    parts: Parts, specs: Sequence[ControlSpec], dtype: torch.dtype, prefer_fp16: bool, progress: Progress
) -> tuple[Net, ...]:
    """Load nets beside a model, on the CPU.

    Raises:
        ModelError: a net can't be found, is none, or is of another family of models.
        ConfigError: the model takes no nets.
    """
    if not specs:
        return ()
    unet = parts.unet
    if not isinstance(unet, UNet2DConditionModel):
        raise ConfigError(
            f"control: models of this family ({parts.family.name}) see their input without nets: leave --control out"
        )
    return tuple(_load(parts, unet, spec, dtype, prefer_fp16, progress) for spec in specs)


def _load(
    parts: Parts,
    unet: UNet2DConditionModel,
    spec: ControlSpec,
    dtype: torch.dtype,
    prefer_fp16: bool,
    progress: Progress,
) -> Net:
    preset = _preset(parts, spec)
    path = _found(spec, preset, prefer_fp16, progress)
    progress(f"loading {spec.name}", None)
    with prefixed(f"control {spec.name}"):
        network = load_control(path, unet, dtype, prefer_fp16)
        _check_fit(network, unet)
    return Net(spec.name, network, *_infos(spec, preset, network, path), share=share_of(network, unet))


def _preset(parts: Parts, spec: ControlSpec) -> ControlPreset | None:
    """The preset of a name or of a source that is one; None where the source is none."""
    name = spec.source or spec.name
    preset = find_control(name, parts.family)
    if preset is not None or (spec.source and not any(one.name == name for one in CONTROL_PRESETS)):
        return preset
    for_family = ", ".join(one.name for one in controls_for(parts.family)) or "none"
    raise ModelError(
        f"there is no net {name!r} for models of the family {parts.family.name}: its presets are {for_family}; "
        f"or name a source, as {spec.name}=org/name"
    )


def _found(spec: ControlSpec, preset: ControlPreset | None, prefer_fp16: bool, progress: Progress) -> Path:
    """The file or folder of a net, downloaded if it is not on this disk. Raises ModelError."""
    if preset is not None:
        return _fetched(preset.source, prefer_fp16, progress)
    source = spec.source or ""
    if (path := local_path(source)) is not None:
        if not path.is_dir():
            refuse_pickle(path)
        return path
    if (hub_id := parse_hub_id(source)) is None:
        raise ModelError(
            f"control {spec.name}: there is no net {source!r}: give a preset, a hub id, a folder or a .safetensors file"
        )
    return _fetched(hub_id, prefer_fp16, progress)


def _fetched(hub_id: HubId, prefer_fp16: bool, progress: Progress) -> Path:
    choose: Any = partial(one_file, hub_id.file) if hub_id.file else partial(_chosen, prefer_fp16=prefer_fp16)
    folder = fetch(hub_id, choose, progress)
    return folder / hub_id.file if hub_id.file else folder


def _chosen(names: Any, prefer_fp16: bool) -> tuple[str, ...]:
    return control_files(frozenset(names), prefer_fp16)


def _check_fit(network: nn.Module, unet: UNet2DConditionModel) -> None:
    """Check that what a net adds is of the shapes of the UNet's samples. Raises ModelError."""
    ours, of_unet = _config(network), _config(unet)
    if isinstance(network, T2IAdapter):
        channels, blocks = list(ours["channels"]), list(of_unet["block_out_channels"])
        is_xl = ours["adapter_type"] == "full_adapter_xl"
        shrinks_first = of_unet["down_block_types"][0] == "DownBlock2D"
        wanted = blocks if ours["adapter_type"] != "light_adapter" else [*dict.fromkeys(blocks)]
        if is_xl is not shrinks_first or channels[: len(wanted)] != wanted[: len(channels)]:
            raise ModelError(
                f"an adapter for {'SDXL' if is_xl else 'SD 1.x'}, which does not fit the model: take one for its family"
            )
        return
    names = ("block_out_channels", "layers_per_block", "down_block_types")
    if any(_listed(ours[name]) != _listed(of_unet[name]) for name in names):
        raise ModelError("its blocks are not those of the model: take a net that was made for its family")
    if bool(ours["addition_embed_type"]) is not bool(of_unet["addition_embed_type"]):
        raise ModelError("it hears other sizes than the model does: take a net that was made for its family")


def _config(network: nn.Module) -> Any:
    whole: Any = network
    return whole.config


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _infos(
    spec: ControlSpec, preset: ControlPreset | None, network: nn.Module, path: Path
) -> tuple[tuple[ControlInfo, ...], dict[str, int]]:
    """What params may name of a net, and a union's types by these names."""
    weight = spec.weight if spec.weight is not None else preset.weight if preset else 1.0
    if isinstance(network, ControlNetUnionModel):
        count = int(_config(network)["num_control_type"])
        known = {name: one for name, one in UNION_TYPES.items() if one[0] < count}
        infos = tuple(
            ControlInfo(f"{spec.name}/{name}", hint, title, weight) for name, (_, title, hint) in known.items()
        )
        return infos, {f"{spec.name}/{name}": index for name, (index, _, _) in known.items()}
    hint = preset.hint if preset else guessed_hint(spec.name, path.name)
    kind = NetKind.ADAPTER if isinstance(network, T2IAdapter) else NetKind.CONTROLNET
    return (ControlInfo(spec.name, hint, preset.title if preset else spec.name, weight, kind),), {}
