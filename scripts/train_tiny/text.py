"""Stage 3: makes the tokenizer and teaches the text encoder which words mean which style and mood.

    python scripts/train_tiny/text.py --minutes 2

A throw-away head reads style and mood off the last token, so that the UNet later starts from text that already means
something; the UNet stage goes on training the encoder. Output: `checkpoints/tokenizer`, `checkpoints/text_encoder`.
"""

from __future__ import annotations

import collections
import json
import random
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from models import TEXT_WIDTH, TOKENS, text_encoder
from paths import CHECKPOINTS, RAW
from prompts import CONTENT, KNOWN, MOODS, PRAISE, STYLES, meaningless, prompt
from training import Budget, arguments, cosine, device
from transformers import CLIPTextModel, CLIPTokenizer

MERGES = 2400
START, END = "<|startoftext|>", "<|endoftext|>"


def dictionary() -> list[str]:
    """Plain English words (Debian's wamerican) that mean neither a style nor a mood."""
    path = RAW / "wamerican/usr/share/dict/american-english"
    if not path.exists():
        RAW.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "wamerican"], cwd=RAW, check=True)
        archive = next(RAW.glob("wamerican_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), str(RAW / "wamerican")], check=True)
    words = [
        word for word in path.read_text("utf-8").split() if re.fullmatch(r"[a-z]{2,11}", word) and word not in KNOWN
    ]
    common = sorted({word for phrase in CONTENT + PRAISE for word in phrase.split() if word not in KNOWN})
    return words + common * 40


def byte_symbols() -> list[str]:
    """Printable stand-ins for the 256 bytes, as byte-level BPE vocabularies use them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(rest)}
    return [table[byte] for byte in [*printable, *rest]]


def learn_merges(counts: collections.Counter[str], count: int) -> list[tuple[str, str]]:
    """Byte-pair encoding over whole words; ASCII words only, so that bytes are letters."""
    pieces = {word: [*word[:-1], word[-1] + "</w>"] for word in counts if word.isascii()}
    merges: list[tuple[str, str]] = []
    for _ in range(count):
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += counts[word]
        if not pairs:
            break
        first, second = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append((first, second))
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if parts[at] == first and parts[at + 1] == second:
                    parts[at : at + 2] = [first + second]
                at += 1
    return merges


def build_tokenizer(folder: Path, words: list[str]) -> None:
    """Learn the vocabulary from prompts; write slow and fast tokenizer files."""
    rng, counts = random.Random(0), collections.Counter[str]()
    split = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")
    for table in (STYLES, MOODS):
        for phrases in table.values():
            for phrase in phrases:
                counts.update(dict.fromkeys(split.findall(phrase.lower()), 60))
    for _ in range(12000):
        counts.update(split.findall(meaningless(rng, words).lower()))
    merges = learn_merges(counts, MERGES)
    base = byte_symbols()
    vocabulary = list(dict.fromkeys([*base, *(symbol + "</w>" for symbol in base), *(a + b for a, b in merges)]))
    vocabulary += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(
        json.dumps({token: index for index, token in enumerate(vocabulary)}, ensure_ascii=False), "utf-8"
    )
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), "utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": TOKENS,
        "do_lower_case": True,
        "errors": "replace",
        **special,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), "utf-8")
    fast = CLIPTokenizer.from_pretrained(folder)
    fast.backend_tokenizer.save(str(folder / "tokenizer.json"))


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Token ids [B, TOKENS]."""
    return tokenizer(texts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt").input_ids


def main() -> None:
    """Run the stage from the command line."""
    args = arguments(__doc__, minutes=2).parse_args()
    where = device(args.threads)
    words = dictionary()
    folder = CHECKPOINTS / "tokenizer"
    if args.init:
        shutil.copytree(args.init / "tokenizer", folder, dirs_exist_ok=True)
    elif args.fresh or not (folder / "vocab.json").exists():
        build_tokenizer(folder, words)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    print(f"{len(tokenizer)} tokens; {tokenizer.tokenize('a Watercolour of my cat, golden hour')}", flush=True)
    encoder = CLIPTextModel.from_pretrained(args.init / "text_encoder") if args.init else text_encoder(len(tokenizer))
    encoder = encoder.float().to(where)
    styles, moods = list(STYLES), ["", *MOODS]
    head = torch.nn.Linear(TEXT_WIDTH, len(styles) + len(moods)).to(where)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.02)
    rng, budget, step, right = random.Random(1), Budget(args.minutes), 0, []
    while not budget.over:
        for group in optimizer.param_groups:
            group["lr"] = cosine(budget.fraction, step, 1e-3)
        wanted = [(rng.choice(styles), "" if rng.random() < 0.55 else rng.choice(moods)) for _ in range(128)]
        ids = tokens(tokenizer, [prompt(style, mood, rng, words) for style, mood in wanted]).to(where)
        style_ids = torch.tensor([styles.index(style) for style, _ in wanted], device=where)
        mood_ids = torch.tensor([moods.index(mood) for _, mood in wanted], device=where)
        scores = head(encoder(ids)[0][:, -1])
        style_scores, mood_scores = scores.split([len(styles), len(moods)], 1)
        loss = F.cross_entropy(style_scores, style_ids) + F.cross_entropy(mood_scores, mood_ids)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right.append(
            ((style_scores.argmax(1) == style_ids) & (mood_scores.argmax(1) == mood_ids)).float().mean().item()
        )
        if step % 100 == 0:
            share = sum(right[-50:]) / len(right[-50:])
            print(f"step {step} {budget.spent_s:.0f} s loss {loss.item():.3f} right {share:.3f}", flush=True)
        step += 1
        budget.tick()
    encoder.save_pretrained(CHECKPOINTS / "text_encoder")


if __name__ == "__main__":
    main()
