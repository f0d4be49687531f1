"""Stage 3: trains the encoder and the decoder on all pictures, sources and targets.

    python scripts/train_tiny2 autoencoder --minutes 30

Must not know styles. Output: `checkpoints/autoencoder.pt`, with the moving averages under `encoder` and `decoder`.
"""

from __future__ import annotations

import torch
from examples import Examples
from losses import fine_contrast, picture_loss, psnr
from model import Decoder, Encoder
from paths import CHECKPOINTS
from training import SAVE_EVERY_S, Budget, MovingAverage, arguments, autocast, cosine, device, load, save

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
    networks = torch.nn.ModuleDict({"encoder": Encoder(), "decoder": Decoder()})
    networks = networks.to(where, memory_format=torch.channels_last)
    encoder, decoder = networks["encoder"], networks["decoder"]
    trained = list(networks.parameters())
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.0, betas=(0.9, 0.99))
    average = MovingAverage(trained, 0.998)
    step, budget = 0, Budget(args.minutes, args.threads)
    if state := load(PATH, args.fresh):
        networks.load_state_dict(state["live"])
        optimizer.load_state_dict(state["optimizer"])
        average.restore(state["average"])
        step, budget = state["step"], Budget(args.minutes, args.threads, state["spent_s"])
    examples, saved = Examples(step), budget.spent_s
    torch.manual_seed(step)
    while not budget.over:
        for group in optimizer.param_groups:
            group["lr"] = cosine(budget.fraction, step, args.rate)
        x = examples.crops(args.batch, args.crop).to(where)
        with autocast(where):
            z = encoder(x).float()
            noise = torch.randn_like(z) * torch.rand(len(z), 1, 1, 1, device=where) * args.noise
            y = decoder(z + noise).float()
        moments = z.mean((0, 2, 3)).square().mean() + (z.std((0, 2, 3)) - 1).square().mean()
        ramp = 0.25 * min(1.0, max(0.0, (budget.fraction - 0.05) / 0.25))
        loss = picture_loss(y, x, ramp) + 0.05 * moments
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update()
        budget.tick()
        if step % 100 == 0:
            print(
                f"step {step} {budget.spent_s:.0f} s loss {loss.item():.4f} psnr {psnr(y, x):.2f} "
                f"fine {fine_contrast(y, x):.2f} std {z.std():.2f}",
                flush=True,
            )
        step += 1
        if budget.spent_s - saved > SAVE_EVERY_S or budget.over:
            saved = budget.spent_s
            live = {name: value.clone() for name, value in networks.state_dict().items()}
            average.swap()
            means = {"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}
            save(
                PATH,
                **means,
                live=live,
                optimizer=optimizer.state_dict(),
                average=average.state(),
                step=step,
                spent_s=budget.spent_s,
            )
            average.swap()
    print(f"{step} steps in {budget.spent_s / 60:.1f} minutes", flush=True)
