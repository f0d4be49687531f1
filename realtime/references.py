"""Pictures that are not frames: params name them by id, for what is to be like them.

Must not know sessions, encodings or models. Any thread.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pixels import Pixels

REFERENCES_KEPT = 64
REFERENCES_MAX_BYTES = 64 * 1024 * 1024
"""Of pixels. Both of those that are not in use: of those that are, each session has as many as params may name."""
REFERENCE_SIDE_PX = 512
"""Longest side of a reference: what a model learns of a style is in its strokes and colours, not in its size."""

NO_REFERENCES: Mapping[str, Pixels] = {}


class References:
    """The references that are in use, and the newest of others. Whoever brings many costs nobody else his: where there
    is no more room, one goes of those of the sender who has most of them.

    Args:
        in_use: the ids that params name at the moment; those are kept whatever comes.

    Attributes:
        own: ids of those that came with the model, which are always kept.
    """

    def __init__(self, in_use: Callable[[], Collection[str]] = frozenset) -> None:
        self._in_use = in_use
        self.own: frozenset[str] = frozenset()
        self._kept: OrderedDict[str, Pixels] = OrderedDict()
        self._senders: dict[str, str] = {}
        self._lock = threading.Lock()

    def __contains__(self, reference: str) -> bool:
        return reference in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, picture: Pixels, sender: str = "") -> str:
        """Keep a picture, at the cost of one that is not in use: of the sender who has most of those, the one that was
        named longest ago.

        Args:
            picture: uint8 [height, width, 3], RGB, which nobody writes to any more; no side above `REFERENCE_SIDE_PX`.
            sender: who has brought it.

        Returns:
            Its id, the same for the same pixels.
        """
        reference = id_of(picture)
        in_use = {*self._in_use(), *self.own}
        with self._lock:
            self._kept[reference] = picture
            self._kept.move_to_end(reference)
            self._senders[reference] = sender
            spare = [one for one in self._kept if one not in in_use]
            size = sum(self._kept[one].nbytes for one in spare)
            while len(spare) > REFERENCES_KEPT or size > REFERENCES_MAX_BYTES:
                (greediest, _), *_ = Counter(self._senders[one] for one in spare).most_common(1)
                oldest = next(one for one in spare if self._senders[one] == greediest)
                spare.remove(oldest)
                size -= self._kept.pop(oldest).nbytes
                del self._senders[oldest]
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
