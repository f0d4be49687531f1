"""Pictures that are not frames: params name them by id, for what is to be like them.

Must not know sessions, encodings or models. Any thread.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pixels import Pixels

REFERENCES_KEPT = 64
REFERENCES_MAX_BYTES = 64 * 1024 * 1024
"""Of pixels, of all references together."""
REFERENCE_SIDE_PX = 512
"""Longest side of a reference: what a model learns of a style is in its strokes and colours, not in its size."""

NO_REFERENCES: Mapping[str, Pixels] = {}


class References:
    """The newest references, and those that are in use.

    Args:
        in_use: the ids that params name at the moment; those are kept whatever comes.

    Attributes:
        own: ids of those that came with the model, which are always kept.
    """

    def __init__(self, in_use: Callable[[], Collection[str]] = frozenset) -> None:
        self._in_use = in_use
        self.own: frozenset[str] = frozenset()
        self._kept: OrderedDict[str, Pixels] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __contains__(self, reference: str) -> bool:
        return reference in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, picture: Pixels) -> str | None:
        """Keep a picture, at the cost of those that were named longest ago and are not in use.

        Args:
            picture: uint8 [height, width, 3], RGB, which nobody writes to any more; no side above `REFERENCE_SIDE_PX`.

        Returns:
            Its id, the same for the same pixels; None where all that are kept are in use, and there is no room.
        """
        reference = id_of(picture)
        in_use = {*self._in_use(), *self.own}
        with self._lock:
            if reference in self._kept:
                self._kept.move_to_end(reference)
                return reference
            free = [one for one in self._kept if one not in in_use]
            while len(self._kept) >= REFERENCES_KEPT or self._bytes + picture.nbytes > REFERENCES_MAX_BYTES:
                if not free:
                    return None
                self._bytes -= self._kept.pop(free.pop(0)).nbytes
            self._kept[reference] = picture
            self._bytes += picture.nbytes
        return reference

    def get(self, reference: str) -> Pixels | None:
        """The picture of this id; None where it isn't kept."""
        return self._kept.get(reference)

    def named(self, references: Collection[str]) -> Mapping[str, Pixels]:
        """Those of some references that are kept, which so are named last."""
        if not references:
            return NO_REFERENCES
        found: dict[str, Pixels] = {}
        with self._lock:
            for reference in references:
                if (picture := self._kept.get(reference)) is not None:
                    self._kept.move_to_end(reference)
                    found[reference] = picture
        return found


def id_of(picture: Pixels) -> str:
    """The name of a picture by its content: 32 hexadecimal digits (BLAKE2b of its size and pixels)."""
    digest = hashlib.blake2b(f"{picture.shape}".encode(), digest_size=16)
    digest.update(picture.tobytes())
    return digest.hexdigest()
