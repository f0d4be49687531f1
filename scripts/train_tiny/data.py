"""Stage 1: builds the training pairs. Writes pictures, targets, their labels and the list of sources.

    python scripts/train_tiny/data.py [--heads 360 --sketches 200 --renders 100]

Output, below the work folder: `pairs/pictures.npy` uint8 [N, K + 1, 256, 256, 3] (K targets, then the source as a cheap
webcam would have seen it), `pairs/labels.json` (the style and mood of each of the N x K targets) and
`pairs/sources.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from multiprocessing import Pool
from pathlib import Path

import cv2
import heads
import numpy as np
import numpy.typing as npt
import procedural
import sources
import styles
from paths import PAIRS, RAW

Image = npt.NDArray[np.uint8]

SIZE = 256
MOOD_SHARE = 0.3
TARGETS: tuple[tuple[str, str], ...] = tuple((style, "") for style in styles.STYLES) + tuple(
    ("photo", mood) for mood in styles.MOODS if mood
)


def crops(picture: sources.Picture) -> list[Image]:
    """Square crops at several scales, some flipped, some with another gamma; flat ones are left out."""
    rng = random.Random(picture.name)
    whole = np.asarray(picture.open())
    high, wide = whole.shape[:2]
    side = min(high, wide)
    found: list[Image] = []
    for index in range(picture.weight):
        size = side if index == 0 else int(side * rng.uniform(0.35 if side > 500 else 0.65, 1.0))
        size = max(size, min(side, 200))
        top, left = rng.randint(0, high - size), rng.randint(0, wide - size)
        crop = whole[top : top + size, left : left + size]
        crop = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA if size >= SIZE else cv2.INTER_CUBIC)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.35:
            crop = ((crop / 255.0) ** rng.uniform(0.7, 1.4) * 255).astype(np.uint8)
        if crop.std() > 6:
            found.append(np.ascontiguousarray(crop, np.uint8))
    return found


def webcam(image: Image, rng: random.Random) -> Image:
    """The same picture through a cheap camera: soft, noisy, compressed, a little off in colour."""
    result = image.astype(np.float32)
    if rng.random() < 0.6:
        result = cv2.GaussianBlur(result, (0, 0), rng.uniform(0.4, 1.2))
    result *= np.array([rng.uniform(0.94, 1.06) for _ in range(3)], np.float32)
    result += np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(0, 7), result.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(45, 95)]
    coded = cv2.imencode(".jpg", np.clip(result, 0, 255).astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def targets(job: tuple[int, Image]) -> tuple[int, Image, list[tuple[str, str]]]:
    """All targets of one source, some with a random mood, and the webcam version last."""
    index, image = job
    rng = random.Random(f"targets {index}")
    moods = [mood for mood in styles.MOODS if mood]
    labels = [
        (style, mood or (rng.choice(moods) if style != "photo" and rng.random() < MOOD_SHARE else ""))
        for style, mood in TARGETS
    ]
    made = [styles.restyle(image, style, mood) for style, mood in labels]
    return index, np.stack([*made, webcam(image, rng)]), labels


def write_list(used: list[tuple[sources.Picture, int]], path: Path) -> None:
    """The list of pictures that ships with the model."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["picture", "package", "author", "licence", "crops"])
        rows.writerows([p.name, p.package, p.author, p.licence, count] for p, count in used)


def main() -> None:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=360)
    parser.add_argument("--sketches", type=int, default=200)
    parser.add_argument("--renders", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.monotonic()
    PAIRS.mkdir(parents=True, exist_ok=True)
    sources.fetch(RAW)
    pictures = sources.pictures(RAW)
    with Pool(args.processes) as pool:
        cropped = pool.map(crops, pictures, chunksize=2)
        write_list([(p, len(c)) for p, c in zip(pictures, cropped, strict=True)], PAIRS / "sources.csv")
        first = procedural.HELD_OUT_SKETCHES
        every = [crop for several in cropped for crop in several]
        every += pool.map(heads.head, range(args.heads), chunksize=8)
        every += pool.map(procedural.sketch, range(first, first + args.sketches), chunksize=8)
        every += pool.map(procedural.render, range(args.renders), chunksize=8)
        random.Random(0).shuffle(every)
        print(f"{len(every)} sources, {time.monotonic() - started:.0f} s", flush=True)
        shape = (len(every), len(TARGETS) + 1, SIZE, SIZE, 3)
        out = np.lib.format.open_memmap(PAIRS / "pictures.npy", "w+", np.uint8, shape)
        labels: list[list[tuple[str, str]]] = [[] for _ in every]
        for done, (index, made, names) in enumerate(pool.imap_unordered(targets, enumerate(every), chunksize=4)):
            out[index], labels[index] = made, names
            if done % 100 == 0:
                print(f"{done} of {len(every)}, {time.monotonic() - started:.0f} s", flush=True)
    out.flush()
    (PAIRS / "labels.json").write_text(json.dumps(labels), "utf-8")
    print(f"done, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
