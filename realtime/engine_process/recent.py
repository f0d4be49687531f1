"""Which references the engine's process has: the server and it keep the same list, so that each crosses once.

Must not know jobs, or how a reference crosses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..pixels import Pixels

RECENT_MAX = 64

Crossing = Mapping[str, "Pixels | None"]
"""References by id; None for one that is there already."""


class Recent:
    """The references that were named last. One on each side of a pipe, given the same names, keep the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Pixels] = OrderedDict()

    def packed(self, references: Mapping[str, Pixels]) -> Crossing:
        """What crosses of a job's references."""
        crossing = {one: None if one in self._kept else picture for one, picture in references.items()}
        self._keep(references)
        return crossing

    def unpacked(self, crossing: Crossing) -> Mapping[str, Pixels]:
        """A job's references, of what has crossed."""
        references = {one: self._kept[one] if picture is None else picture for one, picture in crossing.items()}
        self._keep(references)
        return references

    def _keep(self, references: Mapping[str, Pixels]) -> None:
        for one, picture in references.items():
            self._kept[one] = picture
            self._kept.move_to_end(one)
        while len(self._kept) > RECENT_MAX:
            self._kept.popitem(last=False)
