"""Contact sheets of the model beside its teacher, for looking at.

    python scripts/train_tiny2 sheets [--checkpoint PATH]

Must not measure anything. Held-out photographs only. Output: PNG files below `sheets/`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import heldout
import numpy as np
import numpy.typing as npt
import styles
import torch
from chance import Chance
from painter import Painter, noise_of
from paths import SHEETS

Image = npt.NDArray[np.uint8]

SEED = 7
NAMES = [name for name in styles.STYLES if name != "photo"]


def captioned(image: Image, text: str) -> Image:
    """A picture with a caption in its upper left corner."""
    image = np.ascontiguousarray(image).copy()
    for colour, thick in (((255, 255, 255), 3), ((160, 0, 0), 1)):
        cv2.putText(image, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return image


def write(name: str, rows: Sequence[Sequence[Image]]) -> None:
    """Rows of pictures of one size as one PNG; short rows are filled up."""
    SHEETS.mkdir(parents=True, exist_ok=True)
    longest = max(len(row) for row in rows)
    blank = np.zeros_like(rows[0][0])
    sheet = np.vstack([np.hstack([*row, *[blank] * (longest - len(row))]) for row in rows])
    cv2.imwrite(str(SHEETS / f"{name}.png"), sheet[..., ::-1])
    print(SHEETS / f"{name}.png")


def taught(source: Image, name: str, seed: int = SEED) -> Image:
    """The teacher's picture."""
    return styles.restyle(source, name, "", Chance.of(seed, *source.shape[:2]))


def sources() -> dict[str, Image]:
    """What the sheets show: a face first."""
    photographs = heldout.photographs()
    return {"face": heldout.face()} | {name: photographs[name] for name in ("chelsea", "china", "coffee")}


def style_sheets(painter: Painter) -> None:
    """For every eight styles: teacher above model, for each source."""
    noise = noise_of([SEED], 256, 256)
    for part in range(0, len(NAMES), 8):
        rows: list[list[Image]] = []
        for source in sources().values():
            above, below = [source], [painter.through_autoencoder(source[None])[0]]
            for name in NAMES[part : part + 8]:
                above.append(captioned(taught(source, name), f"{name}, teacher"))
                below.append(captioned(painter(source[None], painter.named(name), noise)[0], name))
            rows += [above, below]
        write(f"styles-{part // 8 + 1}", rows)


def seed_sheet(painter: Painter) -> None:
    """Three seeds of four painterly styles: chance moves, the picture stays."""
    rows = []
    for name in ("oil painting", "van gogh", "watercolour", "pencil sketch"):
        row = []
        for seed in (1, 2, 3):
            made = painter(heldout.face()[None], painter.named(name), noise_of([seed], 256, 256))[0]
            row += [captioned(taught(heldout.face(), name, seed), f"teacher, {seed}"), captioned(made, name)]
        rows.append(row)
    write("seeds", rows)


def strength_sheet(painter: Painter) -> None:
    """Strengths across, styles and steps down."""
    rows = []
    for name in ("oil painting", "ukiyo-e", "watercolour"):
        for steps in (1, 2, 4):
            noise = noise_of([SEED + k for k in range(steps)], 256, 256)
            row = [
                captioned(painter(heldout.face()[None], painter.named(name), noise, s, steps)[0], f"{s}, {steps} steps")
                for s in (0.1, 0.25, 0.4, 0.55, 0.7, 0.87, 1.0)
            ]
            rows.append(row)
    write("strength-steps", rows)


def picture_sheet(painter: Painter) -> None:
    """Style pictures above what becomes of two sources: the teacher's pictures of another source, and photographs."""
    photographs = heldout.photographs()
    shown = [taught(photographs["flower"], name, 3) for name in NAMES[:6]]
    shown += [photographs["coffee"], photographs["rocket"]]
    blank = np.zeros_like(shown[0])
    noise = noise_of([SEED], 256, 256)
    rows = [[blank, *shown]]
    for name in ("face", "china"):
        source = sources()[name]
        rows.append([source, *(painter(source[None], painter.read(picture), noise)[0] for picture in shown)])
    write("pictures", rows)


def large_sheet(painter: Painter) -> None:
    """Other shapes: 384 and 512 pixels, and 16:9."""
    for size in (384, 512):
        face = heldout.face(size)
        noise = noise_of([SEED], size, size)
        made = [
            painter(face[None], painter.named(name), noise)[0] for name in ("oil painting", "van gogh", "watercolour")
        ]
        write(f"large-{size}", [[face, *made]])
    wide = np.ascontiguousarray(cv2.resize(heldout.whole("china"), (576, 320), interpolation=cv2.INTER_AREA))
    noise = noise_of([SEED], 320, 576)
    made = [painter(wide[None], painter.named(name), noise)[0] for name in ("oil painting", "ukiyo-e", "pencil sketch")]
    write("wide", [[wide, made[0]], made[1:]])


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="sheets", description=__doc__)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=("styles", "seeds", "strength", "pictures", "large"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    painter = Painter.trained(args.checkpoint)
    print(f"{painter.stage}, {painter.minutes:.0f} minutes")
    made = {
        "styles": style_sheets,
        "seeds": seed_sheet,
        "strength": strength_sheet,
        "pictures": picture_sheet,
        "large": large_sheet,
    }
    for name, make in made.items():
        if args.only in (None, name):
            make(painter)
