"""Finds and opens the real pictures the model may be trained on; knows nothing about styles, models or training.

Only pictures whose packaging states public domain, CC0 or CC-BY are returned. Everything comes out of Debian packages
(unpacked below a folder by `fetch`) and out of Python packages installed beside the trainer.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import random
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

DEBIAN_PACKAGES = ("gcompris-qt-data", "lomiri-wallpapers-16.04", "openclipart-png")
ALLOWED_LICENCE = re.compile(r"^(public-domain|CC0(-1\.0)?|CC-BY-[0-9.]+)$")
HELD_OUT = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
CLIPART_FOLDERS = {
    "people": 90,
    "animals": 60,
    "food": 35,
    "plants": 25,
    "buildings": 25,
    "transportation": 15,
    "recreation": 15,
}
# Public-domain or CC0 by scikit-image's own data notes; the held-out pictures are not here.
SKIMAGE_PICTURES = {
    "camera.png": ("Lav Varshney", "CC0-1.0", 4),
    "brick.png": ("Rob Tuytel", "CC0-1.0", 2),
    "grass.png": ("Rob Tuytel", "CC0-1.0", 2),
    "gravel.png": ("Rob Tuytel", "CC0-1.0", 2),
    "hubble_deep_field.jpg": ("NASA", "public-domain", 3),
    "retina.jpg": ("Haggstrom", "CC0-1.0", 1),
    "moon.png": ("NASA", "public-domain", 2),
}


@dataclass(frozen=True)
class Picture:
    """One source picture. `weight` is how many crops to take from it."""

    name: str
    package: str
    author: str
    licence: str
    data: bytes
    weight: int

    def open(self, longest_short_side: int = 1400) -> Image.Image:
        """Decode to RGB, transparent parts over a flat or shaded background chosen by the picture's name."""
        image = Image.open(BytesIO(self.data))
        if image.mode in ("RGBA", "LA", "P"):
            image = image.convert("RGBA")
            image = Image.alpha_composite(_backdrop(image.size, self.name), image)
        image = image.convert("RGB")
        scale = longest_short_side / min(image.size)
        if scale < 1:
            image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        return image


def _backdrop(size: tuple[int, int], name: str) -> Image.Image:
    rng = random.Random(name)
    first, second = (np.array(rng.choices(range(90, 256), k=3), np.float32) for _ in range(2))
    if rng.random() < 0.4:
        first = second = np.array([255, 255, 255], np.float32)
    ramp = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    shade = np.broadcast_to(first * (1 - ramp) + second * ramp, (size[1], size[0], 3)).astype(np.uint8)
    return Image.fromarray(shade).convert("RGBA")


def fetch(folder: Path) -> None:
    """Download and unpack the Debian packages with the system's own client; does nothing for those already there."""
    for package in DEBIAN_PACKAGES:
        target = folder / package
        if target.exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        archive = next(folder.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True)
        archive.unlink()


def parse_copyright(text: str) -> list[tuple[list[str], str, str]]:
    """Debian's machine-readable copyright file as (patterns, author, licence), in file order; a later match wins."""
    stanzas: list[tuple[list[str], str, str]] = []
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            found = re.match(r"^([A-Za-z-]+):\s*(.*)$", line)
            if found:
                key = found.group(1).lower()
                fields[key] = found.group(2)
            elif key:
                fields[key] += "\n" + line.strip()
        if "files" in fields and "license" in fields:
            author = " ".join(fields.get("copyright", "").split())[:90]
            stanzas.append((fields["files"].split(), author, fields["license"].splitlines()[0].strip()))
    return stanzas


def licence_of(path: str, stanzas: list[tuple[list[str], str, str]]) -> tuple[str, str]:
    """Author and licence of a path after the rules of the copyright format (the last stanza that matches)."""
    result = ("", "")
    for patterns, author, licence in stanzas:
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns):
            result = (author, licence)
    return result


