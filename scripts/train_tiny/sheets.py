"""Draws the contact sheets of the documentation from held-out pictures.

python scripts/train_tiny/sheets.py [--model FOLDER] [--out docs/tiny]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import heldout
import numpy as np
import numpy.typing as npt
import styles
import torch
from paths import REPOSITORY, SHIPPED
from PIL import Image, ImageDraw
from sample import Sampler

Picture = npt.NDArray[np.uint8]
MARGIN, LABEL = 2, 13
UNTRAINED_PROMPTS = (
    "", "make my cat look like monet", "8-bit hero", "a friend drawn by hokusai, golden hour", "lego, at night",
    "embroidered cushion, pink",
    "blade runner street", "old photograph", "asdf qwer", "the weather in spring",
)  # fmt: skip


def sheet(
    path: Path,
    rows: Sequence[Sequence[Picture]],
    columns: Sequence[str],
    names: Sequence[str],
    size: int,
    quality: int = 85,
) -> None:
    """One JPEG: labelled columns, row names written into the first picture."""
    wide, high = len(columns) * (size + MARGIN), LABEL + len(rows) * (size + MARGIN)
    canvas = Image.new("RGB", (wide, high), "white")
    draw = ImageDraw.Draw(canvas)
    for column, label in enumerate(columns):
        draw.text((column * (size + MARGIN) + 2, 1), label[: size // 6], fill="black")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS)
            canvas.paste(small, (column * (size + MARGIN), LABEL + row * (size + MARGIN)))
        draw.text((3, LABEL + row * (size + MARGIN) + 2), names[row], fill="red")
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, quality=quality, optimize=True)


def styles_sheet(model: Sampler, photos: dict[str, Picture], out: Path, steps: int, strength: float) -> None:
    """Every style on four photographs; below each row the teacher's own."""
    names = [name for name in styles.STYLES if name != "photo"]
    for part, chosen in enumerate((names[:11], names[11:])):
        rows: list[list[Picture]] = []
        labels: list[str] = []
        for title in ("astronaut", "chelsea", "china"):
            made = model(np.stack([photos[title]] * len(chosen)), chosen, strength, steps)
            rows += [[photos[title], *made], [photos[title], *(styles.restyle(photos[title], name) for name in chosen)]]
            labels += [f"{title}: model", "teacher"]
        sheet(out / f"styles-{part + 1}.jpg", rows, ["input", *chosen], labels, 128)


def strength_sheet(model: Sampler, photo: Picture, out: Path) -> None:
    """Strengths across, steps down."""
    strengths = (0.1, 0.3, 0.5, 0.7, 0.9)
    rows, names = [], []
    for prompt in ("van gogh", "comic", "stained glass"):
        for steps in (1, 2, 4):
            made = [model(photo[None], [prompt], strength, steps)[0] for strength in strengths]
            rows.append([photo, *made])
            names.append(f"{prompt}, {steps} step{'s' * (steps > 1)}")
    sheet(out / "strength-steps.jpg", rows, ["input", *(f"strength {s}" for s in strengths)], names, 128)


def amounts_sheet(model: Sampler, photo: Picture, out: Path) -> None:
    """Amounts across, styles down."""
    amounts = (0.0, 0.5, 1.0, 1.3, 1.6, 2.0)
    names = ("oil painting", "van gogh", "anime", "comic", "neon")
    rows = [[photo, *(model(photo[None], [name], amount=amount)[0] for amount in amounts)] for name in names]
    sheet(out / "amounts.jpg", rows, ["input", *(f"amount {amount:g}" for amount in amounts)], names, 108, quality=77)


def moods_sheet(model: Sampler, photos: dict[str, Picture], out: Path) -> None:
    """Every mood over four styles."""
    moods, rows, names = [mood for mood in styles.MOODS if mood], [], []
    for title, style in (
        ("coffee", "photo"),
        ("china", "oil painting"),
        ("astronaut", "anime"),
        ("chelsea", "watercolour"),
    ):
        prompts = [style, *(f"{style}, {mood}" for mood in moods)]
        rows.append([photos[title], *model(np.stack([photos[title]] * len(prompts)), prompts, 0.6, 1)])
        names.append(style)
    sheet(out / "moods.jpg", rows, ["input", "no mood", *moods], names, 128)


def sketches_sheet(model: Sampler, out: Path) -> None:
    """What becomes of canvas drawings."""
    chosen = [
        "oil painting",
        "van gogh",
        "watercolour",
        "ukiyo-e",
        "comic",
        "pixel art",
        "stained glass",
        "neon",
        "chalkboard",
        "gold",
    ]
    rows = []
    for picture in list(heldout.sketches().values())[:5]:
        rows.append([picture, *model(np.stack([picture] * len(chosen)), chosen, 0.6, 1)])
    sheet(out / "sketches.jpg", rows, ["drawing", *chosen], [""] * len(rows), 112)


def prompts_sheet(model: Sampler, photos: dict[str, Picture], out: Path) -> None:
    """Free prompts, with and without known words."""
    rows = [
        [photos[t], *model(np.stack([photos[t]] * len(UNTRAINED_PROMPTS)), UNTRAINED_PROMPTS, 0.5, 1)]
        for t in ("astronaut", "flower")
    ]
    sheet(out / "prompts.jpg", rows, ["input", *(prompt or "(empty)" for prompt in UNTRAINED_PROMPTS)], ["", ""], 150)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "tiny")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, photos = Sampler(args.model), heldout.photographs()
    styles_sheet(model, photos, args.out, steps=1, strength=0.5)
    strength_sheet(model, photos["astronaut"], args.out)
    amounts_sheet(model, photos["astronaut"], args.out)
    moods_sheet(model, photos, args.out)
    sketches_sheet(model, args.out)
    prompts_sheet(model, photos, args.out)


if __name__ == "__main__":
    main()
