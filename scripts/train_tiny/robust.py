"""Stage 5: teaches the trained text encoder that punctuation, possessives, accents and unknown words mean nothing.

    python scripts/train_tiny/robust.py --minutes 1.5

The encoder as the UNet knows it is the teacher: for plain prompts the pupil must give the same embeddings, for
decorated ones those of the plain prompt, for meaningless ones those of the empty prompt. Reads `checkpoints/unet` and
`text_encoder_joint`; writes `checkpoints/text_encoder_final`.
"""

from __future__ import annotations

import copy
import random

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from paths import CHECKPOINTS
from prompts import MOODS, STYLES, decorate, meaningless, prompt
from text import dictionary, tokens
from training import Budget, arguments, cosine, device
from transformers import CLIPTextModel, CLIPTokenizer


def main() -> None:
    """Run the stage from the command line."""
    args = arguments(__doc__, minutes=1.5).parse_args()
    where, words, rng = device(args.threads), dictionary(), random.Random(2)
    tokenizer = CLIPTokenizer.from_pretrained(CHECKPOINTS / "tokenizer")
    teacher = CLIPTextModel.from_pretrained(CHECKPOINTS / "text_encoder_joint").float().to(where).eval()
    pupil = copy.deepcopy(teacher).train()
    # What the UNet makes of the tokens for its residual blocks: an error there is an error in the picture.
    pool = UNet2DConditionModel.from_pretrained(CHECKPOINTS / "unet").float().add_embedding.to(where).eval()
    pool.requires_grad_(False)
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=5e-4, weight_decay=0.0)
    styles, moods, budget, step = list(STYLES), ["", *MOODS], Budget(args.minutes), 0
    while not budget.over:
        for group in optimizer.param_groups:
            group["lr"] = cosine(budget.fraction, step, 5e-4, warm_up=30)
        wished = [(rng.choice(styles), "" if rng.random() < 0.6 else rng.choice(moods)) for _ in range(64)]
        plain = [prompt(style, mood, rng, words) for style, mood in wished]
        said = plain + [meaningless(rng, words) for _ in range(32)]
        said = [decorate(text, rng) if rng.random() < 0.6 else text for text in said]
        plain = [*plain, *[""] * 32]
        with torch.no_grad():
            wanted = teacher(tokens(tokenizer, plain).to(where))[0]
            wanted_pooled = pool(wanted)
        given = pupil(tokens(tokenizer, said).to(where))[0]
        pooled = pool(given)
        loss = F.mse_loss(given, wanted) + F.mse_loss(pooled, wanted_pooled) / wanted_pooled.var()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step} {budget.spent_s:.0f} s loss {loss.item():.4f}", flush=True)
        step += 1
        budget.tick()
    pupil.save_pretrained(CHECKPOINTS / "text_encoder_final")


if __name__ == "__main__":
    main()
