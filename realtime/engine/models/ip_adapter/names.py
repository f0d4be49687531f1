"""IP-Adapters by name: where they are, what they are made for, and their licence; and downloading them.

Must not import torch: a configuration is checked without it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ....errors import ModelError
from ..family import SD, SDXL, Family
from ..files import find_component, local_path
from ..hub import HubId, fetch, find_cached, parse_hub_id
from ..presets import Licence

if TYPE_CHECKING:
    from ... import Progress

REPOSITORY = HubId("h94/IP-Adapter")
"""The authors' own."""
VIT_H, VIT_G = "models/image_encoder", "sdxl_models/image_encoder"
"""Folders of image encoders in it: OpenCLIP's ViT-H/14 and ViT-bigG/14, 1.3 and 3.7 GB of memory in half precision."""
LICENCE = Licence("Apache-2.0", "commercial use allowed")


@dataclass(frozen=True, slots=True)
class AdapterPreset:
    """An adapter known by name.

    Attributes:
        file: in `REPOSITORY`.
        encoder: folder of its image encoder, there.
        family: of the models that it fits.
        title: one line about it.
        download_gb: its download with the encoder, in gigabytes.
    """

    file: str
    encoder: str
    family: Family
    title: str
    download_gb: float


ADAPTERS = {
    "ip-adapter-sd15": AdapterPreset(
        "models/ip-adapter_sd15.safetensors", VIT_H, SD, "SD 1.x: the picture as a whole", 2.6
    ),
    "ip-adapter-plus-sd15": AdapterPreset(
        "models/ip-adapter-plus_sd15.safetensors", VIT_H, SD, "SD 1.x: closer to the picture, its details too", 2.7
    ),
    "ip-adapter-sdxl": AdapterPreset(
        "sdxl_models/ip-adapter_sdxl_vit-h.safetensors", VIT_H, SDXL, "SDXL: the picture as a whole", 3.2
    ),
    "ip-adapter-plus-sdxl": AdapterPreset(
        "sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors", VIT_H, SDXL, "SDXL: closer, its details too", 3.4
    ),
}
"""Adapters by preset name. The licence of all is `LICENCE`."""


def names_for(family: Family) -> str:
    """The presets that fit models of a family, for messages; empty where there are none."""
    return " or ".join(name for name, preset in ADAPTERS.items() if preset.family is family)


def check_reference(name: str) -> None:
    """Check, without reading weights, that a name can be an adapter's. Raises ModelError."""
    if name not in ADAPTERS and local_path(name) is None and hub_file(name) is None:
        raise ModelError(
            f"there is no IP-Adapter {name!r}: give a preset ({', '.join(ADAPTERS)}), a .safetensors file, or one on "
            "the hub, as org/name/FILE.safetensors"
        )


def hub_file(name: str) -> HubId | None:
    """A file on the hub, by its name; None where that is another one's."""
    hub_id = parse_hub_id(name)
    return hub_id if hub_id is not None and hub_id.file is not None else None


def files_of(file: str | None, encoder: str | None, names: Collection[str]) -> tuple[str, ...]:
    """The files of a repository that an adapter and its image encoder need, as far as they are wanted of it.

    Raises:
        ModelError: some are missing.
    """
    config = None if encoder is None else f"{encoder}/config.json"
    wanted = [name for name in (file, config) if name is not None]
    if missing := [name for name in wanted if name not in names]:
        raise ModelError(f"there is no file {missing[0]} in it: check the name")
    weights = () if encoder is None else find_component(names, encoder, False, "model").files
    return (*wanted, *weights)


def is_cached(preset: AdapterPreset) -> bool:
    """True if an adapter and its image encoder can be loaded without the network."""
    return find_cached(REPOSITORY, partial(files_of, preset.file, preset.encoder)) is not None


def pull_adapter(preset: AdapterPreset, progress: Progress) -> None:
    """Download an adapter and its image encoder. Raises ModelError."""
    fetch(REPOSITORY, partial(files_of, preset.file, preset.encoder), progress)
