"""Stage 6: teaches the text encoder which words mean which style vector, and that all others mean nothing.

    python scripts/train_tiny words --minutes 8

Must not change any picture: the style vectors are those of the UNet's own table. Goes on from the shipped tokenizer and
text encoder. Output: `checkpoints/words.pt` with the moving average of `text_encoder`, whose projection gives vectors.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import torch
import torch.nn.functional as F
from model import STYLE_WIDTH
from painter import Painter
from paths import CHECKPOINTS, RAW, SHIPPED
from prompts import CONTENT, KNOWN, PRAISE, decorate, meaningless, prompt
from shards import MOODS, STYLES
from training import Run, Tensor, arguments, device, rate_at
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

PATH = CHECKPOINTS / "words.pt"
PLAIN_SHARE, MOOD_SHARE, DECORATED_SHARE = 0.25, 0.4, 0.3


def dictionary() -> list[str]:
    """Plain English words (Debian's wamerican) that mean neither a style nor a mood."""
    path = RAW / "wamerican/usr/share/dict/american-english"
    if not path.exists():
        RAW.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "wamerican"], cwd=RAW, check=True)
        archive = next(RAW.glob("wamerican_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), str(RAW / "wamerican")], check=True)
    listed = path.read_text("utf-8").split()
    words = [word for word in listed if word.isalpha() and word.isascii() and word.islower() and 1 < len(word) < 12]
    common = sorted({word for phrase in CONTENT + PRAISE for word in phrase.split() if word not in KNOWN})
    return [word for word in words if word not in KNOWN] + common * 40


def tokens(tokenizer: CLIPTokenizer, texts: list[str], length: int) -> Tensor:
    """Token ids [B, length]."""
    made = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    return made.input_ids


def fresh_encoder(folder: Path) -> CLIPTextModelWithProjection:
    """The text encoder of a model folder, with a new projection to style vectors."""
    encoder = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder", projection_dim=STYLE_WIDTH)
    torch.nn.init.normal_(encoder.text_projection.weight, std=encoder.config.hidden_size**-0.5)
    return encoder


def drawn(rng: random.Random, words: list[str]) -> tuple[str, str, str]:
    """A prompt as somebody would type it, and the style and mood that it means."""
    moods = [mood for mood in MOODS if mood]
    if rng.random() < PLAIN_SHARE:
        return meaningless(rng, words), "photo", ""
    style = rng.choice(STYLES)
    mood = rng.choice(moods) if rng.random() < MOOD_SHARE else ""
    said = prompt(style, mood, rng, words)
    return decorate(said, rng) if rng.random() < DECORATED_SHARE else said, style, mood


def main(options: list[str]) -> None:
    """Run the stage."""
    parser = arguments("words", __doc__, minutes=8)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--init", type=Path, default=SHIPPED, help="a model folder with tokenizer and text_encoder")
    args = parser.parse_args(options)
    where, words = device(args.threads), dictionary()
    tokenizer = CLIPTokenizer.from_pretrained(args.init / "tokenizer")
    encoder = fresh_encoder(args.init).float().train()
    length = encoder.config.max_position_embeddings
    networks = torch.nn.ModuleDict({"text_encoder": encoder}).to(where)
    optimizer = torch.optim.AdamW(networks.parameters(), lr=args.rate, weight_decay=0.0)
    run = Run(PATH, networks, optimizer, args)
    table = Painter.trained().table.to(where)
    every = table(torch.arange(len(STYLES), device=where), torch.zeros(len(STYLES), dtype=torch.long, device=where))
    spread = every.var(0).mean()
    rng = random.Random(run.step)
    while not run.budget.over:
        asked = [drawn(rng, words) for _ in range(96)]
        style = torch.tensor([STYLES.index(s) for _, s, _ in asked], device=where)
        mood = torch.tensor([MOODS.index(m) for _, _, m in asked], device=where)
        given = encoder(tokens(tokenizer, [text for text, _, _ in asked], length).to(where)).text_embeds
        error = F.mse_loss(given, table(style, mood)) / spread
        if run.step % 100 == 0:
            plain = mood == 0
            right = (torch.cdist(given[plain], every).argmin(1) == style[plain]).float().mean()
            print(f"step {run.step} {run.budget.spent_s:.0f} s error {error:.4f} right {right:.3f}", flush=True)
        run.descend(error, rate_at(run.budget.fraction, run.step, args.rate))
    print(f"{run.step} steps in {run.budget.spent_s / 60:.1f} minutes", flush=True)
