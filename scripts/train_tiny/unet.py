"""Stage 4: trains the UNet, with the text encoder, on encoded pairs.

    python scripts/train_tiny/unet.py --minutes 75 [--init realtime/engine/tiny]

Mostly on 16x16 latent crops whose corners are multiples of 4, so that a crop sees periodic patterns where a whole
frame has them; on whole 32x32 frames towards the end. Output: `checkpoints/unet.pt`, and diffusers folders of the
moving average, `checkpoints/unet` and `checkpoints/text_encoder_joint`, renewed with every checkpoint.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from data import TARGETS
from diffusers import AutoencoderTiny, UNet2DConditionModel
from models import scheduler, unet
from objective import denoised, make_example
from paths import CHECKPOINTS, PAIRS
from prompts import prompt
from text import dictionary, tokens
from training import Budget, MovingAverage, Tensor, arguments, autocast, cosine, device, load, save
from transformers import CLIPTextModel, CLIPTokenizer

GRID = 32
CROP = 16
WEBCAM_SHARE = 0.4
IDENTITY_SHARE = 0.06
AVERAGE_EVERY = 5
# Lines, blocks and panes take longest to learn and moods on a photograph least.
HARD = ("van gogh", "ukiyo-e", "pencil sketch", "comic", "anime", "pixel art", "stained glass", "neon", "blueprint")
HARD += ("chalkboard", "impressionist")
SHARES = [2.0 if style in HARD else 0.6 if mood else 1.0 for style, mood in TARGETS]


class Pairs:
    """Encoded pictures with their labels, in memory."""

    def __init__(self, words: list[str]) -> None:
        """Read latents and labels; `words` fill the prompts."""
        self.latents = torch.from_numpy(np.load(PAIRS / "latents.npy"))
        self.labels: list[list[list[str]]] = json.loads((PAIRS / "labels.json").read_text("utf-8"))
        self.words = words
        self.rng = random.Random()

    def batch(self, size: int, side: int) -> tuple[Tensor, Tensor, Tensor, list[str]]:
        """Source, source as seen and styled latents [B, C, side, side], and prompts."""
        rng, triples, prompts = self.rng, [], []
        kinds = self.latents.shape[1] - 1
        for _ in range(size):
            index = rng.randrange(len(self.latents))
            kind = 0 if rng.random() < IDENTITY_SHARE else rng.choices(range(kinds), SHARES)[0]
            seen = kinds if rng.random() < WEBCAM_SHARE else 0
            top, left = (4 * rng.randint(0, (GRID - side) // 4) for _ in range(2))
            picked = self.latents[index, [0, seen, kind], :, top : top + side, left : left + side]
            triples.append(picked.float())
            style, mood = self.labels[index][kind]
            prompts.append(prompt(style, mood, rng, self.words))
        source, seen_source, styled = torch.stack(triples, 1)
        return source, seen_source, styled, prompts


@torch.no_grad()
def channel_weights(vae: AutoencoderTiny, latents: Tensor) -> Tensor:
    """[1, C, 1, 1], mean 1: the square root of how far each latent channel moves the picture.

    The distance itself would count colours only and leave the details to chance.
    """
    vae.eval()
    z = latents[torch.linspace(0, len(latents) - 1, 24).long(), 0].float()
    base = vae.decoder(z)
    moved = []
    for channel in range(z.shape[1]):
        shifted = z.clone()
        shifted[:, channel] += 0.5
        moved.append((vae.decoder(shifted) - base).square().mean())
    weight = torch.stack(moved) ** 0.25
    return (weight / weight.mean()).view(1, -1, 1, 1)


def export(model: UNet2DConditionModel, encoder: CLIPTextModel, average: MovingAverage, folder: Path) -> None:
    """Write the averaged weights as diffusers folders."""
    average.swap()
    model.save_pretrained(folder / "unet")
    encoder.save_pretrained(folder / "text_encoder_joint")
    average.swap()


def main() -> None:
    """Run the stage from the command line."""
    parser = arguments(__doc__, minutes=75)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=28, help="16x16 crops a step; a quarter as many whole frames")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    where = device(args.threads)
    pairs = Pairs(dictionary())
    tokenizer = CLIPTokenizer.from_pretrained(CHECKPOINTS / "tokenizer")
    text_folder = args.init / "text_encoder" if args.init else CHECKPOINTS / "text_encoder"
    encoder = CLIPTextModel.from_pretrained(text_folder).float().to(where).train()
    model = UNet2DConditionModel.from_pretrained(args.init / "unet").float() if args.init else unet()
    model = model.to(where, memory_format=torch.channels_last).train()
    weights = channel_weights(AutoencoderTiny.from_pretrained(CHECKPOINTS / "vae"), pairs.latents).to(where)
    print("channel weights", [round(value, 2) for value in weights.flatten().tolist()], flush=True)
    alphas_cumprod = scheduler().alphas_cumprod.to(where)
    groups = [{"params": list(model.parameters()), "scale": 1.0}, {"params": list(encoder.parameters()), "scale": 0.2}]
    optimizer = torch.optim.AdamW(groups, lr=args.rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    trained = [p for group in groups for p in group["params"]]
    average = MovingAverage(trained, 0.996)
    path, step, samples, budget = CHECKPOINTS / "unet.pt", 0, 0, Budget(args.minutes)
    if state := load(path, args.fresh or args.init is not None):
        model.load_state_dict(state["unet"])
        encoder.load_state_dict(state["text_encoder"])
        optimizer.load_state_dict(state["optimizer"])
        average.shadow, average.steps = state["average"], state["step"] // AVERAGE_EVERY
        step, samples, budget = state["step"], state["samples"], Budget(args.minutes, state["spent_s"])
    forward = torch.compile(model) if args.compile else model
    saved, errors = budget.spent_s, []
    while not budget.over:
        for group in optimizer.param_groups:
            group["lr"] = group["scale"] * cosine(budget.fraction, step, args.rate)
        whole = pairs.rng.random() < (0.08 if budget.fraction < 0.8 else 0.4)
        size, side = (args.batch // 4, GRID) if whole else (args.batch, CROP)
        source, seen, styled, prompts = pairs.batch(size, side)
        example = make_example(source.to(where), seen.to(where), styled.to(where), alphas_cumprod)
        with autocast(where):
            embeds = encoder(tokens(tokenizer, prompts).to(where))[0]
            model_input = example.model_input.contiguous(memory_format=torch.channels_last)
            v = forward(model_input, example.t, embeds).sample.float()
        error = (denoised(example.noisy, v, example.t, alphas_cumprod) - example.target) * weights
        mse = error.square().mean()
        loss = mse + 0.3 * F.l1_loss(error, torch.zeros_like(error))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if step % AVERAGE_EVERY == 0:
            average.update()
        errors.append(mse.item())
        step, samples = step + 1, samples + size
        budget.tick()
        if step % 100 == 0:
            print(
                f"step {step} {budget.spent_s:.0f} s samples {samples} x0 mse {np.mean(errors[-100:]):.4f}", flush=True
            )
        if budget.spent_s - saved > 240 or budget.over:
            saved = budget.spent_s
            state = {
                "unet": model.state_dict(),
                "text_encoder": encoder.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            save(path, **state, average=average.shadow, step=step, samples=samples, spent_s=budget.spent_s)
            export(model, encoder, average, CHECKPOINTS)
    print(f"{step} steps, {samples} samples in {budget.spent_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
