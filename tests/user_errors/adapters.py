"""IP-Adapters: their names, what else lies in their files, and files that don't fit the model."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from realtime.config import Config
from realtime.engine.load import check_engine
from realtime.engine.models.ip_adapter.names import files_of
from realtime.prompts import Layers, Reference

from .case import Case

if TYPE_CHECKING:
    import torch

    from realtime.engine.models.parts import Parts

ANY = "ip-adapter-sd15 or ip-adapter-plus-sd15 or ip-adapter-sdxl or ip-adapter-plus-sdxl"
FACE = "it wants the embedding of a face by a network whose weights are not for commercial use"
FILE = "my.safetensors"


@functools.cache
def parts(family: str = "sd", unet: str = "sd") -> Parts:
    from realtime.engine.models.family import PAINTER, SD, SD2, SDXL, TINY
    from realtime.engine.models.parts import Parts
    from tests.engine.tiny_models import shared_networks

    families = {"sd": SD, "sd2": SD2, "sdxl": SDXL, "tiny": TINY, "painter": PAINTER}
    return Parts(families[family], shared_networks(unet)[0], None, (), (), {})


def load(of: Callable[[], Parts] = parts) -> object:
    from realtime.engine.models.ip_adapter.load import load_ip_adapter

    return load_ip_adapter(FILE, of(), lambda stage, percent: None)


def on(family: str) -> Callable[[], object]:
    return lambda: load(lambda: parts(family))


Weights = Mapping[str, "torch.Tensor"]


def file(change: Callable[[dict[str, Any]], Weights], of: Callable[[], Parts] = parts) -> Callable[[], object]:
    """An adapter for the tiny model of SD, changed, without an image encoder."""

    def run() -> object:
        from safetensors.torch import save_file

        from tests.engine.tiny_adapters import adapter_weights

        weights = adapter_weights(parts().unet)
        save_file(dict(change(weights)), FILE)
        return load(of)

    return run


def with_more(name: str, *shape: int) -> Callable[[], object]:
    import torch

    return file(lambda weights: {**weights, **{each: torch.ones(shape) for each in name.split()}})


def with_encoder(config: Mapping[str, object]) -> Callable[[], object]:
    def run() -> object:
        Path("image_encoder").mkdir()
        (Path("image_encoder") / "config.json").write_text(json.dumps(config))
        Path("image_encoder/model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
        return file(dict)()

    return run


def of_width(width: int) -> Callable[[], object]:
    import torch

    def changed(weights: dict[str, Any]) -> Weights:
        return {
            name: torch.ones(len(one), width) if name.startswith("ip_adapter.") else one
            for name, one in weights.items()
        }

    return file(changed)


def shown(layers: Layers, **seen: object) -> object:
    from realtime.engine.models.ip_adapter.adapter import IpAdapter

    adapter = IpAdapter(mock.Mock(), mock.Mock(), (), {Layers.ALL: ()})
    for name in seen:
        adapter._seen.get(name * 32, mock.Mock)
    return adapter.shown(Reference(picture="a" * 32, layers=layers))


CASES = [
    Case(
        "there is no IP-Adapter 'ip-adapter': give a preset (ip-adapter-sd15, ip-adapter-plus-sd15, ip-adapter-sdxl, "
        "ip-adapter-plus-sdxl), a .safetensors file, or one on the hub, as org/name/FILE.safetensors",
        "'ip-adapter'",
        lambda: check_engine(Config(reference="ip-adapter")),
    ),
    Case(
        "there is no file models/image_encoder/config.json in it: check the name",
        "image_encoder",
        lambda: files_of("a.safetensors", "models/image_encoder", ["a.safetensors"]),
    ),
    Case(
        "reference: this model hears pictures by itself, in its prompt: leave --reference out",
        "--reference",
        on("painter"),
    ),
    Case(
        "reference: nobody has published an IP-Adapter for SD 2.x, which sd-turbo is: take an SD 1.x or SDXL model, as "
        "lcm-sd15 or sdxl-turbo",
        "SD 2.x",
        on("sd2"),
    ),
    Case("reference: there are no IP-Adapters for models of this family (tiny): leave it out", "tiny", on("tiny")),
    Case(
        f"reference {FILE}: this kind of IP-Adapter is not run here: it is made for faces alone, 257 tokens a picture; "
        f"take {ANY}",
        FILE,
        with_more("image_proj.proj.3.weight", 1),
    ),
    Case(
        f"reference {FILE}: this kind of IP-Adapter is not run here: {FACE}; take {ANY}",
        FILE,
        with_more("image_proj.norm.weight image_proj.proj.2.weight", 1),
    ),
    Case(
        f"reference {FILE}: this kind of IP-Adapter is not run here: {FACE}; take {ANY}",
        FILE,
        with_more("ip_adapter.0.to_k_lora.down.weight", 1),
    ),
    Case(
        f"reference {FILE}: it is no IP-Adapter (nothing in it is called ip_adapter.…): take {ANY}",
        FILE,
        file(lambda weights: {name: one for name, one in weights.items() if name.startswith("image_proj.")}),
    ),
    Case(
        f"reference {FILE}: it is no IP-Adapter that this server runs: take {ANY}",
        FILE,
        file(lambda weights: {name: one for name, one in weights.items() if not name.endswith("proj.bias")}),
    ),
    Case(
        f"reference {FILE}: it is made for models of the family sdxl, and this one is of sd: "
        "take ip-adapter-sd15 or ip-adapter-plus-sd15",
        "sdxl",
        of_width(2048),
    ),
    Case(
        f"reference {FILE}: it is made for another model, and this one is of sdxl: "
        "take ip-adapter-sdxl or ip-adapter-plus-sdxl",
        FILE,
        file(dict, lambda: parts("sdxl", "sdxl")),
    ),
    Case(
        f"reference {FILE}: it wants an image encoder whose projection_dim is 24: put that into a folder image_encoder "
        "beside it",
        "image_encoder",
        file(dict),
    ),
    Case(
        f"reference {FILE}: image_encoder: a 'siglip', and no image encoder of CLIP's: take the one of the adapter",
        "'siglip'",
        with_encoder({"model_type": "siglip", "projection_dim": 24}),
    ),
    Case(
        f"references: the picture {'a' * 32} is not here any more: send it again",
        "references",
        lambda: shown(Layers.ALL),
    ),
    Case("references: this adapter has no layers style", "style", lambda: shown(Layers.STYLE, a=1)),
]
