"""The form of calls that rows share, kept for a while: what a row wanted just now may be wanted again, and each form of
a call has graphs and packages of its own.

Must not know rows, or what is in a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

KEPT_S = 1.0
"""How long a form stays richer than it need be: a net that acts in half of the steps, or a session in and out of a
feature, would have it flip with every tick, and both forms made for every number of rows.
"""


class Forms:
    """What calls have beside what all of them have. The engine's thread.

    Args:
        kept_s: how long a part stays that nobody wants any more; 0: not at all.
        clock: monotonic seconds.
    """

    def __init__(self, kept_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept_s = kept_s
        self._clock = clock
        self._wanted: dict[Hashable, dict[str, tuple[float, Any]]] = {}  # by place: when last, and with what

    def kept(self, place: Hashable, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The parts of a call: those that are wanted, and those that calls of this place have wanted a while ago.

        Args:
            place: what calls have in common that may have a form in common.
            wanted: by name: what stands for a part where nobody wants it.
        """
        if not self._kept_s or (not wanted and not self._wanted):
            return dict(wanted)
        now_s = self._clock()
        known = self._wanted.setdefault(place, {})
        known |= {name: (now_s, neutral) for name, neutral in wanted.items()}
        for other, parts in list(self._wanted.items()):
            for name in [name for name, (last_s, _) in parts.items() if now_s - last_s > self._kept_s]:
                del parts[name]
            if not parts:
                del self._wanted[other]
        return {name: neutral for name, (_, neutral) in known.items()}
