"""Stage 3: trains the encoder and the decoder on all pictures, sources and targets.

    python scripts/train_tiny autoencoder --minutes 30

Must not know styles. Output: `checkpoints/autoencoder.pt`, with the moving averages under `encoder` and `decoder`.
"""

from __future__ import annotations

import torch
from losses import fine_contrast, picture_loss, psnr
from model import Decoder, Encoder, untrained
from paths import CHECKPOINTS
from resident import examples
from training import Run, arguments, autocast, device, rate_at

PATH = CHECKPOINTS / "autoencoder.pt"


def main(options: list[str]) -> None:
    """Run the stage."""
    parser = arguments("autoencoder", __doc__, minutes=30)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=96, help="side of the crops in pixels, a multiple of 8")
    parser.add_argument("--noise", type=float, default=0.06, help="most noise on latents; much hides faint patterns")
    args = parser.parse_args(options)
    where = device(args.threads)
    networks = torch.nn.ModuleDict({"encoder": untrained(Encoder()), "decoder": untrained(Decoder())})
    networks = networks.to(where, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(networks.parameters(), lr=args.rate, weight_decay=0.0, betas=(0.9, 0.99))
    run = Run(PATH, networks, optimizer, args)
    drawn = examples(run.step, where)
    torch.manual_seed(run.step)
    while not run.budget.over:
        x = drawn.crops(args.batch, args.crop)
        with autocast(where):
            z = networks["encoder"](x).float()
            noise = torch.randn_like(z) * torch.rand(len(z), 1, 1, 1, device=where) * args.noise
            y = networks["decoder"](z + noise).float()
        moments = z.mean((0, 2, 3)).square().mean() + (z.std((0, 2, 3)) - 1).square().mean()
        # Differences between neighbours come in later: from the start they would teach flat pictures.
        edges = 0.25 * min(1.0, max(0.0, (run.step - 500) / 1500))
        if run.step % 100 == 0:
            made = f"psnr {psnr(y, x):.2f} fine {fine_contrast(y, x):.2f} std {z.std():.2f}"
            print(f"step {run.step} {run.budget.spent_s:.0f} s {made}", flush=True)
        run.descend(picture_loss(y, x, edges) + 0.05 * moments, rate_at(run.budget.fraction, run.step, args.rate))
    print(f"{run.step} steps in {run.budget.spent_s / 60:.1f} minutes", flush=True)
