"""Stage 4: trains the UNet, with the text encoder, on encoded pairs.

    python scripts/train_tiny/unet.py --minutes 75 [--init realtime/engine/models/tiny]
    torchrun --nproc-per-node 2 scripts/train_tiny/unet.py --minutes 75 --threads 1

Mostly on 16x16 latent crops whose corners are multiples of 4, so that a crop sees periodic patterns where a whole
frame has them; on whole 32x32 frames towards the end. After the share `--critic-from` of the budget an adversary joins
(`critic.py`). Output: `checkpoints/unet.pt`, and diffusers folders of the
moving average, `checkpoints/unet` and `checkpoints/text_encoder_joint`, renewed with every checkpoint.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from critic import Critic, balance, critic_loss, ids
from data import TARGETS
from diffusers import AutoencoderTiny, UNet2DConditionModel
from models import scheduler, unet
from objective import denoised, make_example
from paths import CHECKPOINTS, PAIRS
from prompts import prompt
from text import dictionary, tokens
from training import Budget, MovingAverage, Team, Tensor, arguments, autocast, cosine, device, load, save
from transformers import CLIPTextModel, CLIPTokenizer

GRID = 32
CROP = 16
WEBCAM_SHARE = 0.4
IDENTITY_SHARE = 0.06
AVERAGE_EVERY = 5
# Lines, blocks and panes take longest to learn and moods on a photograph least.
HARD = ("van gogh", "ukiyo-e", "pencil sketch", "engraving", "comic", "stained glass", "neon", "blueprint")
HARD += ("chalkboard", "cyberpunk", "matrix")
SHARES = [2.0 if style in HARD else 0.6 if mood else 1.0 for style, mood in TARGETS]


@dataclass(frozen=True)
class Drawn:
    """One example: which, where, its latents [3, C, side, side] (source, as seen, styled), its prompt and meaning."""

    index: int
    kind: int
    top: int
    left: int
    latents: Tensor
    prompt: str
    meant: tuple[str, str]


class Pairs:
    """Encoded pictures with their labels, in memory."""

    def __init__(self, words: list[str]) -> None:
        """Read latents and labels; `words` fill the prompts."""
        self.latents = torch.from_numpy(np.load(PAIRS / "latents.npy"))
        self.labels: list[list[list[str]]] = json.loads((PAIRS / "labels.json").read_text("utf-8"))
        self.words = words
        self.rng = random.Random()

    def draw(self, side: int) -> Drawn:
        """One random example, its corner a multiple of 4."""
        rng, kinds = self.rng, self.latents.shape[1] - 1
        index = rng.randrange(len(self.latents))
        kind = 0 if rng.random() < IDENTITY_SHARE else rng.choices(range(kinds), SHARES)[0]
        seen = kinds if rng.random() < WEBCAM_SHARE else 0
        top, left = (4 * rng.randint(0, (GRID - side) // 4) for _ in range(2))
        picked = self.latents[index, [0, seen, kind], :, top : top + side, left : left + side].float()
        style, mood = self.labels[index][kind]
        said = prompt(style, mood, rng, self.words)
        return Drawn(index, kind, top, left, picked, said, (style, mood))

    def batch(self, size: int, side: int) -> tuple[tuple[Tensor, ...], list[str], list[tuple[str, str]]]:
        """Source, source as seen and styled latents [B, C, side, side]; prompts; the styles and moods they mean."""
        drawn = [self.draw(side) for _ in range(size)]
        latents = torch.stack([d.latents for d in drawn], 1).unbind(0)
        return latents, [d.prompt for d in drawn], [d.meant for d in drawn]


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
    parser.add_argument("--critic-from", type=float, default=0.6, help="share of the budget without adversary")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    where, team = device(args.threads), Team()
    pairs = Pairs(dictionary())
    tokenizer = CLIPTokenizer.from_pretrained(CHECKPOINTS / "tokenizer")
    text_folder = args.init / "text_encoder" if args.init else CHECKPOINTS / "text_encoder"
    encoder = CLIPTextModel.from_pretrained(text_folder).float().to(where).train()
    model = UNet2DConditionModel.from_pretrained(args.init / "unet").float() if args.init else unet()
    model = model.to(where, memory_format=torch.channels_last).train()
    critic = Critic().to(where)
    weights = channel_weights(AutoencoderTiny.from_pretrained(CHECKPOINTS / "vae"), pairs.latents).to(where)
    alphas_cumprod = scheduler().alphas_cumprod.to(where)
    groups = [{"params": list(model.parameters()), "scale": 1.0}, {"params": list(encoder.parameters()), "scale": 0.2}]
    optimizer = torch.optim.AdamW(groups, lr=args.rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    against = torch.optim.AdamW(critic.parameters(), lr=4e-4, weight_decay=0.0, betas=(0.0, 0.99))
    trained = [p for group in groups for p in group["params"]]
    average = MovingAverage(trained, 0.996)
    path, step, samples, budget = CHECKPOINTS / "unet.pt", 0, 0, Budget(args.minutes)
    if state := load(path, args.fresh):
        model.load_state_dict(state["unet"])
        encoder.load_state_dict(state["text_encoder"])
        optimizer.load_state_dict(state["optimizer"])
        critic.load_state_dict(state["critic"])
        against.load_state_dict(state["against"])
        average.shadow, average.steps = state["average"], state["step"] // AVERAGE_EVERY
        step, samples, budget = state["step"], state["samples"], Budget(args.minutes, state["spent_s"])
    torch.manual_seed(1000 * step + team.rank)
    forward = torch.compile(model) if args.compile else model
    saved, errors, verdicts = budget.spent_s, [], []
    while not budget.over:
        for group in optimizer.param_groups:
            group["lr"] = group["scale"] * cosine(budget.fraction, step, args.rate)
        whole = pairs.rng.random() < (0.08 if budget.fraction < 0.8 else 0.4)
        size, side = (args.batch // 4, GRID) if whole else (args.batch, CROP)
        latents, prompts, meant = pairs.batch(size, side)
        with autocast(where):
            embeds = encoder(tokens(tokenizer, prompts).to(where))[0]

        @torch.no_grad()
        def answer(begun: Tensor, condition: Tensor, t: Tensor, rows: Tensor, embeds: Tensor = embeds) -> Tensor:
            with autocast(where):
                v = forward(torch.cat([begun, condition], 1), t, embeds[rows]).sample.float()
            return denoised(begun, v, t, alphas_cumprod)

        source, seen, styled = (z.to(where) for z in latents)
        example = make_example(source, seen, styled, alphas_cumprod, answer)
        with autocast(where):
            model_input = example.model_input.contiguous(memory_format=torch.channels_last)
            v = forward(model_input, example.t, embeds).sample.float()
        clean = denoised(example.noisy, v, example.t, alphas_cumprod)
        error = (clean - example.target) * weights
        mse = error.square().mean()
        loss = mse + 0.3 * F.l1_loss(error, torch.zeros_like(error))
        adversarial = budget.fraction >= args.critic_from
        if adversarial:
            kind = (source, example.asked, *ids(meant, where))
            with autocast(where):
                verdict = critic_loss(critic(example.target, *kind), critic(clean.detach(), *kind))
            against.zero_grad()
            verdict.backward()
            team.share(critic.parameters())
            against.step()
            verdicts.append(verdict.item())
            critic.requires_grad_(False)
            with autocast(where):
                doubt = -critic(clean, *kind).float().mean()
            critic.requires_grad_(True)
            # At first the critic only watches.
            ramp = min(1.0, len(verdicts) / 300) if len(verdicts) > 100 else 0.0
            loss = loss + ramp * balance(clean, loss, doubt) * doubt
        optimizer.zero_grad()
        loss.backward()
        budget.tick()
        team.share(trained, budget)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if step % AVERAGE_EVERY == 0:
            average.update()
        errors.append(mse.item())
        step, samples = step + 1, samples + size * team.size
        if step % 100 == 0 and team.leads:
            said = f" critic {np.mean(verdicts[-100:]):.3f}" if verdicts else ""
            print(
                f"step {step} {budget.spent_s:.0f} s samples {samples} x0 mse {np.mean(errors[-100:]):.4f}{said}",
                flush=True,
            )
        if (budget.spent_s - saved > 240 or budget.over) and team.leads:
            saved = budget.spent_s
            state = {"unet": model.state_dict(), "text_encoder": encoder.state_dict(), "critic": critic.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "against": against.state_dict()}
            save(path, **state, average=average.shadow, step=step, samples=samples, spent_s=budget.spent_s)
            export(model, encoder, average, CHECKPOINTS)
    if team.leads:
        print(f"{step} steps, {samples} samples in {budget.spent_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