def read_rcc(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Files inside a Qt binary resource (version 1 to 3, plain or zlib), as (path, bytes)."""
    magic, version, tree, payload, names = struct.unpack(">4sIIII", data[:20])
    if magic != b"qres":
        raise ValueError("not a Qt resource file")
    node_size = 14 if version == 1 else 22

    def walk(index: int, prefix: str) -> Iterator[tuple[str, bytes]]:
        at = tree + index * node_size
        name_at, flags = struct.unpack(">IH", data[at : at + 6])
        length = struct.unpack(">H", data[names + name_at : names + name_at + 2])[0]
        start = names + name_at + 6
        path = prefix + ("/" if prefix else "") + data[start : start + 2 * length].decode("utf-16-be") if index else ""
        if flags & 2:
            count, first = struct.unpack(">II", data[at + 6 : at + 14])
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        offset = struct.unpack(">I", data[at + 10 : at + 14])[0] + payload
        size = struct.unpack(">I", data[offset : offset + 4])[0]
        body = data[offset + 4 : offset + 4 + size]
        if flags & 4:
            return
        yield path, zlib.decompress(body[4:]) if flags & 1 else body

    yield from walk(0, "")


def _gcompris(folder: Path) -> Iterator[Picture]:
    root = folder / "gcompris-qt-data" / "usr/share"
    stanzas = parse_copyright((root / "doc/gcompris-qt-data/copyright").read_text("utf-8"))
    for rcc in sorted((root / "gcompris-qt/rcc").glob("*.rcc")):
        for path, data in read_rcc(rcc.read_bytes()):
            if not path.lower().endswith(PICTURE_SUFFIXES):
                continue
            inside = "src/" + path.split("gcompris/src/")[-1]
            # The package was converted to WebP later; the copyright file has names that end in .jpg or .png.
            named = [licence_of(str(Path(inside).with_suffix(suffix)), stanzas[1:]) for suffix in PICTURE_SUFFIXES]
            named = [entry for entry in named if entry[1]]
            if not named or not all(ALLOWED_LICENCE.match(licence) for _, licence in named):
                continue
            author, licence = named[0]
            try:
                width, height = Image.open(BytesIO(data)).size
            except OSError:
                continue
            if min(width, height) >= 180:
                yield Picture(
                    inside.removeprefix("src/activities/"),
                    "gcompris-qt-data (Debian)",
                    author,
                    licence,
                    data,
                    7 if min(width, height) >= 320 else 4,
                )


def _lomiri(folder: Path) -> Iterator[Picture]:
    package = "lomiri-wallpapers-16.04"
    root = folder / package / "usr/share"
    stanzas = parse_copyright((root / f"doc/{package}/copyright").read_text("utf-8"))
    for path in sorted((root / "backgrounds").glob("*")):
        author, licence = licence_of(f"16.04/{path.name}", stanzas)
        if path.is_file() and ALLOWED_LICENCE.match(licence) and path.suffix.lower() in PICTURE_SUFFIXES:
            yield Picture(path.name, f"{package} (Debian)", author, licence, path.read_bytes(), 30)


def _openclipart(folder: Path) -> Iterator[Picture]:
    root = folder / "openclipart-png/usr/share/openclipart/png"
    for group, count in CLIPART_FOLDERS.items():
        paths = sorted(path for path in (root / group).rglob("*.png") if path.is_file() and not path.is_symlink())
        random.Random(group).shuffle(paths)
        taken = 0
        for path in paths:
            with path.open("rb") as file:
                width, height = struct.unpack(">II", file.read(24)[16:24])
            unusable = (
                min(width, height) < 200 or max(width, height) > 3 * min(width, height) or width * height > 9_000_000
            )
            if unusable or taken >= count:
                continue
            taken += 1
            name = str(path.relative_to(root))
            yield Picture(
                name,
                "openclipart-png (Debian)",
                "Open Clip Art Library contributor",
                "public-domain",
                path.read_bytes(),
                1,
            )


def _python_packages() -> Iterator[Picture]:
    skimage = importlib.util.find_spec("skimage")
    if skimage and skimage.origin:
        for name, (author, licence, weight) in SKIMAGE_PICTURES.items():
            path = Path(skimage.origin).parent / "data" / name
            if path.exists():
                yield Picture(name, "scikit-image (PyPI)", author, licence, path.read_bytes(), weight)
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib and matplotlib.origin:
        path = Path(matplotlib.origin).parent / "mpl-data/sample_data/grace_hopper.jpg"
        if path.exists():
            author = "James S. Davis, United States Navy"
            yield Picture(path.name, "matplotlib (PyPI)", author, "public-domain", path.read_bytes(), 20)


def pictures(folder: Path) -> list[Picture]:
    """Every allowed picture, in a fixed order. Raises if a held-out picture slipped in."""
    found = [*_gcompris(folder), *_lomiri(folder), *_openclipart(folder), *_python_packages()]
    for picture in found:
        stem = Path(picture.name).stem.lower()
        if picture.package.startswith("scikit") and stem in HELD_OUT:
            raise ValueError(f"{picture.name} is held out and may not be trained on")
    return found
