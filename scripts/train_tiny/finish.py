"""Stage 5: trains the decoder on the UNet's own answers, with an adversary that looks at pictures.

    python scripts/train_tiny/finish.py --minutes 20

So far the decoder has seen the encoder's latents only; the UNet's are a little paler. Encoder and UNet stay as they
are. Reads `checkpoints/unet` and `text_encoder_joint`; output: `checkpoints/finish.pt` and a new `checkpoints/vae`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from autoencoder import psnr, reconstruction_loss, to_unit
from critic import balance, critic_loss, ids
from diffusers import AutoencoderTiny, UNet2DConditionModel
from models import scheduler
from objective import denoised, noised
from paths import CHECKPOINTS, PAIRS
from styles import MOODS, STYLES
from text import dictionary, tokens
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from training import Budget, MovingAverage, Tensor, arguments, autocast, cosine, device, load, save
from transformers import CLIPTextModel, CLIPTokenizer
from unet import Pairs

CROP = 16
CLEAN_SHARE = 0.35
CLEAN_NOISE = 0.1


class PictureCritic(nn.Module):
    """Pictures [B, 3, H, W] to one judgement for each 8 pixels, knowing style and mood."""

    def __init__(self, width: int = 32) -> None:
        """Fresh weights; every convolution is kept from growing (spectral norm)."""
        super().__init__()
        widths = (3, width, 2 * width, 3 * width)
        self.down = nn.ModuleList([spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths)])
        self.last = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, 1, 1))
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 1))
        self.style, self.mood = nn.Embedding(len(STYLES), widths[-1]), nn.Embedding(len(MOODS), widths[-1])

    def forward(self, x: Tensor, style: Tensor, mood: Tensor) -> Tensor:
        """Positive where the picture looks like the teacher's."""
        x = x + 0.03 * torch.randn_like(x)
        for layer in self.down:
            x = F.leaky_relu(layer(x), 0.2)
        x = F.leaky_relu(self.last(x), 0.2)
        wanted = self.style(style) + self.mood(mood)
        return self.judge(x) + (x * wanted[..., None, None]).mean(1, keepdim=True)


class Answers:
    """Draws latents to decode, half-way the UNet's answers, with the pictures they should become."""

    def __init__(self, every: int, where: torch.device) -> None:
        """Load the frozen models, the latents, and every n-th source's pictures."""
        self.where, self.every = where, every
        self.pairs = Pairs(dictionary())
        self.pictures = np.array(np.load(PAIRS / "pictures.npy", mmap_mode="r")[: len(self.pairs.latents) : every])
        self.pairs.latents = self.pairs.latents[::every].clone()
        self.pairs.labels = self.pairs.labels[::every]
        self.tokenizer = CLIPTokenizer.from_pretrained(CHECKPOINTS / "tokenizer")
        self.encoder = CLIPTextModel.from_pretrained(CHECKPOINTS / "text_encoder_joint").float().to(where).eval()
        self.unet = UNet2DConditionModel.from_pretrained(CHECKPOINTS / "unet").float().to(where).eval()
        self.alphas_cumprod = scheduler().alphas_cumprod.to(where)

    @torch.no_grad()
    def batch(self, size: int) -> tuple[Tensor, Tensor, list[tuple[str, str]]]:
        """Latents [size, C, 16, 16], pictures [size, 3, 128, 128] in [-1, 1], and their styles and moods."""
        drawn = [self.pairs.draw(CROP) for _ in range(size)]
        _, seen, styled = (z.to(self.where) for z in torch.stack([d.latents for d in drawn], 1))
        pictures = [
            self.pictures[d.index, d.kind, 8 * d.top : 8 * (d.top + CROP), 8 * d.left : 8 * (d.left + CROP)]
            for d in drawn
        ]
        t = torch.randint(520, 700, (size,), device=self.where)
        noisy = noised(seen, t, self.alphas_cumprod)
        with autocast(self.where):
            embeds = self.encoder(tokens(self.tokenizer, [d.prompt for d in drawn]).to(self.where))[0]
            v = self.unet(torch.cat([noisy, seen], 1), t, embeds).sample.float()
        answers = denoised(noisy, v, t, self.alphas_cumprod)
        clean = styled + CLEAN_NOISE * torch.rand(size, 1, 1, 1, device=self.where) * torch.randn_like(styled)
        use = torch.rand(size, 1, 1, 1, device=self.where) < CLEAN_SHARE
        return torch.where(use, clean, answers), to_unit(np.stack(pictures), self.where), [d.meant for d in drawn]


def main() -> None:
    """Run the stage from the command line."""
    parser = arguments(__doc__, minutes=20)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--every", type=int, default=3, help="train on every n-th source only, to save memory")
    args = parser.parse_args()
    where = device(args.threads)
    answers = Answers(args.every, where)
    vae = AutoencoderTiny.from_pretrained(CHECKPOINTS / "vae").float().to(where, memory_format=torch.channels_last)
    vae.encoder.requires_grad_(False)
    critic, trained = PictureCritic().to(where), list(vae.decoder.parameters())
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.0, betas=(0.9, 0.99))
    against = torch.optim.AdamW(critic.parameters(), lr=4e-4, weight_decay=0.0, betas=(0.0, 0.99))
    average, path, step, budget = MovingAverage(trained, 0.995), CHECKPOINTS / "finish.pt", 0, Budget(args.minutes)
    if state := load(path, args.fresh):
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
        critic.load_state_dict(state["critic"])
        against.load_state_dict(state["against"])
        average.shadow, average.steps, step = state["average"], state["step"], state["step"]
        budget = Budget(args.minutes, state["spent_s"])
    saved, verdicts, decibels = budget.spent_s, [], []
    while not budget.over:
        for group in optimizer.param_groups:
            group["lr"] = cosine(budget.fraction, step, args.rate)
        z, x, meant = answers.batch(args.batch)
        kind = ids(meant, where)
        with autocast(where):
            y = vae.decoder(z).float()
            verdict = critic_loss(critic(x, *kind), critic(y.detach(), *kind))
        against.zero_grad()
        verdict.backward()
        against.step()
        critic.requires_grad_(False)
        with autocast(where):
            doubt = -critic(y, *kind).float().mean()
        critic.requires_grad_(True)
        error = reconstruction_loss(y, x, 0.25)
        loss = error + (min(1.0, step / 300) if step > 100 else 0.0) * balance(y, error, doubt) * doubt
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update()
        verdicts.append(verdict.item())
        decibels.append(psnr(y.detach(), x))
        if step % 50 == 0:
            means = np.mean(verdicts[-50:]), np.mean(decibels[-50:])
            print(f"step {step} {budget.spent_s:.0f} s critic {means[0]:.3f} psnr {means[1]:.2f}", flush=True)
        step += 1
        budget.tick()
        if budget.spent_s - saved > 120 or budget.over:
            saved = budget.spent_s
            state = {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "critic": critic.state_dict()}
            state |= {"against": against.state_dict(), "average": average.shadow}
            save(path, **state, step=step, spent_s=budget.spent_s)
    average.swap()
    vae.save_pretrained(CHECKPOINTS / "vae")
    print(f"{step} steps in {budget.spent_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
