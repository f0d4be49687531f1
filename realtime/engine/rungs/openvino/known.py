"""What was found out about a conversion on this machine: which number formats are exact enough, and which shapes.

Must not know models, or how results are compared.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..specialise import Signature

_log = logging.getLogger(__name__)

FLOAT32 = "f32"

FORMATS = {FLOAT32: "float32", "bf16": "bfloat16", "f16": "float16"}
"""OpenVINO's names of number formats, and torch's."""


class Known:
    """What was found out before. A file that is damaged, or was written by another version, counts for nothing.

    Args:
        folder: of the conversion.
        machine: what results depend on beside the conversion, in words.

    Attributes:
        precisions: of each network, the number format that it passes in.
        proven: calls that a network was compiled for and gave the right results.
    """

    def __init__(self, folder: Path, machine: str) -> None:
        self._file, self._machine = folder / "checked.json", machine
        self._all: dict[str, Any] = {}
        self.precisions: dict[str, str] = {}
        self.proven: frozenset[Signature] = frozenset()
        try:
            everything: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
            mine = everything.get(machine, {"precisions": {}, "proven": []})
            precisions, proven = _precisions(mine["precisions"]), frozenset(map(Signature.parse, mine["proven"]))
        except OSError:  # nothing was found out yet
            return
        except (ValueError, TypeError, AttributeError, KeyError):
            _log.warning("%s is damaged, or of another version: results are compared anew", self._file)
            return
        self._all, self.precisions, self.proven = everything, precisions, proven

    def keep(self, precisions: Mapping[str, str] | None = None, proven: frozenset[Signature] = frozenset()) -> None:
        """Remember, so that the next start need not compare again."""
        before = self.precisions, self.proven
        self.precisions, self.proven = dict(precisions or self.precisions), self.proven | proven
        if (self.precisions, self.proven) == before:
            return
        wires = [signature.wire() for signature in sorted(self.proven, key=str)]
        self._all[self._machine] = {"precisions": self.precisions, "proven": wires}
        try:
            self._file.write_text(json.dumps(self._all, indent=1), "utf-8")
        except OSError as error:  # the conversion could not be kept either, and that was said
            _log.debug("%s: %s", self._file, error)


def _precisions(said: Mapping[str, str]) -> dict[str, str]:
    """The formats as they were kept.

    Raises:
        ValueError: one of them is none of `FORMATS`.
    """
    if unknown := set(said.values()) - FORMATS.keys():
        raise ValueError(f"no number formats: {unknown}")
    return dict(said)
