"""Nets that go by a name: for each family of models its own, with source, licence and what they are shown; and
downloading them.

Must not import torch or anything that does, nor know how a net is loaded.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...control import Hint
from ...errors import ModelError
from .family import SD, SD2, SDXL, Family, find_family, read_facts
from .files import find_component, list_files, local_path, needed_files
from .hub import Choose, HubId, cached_folder, fetch, find_cached, parse_hub_id
from .presets import Licence, find_preset, list_presets, one_file, prefers_fp16

if TYPE_CHECKING:
    from .. import Progress

_OPENRAIL = Licence("CreativeML OpenRAIL", "commercial use allowed, with use restrictions")
_OTHER = Licence("other", "its page names none of its own: ask its author before commercial use")
_APACHE = Licence("Apache-2.0", "commercial use allowed")

TURBO_WEIGHT = 0.5
"""Of nets that were trained on a base model, beside one that was distilled to few steps: more burns its colours."""


@dataclass(frozen=True)
class NetPreset:
    """A net known by name.

    Attributes:
        name: the NAME of `--control`. Families have nets of the same names.
        family: of the models that it fits.
        hint: what it is shown; of a union net, its first.
        title: for people, short.
        source: a repository with a net in it, or one file of it.
        licence: of the weights.
        download_gb: in gigabytes, in half precision where there is that.
        weight: at which it is best.
        others: the other hints that it may be shown, each by `name/hint`; a union net's.
    """

    name: str
    family: Family
    hint: Hint
    title: str
    source: HubId
    licence: Licence
    download_gb: float
    weight: float = TURBO_WEIGHT
    others: tuple[Hint, ...] = ()


def _sd(name: str, hint: Hint, title: str, repo: str, weight: float = 0.8) -> NetPreset:
    return NetPreset(name, SD, hint, title, HubId(repo), _OPENRAIL, 0.7, weight)


def _sd2(name: str, hint: Hint, title: str, file: str) -> NetPreset:
    return NetPreset(name, SD2, hint, title, HubId("thibaud/controlnet-sd21", file), _OTHER, 0.7)


def _adapter(name: str, hint: Hint, title: str, repo: str) -> NetPreset:
    return NetPreset(name, SDXL, hint, title, HubId(repo), _APACHE, 0.2, 0.8)


_PRESETS = (
    _sd("canny", Hint.CANNY, "Edges", "lllyasviel/control_v11p_sd15_canny"),
    _sd("lines", Hint.LINES, "Lines", "lllyasviel/control_v11p_sd15_lineart"),
    _sd("scribble", Hint.SCRIBBLE, "Scribble", "lllyasviel/control_v11p_sd15_scribble"),
    _sd("depth", Hint.DEPTH, "Depth", "lllyasviel/control_v11f1p_sd15_depth"),
    NetPreset(
        "tile", SD, Hint.TILE, "Tile",
        HubId("comfyanonymous/ControlNet-v1-1_fp16_safetensors", "control_v11f1e_sd15_tile_fp16.safetensors"),
        _OPENRAIL, 0.7, 0.8,
    ),
    _sd2("canny", Hint.CANNY, "Edges", "control_v11p_sd21_canny.safetensors"),
    _sd2("lines", Hint.LINES, "Lines", "control_v11p_sd21_lineart.safetensors"),
    _sd2("scribble", Hint.SCRIBBLE, "Scribble", "control_v11p_sd21_scribble.safetensors"),
    _sd2("depth", Hint.DEPTH, "Depth", "control_v11p_sd21_depth.safetensors"),
    _sd2("colour", Hint.COLOUR, "Colours", "control_v11p_sd21_color.safetensors"),
    NetPreset(
        "union", SDXL, Hint.CANNY, "Edges", HubId("xinsir/controlnet-union-sdxl-1.0"), _APACHE, 2.5,
        others=(Hint.LINES, Hint.SCRIBBLE, Hint.DEPTH),
    ),
    _adapter("canny", Hint.CANNY, "Edges", "TencentARC/t2i-adapter-canny-sdxl-1.0"),
    _adapter("lines", Hint.LINES, "Lines", "TencentARC/t2i-adapter-lineart-sdxl-1.0"),
    _adapter("scribble", Hint.SCRIBBLE, "Scribble", "TencentARC/t2i-adapter-sketch-sdxl-1.0"),
)  # fmt: skip


def list_nets(family: Family | None = None) -> tuple[NetPreset, ...]:
    """All nets that go by a name, or those of one family."""
    return tuple(net for net in _PRESETS if family in (None, net.family))


def find_net(name: str, family: Family) -> NetPreset | None:
    """The net of this name for models of a family; None where there is none."""
    return next((net for net in list_nets(family) if net.name == name), None)


def nets_named(name: str) -> tuple[NetPreset, ...]:
    """The nets of this name, of all families."""
    return tuple(net for net in _PRESETS if net.name == name)


def models_for(net: NetPreset) -> tuple[str, ...]:
    """The names of the models that a net fits."""
    return tuple(model.name for model in list_presets() if model.family is net.family)


def net_files(names: Collection[str], prefer_fp16: bool) -> tuple[str, ...]:
    """The files of a net in a diffusers folder of its own.

    Raises:
        ModelError: there is none.
    """
    if "config.json" not in names:
        raise ModelError("there is no net in it (no config.json): name one of its files, as org/name/FILE.safetensors")
    return ("config.json", *find_component(names, "", prefer_fp16, "diffusion_pytorch_model").files)


def choose_net(source: HubId, prefer_fp16: bool) -> Choose:
    """The `Choose` for a net's repository."""
    return partial(one_file, source.file) if source.file else partial(net_files, prefer_fp16=prefer_fp16)


