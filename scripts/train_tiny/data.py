"""Stage 2: makes the training examples, shard by shard, for as long as it runs.

    python scripts/train_tiny data [--shards 200 --worker 0 --workers 1]

Must not know networks. A shard is a folder `shards/00012` with `seen.npy` and `target.npy`, uint8 [128, 256, 256, 3],
and `labels.json`. It is made from its number and the pool, and appears whole: workers may be stopped at any time.
Examples come in pairs of the same style, mood and manner, so that one can be the style picture of the other.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from dataclasses import asdict, dataclass

import cv2
import family
import numpy as np
import numpy.typing as npt
import procedural
import styles
from chance import Chance
from heads import Spot
from paths import SHARDS
from pictures import HUNDRED, POOL, entries

Image = npt.NDArray[np.uint8]

SIZE = 256
SHARD = 128
#: Raised when a style changes.
TEACHER = 2
FAMILY = "family"
#: Since when styles are as they are, so that trainers leave their older examples out; of others, since the first.
SINCE = dict.fromkeys(
    ("oil painting", "impressionist", "van gogh", "pointillism", "fauvism", "palette knife", FAMILY), 2
)
FAMILY_SHARE, PHOTO_SHARE, MOOD_SHARE, CAMERA_SHARE = 0.18, 0.08, 0.25, 0.4
#: Where sources come from: real pictures, drawn people, canvas sketches, shaded solids.
KINDS = {"real": 0.46, "person": 0.36, "sketch": 0.12, "solid": 0.06}


@dataclass(frozen=True)
class Label:
    """What one example is.

    Attributes:
        style: a key of `styles.STYLES`, or `FAMILY`.
        mood: a key of `styles.MOODS`.
        seed: of the start noise, see `Chance.of`.
        manner: the family's seed, -1 for a named style.
        kind: where the source came from.
        spots: eyes and mouth.
        teacher: the teacher's version.
    """

    style: str
    mood: str
    seed: int
    manner: int
    kind: str
    spots: tuple[Spot, ...]
    teacher: int = TEACHER

    @classmethod
    def read(cls, fields: dict[str, object]) -> Label:
        """From a line of `labels.json`."""
        spots = tuple(Spot(**spot) for spot in fields.pop("spots"))  # type: ignore[union-attr]
        return cls(**fields, spots=spots)  # type: ignore[arg-type]

    @property
    def is_current(self) -> bool:
        """Whether the teacher still makes this of it."""
        return self.teacher >= SINCE.get(self.style, 1)


class Sources:
    """Draws source pictures from the pool."""

    def __init__(self) -> None:
        self.real = entries()
        self.people = sorted((POOL / "people").glob("*.npy"))
        if not self.people:
            raise FileNotFoundError(f"no people in {POOL}: run the stage `pictures` first")

    def draw(self, rng: random.Random) -> tuple[Image, str, tuple[Spot, ...]]:
        """One picture uint8 [256, 256, 3], its kind, and its eyes and mouth if it is a drawn person."""
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        if kind == "person":
            return self._person(rng)
        if kind == "sketch":
            seed = rng.randrange(procedural.HELD_OUT_SKETCHES, 1 << 20)
            return np.asarray(procedural.sketch(seed)), kind, ()
        if kind == "solid":
            return np.asarray(procedural.render(rng.randrange(1 << 20))), kind, ()
        return self._crop(rng), kind, ()

    def _crop(self, rng: random.Random) -> Image:
        for _ in range(8):
            entry = rng.choices(self.real, [e.weight for e in self.real])[0]
            whole = np.load(POOL / "real" / entry.file, mmap_mode="r")
            most = min(whole.shape[:2])
            side = most if rng.random() < 0.25 else int(most * rng.uniform(min(1.0, 170 / most), 1.0))
            top, left = (rng.randint(0, whole.shape[axis] - side) for axis in (0, 1))
            crop = np.ascontiguousarray(whole[top : top + side, left : left + side])
            if crop.std() > 8:
                break
        return _developed(_resized(crop), rng)

    def _person(self, rng: random.Random) -> tuple[Image, str, tuple[Spot, ...]]:
        path, index = rng.choice(self.people), rng.randrange(HUNDRED)
        whole = np.array(np.load(path, mmap_mode="r")[index])
        spots = [Spot(**s) for s in json.loads(path.with_suffix(".json").read_text("utf-8"))[index]]
        side = rng.randint(130, SIZE)
        x, y = (sum(getattr(s, axis) for s in spots) / len(spots) for axis in "xy")
        left = int(np.clip(x - side * rng.uniform(0.3, 0.7), 0, SIZE - side))
        top = int(np.clip(y - side * rng.uniform(0.3, 0.7), 0, SIZE - side))
        scale = SIZE / side
        crop = _resized(np.ascontiguousarray(whole[top : top + side, left : left + side]))
        moved = [Spot((s.x - left) * scale, (s.y - top) * scale, s.radius * scale) for s in spots]
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
            moved = [Spot(SIZE - s.x, s.y, s.radius) for s in moved]
        return crop, "person", tuple(moved)


def _resized(crop: Image) -> Image:
    way = cv2.INTER_AREA if crop.shape[0] >= SIZE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(crop, (SIZE, SIZE), interpolation=way), np.uint8)


def _developed(image: Image, rng: random.Random) -> Image:
    """Flipped and exposed otherwise, at times."""
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
    if rng.random() < 0.35:
        image = ((image / 255.0) ** rng.uniform(0.7, 1.4) * 255).astype(np.uint8)
    return image


def camera(image: Image, rng: random.Random) -> Image:
    """The same picture through a cheap camera: soft, noisy, compressed, a little off in colour."""
    result = image.astype(np.float32)
    if rng.random() < 0.6:
        result = cv2.GaussianBlur(result, (0, 0), rng.uniform(0.4, 1.2))
    result *= np.array([rng.uniform(0.94, 1.06) for _ in range(3)], np.float32)
    result += np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(0, 7), result.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(45, 95)]
    coded = cv2.imencode(".jpg", np.clip(result, 0, 255).astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def _meaning(turn: str, rng: random.Random) -> tuple[str, str]:
    """Style and mood of the next pair: mostly the named style whose turn it is."""
    draw = rng.random()
    if draw < FAMILY_SHARE:
        return FAMILY, ""
    style = "photo" if draw < FAMILY_SHARE + PHOTO_SHARE else turn
    moody = rng.random() < MOOD_SHARE * (2 if style == "photo" else 1)
    return style, rng.choice([mood for mood in styles.MOODS if mood]) if moody else ""


def make_shard(number: int, drawn: Sources, named: list[str]) -> None:
    """Make one shard, of these styles beside those without a name, and put it in place."""
    rng = random.Random(f"shard {TEACHER} {number}")
    named = list(named)
    rng.shuffle(named)
    palettes = [np.load(POOL / "real" / e.file, mmap_mode="r") for e in rng.sample(drawn.real, 24)]
    seen = np.empty((SHARD, SIZE, SIZE, 3), np.uint8)
    target, labels = np.empty_like(seen), list[Label]()
    for pair in range(SHARD // 2):
        style, mood = _meaning(named[pair % len(named)], rng)
        manner = rng.randrange(1 << 30) if style == FAMILY else -1
        how = family.manner(manner, palettes) if style == FAMILY else None
        for row in (2 * pair, 2 * pair + 1):
            picture, kind, spots = drawn.draw(rng)
            seed = rng.randrange(1 << 30)
            chance = Chance.of(seed, SIZE, SIZE)
            target[row] = family.paint(picture, chance, how) if how else styles.restyle(picture, style, mood, chance)
            seen[row] = camera(picture, rng) if rng.random() < CAMERA_SHARE else picture
            labels.append(Label(style, mood, seed, manner, kind, spots))
    beside = SHARDS / f"making-{number:05d}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    np.save(beside / "seen.npy", seen)
    np.save(beside / "target.npy", target)
    (beside / "labels.json").write_text(json.dumps([asdict(label) for label in labels]), "utf-8")
    beside.rename(SHARDS / f"{number:05d}")


def main(arguments: list[str]) -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="data", description=__doc__)
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    everything = [style for style in styles.STYLES if style != "photo"]
    parser.add_argument("--styles", default=",".join(everything), help="of these alone: where some have changed")
    args = parser.parse_args(arguments)
    named = args.styles.split(",")
    if unknown := set(named) - set(everything):
        parser.error(f"there is no style {min(unknown)!r}; there are {', '.join(everything)}")
    cv2.setNumThreads(1)
    for number in range(args.worker, args.shards, args.workers):
        if (SHARDS / f"{number:05d}").exists():
            continue
        started = time.process_time()
        # Anew for every shard: people are still being drawn.
        make_shard(number, Sources(), named)
        print(f"shard {number}: {time.process_time() - started:.0f} CPU seconds", flush=True)
