"""Last stage: writes the model folder from the checkpoints: diffusers' layout in float16, model card, list of pictures.

    python scripts/train_tiny export --out FOLDER [--checkpoint painter.pt] [--words words.pt]

Must not know how anything was trained. The folder is built beside its target and swapped in at the end, so that a
running server never sees half of one.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import samples
import torch
import words
from diffusers import LCMScheduler
from painter import WHOLE, Painter
from paths import SHIPPED
from pictures import POOL
from prompts import MOODS, STYLES
from schedule import BETA_END, BETA_START, FULL, TIMESTEPS
from training import load

from realtime.engine.models.painter.networks import PainterAutoencoder, PainterImageEncoder, PainterUnet

LIMIT_BYTES = 25_000_000
SIDE = 384
DEFAULT_STYLE = "watercolour"


def model_index() -> dict[str, object]:
    """diffusers' table of parts; ours stand under the module that has them."""
    own = "realtime.engine.models.painter.networks"
    return {
        "_class_name": "PainterPipeline",
        "scheduler": ["diffusers", "LCMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "image_encoder": [own, "PainterImageEncoder"],
        "unet": [own, "PainterUnet"],
        "vae": [own, "PainterAutoencoder"],
    }


def description() -> dict[str, object]:
    """What a client may want to know: styles and moods as buttons, and the words that mean them."""
    return {
        "name": "realtime tiny",
        "licence": "Apache-2.0",
        "width": SIDE,
        "height": SIDE,
        "default_prompt": DEFAULT_STYLE,
        "default_strength": round(WHOLE, 2),
        "default_steps": 1,
        "best_steps": 1,
        "styles": [
            {"name": name, "prompt": "" if name == "photo" else name, "words": words} for name, words in STYLES.items()
        ],
        "pictures": [{"name": name, "file": samples.file_of(name)} for name in samples.SAMPLES],
        "moods": [{"name": name, "prompt": name, "words": words} for name, words in MOODS.items() if name],
    }


def write_networks(folder: Path, painter: Painter) -> None:
    """UNet, autoencoder, image encoder and scheduler."""
    unet, autoencoder, pictures = PainterUnet(full_share=FULL), PainterAutoencoder(), PainterImageEncoder()
    unet.load_state_dict(painter.unet.state_dict())
    autoencoder.encoder.load_state_dict(painter.encoder.state_dict())
    autoencoder.decoder.load_state_dict(painter.decoder.state_dict())
    pictures.load_state_dict(painter.picture.state_dict())
    pictures.to(torch.float16).save_pretrained(folder / "image_encoder")
    unet.to(torch.float16).save_pretrained(folder / "unet")
    autoencoder.to(torch.float16).save_pretrained(folder / "vae")
    scheduler = LCMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETA_START,
        beta_end=BETA_END,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
    )
    scheduler.save_pretrained(folder / "scheduler")


def write_words(folder: Path, state: dict[str, torch.Tensor], init: Path) -> None:
    """Text encoder and tokenizer.

    Args:
        state: the text encoder's.
        init: the model folder that tokenizer and sizes come from.
    """
    encoder = words.fresh_encoder(init)
    encoder.load_state_dict(state)
    encoder.to(torch.float16).save_pretrained(folder / "text_encoder")
    shutil.copytree(init / "tokenizer", folder / "tokenizer")


def write_texts(folder: Path) -> None:
    """What is neither a network nor a tokenizer."""
    (folder / "model_index.json").write_text(json.dumps(model_index(), indent=2) + "\n", "utf-8")
    (folder / "realtime.json").write_text(json.dumps(description(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    # Paths of the machine that trained have no place in a shipped folder.
    for path in folder.rglob("config.json"):
        config = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "_name_or_path"}
        path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def write_pictures(folder: Path, init: Path) -> None:
    """The samples of this machine, or those of the model that went before."""
    made = samples.FOLDER if samples.FOLDER.exists() else init / "pictures"
    shutil.copytree(made, folder / "pictures")
    if missing := [name for name in samples.SAMPLES if not (folder / "pictures" / samples.file_of(name)).exists()]:
        raise SystemExit(f"no picture {missing[0]!r} in {made}: run the stage 'samples'")


def main(options: list[str]) -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(
        prog="export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="instead of the furthest stage's")
    parser.add_argument("--words", type=Path, default=words.PATH)
    parser.add_argument("--init", type=Path, default=SHIPPED, help="the model folder that `words` began with")
    args = parser.parse_args(options)
    fresh = args.out.with_name(args.out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    write_networks(fresh, Painter.trained(args.checkpoint))
    write_words(fresh, load(args.words)["text_encoder"], args.init)
    write_pictures(fresh, args.init)
    write_texts(fresh)
    listed = POOL / "sources.csv"
    shutil.copy(listed if listed.exists() else args.init / "DATA.csv", fresh / "DATA.csv")
    shutil.copy(Path(__file__).with_name("MODEL_CARD.md"), fresh)
    total = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
    if total > LIMIT_BYTES:
        raise SystemExit(f"{total / 1e6:.1f} MB is over the limit of {LIMIT_BYTES / 1e6:.0f} MB")
    old = args.out.with_name(args.out.name + ".old")
    if args.out.exists():
        args.out.rename(old)
    fresh.rename(args.out)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{args.out}: {total / 1e6:.2f} MB")
