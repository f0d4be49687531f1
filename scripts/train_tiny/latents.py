"""Stage 4: trains the UNet, the style vectors and the picture encoder in latent space.

    python scripts/train_tiny latents --minutes 90

Must not know files of pictures, nor words. The encoder stays as stage 3 left it. Output: `checkpoints/latents.pt` with
the moving averages of `unet`, `table` and `picture`.
"""

from __future__ import annotations

from collections import deque

import autoencoder
import torch
import torch.nn.functional as F
from directions import Directed
from examples import Batch
from model import Decoder, Encoder, PictureEncoder, StyleTable, UNet, untrained
from objective import Task, channel_weights, first_step, later_step, style_vectors
from paths import CHECKPOINTS
from resident import examples
from schedule import alphas_cumprod
from shards import MOODS, STYLES
from training import Run, Tensor, arguments, autocast, device, load, rate_at

PATH = CHECKPOINTS / "latents.pt"
LATER_SHARE = 0.12
WHOLE_SHARE = 0.1
DIRECTED_STEPS, DIRECTED_SHARE = 1500, 0.05


def fresh_networks() -> torch.nn.ModuleDict:
    """What this stage trains."""
    return torch.nn.ModuleDict(
        {"unet": untrained(UNet()), "table": StyleTable(len(STYLES), len(MOODS)), "picture": PictureEncoder()}
    )


def groups(networks: torch.nn.ModuleDict) -> list[dict[str, object]]:
    """Parameter groups: style vectors learn faster, being few and rarely asked."""
    slow = [p for name in networks if name != "table" for p in networks[name].parameters() if p.requires_grad]
    return [{"params": slow, "scale": 1.0}, {"params": list(networks["table"].parameters()), "scale": 4.0}]


class Balance:
    """Weighs examples, so that faint strokes are learnt beside black on white, whose errors are ten times theirs."""

    def __init__(self, where: torch.device) -> None:
        self._errors = torch.full((len(STYLES) + 1,), 0.1, device=where)  # the last one's are without a name

    def weights(self, styles: Tensor, errors: Tensor) -> Tensor:
        """A weight for each example, [B, 1, 1, 1], about 1.

        Args:
            styles: [B], -1 without a name.
            errors: [B], their mean square errors.
        """
        for style, error in zip(styles, errors, strict=True):
            self._errors[style] += 0.02 * (error - self._errors[style])
        weights = (self._errors.mean() / self._errors[styles]).sqrt().clamp(0.4, 2.5)
        return weights.view(-1, 1, 1, 1)


def latent_loss(task: Task, change: Tensor, weights: Tensor, spots: Tensor) -> tuple[Tensor, Tensor]:
    """Squared plus absolute error of the predicted change, and its mean square alone.

    Args:
        task: what was asked.
        change: [B, 12, h, w], the UNet's answer.
        weights: [1, 12, 1, 1], by channel.
        spots: [B, 1, h, w], by place.
    """
    error = task.error(change) * weights
    square = (spots * error.square()).mean()
    return square + 0.3 * (spots * error.abs()).mean(), error.detach().square().mean()


def frozen_autoencoder(where: torch.device) -> tuple[Encoder, Decoder]:
    """Stage 3's networks, not to be trained."""
    encoder, decoder, kept = Encoder(), Decoder(), load(autoencoder.PATH)
    encoder.load_state_dict(kept["encoder"])
    decoder.load_state_dict(kept["decoder"])
    for part in (encoder, decoder):
        part.to(where, memory_format=torch.channels_last).requires_grad_(False)
    return encoder, decoder


def encoded(encoder: torch.nn.Module, batch: Batch, where: torch.device) -> tuple[Tensor, Tensor]:
    """Latents of what was seen and of the target, without gradients."""
    with torch.no_grad(), autocast(where):
        both = encoder(torch.cat([batch.seen, batch.target])).float()
    source, styled = both.chunk(2)
    return source, styled


def main(options: list[str]) -> None:
    """Run the stage."""
    parser = arguments("latents", __doc__, minutes=90)
    parser.add_argument("--rate", type=float, default=5e-4, help="at 8e-4 it now and then forgets what it knew")
    parser.add_argument("--batch", type=int, default=16, help="crops of 128 pixels a step; a quarter as many whole")
    args = parser.parse_args(options)
    where = device(args.threads)
    encoder, decoder = frozen_autoencoder(where)
    networks = fresh_networks().to(where, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(groups(networks), lr=args.rate, weight_decay=0.01, betas=(0.9, 0.98))
    run = Run(PATH, networks, optimizer, args)
    drawn, levels = examples(run.step, where), alphas_cumprod().to(where)
    # A third faster on a CPU; whole frames have another shape, for which compiling wouldn't pay.
    unet = networks["unet"]
    fused = torch.compile(unet) if args.compile else unet
    directed = Directed(unet)
    torch.manual_seed(run.step)
    weights = channel_weights(decoder, encoder(drawn.batch(8, 128).seen))
    balance = Balance(where)
    errors: deque[Tensor] = deque([torch.ones((), device=where)], 200)
    matches: deque[Tensor] = deque(errors, 200)
    turns: deque[Tensor] = deque(errors, 50)
    while not run.budget.over:
        whole = drawn.rng.random() < WHOLE_SHARE
        batch = drawn.batch(args.batch // 4, 256) if whole else drawn.batch(args.batch, 128)
        source, styled = encoded(encoder, batch, where)
        later = drawn.rng.random() < LATER_SHARE
        with autocast(where):
            style, match = style_vectors(networks, batch)
            make = later_step if later else first_step
            task = make(unet, source, styled, batch.noise, style, levels)
            modulation = unet.modulation(task.timesteps, style)
            is_watched = whole or run.step < DIRECTED_STEPS  # hooks are none of the compiled one's
            change = (unet if is_watched else fused)(task.noise, source, modulation).float()
        squares = (task.error(change.detach()) * weights).square().mean((1, 2, 3))
        spots = F.avg_pool2d(batch.weight, 8) * balance.weights(batch.style, squares)
        loss, square = latent_loss(task, change, weights, spots)
        if is_watched:
            astray = directed.error(batch.seen)
            loss = loss + DIRECTED_SHARE * astray
            turns.append(astray.detach())
        if not later:
            errors.append(square)
            matches.append(match.detach())
        if run.step % 100 == 0:
            nothing = ((styled - source) * weights).square().mean()
            print(
                f"step {run.step} {run.budget.spent_s:.0f} s error {torch.stack(tuple(errors)).mean():.4f} "
                f"(of {nothing:.3f}) pictures {torch.stack(tuple(matches)).mean():.4f} "
                f"directions {torch.stack(tuple(turns)).mean():.3f} shards {len(drawn.shards)}",
                flush=True,
            )
        run.descend(loss + 0.3 * match, rate_at(run.budget.fraction, run.step, args.rate))
    print(f"{run.step} steps in {run.budget.spent_s / 60:.1f} minutes", flush=True)
