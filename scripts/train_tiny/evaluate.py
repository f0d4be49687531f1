"""Measures the model on held-out pictures and prints a table, then one line of JSON.

    python scripts/train_tiny evaluate [--quick] [--checkpoint PATH]

Must not train anything but its own judge of styles, a small classifier on the teacher's pictures that is kept in the
work folder. Scores are shares of what the teacher's own pictures of the same sources score.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import faces
import heads
import heldout
import numpy as np
import numpy.typing as npt
import styles
import torch
import torch.nn.functional as F
from chance import Chance
from examples import Examples, to_unit
from measures import distance, fine_contrast, flicker, grid, pan, psnr, structure
from painter import WHOLE, Painter, noise_of
from paths import CHECKPOINTS
from shards import STYLES
from torch import nn
from training import load, rate_at, write

Image = npt.NDArray[np.uint8]

SEED = 11
NAMES = [name for name in STYLES if name != "photo"]
#: Seeds from here on are of people that no training draws.
FIRST_PERSON = 1 << 20
JUDGE = CHECKPOINTS / "judge.pt"


class Judge(nn.Module):
    """Pictures [B, 3, S, S] to scores of the styles [B, styles]; sees texture at full resolution first."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((3, 24, 2), (24, 32, 2), (32, 48, 2), (48, 64, 2), (64, 96, 1)):
            layers += [nn.Conv2d(before, after, 3, stride, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.scores = nn.Linear(96, len(STYLES))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.scores(self.features(pictures).mean((2, 3)))


def judge(steps: int) -> Judge:
    """The classifier, trained on the shards' targets without mood unless it was before."""
    network = Judge()
    if JUDGE.exists():
        network.load_state_dict(load(JUDGE))
        return network.eval()
    torch.manual_seed(0)
    examples = Examples(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step / steps, step, 2e-3)
        batch = examples.batch(32, 128, reference=16)
        known = (batch.style >= 0) & (batch.mood == 0)
        x = batch.target[known] + 0.06 * torch.rand(()) * torch.randn_like(batch.target[known])
        loss = F.cross_entropy(network(x), batch.style[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    write(JUDGE, network.state_dict())
    return network.eval()


@torch.no_grad()
def accuracy(network: Judge, made: list[Image], name: str) -> float:
    """Share of pictures that the judge takes for that style."""
    return (network(to_unit(made)).argmax(1) == STYLES.index(name)).float().mean().item()


def taught(source: Image, name: str, seed: int = SEED) -> Image:
    """The teacher's picture."""
    return styles.restyle(source, name, "", Chance.of(seed, *source.shape[:2]))


def people() -> list[Image]:
    """The astronaut, and drawn people that no training saw."""
    return [heldout.face(), *(heads.head(FIRST_PERSON + k)[0] for k in range(7))]


def faces_kept(sources: list[Image], made: list[Image]) -> float:
    """Share of the sources' faces that are still found."""
    verdicts = [faces.kept(source, picture) for source, picture in zip(sources, made, strict=True)]
    return float(np.mean([verdict[0] for verdict in verdicts if verdict]))


def by_style(painter: Painter, network: Judge, inputs: list[Image]) -> dict[str, dict[str, float]]:
    """All figures of each style at the whole strength, one step."""
    noise, chelsea = noise_of([SEED], 256, 256), heldout.photographs(512)["chelsea"]
    large = noise_of([SEED], 512, 512)
    frames, portraits = pan(heldout.whole("chelsea")), people()
    found: dict[str, dict[str, float]] = {}
    for name in NAMES:
        style = painter.named(name)
        made = [painter(source[None], style, noise)[0] for source in inputs]
        wanted = [taught(source, name) for source in inputs]
        other = [taught(source, name, SEED + 1) for source in inputs]
        pairs = list(zip(inputs, made, wanted, other, strict=True))
        found[name] = {
            "style": accuracy(network, made, name),
            "style of teacher": accuracy(network, wanted, name),
            "structure": float(np.mean([structure(s, m) / structure(s, w) for s, m, w, _ in pairs])),
            "psnr": float(np.mean([psnr(m, w) for _, m, w, _ in pairs])),
            "psnr, other chance": float(np.mean([psnr(m, o) for _, m, _, o in pairs])),
            "fine contrast": float(np.mean([fine_contrast(m) / fine_contrast(w) for _, m, w, _ in pairs])),
            "grid": grid(painter(chelsea[None], style, large)[0]),
            "grid of teacher": grid(taught(chelsea, name)),
            "flicker": flicker(frames, painter(frames, style, noise)),
            "faces": faces_kept(portraits, [painter(face[None], style, noise)[0] for face in portraits]),
            "faces of teacher": faces_kept(portraits, [taught(face, name) for face in portraits]),
        }
        print(name, {key: round(value, 2) for key, value in found[name].items()}, flush=True)
    return found


def nearest(painter: Painter, sources: list[Image]) -> float:
    """Style from a picture: share in which, of ten styles' teacher pictures, the right one is nearest."""
    names, noise, right = NAMES[::3][:10], noise_of([SEED], 256, 256), []
    reference = heldout.photographs()["flower"]
    for source in sources:
        wanted = [cv2.blur(taught(source, name), (5, 5)) for name in names]
        for index, name in enumerate(names):
            made = cv2.blur(painter(source[None], painter.read(taught(reference, name, 3)), noise)[0], (5, 5))
            right.append(int(np.argmin([distance(made, w) for w in wanted])) == index)
    return float(np.mean(right))


def strength_map(painter: Painter) -> dict[str, float]:
    """Mean distance from the input by strength, over a third of the styles, on a face."""
    face, noise = heldout.face(), noise_of([SEED], 256, 256)

    def moved(strength: float) -> float:
        made = (painter(face[None], painter.named(name), noise, strength)[0] for name in NAMES[::3])
        return round(float(np.mean([distance(picture, face) for picture in made])), 1)

    return {str(s): moved(s) for s in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)}


def summary(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Means over the styles, and the worst grid among those that aren't regular by nature."""

    def mean(key: str) -> float:
        return float(np.mean([row[key] for row in found.values()]))

    free = {name: row["grid"] for name, row in found.items() if name not in styles.REGULAR}
    worst = max(free, key=lambda name: free[name])
    return {
        "style, share of teacher's": mean("style") / mean("style of teacher"),
        "structure, share of teacher's": mean("structure"),
        "psnr": mean("psnr"),
        "psnr, other chance": mean("psnr, other chance"),
        "fine contrast": mean("fine contrast"),
        f"worst grid ({worst})": free[worst],
        "faces": mean("faces"),
        "faces of teacher": mean("faces of teacher"),
        "flicker": mean("flicker"),
        "worst flicker": max(row["flicker"] for row in found.values()),
    }


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--quick", action="store_true", help="fewer pictures")
    parser.add_argument("--judge-steps", type=int, default=800)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    painter, network = Painter.trained(args.checkpoint), judge(args.judge_steps)
    inputs = list(heldout.crops().values())[:: 9 if args.quick else 3]
    found = by_style(painter, network, inputs)
    photographs = heldout.photographs()
    result: dict[str, object] = {
        "stage": painter.stage,
        "minutes": round(painter.minutes, 1),
        "pictures": len(inputs),
        "strength": round(WHOLE, 2),
    }
    result |= {key: round(value, 3) for key, value in summary(found).items()}
    through = [psnr(painter.through_autoencoder(p[None])[0], p) for p in photographs.values()]
    result["autoencoder psnr, photographs"] = round(float(np.mean(through)), 2)
    painted = [taught(photographs["chelsea"], name) for name in NAMES]
    kept = [psnr(painter.through_autoencoder(p[None])[0], p) for p in painted]
    result["autoencoder psnr, teacher's pictures"] = round(float(np.mean(kept)), 2)
    result["reference nearest of ten"] = round(nearest(painter, [photographs["chelsea"], heldout.face()]), 2)
    result["distance by strength"] = strength_map(painter)
    for key, value in result.items():
        print(f"{key}: {value}")
    print(json.dumps(result | {"styles": found}))
