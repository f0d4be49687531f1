"""Results of checks on a conversion on this machine: each network's number format, and the proven signatures.

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

FLOAT32, INT8 = "f32", "i8"

FORMATS = {FLOAT32: "float32", "bf16": "bfloat16", "f16": "float16", INT8: "int8"}
"""torch's names of number formats by OpenVINO's."""


class Known:
    """The results of former checks, in a file beside the conversion. One that is damaged, or of another version, is
    ignored.

    Args:
        folder: of the conversion.
        machine: what results depend on beside the conversion (CPU, number format asked for), as a key in the file.

    Attributes:
        precisions: by region, the number format in which its network's results are within the tolerance.
        proven: signatures for which a network was compiled alone and its results are within the tolerance.
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
        except OSError:  # there was no check yet
            return
        except (ValueError, TypeError, AttributeError, KeyError):
            _log.warning("%s is damaged, or of another version: results are compared anew", self._file)
            return
        self._all, self.precisions, self.proven = everything, precisions, proven

    def keep(self, precisions: Mapping[str, str] | None = None, proven: frozenset[Signature] = frozenset()) -> None:
        """Write results to the file, for the next start.

        Args:
            precisions: replace the present ones; None leaves them.
            proven: added to the present ones.
        """
        before = self.precisions, self.proven
        self.precisions, self.proven = dict(precisions or self.precisions), self.proven | proven
        if (self.precisions, self.proven) == before:
            return
        wires = [signature.wire() for signature in sorted(self.proven, key=str)]
        self._all[self._machine] = {"precisions": self.precisions, "proven": wires}
        try:
            self._file.write_text(json.dumps(self._all, indent=1), "utf-8")
        except OSError as error:  # the conversion could not be kept either, which was logged
            _log.debug("%s: %s", self._file, error)


def _precisions(said: Mapping[str, str]) -> dict[str, str]:
    """Check number formats that were read from the file.

    Raises:
        ValueError: one of them is not in `FORMATS`.
    """
    if unknown := set(said.values()) - FORMATS.keys():
        raise ValueError(f"no number formats: {unknown}")
    return dict(said)
