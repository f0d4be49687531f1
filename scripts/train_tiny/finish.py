"""Stage 5: trains UNet and decoder together in picture space, with an adversary.

    python scripts/train_tiny finish --minutes 60

Must not know files of pictures, nor words. Latents that are right on the mean still decode to a blur: here the error is
that of the picture, eyes and mouth weigh more, texture must be as strong as the teacher's, and a critic looks on. The
encoder stays. Output: `checkpoints/finish.pt` with the moving averages of `unet`, `decoder`, `table` and `picture`.
"""

from __future__ import annotations

import copy

import latents
import torch
import torch.nn.functional as F
from critic import Adversary
from examples import Batch
from latents import encoded, frozen_autoencoder, groups, latent_loss
from losses import fine_contrast, picture_loss, psnr, texture_loss
from model import PictureEncoder
from objective import channel_weights, first_step, later_step, style_vectors
from paths import CHECKPOINTS
from resident import examples
from schedule import alphas_cumprod
from training import Run, Tensor, arguments, autocast, device, load, rate_at

PATH = CHECKPOINTS / "finish.pt"
LATER_SHARE = 0.12
BLEND_SHARE = 0.2
TEXTURE, FEATURES = 1.5, 0.05


def begun_networks(decoder: torch.nn.Module) -> torch.nn.ModuleDict:
    """What the earlier stages left, to be trained together."""
    networks, start = latents.fresh_networks(), load(latents.PATH)
    for name, network in networks.items():
        network.load_state_dict(start[name])
    networks["decoder"] = copy.deepcopy(decoder).requires_grad_(True)
    return networks


def blended_loss(decoder: torch.nn.Module, source: Tensor, styled: Tensor, batch: Batch) -> Tensor:
    """Latents between source and target must decode to the picture between: what half the strength shows."""
    share = torch.rand(len(source), 1, 1, 1, device=source.device)
    made = decoder(source + share * (styled - source)).float()
    return picture_loss(made, batch.seen + share * (batch.target - batch.seen))


def picture_error(made: Tensor, batch: Batch, reader: PictureEncoder) -> Tensor:
    """Error of pictures in place, in strength of texture, and in what a picture encoder reads off them."""
    features = F.mse_loss(reader.statistics(made), reader.statistics(batch.target))
    placed = picture_loss(made, batch.target, weight=batch.weight)
    return placed + TEXTURE * texture_loss(made, batch.target) + FEATURES * features


def main(options: list[str]) -> None:
    """Run the stage."""
    parser = arguments("finish", __doc__, minutes=60)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--batch", type=int, default=8, help="crops of 128 pixels a step")
    args = parser.parse_args(options)
    where = device(args.threads)
    encoder, first_decoder = frozen_autoencoder(where)
    networks = begun_networks(first_decoder).to(where, memory_format=torch.channels_last)
    unet, decoder = networks["unet"], networks["decoder"]
    reader, adversary = copy.deepcopy(networks["picture"]).requires_grad_(False), Adversary(where)
    optimizer = torch.optim.AdamW(groups(networks), lr=args.rate, weight_decay=0.0, betas=(0.9, 0.98))
    run = Run(PATH, networks, optimizer, args, beside={"adversary": adversary})
    drawn, levels = examples(run.step, where), alphas_cumprod().to(where)
    fused = torch.compile(unet) if args.compile else unet
    torch.manual_seed(run.step)
    weights = channel_weights(first_decoder, encoder(drawn.batch(8, 128).seen))
    while not run.budget.over:
        batch = drawn.batch(args.batch, 128)
        source, styled = encoded(encoder, batch, where)
        later = drawn.rng.random() < LATER_SHARE
        with autocast(where):
            style, match = style_vectors(networks, batch)
            make = later_step if later else first_step
            task = make(unet, source, styled, batch.noise, style, levels)
            change = fused(task.noise, source, unet.modulation(task.timesteps, style)).float()
        if later:
            loss = latent_loss(task, change, weights, F.avg_pool2d(batch.weight, 8))[0]
        else:
            with autocast(where):
                made = decoder(source + change).float()
            asked = (batch.seen, style.detach().float())
            error = picture_error(made, batch, reader)
            adversary.learn(batch.target, made, *asked)
            loss = error + adversary.pull(made, error, *asked, run.step)
            if drawn.rng.random() < BLEND_SHARE:
                loss = loss + 0.5 * blended_loss(decoder, source, styled, batch)
            if run.step % 50 == 0:
                good = f"psnr {psnr(made, batch.target):.2f} fine {fine_contrast(made, batch.target):.2f}"
                seen = f"critic {adversary.verdict.item():.2f} shards {len(drawn.shards)}"
                print(f"step {run.step} {run.budget.spent_s:.0f} s {good} {seen}", flush=True)
        run.descend(loss + 0.3 * match, rate_at(run.budget.fraction, run.step, args.rate))
    print(f"{run.step} steps in {run.budget.spent_s / 60:.1f} minutes", flush=True)
