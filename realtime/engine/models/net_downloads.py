"""Which nets fit which models and are here already, and downloading them.

Must not import torch or anything that does before something is downloaded, nor know how a net is loaded.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from ...control import Hint
from ...errors import ModelError
from .control_presets import (
    CONTROL_PRESETS,
    ESTIMATORS,
    UNION_TYPES,
    ControlPreset,
    controls_for,
    find_control,
)
from .family import Family, find_family, read_facts
from .files import estimator_files, find_component, list_files, local_path, needed_files
from .hub import Choose, HubId, cached_folder, fetch, find_cached, parse_hub_id
from .presets import find_preset, list_presets, one_file, prefers_fp16

if TYPE_CHECKING:
    from .. import Progress

UNION = "union"
"""The name of nets that may be shown several hints."""


def models_for(net: ControlPreset) -> tuple[str, ...]:
    """The names of the models that a net fits."""
    return tuple(model.name for model in list_presets() if model.family is net.family)


def hints_of(net: ControlPreset) -> tuple[Hint, ...]:
    """What a net may be shown."""
    return tuple(dict.fromkeys(hint for _, _, hint in UNION_TYPES.values())) if net.name == UNION else (net.hint,)


def is_net_cached(net: ControlPreset) -> bool:
    """True if a net, and what makes its hint, can be loaded without the network."""
    needed = [find_cached(net.source, choose_net(net.source, prefer_fp16=True))]
    needed += [find_cached(source, estimator_files) for source in _estimators_of(net)]
    return None not in needed


def is_net(name: str) -> bool:
    """Whether any family has a net of this name."""
    return any(net.name == name for net in CONTROL_PRESETS)


def net_files(names: Collection[str], prefer_fp16: bool) -> tuple[str, ...]:
    """The files of a net in a diffusers folder of its own.

    Raises:
        ModelError: there is none.
    """
    if "config.json" not in names:
        raise ModelError("there is no net in it (no config.json): name its file, or another folder")
    return ("config.json", *find_component(names, "", prefer_fp16, "diffusion_pytorch_model").files)


def choose_net(source: HubId, prefer_fp16: bool) -> Choose:
    """The `Choose` for a net's repository."""
    return partial(one_file, source.file) if source.file else partial(net_files, prefer_fp16=prefer_fp16)


def pull_net(name: str, model: str, progress: Progress, prefer_fp16: bool | None = None) -> None:
    """Download a net, and the network that makes its hint, without loading them.

    Args:
        name: a preset's.
        model: for which it is to be: a preset, or a folder or hub id of which the files are here; empty where only one
            family has a net of this name.
        progress: called with what is downloaded and the percentage.
        prefer_fp16: see `presets.pull`.

    Raises:
        ModelError: there is no such net for the model, or it can't be downloaded.
    """
    net = net_for(name, model)
    fetch(net.source, choose_net(net.source, prefers_fp16() if prefer_fp16 is None else prefer_fp16), progress)
    for source in _estimators_of(net):
        fetch(source, estimator_files, progress)


def _estimators_of(net: ControlPreset) -> tuple[HubId, ...]:
    return tuple(ESTIMATORS[hint] for hint in hints_of(net) if hint in ESTIMATORS)


def net_for(name: str, model: str) -> ControlPreset:
    """The net of this name for a model. Raises ModelError; see `pull_net`."""
    nets = [net for net in CONTROL_PRESETS if net.name == name]
    if model:
        family = _family_of(model)
        if (net := find_control(name, family)) is not None:
            return net
        if not (there := controls_for(family)):
            raise ModelError(f"there are no nets for models like {model}: take another model")
        raise ModelError(f"there is no net {name!r} for {model}: take {', '.join(one.name for one in there)}")
    if not nets:
        raise ModelError(f"there is no net {name!r}: `realtime models list` shows all")
    if len(nets) > 1:
        models = ", ".join(one for net in nets for one in models_for(net))
        raise ModelError(f"{name} is a net for several models: say which, with --for and one of {models}")
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
