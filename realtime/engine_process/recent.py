"""Which references, and hints of them, the engine's process has: the server and it keep the same lists, so that each
crosses once.

Must not know jobs, or how a picture crosses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from ..control import HintKey

if TYPE_CHECKING:
    from ..pixels import Pixels

RECENT_MAX = 64
RECENT_HINTS_MAX = 16


class SizedHint(NamedTuple):
    """A hint of a reference, and its size in pixels."""

    key: HintKey
    width: int
    height: int


Name = TypeVar("Name")
Crossing = Mapping[str, "Pixels | None"]
"""References by id; None for one that is there already."""
HintsCrossing = Mapping[SizedHint, "Pixels | None"]


class Recent(Generic[Name]):
    """The pictures that were named last. One on each side of a pipe, given the same names, keep the same.

    Args:
        most: pictures that are kept.
    """

    def __init__(self, most: int = RECENT_MAX) -> None:
        self._most = most
        self._kept: OrderedDict[Name, Pixels] = OrderedDict()

    def packed(self, pictures: Mapping[Name, Pixels]) -> Mapping[Name, Pixels | None]:
        """What crosses of a job's pictures."""
        crossing = {one: None if one in self._kept else picture for one, picture in pictures.items()}
        self._keep(pictures)
        return crossing

    def unpacked(self, crossing: Mapping[Name, Pixels | None]) -> Mapping[Name, Pixels]:
        """A job's pictures, of what has crossed."""
        pictures = {one: self._kept[one] if picture is None else picture for one, picture in crossing.items()}
        self._keep(pictures)
        return pictures

    def _keep(self, pictures: Mapping[Name, Pixels]) -> None:
        for one, picture in pictures.items():
            self._kept[one] = picture
            self._kept.move_to_end(one)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
