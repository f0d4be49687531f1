"""Whose picture for prompts is read next, so that who brings many makes nobody wait but himself.

Must not know pictures.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable

from .budget import Budgets

IN_LINE_MAX = 4
"""Pictures of a sender that wait to be read."""
WORK_SHARE, WORK_SPAN_S = 0.1, 20.0
"""Of a core that reading a sender's pictures may take, and seconds of which that adds up: a hundred at once."""
ADDRESS_SHARE = 0.3
"""Of a core that reading the pictures of an address may take, as many names as its sessions give themselves."""
SENDERS_MAX = 1024
"""Whose share is known."""


class NotTaken(Exception):
    """A picture is not taken; the message is for people.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Turns:
    """Whose picture is read next: those of all senders one after the other, few of each, for a share of a core.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reading = asyncio.Lock()
        self._in_line: Counter[str] = Counter()
        self._work = Budgets(WORK_SHARE, WORK_SPAN_S, SENDERS_MAX, clock)
        self._work_of_addresses = Budgets(ADDRESS_SHARE, WORK_SPAN_S, SENDERS_MAX, clock)

    @contextlib.asynccontextmanager
    async def turn(self, sender: str, address: str = "") -> AsyncGenerator[None]:
        """Wait for a turn, and hold it while the block runs; what it takes is the sender's, and his address's.

        Args:
            address: of the client, or its network; empty where it has none.

        Raises:
            NotTaken: he has as many in line as may be, or he or his address has had more than its share.
        """
        if self._in_line[sender] >= IN_LINE_MAX:
            raise NotTaken(429, f"{IN_LINE_MAX} pictures of yours are not read yet: wait for them")
        if (rest_s := self._rest_s(sender, address, 0.0)) > 0:
            raise NotTaken(429, f"you have brought many pictures: bring the next in {math.ceil(rest_s)} s")
        self._in_line[sender] += 1
        try:
            async with self._reading:
                begun_s = self._clock()
                try:
                    yield
                finally:
                    self._rest_s(sender, address, self._clock() - begun_s)
        finally:
            self._in_line[sender] -= 1
            if not self._in_line[sender]:
                del self._in_line[sender]

    def _rest_s(self, sender: str, address: str, seconds: float) -> float:
        """Spend seconds; how long until the next picture is taken."""
        of_address_s = self._work_of_addresses.spend(address, seconds) if address else 0.0
        return max(self._work.spend(sender, seconds), of_address_s)
