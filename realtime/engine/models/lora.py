"""LoRAs by name: parses what the user wrote, finds and reads the files, and has them put on a model.

Must not know more of the model than its family and its networks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ModelError
from ..sampler import Sampler
from .components import prefixed
from .files import list_files, local_path
from .header import read_header, refuse_pickle
from .hub import fetch, parse_hub_id
from .lora_fusing import LoraFile, read_file
from .lora_spec import LoraSpec, parse_lora
from .lora_weights import LoraWeights, Wearing, Worn
from .parts import Parts
from .presets import LORAS, choose_lora

if TYPE_CHECKING:
    from torch import nn

    from .. import Progress
    from .family import Family

_log = logging.getLogger(__name__)


def find_lora(spec: LoraSpec, progress: Progress) -> Path:
    """The file of a LoRA, downloaded if it is not on this disk.

    Raises:
        ModelError: there is no such file, or it can't be downloaded.
    """
    name = LORAS.get(spec.name, spec.name)
    path = local_path(name)
    if path and path.is_file():
        refuse_pickle(path)
        return path
    if (hub_id := parse_hub_id(name)) is None:
        raise ModelError(
            f"there is no LoRA {spec.name!r}: give a preset ({', '.join(LORAS)}), a hub id or a .safetensors file"
        )
    choose = choose_lora(hub_id)
    folder = fetch(hub_id, choose, progress)
    return folder / (hub_id.file or choose(list_files(folder))[0])


class ModelLoras:
    """The LoRAs of one model: those that it has for good, and those that may be changed while it runs.

    Args:
        family: of the model.
        networks: see `LoraWeights`.

    Attributes:
        weights: the model's.
    """

    def __init__(self, family: Family, networks: Sequence[nn.Module]) -> None:
        self.weights = LoraWeights(networks)
        self._family = family
        self._files: dict[tuple[Path, int], LoraFile] = {}  # those of the newest `read`
        self._fixed = ""
        self._lock = threading.Lock()

    def read(self, specs: Sequence[LoraSpec], progress: Progress = lambda stage, percent: None) -> list[Worn]:
        """Find and read LoRAs; the model stays as it is. Any thread.

        Raises:
            ModelError: one can't be found, is not one, or does not fit the model.
        """
        with self._lock:
            files: dict[tuple[Path, int], LoraFile] = {}
            worn: list[Worn] = []
            for spec in specs:
                if not self._family.takes_loras:
                    raise ModelError(
                        f"LoRA {spec.name}: models of this family ({self._family.name}) take none: leave --lora out"
                    )
                path = find_lora(spec, progress)
                key = path, path.stat().st_mtime_ns
                if (file := self._files.get(key)) is None:
                    header = read_header(path)
                    progress(f"reading {path.stem}", None)
                    with prefixed(f"LoRA {spec.name}"):
                        file = read_file(self.weights.networks, path, header)
                files[key] = file
                worn.append(Worn(spec.name, path, file, spec.scale))
            self._files = files
            return worn

    def fuse(self, worn: Sequence[Worn]) -> None:
        """Add LoRAs for good. Raises ModelError where a weight overflows."""
        with prefixed(_named(worn)):
            self.weights.fuse(worn)

    def start(self, worn: Sequence[Worn]) -> tuple[str, ...]:
        """Put LoRAs on a model that is loaded; for good where the host's memory is too short for changing them.

        Returns:
            What the user should know of that.

        Raises:
            ModelError: a weight overflows.
        """
        if not worn:
            return ()
        if why := self.weights.obstacle(worn):
            self.fuse(worn)
            self._fixed = f"the LoRAs that the server was started with are there for good: {why}"
            return (self._fixed,)
        with prefixed(_named(worn)):
            self.weights.wear(self.weights.ready(worn))
        return ()

    def ready(self, texts: Sequence[str]) -> Wearing:
        """Read LoRAs that are to be worn instead of those in force. Any thread.

        Args:
            texts: see `parse_lora`.

        Raises:
            ModelError: one can't be worn, or memory is too short; nothing has changed.
        """
        if self._fixed:
            raise ModelError(self._fixed)
        worn = self.read([parse_lora(text) for text in texts])
        with prefixed(_named(worn)), self._lock:
            return self.weights.ready(worn)

    def wear(self, wearing: Wearing) -> None:
        """Have them in force, and no others; see `LoraWeights.wear`."""
        with prefixed(_named(wearing.loras)):
            self.weights.wear(wearing)


def notes_of(worn: Sequence[Worn]) -> tuple[str, ...]:
    """What of LoRAs has no effect here, for the user."""
    return tuple(f"LoRA {one.name}: {note}" for one in worn for note in one.file.notes)


def live_notes(worn: Sequence[Worn], sampler: Sampler, *, are_copied: bool) -> tuple[str, ...]:
    """What of LoRAs that are put on a running model has no effect, or not at once, for the user.

    Args:
        sampler: of the model, which stays as it is.
        are_copied: whether the rung has copies of the weights.
    """
    notes = list(notes_of(worn))
    for one in worn:
        if (wanted := LoraSpec(one.name).sampler) not in (None, sampler):
            notes.append(
                f"LoRA {one.name}: it is made for the sampler {wanted}, and {sampler} runs: "
                f"start the server with --lora {one.name}, which chooses it"
            )
    if are_copied:
        notes.append("this rung has copies of the weights: PyTorch, slower, runs until they are converted anew")
    return tuple(notes)


def fuse_loras(parts: Parts, specs: Sequence[LoraSpec], progress: Progress) -> tuple[str, ...]:
    """Add LoRAs to the weights of a model for good; formats and layouts are those of `lora_fusing`.

    Returns:
        What of them has no effect here, for the user.

    Raises:
        ModelError: a LoRA can't be found, is not one, or does not fit the model.
    """
    loras = ModelLoras(parts.family, (parts.unet, *parts.text_encoders))
    worn = loras.read(specs, progress)
    loras.fuse(worn)
    return logged(notes_of(worn))


def logged(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes, which are in the log now too."""
    for note in notes:
        _log.warning(note)
    return notes


def _named(worn: Sequence[Worn]) -> str:
    """In front of what is wrong: whichever of several it is, the layer says."""
    return f"LoRA {', '.join(dict.fromkeys(one.name for one in worn))}"
