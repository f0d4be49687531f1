"""LoRAs with random weights in the formats that people have, for `checkpoints.build_sd`'s model."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests import ldm

TO_Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
TO_K = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
TIME = "up_blocks.0.resnets.0.time_emb_proj"
CONV = "up_blocks.0.resnets.0.conv1"
NORM = "up_blocks.0.resnets.0.norm1"
OUT = "encoder.layers.0.self_attn.out_proj"


def random(*shape: int, seed: int, size: float = 0.2) -> torch.Tensor:
    return size * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kohya_name(layer: str) -> str:
    return f"lora_unet_{layer.replace('.', '_')}"


def save_formats(folder: Path) -> dict[str, Path]:
    """One file of each format; they overlap in layers, and reach what is cached of prompts and timesteps."""
    folder.mkdir(parents=True, exist_ok=True)
    q, k, time = kohya_name(TO_Q), kohya_name(TO_K), kohya_name(TIME)
    text = f"lora_te_text_model_{OUT.replace('.', '_')}"
    files: dict[str, ldm.State] = {
        "kohya": {
            f"{q}.lora_down.weight": random(4, 64, seed=1),
            f"{q}.lora_up.weight": random(64, 4, seed=2),
            f"{q}.alpha": torch.tensor(2.0),
            f"{k}.lora_down.weight": random(2, 32, seed=3, size=0.5),
            f"{k}.lora_up.weight": random(64, 2, seed=4, size=0.5),
            f"{text}.lora_down.weight": random(2, 32, seed=5, size=0.5),
            f"{text}.lora_up.weight": random(32, 2, seed=6, size=0.5),
        },
        "dora": {
            f"{q}.lora_down.weight": random(4, 64, seed=7),
            f"{q}.lora_up.weight": random(64, 4, seed=8),
            f"{q}.dora_scale": 1 + random(64, 1, seed=9),
            f"{time}.lora_down.weight": random(4, 128, seed=10),
            f"{time}.lora_up.weight": random(64, 4, seed=11),
        },
        "loha": {
            f"{k}.hada_w1_a": random(64, 2, seed=12, size=1.0),
            f"{k}.hada_w1_b": random(2, 32, seed=13, size=1.0),
            f"{k}.hada_w2_a": random(64, 2, seed=14),
            f"{k}.hada_w2_b": random(2, 32, seed=15),
            f"{k}.alpha": torch.tensor(1.0),
        },
        "lokr": {
            f"{q}.lokr_w1": random(8, 8, seed=16),
            f"{q}.lokr_w2": random(8, 8, seed=17, size=0.5),
        },
        "full": {
            f"{kohya_name(CONV)}.diff": random(64, 128, 3, 3, seed=18, size=0.02),
            f"{kohya_name(CONV)}.diff_b": random(64, seed=19),
            f"{kohya_name(NORM)}.w_norm": random(128, seed=20),
            f"{kohya_name(NORM)}.b_norm": random(128, seed=21),
        },
    }
    for name, state in files.items():
        save_file(state, folder / f"{name}.safetensors")
    diffusers = ldm.lora_layers({f"unet.{TO_Q}": (64, 64), f"text_encoder.text_model.{OUT}": (32, 32)})
    ldm.save_diffusers_lora(folder / "diffusers.safetensors", diffusers)
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
