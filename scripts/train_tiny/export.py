"""Stage 6: writes the shipped folder from the checkpoints: ordinary diffusers files in fp16, the model card, the data
list.

    python scripts/train_tiny/export.py [--out realtime/engine/models/tiny]

The folder is built beside its target and swapped in at the end, so that a running server never sees half of one.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from models import scheduler
from paths import CHECKPOINTS, PAIRS, SHIPPED
from prompts import MOODS, STYLES
from transformers import CLIPTextModel

LIMIT_BYTES = 20_000_000
ENCODERS = ("text_encoder_final", "text_encoder_joint")
CARD = Path(__file__).parent / "MODEL_CARD.md"


def model_index() -> dict[str, object]:
    """diffusers' table of parts."""
    parts = {
        "scheduler": ["diffusers", "LCMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }
    head = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "requires_safety_checker": False,
    }
    return {**head, **dict(sorted(parts.items()))}


def description() -> dict[str, object]:
    """What a client may want to know: styles and moods as buttons, and the words that mean them."""
    return {
        "name": "realtime tiny",
        "licence": "Apache-2.0",
        "width": 256,
        "height": 256,
        "default_prompt": "van gogh",
        "default_strength": 0.5,
        "default_steps": 1,
        "styles": [
            {"name": name, "prompt": "" if name == "photo" else name, "words": words} for name, words in STYLES.items()
        ],
        "moods": [{"name": name, "prompt": name, "words": words} for name, words in MOODS.items()],
    }


def main() -> None:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    args = parser.parse_args()
    fresh = args.out.with_name(args.out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    UNet2DConditionModel.from_pretrained(CHECKPOINTS / "unet").to(torch.float16).save_pretrained(fresh / "unet")
    AutoencoderTiny.from_pretrained(CHECKPOINTS / "vae").to(torch.float16).save_pretrained(fresh / "vae")
    encoder = next(CHECKPOINTS / name for name in ENCODERS if (CHECKPOINTS / name).exists())
    CLIPTextModel.from_pretrained(encoder).to(torch.float16).save_pretrained(fresh / "text_encoder")
    scheduler().save_pretrained(fresh / "scheduler")
    shutil.copytree(CHECKPOINTS / "tokenizer", fresh / "tokenizer")
    (fresh / "model_index.json").write_text(json.dumps(model_index(), indent=2) + "\n", "utf-8")
    (fresh / "realtime.json").write_text(json.dumps(description(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    shutil.copy(PAIRS / "sources.csv", fresh / "DATA.csv")
    shutil.copy(CARD, fresh / "MODEL_CARD.md")
    # Unpickling, absolute paths and over-long configs have no place in a shipped folder.
    for path in fresh.rglob("config.json"):
        config = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "_name_or_path"}
        path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    total = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
    if total > LIMIT_BYTES:
        raise SystemExit(f"{total / 1e6:.1f} MB is over the limit of {LIMIT_BYTES / 1e6:.0f} MB")
    old = args.out.with_name(args.out.name + ".old")
    if args.out.exists():
        args.out.rename(old)
    fresh.rename(args.out)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{args.out}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
