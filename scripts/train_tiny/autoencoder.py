"""Stage 2: trains the autoencoder on all pictures and targets, then encodes them for the UNet.

    python scripts/train_tiny/autoencoder.py --minutes 25

Output: `checkpoints/autoencoder.pt`, a diffusers folder `checkpoints/vae` and `pairs/latents.npy` float16
[N, K + 1, C, 32, 32] in the order of `pairs/pictures.npy`.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from data import TARGETS
from diffusers import AutoencoderTiny
from models import LATENT_CHANNELS, autoencoder
from paths import CHECKPOINTS, PAIRS
from training import Budget, MovingAverage, Team, Tensor, arguments, autocast, cosine, device, load, save

# Fine regular patterns are the last thing the autoencoder learns; it sees them more often.
PATTERNED = ("engraving", "pencil sketch", "cross-stitch", "blueprint", "van gogh", "comic", "matrix", "pixel art")
PATTERNED += ("impressionist", "chalkboard", "ukiyo-e", "cyberpunk")


def to_unit(pictures: np.ndarray, where: torch.device) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(where)
    return tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).float().div(127.5).sub(1)


def batch(pictures: np.ndarray, rng: np.random.Generator, size: int, side: int, patterns: float) -> np.ndarray:
    """Random crops, a third from plain sources; now and then with permuted colours so that no palette is special."""
    kinds = pictures.shape[1]
    patterned = [index for index, (style, _) in enumerate(TARGETS) if style in PATTERNED]
    out = np.empty((size, side, side, 3), np.uint8)
    for index in range(size):
        kind = (0 if rng.random() < 0.7 else kinds - 1) if rng.random() < 0.33 else rng.integers(1, kinds - 1)
        kind = rng.choice(patterned) if rng.random() < patterns else kind
        top, left = (rng.integers(0, (256 - side) // 8 + 1, 2) * 8).tolist()
        crop = pictures[rng.integers(len(pictures)), kind, top : top + side, left : left + side]
        out[index] = crop[..., rng.permutation(3)] if rng.random() < 0.12 else crop
    return out


def reconstruction_loss(y: Tensor, x: Tensor, gradient_weight: float) -> Tensor:
    """Squared and absolute error at three scales, and absolute error of differences between neighbours.

    The last term makes edges crisp, but from the start it would teach flat pictures: its weight is ramped in.
    """
    loss = 6 * F.mse_loss(y, x) + 0.5 * F.l1_loss(y, x)
    for _ in range(3):
        error = y - x
        loss = loss + gradient_weight * (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean())
        y, x = F.avg_pool2d(y, 2), F.avg_pool2d(x, 2)
        loss = loss + 2 * F.mse_loss(y, x) + 0.25 * F.l1_loss(y, x)
    return loss


def psnr(y: Tensor, x: Tensor) -> float:
    """Decibels, for pictures in [-1, 1]."""
    return -10 * math.log10(F.mse_loss(y.clamp(-1, 1), x).item() / 4)


@torch.no_grad()
def encode(vae: AutoencoderTiny, pictures: np.ndarray, where: torch.device, team: Team) -> None:
    """Latents of these sources and all their targets, for the UNet stage."""
    vae.eval()
    count, kinds = pictures.shape[:2]
    path, shape = PAIRS / "latents.npy", (count, kinds, LATENT_CHANNELS, 32, 32)
    if team.leads:
        np.lib.format.open_memmap(path, "w+", np.float16, shape).flush()
    team.wait()
    latents = np.lib.format.open_memmap(path, "r+")
    for index in range(team.rank, count, team.size):
        with autocast(where):
            z = vae.encode(to_unit(pictures[index], where)).latents
        latents[index] = z.float().cpu().numpy()
        if index % 200 == 0:
            print(f"encoded {index} of {count}", flush=True)
    latents.flush()
    team.wait()


def main() -> None:
    """Run the stage from the command line."""
    parser = arguments(__doc__, minutes=25)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=96, help="side of the crops in pixels, a multiple of 8")
    parser.add_argument("--noise", type=float, default=0.06, help="most noise on latents; much hides faint patterns")
    parser.add_argument("--patterns", type=float, default=0.45, help="extra share of the patterned styles")
    parser.add_argument("--anchor", type=float, default=0.3, help="with --init: how firmly latents stay as they were")
    parser.add_argument("--every", type=int, default=1, help="train on every n-th source only, to save memory")
    parser.add_argument("--decoder-only", action="store_true", help="keep the latents as they are")
    parser.add_argument("--encode", type=int, help="sources to encode for the UNet; all unless told, 0 for none")
    args = parser.parse_args()
    where, team = device(args.threads), Team()
    pictures = np.load(PAIRS / "pictures.npy", mmap_mode="r")
    start = CHECKPOINTS if args.decoder_only else args.init
    vae = AutoencoderTiny.from_pretrained(start / "vae").float() if start else autoencoder()
    vae = vae.to(where, memory_format=torch.channels_last)
    vae.encoder.requires_grad_(not args.decoder_only)
    # Going on, the latents stay near those that the UNet already knows.
    known = copy.deepcopy(vae.encoder).requires_grad_(False) if args.init else None
    trained = list((vae.decoder if args.decoder_only else vae).parameters())
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.0, betas=(0.9, 0.99))
    average = MovingAverage(trained, 0.998)
    path = CHECKPOINTS / ("decoder.pt" if args.decoder_only else "autoencoder.pt")
    step, budget = 0, Budget(args.minutes)
    if state := load(path, args.fresh):
        vae.load_state_dict(state["vae"])
        optimizer.load_state_dict(state["optimizer"])
        average.shadow, average.steps, step = state["average"], state["step"], state["step"]
        budget = Budget(args.minutes, state["spent_s"])
    # Copied into memory: random reads of a mapped file crawl as soon as the system reclaims its pages.
    seen = pictures if budget.over else np.array(pictures[team.rank :: args.every])
    rng, saved, gentle = np.random.default_rng([step, team.rank]), budget.spent_s, start is not None
    torch.manual_seed(step + team.rank)
    while not budget.over:
        fraction = budget.fraction
        for group in optimizer.param_groups:
            group["lr"] = cosine(fraction, step, args.rate, warm_up=50)
        size = args.batch // 2 if fraction < 0.25 and not gentle else args.batch
        x = to_unit(batch(seen, rng, size, args.crop, args.patterns), where)
        with autocast(where):
            z = vae.encoder(x).float()
            y = vae.decoder(z + torch.randn_like(z) * torch.rand(size, 1, 1, 1, device=where) * args.noise).float()
        moments = z.mean((0, 2, 3)).square().mean() + (z.std((0, 2, 3)) - 1).square().mean()
        ramp = 0.25 * (1.0 if gentle else min(1.0, max(0.0, (fraction - 0.1) / 0.3)))
        loss = reconstruction_loss(y, x, ramp) + 0.05 * moments
        if known is not None:
            with torch.no_grad(), autocast(where):
                before = known(x).float()
            loss = loss + args.anchor * F.mse_loss(z, before)
        optimizer.zero_grad()
        loss.backward()
        budget.tick()
        team.share(trained, budget)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update()
        if step % 100 == 0 and team.leads:
            print(
                f"step {step} {budget.spent_s:.0f} s loss {loss.item():.4f} psnr {psnr(y, x):.2f} std {z.std():.2f}",
                flush=True,
            )
        step += 1
        if (budget.spent_s - saved > 120 or budget.over) and team.leads:
            saved = budget.spent_s
            state = {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "average": average.shadow}
            save(path, **state, step=step, spent_s=budget.spent_s)
    average.swap()
    if team.leads:
        vae.save_pretrained(CHECKPOINTS / "vae")
        print(f"{step} steps in {budget.spent_s / 60:.1f} minutes", flush=True)
    if args.encode != 0 and not args.decoder_only:
        encode(vae, pictures[: args.encode], where, team)


if __name__ == "__main__":
    main()
