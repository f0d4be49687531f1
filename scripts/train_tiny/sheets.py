"""Contact sheets of the model beside its teacher, for looking at.

    python scripts/train_tiny sheets [--checkpoint PATH] [--out docs/tiny]

Must not measure anything. Held-out photographs only. Output: JPEG files, below `sheets/` if nowhere else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import heldout
import numpy as np
import numpy.typing as npt
import samples
import styles
import torch
from chance import Chance
from painter import Painter, noise_of
from paths import SHEETS, SHIPPED

Image = npt.NDArray[np.uint8]

SEED, QUALITY, MAX_WIDTH = 7, 85, 1440
NAMES = [name for name in styles.STYLES if name != "photo"]


def captioned(image: Image, text: str) -> Image:
    """A picture with a caption in its upper left corner."""
    image = np.ascontiguousarray(image).copy()
    for colour, thick in (((255, 255, 255), 3), ((160, 0, 0), 1)):
        cv2.putText(image, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return image


def save(path: Path, rows: Sequence[Sequence[Image]]) -> None:
    """Rows of pictures of one size as one file; short rows are filled up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    longest = max(len(row) for row in rows)
    blank = np.full_like(rows[0][0], 255)
    sheet = np.vstack([np.hstack([*row, *[blank] * (longest - len(row))]) for row in rows])
    scale = min(1.0, MAX_WIDTH / sheet.shape[1])
    sheet = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(path)


def taught(source: Image, name: str, seed: int = SEED) -> Image:
    """The teacher's picture."""
    return styles.restyle(source, name, "", Chance.of(seed, *source.shape[:2]))


def sources() -> dict[str, Image]:
    """What the sheets show: a face first."""
    photographs = heldout.photographs()
    return {"face": heldout.face()} | {name: photographs[name] for name in ("chelsea", "china", "coffee")}


def style_sheets(painter: Painter, folder: Path) -> None:
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
        save(folder / f"styles-{part // 8 + 1}.jpg", rows)


def seed_sheet(painter: Painter, folder: Path) -> None:
    """Three seeds of four painterly styles: chance moves, the picture stays."""
    rows = []
    for name in ("oil painting", "van gogh", "watercolour", "pencil sketch"):
        row = []
        for seed in (1, 2, 3):
            made = painter(heldout.face()[None], painter.named(name), noise_of([seed], 256, 256))[0]
            row += [captioned(taught(heldout.face(), name, seed), f"teacher, {seed}"), captioned(made, name)]
        rows.append(row)
    save(folder / "seeds.jpg", rows)


def strength_sheet(painter: Painter, folder: Path) -> None:
    """Strengths across, styles and steps down."""
    rows = []
    for name in ("van gogh", "ukiyo-e", "watercolour"):
        for steps in (1, 2):
            noise = noise_of([SEED + k for k in range(steps)], 256, 256)
            row = [
                captioned(painter(heldout.face()[None], painter.named(name), noise, s, steps)[0], f"{s}, {steps} steps")
                for s in (0.1, 0.25, 0.4, 0.55, 0.7, 0.87, 1.0)
            ]
            rows.append(row)
    save(folder / "strength-steps.jpg", rows)


def picture_sheet(painter: Painter, folder: Path) -> None:
    """Style pictures above what becomes of two sources: those that ship, a teacher's picture and a photograph."""
    photographs = heldout.photographs()
    files = [SHIPPED / "pictures" / samples.file_of(name) for name in list(samples.SAMPLES)[:6]]
    shown = [np.ascontiguousarray(cv2.imread(str(file))[..., ::-1], np.uint8) for file in files]
    shown += [taught(photographs["flower"], "van gogh", 3), photographs["rocket"]]
    blank = np.full_like(shown[0], 255)
    noise = noise_of([SEED], 256, 256)
    rows = [[blank, *shown]]
    for name in ("face", "china"):
        source = sources()[name]
        rows.append([source, *(painter(source[None], painter.read(picture), noise)[0] for picture in shown)])
    save(folder / "pictures.jpg", rows)


def large_sheet(painter: Painter, folder: Path) -> None:
    """Other shapes: 384 and 512 pixels, and 16:9."""
    for size in (384, 512):
        face = heldout.face(size)
        noise = noise_of([SEED], size, size)
        made = [
            painter(face[None], painter.named(name), noise)[0] for name in ("oil painting", "van gogh", "watercolour")
        ]
        save(folder / f"large-{size}.jpg", [[face, *made]])
    wide = np.ascontiguousarray(cv2.resize(heldout.whole("china"), (576, 320), interpolation=cv2.INTER_AREA))
    noise = noise_of([SEED], 320, 576)
    made = [painter(wide[None], painter.named(name), noise)[0] for name in ("oil painting", "ukiyo-e", "pencil sketch")]
    save(folder / "wide.jpg", [[wide, made[0]], made[1:]])


def mood_sheet(painter: Painter, folder: Path) -> None:
    """Moods across, styles down."""
    noise, face = noise_of([SEED], 256, 256), heldout.face()
    rows = []
    for name in ("photo", "oil painting", "watercolour", "comic"):
        row = [face]
        for mood in (mood for mood in styles.MOODS if mood):
            row.append(captioned(painter(face[None], painter.named(name, mood), noise)[0], f"{name}, {mood}"))
        rows.append(row)
    save(folder / "moods.jpg", rows)


def sketch_sheet(painter: Painter, folder: Path) -> None:
    """Canvas drawings in five styles."""
    noise = noise_of([SEED], 256, 256)
    rows = []
    for sketch in list(heldout.sketches().values())[:4]:
        row = [sketch]
        for name in ("oil painting", "van gogh", "watercolour", "ukiyo-e", "stained glass", "pastel"):
            row.append(captioned(painter(sketch[None], painter.named(name), noise)[0], name))
        rows.append(row)
    save(folder / "sketches.jpg", rows)


MADE = {
    "styles": style_sheets,
    "seeds": seed_sheet,
    "strength": strength_sheet,
    "pictures": picture_sheet,
    "moods": mood_sheet,
    "sketches": sketch_sheet,
    "large": large_sheet,
}


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="sheets", description=__doc__)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=SHEETS)
    parser.add_argument("--only", choices=list(MADE))
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    painter = Painter.trained(args.checkpoint)
    print(f"{painter.stage}, {painter.minutes:.0f} minutes")
    for name, make in MADE.items():
        if args.only in (None, name):
            make(painter, args.out)
