"""Who sent what decoders died of: for how long nothing of theirs is decoded.

Must not know decoders.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from ..errors import FrameError

FIRST_S, LAST_S = 1.0, 60.0
"""After the second death, doubled by each further one, and the most. The first may have been by chance."""
FORGIVEN_S = 600.0
"""Deaths are counted from anew when there was none for so long."""
KEPT = 1024
"""Senders that are remembered; those that were at it longest ago are forgotten."""


class Penalties:
    """Any thread.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._deaths: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and until when

    def check(self, sender: str) -> None:
        """Look whether something may be decoded.

        Raises:
            FrameError: not yet.
        """
        with self._lock:
            _, until_s = self._deaths.get(sender, (0, 0.0))
        if (left_s := until_s - self._clock()) > 0:
            raise FrameError(
                f"decoders died of what was sent before: the next is looked at in {left_s:.0f} s; send something else",
                "set_aside",
            )

    def died(self, sender: str, how: str, *, is_own_doing: bool = True) -> FrameError:
        """A decoder died at what somebody sent; what to tell them.

        Args:
            is_own_doing: False where somebody else has ended it: nobody waits for that.
        """
        if not is_own_doing:
            return FrameError(f"the decoder of this picture is gone ({how}): send another")
        with self._lock:
            deaths, until_s = self._deaths.pop(sender, (0, 0.0))
            now_s = self._clock()
            deaths = 0 if now_s - until_s > FORGIVEN_S else deaths
            seconds = min(LAST_S, FIRST_S * 2.0 ** min(deaths - 1, 16)) if deaths else 0.0
            self._deaths[sender] = deaths + 1, now_s + seconds
            while len(self._deaths) > KEPT:
                self._deaths.popitem(last=False)
        return FrameError(f"the decoder died of this picture ({how}): it is damaged, or made to; send another")
