"""What was found out about a conversion on this machine: which number formats are exact enough, and which shapes.

Must not know models, or how results are compared.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...regions import Inputs, Kind
from ...state import CallShape
from ..compile import Shape, call_shape, main_shape

_log = logging.getLogger(__name__)

FLOAT32 = "f32"

#: OpenVINO's names of number formats, and what people call them.
FORMATS = {FLOAT32: "float32", "bf16": "bfloat16", "f16": "float16"}


class Shapes(NamedTuple):
    """A network and the shapes of its inputs: what it is compiled for where that makes it faster.

    Attributes:
        kind: the region that it is, or in a step the denoiser of.
        inputs: name and shape of each, in the names' order.
    """

    kind: Kind
    inputs: tuple[tuple[str, Shape], ...]

    @classmethod
    def of(cls, kind: Kind, inputs: Inputs) -> Shapes:
        """The shapes of a call."""
        return cls(kind, tuple((name, tuple(tensor.shape)) for name, tensor in sorted(inputs.items())))

    def wire(self) -> list[Any]:
        """As JSON has it."""
        return [self.kind.value, [[name, list(shape)] for name, shape in self.inputs]]

    @classmethod
    def parse(cls, wire: list[Any]) -> Shapes:
        """What `wire` gave, on its way through JSON.

        Raises:
            TypeError, ValueError: it did not, nor did that of this version.
        """
        kind, inputs = wire
        return cls(Kind(kind), tuple((str(name), tuple(int(side) for side in shape)) for name, shape in inputs))

    @property
    def main_shape(self) -> Shape:
        """Shape of the pictures [B, H, W, 3] that are encoded, or of the latents [B, C, h, w]."""
        return main_shape(dict(self.inputs))

    def __str__(self) -> str:
        """For people: `step 1×12×32×32`."""
        return f"{self.kind} {'×'.join(map(str, self.main_shape))}"

    def call_shape(self, latent_scale_px: int) -> CallShape:
        """As data that leaves the process; `latent_scale_px` as in `Model`."""
        return call_shape(self.kind, self.main_shape, latent_scale_px)


class Known:
    """What was found out about a conversion on this CPU before.

    Attributes:
        precisions: of each network, the number format that it passes in.
        proven: shapes that a network was compiled for and gave the right results.
    """

    def __init__(self, folder: Path, machine: str) -> None:
        self._file, self._machine = folder / "checked.json", machine
        self._all: dict[str, Any] = {}
        self.precisions: dict[str, str] = {}
        self.proven: frozenset[Shapes] = frozenset()
        try:
            said: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
            mine = said.get(machine, {"precisions": {}, "proven": []})
            precisions = {str(name): FORMATS[precision] and precision for name, precision in mine["precisions"].items()}
            proven = frozenset(map(Shapes.parse, mine["proven"]))
        except OSError:  # nothing was found out yet
            return
        except (ValueError, TypeError, AttributeError, KeyError):
            _log.warning("%s is damaged, or of another version: results are compared anew", self._file)
            return
        self._all, self.precisions, self.proven = said, precisions, proven

    def keep(self, precisions: Mapping[str, str] | None = None, proven: frozenset[Shapes] = frozenset()) -> None:
        """Remember, so that the next start need not compare again."""
        before = self.precisions, self.proven
        self.precisions, self.proven = dict(precisions or self.precisions), self.proven | proven
        if (self.precisions, self.proven) == before:
            return
        mine = {"precisions": self.precisions, "proven": sorted(shapes.wire() for shapes in self.proven)}
        self._all[self._machine] = mine
        try:
            self._file.write_text(json.dumps(self._all, indent=1), "utf-8")
        except OSError as error:  # the conversion could not be kept either, and that was said
            _log.debug("%s: %s", self._file, error)
