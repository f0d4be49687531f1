"""The pictures for prompts that a program has brought to its session: those that are not answered yet, and those that a
server which has forgotten them is to be brought again.

Must not know connections.
"""

from __future__ import annotations

import asyncio

from ..errors import ClientError
from ..prompts import PROMPTS_MAX, REFERENCES_MAX

BROUGHT_KEPT = PROMPTS_MAX + REFERENCES_MAX
"""As many as params may name."""


class Brought:
    """Of one stream. Event loop only."""

    def __init__(self) -> None:
        self._unanswered: dict[int, asyncio.Future[str]] = {}
        self._kept: dict[str, bytes] = {}

    def sent(self, seq: int) -> asyncio.Future[str]:
        """Note a picture that is sent; the future is done with its id."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._unanswered[seq] = answer
        return answer

    def settle(self, seq: int, answer: str | ClientError) -> bool:
        """Take the answer to a picture; returns whether `seq` is one."""
        waiting = self._unanswered.pop(seq, None)
        if waiting is not None and not waiting.done():
            if isinstance(answer, str):
                waiting.set_result(answer)
            else:
                waiting.set_exception(answer)
        return waiting is not None

    def end(self, error: ClientError) -> None:
        """None of those that are unanswered will be answered."""
        for seq in list(self._unanswered):
            self.settle(seq, error)

    def keep(self, reference: str, data: bytes) -> None:
        """Keep one that the server has, at the cost of the oldest."""
        self._kept.pop(reference, None)
        self._kept[reference] = data
        for oldest in list(self._kept)[:-BROUGHT_KEPT]:
            del self._kept[oldest]

    @property
    def kept(self) -> list[bytes]:
        """Those to bring again, the oldest first."""
        return list(self._kept.values())
