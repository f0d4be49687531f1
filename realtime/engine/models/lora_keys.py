"""Which layer of which network each key of a LoRA means, in the layouts of the trainers and tools in use.

Must not know what the weights are for, beyond their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import nn

from ...errors import ModelError
from .components import UNet2DConditionModel
from .header import shown
from .ldm_names import unet_names

_PART = re.compile(
    r"""(?P<layer>.+?)[._](?:
      lora(?:_linear_layer)?[._](?P<matrix>down|up|mid|A|B)(?:\.default)?(?:\.(?P<kind>weight|bias))?
    | (?P<magnitude>lora_magnitude_vector)(?:\.default)?(?:\.weight)?
    | (?P<other>dora_scale|alpha|hada_w[12]_[ab]|hada_t[12]|lokr_w[12](?:_[ab])?|lokr_t2|diff_b|diff|w_norm|b_norm)
    )""",
    re.VERBOSE,
)
_MATRICES = {"A": "down", "B": "up"}

_UNET_PREFIXES = (
    *("lora_unet_", "unet_", "lycoris_", "diffusion_model_", "model_diffusion_model_", "base_model_model_"),
    "",  # diffusers' attention processors of 2023
)
_TEXT_PREFIXES = (("lora_te_", "lora_te1_", "text_encoder_"), ("lora_te2_", "text_encoder_2_"))

_UNET_BLOCK = re.compile(r"(?:down_blocks|mid_block|up_blocks|input_blocks|middle_block|output_blocks)_")
_TRANSFORMER = re.compile(r"(?:^|_)(?:transformer_(?!blocks)|double_blocks|single_blocks|joint_blocks)")

PEFT_PREFIX = "base_model.model."
"""Of PEFT's own files, whose alphas are in an `adapter_config.json` beside them."""

_EMBEDDING = re.compile(r"bundle_emb\.(?P<name>.+?)\.")


class Layer(NamedTuple):
    """A layer of a model.

    Attributes:
        network: 0 for the UNet, then the text encoders.
        name: of the module in it.
    """

    network: int
    name: str

    def module_of(self, networks: Sequence[nn.Module]) -> nn.Module:
        """The layer among the UNet and the text encoders."""
        return networks[self.network].get_submodule(self.name)


@dataclass(frozen=True, slots=True)
class LoraKeys:
    """The keys of a LoRA, sorted.

    Attributes:
        layers: by the layer's name in the file: the key of each part. Parts are named `down`, `up`, `mid`, `up_bias`,
            `alpha`, `magnitude`, `dora_scale`, and as in LyCORIS' and ComfyUI's files.
        embeddings: names of the embeddings that are bundled with it.
    """

    layers: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    embeddings: frozenset[str] = frozenset()


def sort_keys(keys: Iterable[str]) -> LoraKeys:
    """Sort the keys of a LoRA by layer.

    Raises:
        ModelError: it is no LoRA, or has something in it that this server doesn't know.
    """
    layers: dict[str, dict[str, str]] = {}
    embeddings: set[str] = set()
    unknown: list[str] = []
    for key in keys:
        if bundled := _EMBEDDING.match(key):
            embeddings.add(bundled["name"])
        elif (match := _PART.fullmatch(key)) is None:
            unknown.append(key)
        else:
            layers.setdefault(match["layer"], {})[_part(match)] = key
    if not layers:
        found = f", but {shown(unknown[0])}" if unknown else ""
        raise ModelError(f"it is no LoRA (no lora weights in it{found}): give a LoRA's file")
    if unknown:
        raise ModelError(
            f"it has {len(unknown)} weights of a kind that this server doesn't know, such as {shown(unknown[0])}; "
            "known are LoRA, DoRA, LoCon, LoHa, LoKr and full differences: convert it to one of these"
        )
    return LoraKeys({name: parts for name, parts in layers.items() if set(parts) != {"alpha"}}, frozenset(embeddings))


def _part(match: re.Match[str]) -> str:
    if match["magnitude"]:
        return "magnitude"
    if match["other"]:
        return match["other"]
    matrix = _MATRICES.get(match["matrix"], match["matrix"])
    return f"{matrix}_bias" if match["kind"] == "bias" else matrix


class LayerNames:
    """The names that the layers of a model's networks have in LoRAs.

    Args:
        unet: the UNet.
        text_encoders: one, or SDXL's two.
    """

    def __init__(self, unet: nn.Module, text_encoders: Sequence[nn.Module]) -> None:
        blocks = _flat_names(unet)
        if isinstance(unet, UNet2DConditionModel):
            blocks |= {_flat(theirs): ours for ours, theirs in unet_names(unet).items()}
        self._tables: dict[str, tuple[int, Mapping[str, str]]] = dict.fromkeys(_UNET_PREFIXES, (0, blocks))
        for number, prefixes in enumerate(_TEXT_PREFIXES):
            names = _flat_names(text_encoders[number]) if number < len(text_encoders) else {}
            self._tables |= dict.fromkeys(prefixes, (number + 1, names))
        self._prefixes = sorted(self._tables, key=len, reverse=True)

    def find(self, names: Iterable[str]) -> dict[str, Layer]:
        """The layers by their names in a file.

        Raises:
            ModelError: some aren't in this model, or the names are of no known layout.
        """
        found = {name: self._find(name) for name in names}
        missing = [name for name, layer in found.items() if layer is None]
        if not missing:
            return {name: layer for name, layer in found.items() if layer}
        if any(_TRANSFORMER.search(_flat(name)) for name in missing):
            raise ModelError(
                f"it is made for a transformer such as Flux or SD 3 ({shown(missing[0])}), not for a UNet: take another"
            )
        strange = [name for name in missing if not self._is_known_layout(name)]
        if strange:
            raise ModelError(
                f"its keys are of an unknown layout, such as {shown(strange[0])}; known are lora_unet_…, lora_te_… "
                "(kohya), unet.…, text_encoder.… (diffusers), diffusion_model.… (ComfyUI): convert it to one of these"
            )
        raise ModelError(
            f"it is made for another model: {len(missing)} of its {len(found)} layers aren't in this one, such as "
            f"{shown(missing[0])}: take one for this family"
        )

    def _find(self, name: str) -> Layer | None:
        flat = _flat(name)
        for prefix in self._prefixes:
            if flat.startswith(prefix):
                network, names = self._tables[prefix]
                if module := names.get(_modern(flat.removeprefix(prefix), is_text=network > 0)):
                    return Layer(network, module)
        return None

    def _is_known_layout(self, name: str) -> bool:
        flat = _flat(name)
        return bool(_UNET_BLOCK.match(flat)) or flat.startswith(tuple(filter(None, self._prefixes)))


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _flat_names(network: nn.Module) -> dict[str, str]:
    """Modules with a weight of their own, by the names that they have behind a prefix."""
    return {
        _flat(name).removeprefix("text_model_"): name
        for name, module in network.named_modules()
        if isinstance(getattr(module, "weight", None), nn.Parameter)
    }


def _modern(name: str, is_text: bool) -> str:
    """A layer's name as diffusers writes it today, for one from before PEFT: `…attn1_processor_to_out`."""
    name = name.replace("_processor_to_", "_to_").removeprefix("text_model_" if is_text else "")
    if is_text:
        return re.sub(r"self_attn_to_(q|k|v|out)$", r"self_attn_\1_proj", name)
    return f"{name}_0" if name.endswith("_to_out") else name
