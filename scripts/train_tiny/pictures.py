"""Stage 1: gathers the source pictures: real ones out of packages, and drawn people.

    python scripts/train_tiny pictures [--people 2000]

Must not know styles. Output below the work folder: `pool/real/*.npy` uint8 [H, W, 3] of at most 640 pixels on the short
side, `pool/sources.csv` (author and licence of each) and `pool/people/*.npy` uint8 [100, 256, 256, 3] with their
`*.json` of eyes and mouths. Resumes where it stopped; people come in hundreds.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import heads
import numpy as np
import numpy.typing as npt
import sources
from paths import RAW, WORK

Image = npt.NDArray[np.uint8]

POOL = WORK / "pool"
SHORT_SIDE = 640
HUNDRED = 100


@dataclass(frozen=True)
class Entry:
    """One real picture of the pool; `weight` is how often it is drawn, relative to others."""

    file: str
    picture: str
    package: str
    author: str
    licence: str
    weight: int


def gather_real() -> None:
    """Write every allowed picture once; an existing list means that it was done."""
    listing = POOL / "sources.csv"
    if listing.exists():
        return
    folder = POOL / "real"
    folder.mkdir(parents=True, exist_ok=True)
    sources.fetch(RAW)
    entries: list[Entry] = []
    for number, picture in enumerate(sources.pictures(RAW)):
        pixels = np.asarray(picture.open(SHORT_SIDE))
        if min(pixels.shape[:2]) < 180 or pixels.std() < 6:
            continue
        name = f"{number:04d}.npy"
        np.save(folder / name, pixels)
        entries.append(Entry(name, picture.name, picture.package, picture.author, picture.licence, picture.weight))
    with listing.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(asdict(entries[0])), lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(entry) for entry in entries)
    print(f"{len(entries)} real pictures", flush=True)


def entries() -> list[Entry]:
    """The list that `gather_real` wrote."""
    with (POOL / "sources.csv").open(newline="", encoding="utf-8") as file:
        return [Entry(**{**row, "weight": int(row["weight"])}) for row in csv.DictReader(file)]


def draw_hundred(part: int) -> None:
    """Draw a hundred people, half of them before real pictures out of focus, unless they are there."""
    path = POOL / "people" / f"{part:03d}.npy"
    if path.exists():
        return
    cv2.setNumThreads(1)
    real = entries()
    drawn, spots = [], []
    for seed in range(part * HUNDRED, (part + 1) * HUNDRED):
        rng = random.Random(f"room {seed}")
        room = np.load(POOL / "real" / rng.choice(real).file) if rng.random() < 0.5 else None
        picture, places = heads.head(seed, room)
        drawn.append(picture)
        spots.append([asdict(spot) for spot in places])
    path.with_suffix(".json").write_text(json.dumps(spots), "utf-8")
    _save_whole(path, np.stack(drawn))
    print(f"{(part + 1) * HUNDRED} people", flush=True)


def gather_people(count: int) -> None:
    """Draw people in hundreds until there are `count`."""
    (POOL / "people").mkdir(parents=True, exist_ok=True)
    for part in range(count // HUNDRED):
        draw_hundred(part)


def _save_whole(path: Path, array: Image) -> None:
    """Write an array so that a reader sees all of it or none."""
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        np.save(file, array)
    beside.rename(path)


def main(arguments: list[str]) -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("--people", type=int, default=2000)
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    gather_real()
    gather_people(args.people)
