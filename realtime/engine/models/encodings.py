"""What was encoded last, by name: as it is wanted, or beside the ticks before it is.

Must not know what is encoded, or how.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import torch

from ...errors import FrameError
from ..beside import Making

FAILED_S = 1.0
"""How long what could not be encoded beside the ticks is not tried again."""

Made = TypeVar("Made")


class Encodings(Generic[Made]):
    """Encodings by name. The ticks' thread only, but for what the makings do.

    Args:
        most: how many are kept.
        tensors: of an encoding.
        clock: seconds.

    Attributes:
        in_use: held while something is encoded, as networks may visit the device; reentrant.
        encoded: how many were, in the ticks' thread and beside.
    """

    def __init__(
        self,
        most: int,
        tensors: Callable[[Made], Iterable[torch.Tensor | None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_use = threading.RLock()
        self.encoded = 0
        self._most = most
        self._tensors = tensors
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._clock = clock
        self._failed: dict[str, tuple[float, Exception]] = {}  # with when that was
        self._asked: set[str] = set()  # for beside, and not here yet
        self._arrived: deque[tuple[int, str, Made | Exception]] = deque()
        self._epoch = 0

    def __contains__(self, name: str) -> bool:
        """Whether `get` encodes nothing. What is asked for is kept longer."""
        self._take()
        if name in self._kept:
            self._kept.move_to_end(name)
        return name in self._kept or name in self._failed

    def find(self, name: str) -> Made | None:
        """An encoding that is kept; None where it is not. Raises what was raised when it was made beside, lately."""
        if name in self and (failed := self._failed.get(name)) is not None:
            raise failed[1]
        return self._kept.get(name)

    def get(self, name: str, encode: Callable[[], Made]) -> Made:
        """An encoding, made now if it is not kept. Raises as `find`, and what `encode` raises."""
        if (found := self.find(name)) is None:
            found = self._encoded(encode)
            self._keep(name, found)
        return found

    def beside(self, name: str, encode: Callable[[], Made]) -> list[Making]:
        """What makes an encoding beside the ticks; nothing where it is kept, or on its way."""
        if name in self or name in self._asked:
            return []
        self._asked.add(name)
        epoch = self._epoch

        def keep(made: Made | Exception) -> None:
            self._arrived.append((epoch, name, made))

        return [Making(lambda: self._encoded(encode), keep)]

    def forget(self) -> None:
        """Encode all anew from now on; what is on its way is thrown away when it is made."""
        self._epoch += 1
        for kept in (self._kept, self._failed, self._asked):
            kept.clear()

    def _encoded(self, encode: Callable[[], Made]) -> Made:
        with self.in_use:
            self.encoded += 1
            return encode()

    def _take(self) -> None:
        """Keep what was made beside. Its memory is another stream's, which must know that the ticks' use it, too."""
        if self._failed:
            now_s = self._clock()
            self._failed = {name: one for name, one in self._failed.items() if now_s - one[0] < FAILED_S}
        while self._arrived:
            epoch, name, made = self._arrived.popleft()
            if epoch != self._epoch:
                continue
            self._asked.discard(name)
            if isinstance(made, Exception):
                self._failed[name] = self._clock(), _told(made)
                continue
            for tensor in self._tensors(made):
                if tensor is not None and tensor.is_cuda:
                    tensor.record_stream(torch.cuda.current_stream(tensor.device))
            self._keep(name, made)

    def _keep(self, name: str, made: Made) -> None:
        self._kept[name] = made
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def _told(error: Exception) -> Exception:
    """An error as whoever asked is told it: too little memory costs that frame alone."""
    if isinstance(error, torch.OutOfMemoryError):
        short = "the device has too little memory to encode the prompt or its pictures: take a shorter one, or fewer"
        return FrameError(short, "out_of_memory")
    return error