def is_net_cached(net: NetPreset) -> bool:
    """True if a net can be loaded without the network."""
    return find_cached(net.source, choose_net(net.source, prefer_fp16=True)) is not None


def pull_net(name: str, model: str, progress: Progress, prefer_fp16: bool | None = None) -> None:
    """Download a net without loading it.

    Args:
        name: a preset's.
        model: for which it is to be: a preset, or a folder or hub id of which the files are here; empty where only one
            family has a net of this name.
        progress: called with what is downloaded and the percentage.
        prefer_fp16: see `presets.pull`.

    Raises:
        ModelError: there is no such net for the model, or it can't be downloaded.
    """
    source = net_for(name, model).source
    fetch(source, choose_net(source, prefers_fp16() if prefer_fp16 is None else prefer_fp16), progress)


def net_for(name: str, model: str) -> NetPreset:
    """The net of this name for a model. Raises ModelError; see `pull_net`."""
    nets = nets_named(name)
    if model:
        family = _family_of(model)
        if (net := find_net(name, family)) is not None:
            return net
        if not (there := list_nets(family)):
            raise ModelError(f"there are no nets for models like {model}: take another model")
        raise ModelError(f"there is no net {name!r} for {model}: take {', '.join(one.name for one in there)}")
    if len(nets) != 1:
        models = ", ".join(one for net in nets for one in models_for(net))
        raise ModelError(
            f"{name} is a net for several models: say which, with --for and one of {models}"
            if nets
            else f"there is no net {name!r}: `realtime models list` shows all"
        )
    return nets[0]


def _family_of(model: str) -> Family:
    """The family of a model that is known, or whose files are here. Raises ModelError."""
    if preset := find_preset(model):
        return preset.family
    hub_id = parse_hub_id(model)
    folder = local_path(model) or (cached_folder(hub_id) if hub_id is not None and hub_id.file is None else None)
    if folder is None or not folder.is_dir():
        raise ModelError(f"it can't be told which nets fit {model!r}: fetch it first, or name a preset")
    needed_files(list_files(folder, 2), prefer_fp16=True, with_vae=False)
    return find_family(read_facts(folder))
