"""Random IP-Adapters for the tiny models: files in the published layout, and their weights as diffusers takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from realtime.engine.models.family import SD, SDXL
from realtime.engine.models.ip_adapter.adapter import IpAdapter
from realtime.engine.models.ip_adapter.load import load_ip_adapter
from realtime.engine.models.parts import Parts

AdapterKind = Literal["plain", "plus"]
SIDE, SEEN, EMBEDDED, HIDDEN = 32, 32, 24, 64
"""Of the image encoder: its input's side, the widths of its hidden states and its embedding; and of a resampler."""
TOKENS = {"plain": 4, "plus": 5}


def make_image_encoder() -> CLIPVisionModelWithProjection:
    """A new one; all have equal weights."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        config = CLIPVisionConfig(
            hidden_size=SEEN,
            intermediate_size=48,
            projection_dim=EMBEDDED,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=SIDE,
            patch_size=8,
        )
        encoder = CLIPVisionModelWithProjection(config).eval().requires_grad_(False)
        for parameter in encoder.parameters():
            if parameter.ndim > 1:  # so that what is seen depends on the picture
                parameter.copy_(torch.randn(parameter.shape) / parameter[0].numel() ** 0.5)
    return encoder


def adapter_weights(unet: Any, kind: AdapterKind = "plain") -> dict[str, torch.Tensor]:
    """Random weights, as a published file names them."""
    generator = torch.Generator().manual_seed(7)
    width = int(unet.config["cross_attention_dim"])

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / shape[-1] ** 0.5

    def norm(name: str, width: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": 1 + 0.2 * random(width), f"{name}.bias": 0.2 * random(width)}

    if kind == "plain":
        projection = {"proj.weight": random(4 * width, EMBEDDED), "proj.bias": random(4 * width), **norm("norm", width)}
    else:
        projection = {
            "latents": random(1, TOKENS[kind], HIDDEN),
            "proj_in.weight": random(HIDDEN, SEEN),
            "proj_in.bias": random(HIDDEN),
            "proj_out.weight": random(width, HIDDEN),
            "proj_out.bias": random(width),
            **norm("norm_out", width),
        }
        for layer in range(4):
            attend, feed = f"layers.{layer}.0", f"layers.{layer}.1"
            projection |= {
                **norm(f"{attend}.norm1", HIDDEN),
                **norm(f"{attend}.norm2", HIDDEN),
                f"{attend}.to_q.weight": random(HIDDEN, HIDDEN),
                f"{attend}.to_kv.weight": random(2 * HIDDEN, HIDDEN),
                f"{attend}.to_out.weight": random(HIDDEN, HIDDEN),
                **norm(f"{feed}.0", HIDDEN),
                f"{feed}.1.weight": random(4 * HIDDEN, HIDDEN),
                f"{feed}.3.weight": random(HIDDEN, 4 * HIDDEN),
            }
    weights = {f"image_proj.{name}": one for name, one in projection.items()}
    # diffusers numbers attentions as its table of processors has them.
    numbered = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(numbered):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for part in ("k", "v"):
            out = int(getattr(attention, f"to_{part}").out_features)
            weights[f"ip_adapter.{2 * index + 1}.to_{part}_ip.weight"] = random(out, width)
    return weights


def split(weights: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """As diffusers takes them."""
    return {
        part: {name.removeprefix(f"{part}."): one for name, one in weights.items() if name.startswith(f"{part}.")}
        for part in ("image_proj", "ip_adapter")
    }


def save_adapter(folder: Path, unet: Any, kind: AdapterKind = "plain") -> Path:
    """Write an adapter's file, and its image encoder beside it."""
    file = folder / f"ip-adapter_{kind}.safetensors"
    save_file(adapter_weights(unet, kind), file)
    make_image_encoder().save_pretrained(folder / "image_encoder")
    return file


def parts_of(unet: Any, family: str) -> Parts:
    """As much of a model's parts as an adapter asks for."""
    return Parts({"sd": SD, "sdxl": SDXL}[family], unet, None, (), (), {})


def make_adapter(folder: Path, unet: Any, family: str, kind: AdapterKind = "plain") -> IpAdapter:
    """An adapter that was loaded from its file."""
    file = save_adapter(folder, unet, kind)
    return load_ip_adapter(str(file), parts_of(unet, family), lambda stage, percent: None)
