"""Networks that ship with a model in OpenVINO's form, quantised to int8 where the model was made.

They lie in the model's folder `openvino`, one `encode.xml`, `step.xml` or `decode.xml` with its weights for each region
that may be quantised, beside `networks.json`: the fingerprints of the weights that they were made of.

Must not know how they are run, or when they are a good choice.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...regions import Kind
from .conversion import Traced, ov

if TYPE_CHECKING:
    from ...models.load import Model

_log = logging.getLogger(__name__)

FOLDER, LIST = "openvino", "networks.json"


def fingerprint(traced: Traced) -> str:
    """A hash of a network's weights in float32, by name."""
    digest = hashlib.blake2b(digest_size=12)
    for name, tensor in traced.network.state_dict().items():
        digest.update(name.encode() + tensor.float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def shipped(core: ov.Core, model: Model, networks: Sequence[Traced]) -> dict[Kind, ov.Model]:
    """Those of a model's networks that ship in int8, by region.

    One that was made of other weights (of an older file, or before a LoRA was fused) is left out, and so is one that
    can't be read, which is logged.
    """
    folder = model.folder / FOLDER if model.folder else None
    if folder is None or not folder.is_dir():
        return {}
    found: dict[Kind, ov.Model] = {}
    try:
        fingerprints: Mapping[str, Any] = json.loads((folder / LIST).read_text("utf-8"))
        for traced in networks:
            if fingerprints.get(traced.kind) == fingerprint(traced):
                found[traced.kind] = core.read_model(folder / f"{traced.kind}.xml")
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        _log.warning("the int8 networks in %s can't be read and are not used: %s", folder, str(error).splitlines()[0])
        return {}
    return found


def write(folder: Path, networks: Mapping[Kind, ov.Model], traced: Sequence[Traced]) -> None:
    """Put quantised networks into a model's folder.

    Args:
        folder: of the model.
        networks: quantised, by region.
        traced: what they were made of; may hold others too.
    """
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    for kind, network in networks.items():
        ov.save_model(network, target / f"{kind}.xml")
    made_of = {one.kind.value: fingerprint(one) for one in traced if one.kind in networks}
    (target / LIST).write_text(json.dumps(made_of, indent=1) + "\n", "utf-8")
