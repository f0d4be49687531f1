"""Measures a model folder on held-out pictures and prints one table, then one line of JSON.

    python scripts/train_tiny/evaluate.py [--model FOLDER] [--quick]

Style accuracy needs a judge: a small classifier, trained once on the training targets and kept in the work folder.
Scores are given as a share of what the teacher's own pictures of the same held-out sources score.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import heldout
import numpy as np
import numpy.typing as npt
import prompts
import styles
import torch
import torch.nn.functional as F
from paths import CHECKPOINTS, PAIRS, SHIPPED
from sample import Sampler
from training import cosine

Pictures = npt.NDArray[np.uint8]
NAMES = list(styles.STYLES)


def judge_network() -> torch.nn.Sequential:
    """Five small convolutions; sees 8-pixel patterns at full resolution first."""
    layers: list[torch.nn.Module] = []
    for before, after, stride in ((3, 24, 2), (24, 32, 2), (32, 48, 2), (48, 64, 2), (64, 96, 1)):
        layers += [torch.nn.Conv2d(before, after, 3, stride, 1), torch.nn.BatchNorm2d(after), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(96, len(NAMES))
    )


def to_tensor(pictures: Pictures) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def softened(pictures: torch.Tensor) -> torch.Tensor:
    """A batch blurred and made noisy a little, so that the judge can't go by the finest texture alone."""
    at = torch.arange(-2.0, 3.0)
    kernel = torch.exp(-at.square() / (2 * max(1e-3, torch.rand(()).item() * 0.9) ** 2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, 5).repeat(3, 1, 1, 1)
    pictures = F.conv2d(F.pad(pictures, (2, 2, 2, 2), "replicate"), kernel, groups=3)
    pictures = F.conv2d(pictures, kernel.transpose(2, 3), groups=3)
    return pictures + torch.rand(()) * 0.06 * torch.randn_like(pictures)


def train_judge(steps: int = 1000) -> torch.nn.Sequential:
    """A style classifier on moodless training targets, 128x128 crops; loaded if trained before."""
    network, path = judge_network(), CHECKPOINTS / "judge.pt"
    if path.exists():
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()
    pictures = np.load(PAIRS / "pictures.npy", mmap_mode="r")
    labels = json.loads((PAIRS / "labels.json").read_text("utf-8"))
    choices = [(i, k) for i, row in enumerate(labels) for k, (_, mood) in enumerate(row[: len(NAMES)]) if not mood]
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step / steps, step, 2e-3)
        picked = [choices[j] for j in rng.integers(0, len(choices), 48)]
        top, left = rng.integers(0, 17, 2) * 8
        x = to_tensor(np.stack([pictures[i, k, top : top + 128, left : left + 128] for i, k in picked]))
        loss = F.cross_entropy(network(softened(x)), torch.tensor([k for _, k in picked]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(network.state_dict(), path)
    return network.eval()


@torch.no_grad()
def accuracy_by_style(judge: torch.nn.Sequential, made: dict[str, Pictures]) -> dict[str, float]:
    """Share of the pictures of each style that the judge takes for that style."""
    return {
        name: (judge(to_tensor(p)).argmax(1) == NAMES.index(name)).float().mean().item() for name, p in made.items()
    }


def edge_map(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Where the edges are, blurred, so that a shift of a pixel or two does not matter."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 2.5)
    return cv2.GaussianBlur(
        cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)), (0, 0), 2
    )


def structure(inputs: Pictures, made: dict[str, Pictures]) -> float:
    """Mean correlation of blurred edge maps with the input's."""
    maps = [edge_map(picture).ravel() for picture in inputs]
    scores = [
        np.corrcoef(m, edge_map(picture).ravel())[0, 1]
        for several in made.values()
        for m, picture in zip(maps, several, strict=True)
    ]
    return float(np.mean(scores))


def distance(first: Pictures, second: Pictures) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


def flicker(model: Sampler, name: str, steps: int = 1) -> float:
    """Change from frame to frame in a slow pan, as a multiple of the input's own change."""
    whole = heldout.square(heldout.photographs()["china"], 320)
    frames = np.stack([whole[20 + i // 2 : 276 + i // 2, i : 256 + i] for i in range(12)])
    out = np.concatenate([model(frame[None], [name], 0.5, steps) for frame in frames])
    return distance(out[1:], out[:-1]) / distance(frames[1:], frames[:-1])


def paraphrase_ratio(model: Sampler, picture: Pictures) -> float:
    """Spread of 20 unseen sentences around the plain style, over the spread between styles."""
    base = model(np.repeat(picture, len(NAMES), 0), NAMES)
    between = np.mean([distance(base[i], base[j]) for i in range(len(NAMES)) for j in range(i)])
    within = []
    for index in range(0, len(NAMES), 3):
        said = [sentence.format(s=NAMES[index]) for sentence in prompts.UNSEEN_AROUND]
        out = model(np.repeat(picture, len(said), 0), said)
        within.append(np.mean([distance(o, base[index]) for o in out]))
    return float(np.mean(within) / between)


def timed(call: Callable[[], object], runs: int = 40) -> dict[str, float]:
    """Milliseconds, after five runs to warm up."""
    times = []
    for index in range(runs + 5):
        start = time.perf_counter()
        call()
        if index >= 5:
            times.append((time.perf_counter() - start) * 1000)
    return {"p50_ms": round(float(np.percentile(times, 50)), 1), "p95_ms": round(float(np.percentile(times, 95)), 1)}


@torch.no_grad()
def latency(model: Sampler) -> dict[str, dict[str, float]]:
    """Every part and the whole frame, eager, batch 1."""
    x = torch.zeros(1, 3, 256, 256).contiguous(memory_format=torch.channels_last)
    z = model.vae.encode(x).latents
    pair, embeds, t = torch.cat([z, z], 1), model.embed(["comic"]), torch.tensor([499])
    frame = np.zeros((1, 256, 256, 3), np.uint8)
    return {
        "text": timed(lambda: model.embed(["comic"])),
        "encoder": timed(lambda: model.vae.encode(x)),
        "unet": timed(lambda: model.unet(pair, t, embeds)),
        "decoder": timed(lambda: model.vae.decode(z)),
        "frame, 1 step": timed(lambda: model(frame, ["comic"], 0.5, 1)),
        "frame, 2 steps": timed(lambda: model(frame, ["comic"], 0.5, 2)),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--quick", action="store_true", help="fewer pictures and settings")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    judge, model = train_judge(), Sampler(args.model)
    inputs = np.stack(list(heldout.crops().values()))[:: 6 if args.quick else 3]
    photo = heldout.photographs()["astronaut"][None]
    teacher = {
        name: np.stack([styles.restyle(picture, name) for picture in inputs]) for name in NAMES if name != "photo"
    }
    judged, edges = accuracy_by_style(judge, teacher), structure(inputs, teacher)
    own = float(np.mean(list(judged.values())))
    result: dict[str, object] = {
        "pictures": len(inputs),
        "styles": len(teacher),
        "teacher": {"accuracy": round(own, 3), "edges": round(edges, 3)},
    }
    through = {name: model.vae_only(pictures) for name, pictures in teacher.items()}
    result["teacher through the autoencoder"] = round(
        float(np.mean(list(accuracy_by_style(judge, through).values()))) / own, 3
    )
    rows = []
    for strength, steps in (
        ((0.5, 1), (0.5, 2)) if args.quick else ((0.3, 1), (0.5, 1), (0.5, 2), (0.5, 4), (0.7, 1), (0.7, 2), (0.9, 1))
    ):
        made = {
            name: np.concatenate(
                [
                    model(inputs[i : i + 6], [name] * len(inputs[i : i + 6]), strength, steps)
                    for i in range(0, len(inputs), 6)
                ]
            )
            for name in teacher
        }
        by_style = accuracy_by_style(judge, made)
        error = np.mean([np.square(made[n].astype(np.float32) - teacher[n]).mean() for n in teacher])
        accuracy, kept = float(np.mean(list(by_style.values()))), structure(inputs, made)
        rows.append(
            {
                "strength": strength,
                "steps": steps,
                "style": round(accuracy / own, 3),
                "edges": round(kept / edges, 3),
                "psnr": round(float(10 * np.log10(65025 / error)), 2),
            }
        )
        print(rows[-1], flush=True)
        if strength == 0.5:
            result[f"style accuracy by style at 0.5, steps: {steps}"] = {
                name: round(value, 2) for name, value in by_style.items()
            }
    result["runs (shares of the teacher's)"] = rows
    shown = [name for name in NAMES if name != "photo"][:: 4 if args.quick else 2]
    away = {
        s: float(np.mean([distance(model(photo, [name], s), photo) for name in shown]))
        for s in (0.1, 0.3, 0.5, 0.7, 0.9)
    }
    result["distance from the input by strength"] = {str(s): round(value, 1) for s, value in away.items()}
    result["empty prompt, distance at 0.3 / 0.5"] = [
        round(distance(model(photo, [""], s), photo), 1) for s in (0.3, 0.5)
    ]
    unknown = ["a boat on the river", "zxqv brrt", "quarterly meeting notes"]
    result["unknown words, distance at 0.5"] = round(
        float(np.mean([distance(model(photo, [u], 0.5), photo) for u in unknown])), 1
    )
    result["flicker"] = {
        name: round(flicker(model, name), 2) for name in ("photo", "oil painting", "comic", "stained glass", "neon")
    }
    result["paraphrases over styles"] = round(paraphrase_ratio(model, photo), 3)
    result["latency, eager, 256x256"] = latency(model)
    for key, value in result.items():
        print(f"{key}: {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
