"""Networks that find people, by name: where they are, and downloading them.

Must not import torch: a configuration is checked without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import ModelError
from ..files import estimator_files, local_path
from ..hub import HubId, fetch, find_cached, parse_hub_id
from ..presets import Licence

if TYPE_CHECKING:
    from ... import Progress

LICENCE = Licence("Apache-2.0", "commercial use allowed")


@dataclass(frozen=True, slots=True)
class DetectorPreset:
    """A network that finds people, known by name.

    Attributes:
        source: its repository.
        title: one line about it.
        download_gb: in gigabytes.
    """

    source: HubId
    title: str
    download_gb: float


DETECTORS = {
    "rtdetr": DetectorPreset(HubId("PekingU/rtdetr_r18vd"), "finds up to four people for nets for poses", 0.08),
}
"""By preset name. The licence of all is `LICENCE`."""


def check_detector(name: str) -> None:
    """Check, without reading weights, that a name can be a detector's. Raises ModelError."""
    is_folder = (path := local_path(name)) is not None and path.is_dir()
    if name not in DETECTORS and not is_folder and hub_folder(name) is None:
        raise ModelError(
            f"there is no detector of people {name!r}: give a preset ({', '.join(DETECTORS)}), or a folder or hub id "
            "of an RT-DETR in transformers' layout"
        )


def hub_folder(name: str) -> HubId | None:
    """A repository on the hub, by its name; None where that is another one's."""
    hub_id = parse_hub_id(name)
    return hub_id if hub_id is not None and hub_id.file is None else None


def is_cached(preset: DetectorPreset) -> bool:
    """True if it can be loaded without the network."""
    return find_cached(preset.source, estimator_files) is not None


def pull_detector(preset: DetectorPreset, progress: Progress) -> None:
    """Download one. Raises ModelError."""
    fetch(preset.source, estimator_files, progress)


def found(name: str, progress: Progress) -> Path:
    """The folder of a detector, downloaded if it is not on this disk. Raises ModelError."""
    check_detector(name)
    if (preset := DETECTORS.get(name)) is not None:
        return fetch(preset.source, estimator_files, progress)
    if (path := local_path(name)) is not None:
        try:
            estimator_files([one.name for one in path.iterdir()])
        except ModelError as error:
            raise ModelError(f"{name}: {error}") from None
        return path
    hub_id = hub_folder(name)
    assert hub_id is not None, "check_detector knows"
    return fetch(hub_id, estimator_files, progress)
