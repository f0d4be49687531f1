"""Stage 5: trains UNet and decoder together in picture space, with an adversary.

    python scripts/train_tiny2 finish --minutes 60

Must not know files of pictures, nor words. Latents that are right on the mean still decode to a blur: here the error is
that of the picture, eyes and mouth weigh more, texture must be as strong as the teacher's, and a critic looks on. The
encoder stays. Output: `checkpoints/finish.pt` with the moving averages of `unet`, `decoder`, `table` and `picture`.
"""

from __future__ import annotations

import copy

import autoencoder
import latents
import torch
import torch.nn.functional as F
from critic import Critic, balance, critic_loss
from examples import Batch
from latents import encoded, groups, latent_loss
from losses import fine_contrast, picture_loss, psnr, texture_loss
from model import Decoder, Encoder
from objective import channel_weights, first_step, later_step, style_vectors
from paths import CHECKPOINTS
from resident import examples
from schedule import alphas_cumprod
from training import Run, Tensor, arguments, autocast, device, load, rate_at

PATH = CHECKPOINTS / "finish.pt"
LATER_SHARE = 0.12
BLEND_SHARE = 0.2
WATCHING, RAMP = 150, 500
TEXTURE, FEATURES = 0.6, 0.05


def blended(source: Tensor, styled: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Latents between source and target and the picture they should decode to: what half the strength shows."""
    share = torch.rand(len(source), 1, 1, 1, device=source.device)
    return source + share * (styled - source), batch.seen + share * (batch.target - batch.seen)


def main(options: list[str]) -> None:
    """Run the stage."""
    parser = arguments("finish", __doc__, minutes=60)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--batch", type=int, default=8, help="crops of 128 pixels a step")
    args = parser.parse_args(options)
    where = device(args.threads)
    start, shapes = load(latents.PATH), load(autoencoder.PATH)
    networks = latents.fresh_networks()
    networks["decoder"] = Decoder()
    for name in ("unet", "table", "picture"):
        networks[name].load_state_dict(start[name])
    networks["decoder"].load_state_dict(shapes["decoder"])
    networks = networks.to(where, memory_format=torch.channels_last)
    encoder = Encoder().to(where).requires_grad_(False)
    encoder.load_state_dict(shapes["encoder"])
    reader = copy.deepcopy(networks["picture"]).requires_grad_(False)
    critic = Critic().to(where)
    against = torch.optim.AdamW(critic.parameters(), lr=4e-4, weight_decay=0.0, betas=(0.0, 0.99))
    optimizer = torch.optim.AdamW(groups(networks), lr=args.rate, weight_decay=0.0, betas=(0.9, 0.98))
    run = Run(PATH, networks, optimizer, args, beside={"critic": critic, "against": against})
    drawn, levels = examples(run.step, where), alphas_cumprod().to(where)
    fused = torch.compile(networks["unet"]) if args.compile else networks["unet"]
    torch.manual_seed(run.step)
    with torch.no_grad():
        weights = channel_weights(networks["decoder"], encoder(drawn.batch(8, 128).seen))
    verdicts: list[float] = []
    while not run.budget.over:
        batch = drawn.batch(args.batch, 128)
        source, styled = encoded(encoder, batch, where)
        with autocast(where):
            style, match = style_vectors(networks, batch)
        rate = rate_at(run.budget.fraction, run.step, args.rate)
        if drawn.rng.random() < LATER_SHARE:
            task = later_step(networks["unet"], source, styled, batch.noise, style, levels)
            modulation = networks["unet"].modulation(task.timesteps, style)
            change = fused(task.noise, source, modulation).float()
            spots = F.avg_pool2d(batch.weight, 8)
            run.descend(latent_loss(task, change, weights, spots)[0] + 0.3 * match, rate)
            continue
        task = first_step(networks["unet"], source, styled, batch.noise, style, levels)
        with autocast(where):
            modulation = networks["unet"].modulation(task.timesteps, style)
            change = fused(task.noise, source, modulation).float()
            made = networks["decoder"](source + change).float()
        error = picture_loss(made, batch.target, weight=batch.weight) + TEXTURE * texture_loss(made, batch.target)
        error = error + FEATURES * F.mse_loss(reader.statistics(made), reader.statistics(batch.target))
        kind = (batch.seen, style.detach())
        verdict = critic_loss(critic(batch.target, *kind), critic(made.detach(), *kind))
        against.zero_grad()
        verdict.backward()
        against.step()
        verdicts.append(verdict.item())
        critic.requires_grad_(False)
        doubt = -critic(made, *kind).mean()
        critic.requires_grad_(True)
        # At first the critic only watches.
        ramp = min(1.0, max(0, run.step - WATCHING) / RAMP)
        loss = error + 0.3 * match + ramp * balance(made, error, doubt) * doubt
        if drawn.rng.random() < BLEND_SHARE:
            between, picture = blended(source, styled, batch)
            loss = loss + 0.5 * picture_loss(networks["decoder"](between), picture)
        if run.step % 50 == 0:
            recent = sum(verdicts[-50:]) / len(verdicts[-50:])
            print(
                f"step {run.step} {run.budget.spent_s:.0f} s psnr {psnr(made, batch.target):.2f} "
                f"fine {fine_contrast(made, batch.target):.2f} critic {recent:.2f} shards {len(drawn.shards)}",
                flush=True,
            )
        run.descend(loss, rate)
    print(f"{run.step} steps in {run.budget.spent_s / 60:.1f} minutes", flush=True)
