"""What the engine's process has encoded lately, as far as it has said so: the server asks for nothing twice.

Must not know how it is asked, or what is made of texts and pictures there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from ..frame import Order
from ..prompts import Subject, parts_of

KNOWN_MAX = 96
"""Fewer than the process keeps of either kind: what it has given up meanwhile is encoded within a tick."""


class KnownSubjects:
    """Texts and pictures that are encoded. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subjects: OrderedDict[Subject, None] = OrderedDict()
        self.epoch = 0

    def covers(self, order: Order) -> bool:
        """Whether all that an order's params name is known."""
        with self._lock:
            wanted = _subjects(order)
            for subject in wanted & self._subjects.keys():
                self._subjects.move_to_end(subject)
            return wanted <= self._subjects.keys()

    def add(self, order: Order, epoch: int) -> None:
        """All that an order's params name is known, unless that was asked for in another epoch."""
        with self._lock:
            if epoch != self.epoch:
                return
            for subject in _subjects(order):
                self._subjects[subject] = None
            while len(self._subjects) > KNOWN_MAX:
                self._subjects.popitem(last=False)

    def forget(self) -> None:
        """A new epoch begins: nothing is known."""
        with self._lock:
            self.epoch += 1
            self._subjects.clear()


def _subjects(order: Order) -> set[Subject]:
    params = order.params
    if not params.strength:
        return set()
    texts = {part.subject for prompt in (params.prompt, params.negative) for part in parts_of(prompt)}
    return texts | {Subject(picture=picture) for picture in order.references}
