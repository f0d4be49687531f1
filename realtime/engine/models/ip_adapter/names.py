"""IP-Adapters by name: where they are, what they are made for, and their licence.

Must not import torch: a configuration is checked without it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import SD, SDXL, Family
from ..hub import HubId
from ..presets import Licence

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
