"""Which params a session's next frame is run with, while what newer ones need is still being made beside the ticks.

Must not know frames, whose turn it is, or what an engine makes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from ..frame import Order
from ..params import Params

PATIENCE_NS = 50_000_000
"""How long a session's frames wait for what new params need; then they go on with the last ones meanwhile. Most prompts
are encoded in a third of it: so the first frame behind a change shows it, and others see nothing of it.
"""

GIVEN_UP_NS = 10_000_000_000
"""What is not made by then is left to a tick, in which an engine that hangs is seen."""


class Preparing(Protocol):
    """The part of `Engine` that makes what takes long beside the ticks."""

    def is_prepared(self, order: Order) -> bool: ...  # noqa: D102
    def prepare_beside(self, order: Order) -> Future[int]: ...  # noqa: D102


class _Coming(NamedTuple):
    params: Params
    begun_ns: int
    made: Future[int]

    def is_over(self, now_ns: int) -> bool:
        return self.made.done() or now_ns - self.begun_ns >= GIVEN_UP_NS


class PreparedParams:
    """Of one session: the params that its frames can be run with. Engine thread only."""

    def __init__(self) -> None:
        self._last: Params | None = None  # the newest that all is there for
        self._tried: Params | None = None  # those for which something was made last, or could not be
        self._making: _Coming | None = None

    def waits(self, now_ns: int) -> bool:
        """Whether its frames are to wait for what is being made."""
        making = self._making
        if making is None or making.is_over(now_ns):
            return False
        return self._last is None or now_ns - making.begun_ns < PATIENCE_NS

    def take_spent_ns(self, now_ns: int) -> int:
        """Take what has been made; how long that took, 0 where nothing has."""
        if self._making is None or not self._making.is_over(now_ns):
            return 0
        self._tried, _, made = self._making
        self._making = None
        if self._last is None or self._tried.version >= self._last.version:
            self._last = self._tried
        return made.result() if made.done() else 0

    def chosen(
        self,
        order: Order,
        engine: Preparing,
        now_ns: int,
        otherwise: Callable[[Params], Order],
        ring: Callable[[], None],
    ) -> Order | None:
        """The order that the session's frame is run by: this one; or one with the last params, while what this one
        lacks is made, which begins with this. None: the frame waits.

        One thing at a time is made for a session, and the next is what it wants by then.

        Args:
            otherwise: the same order with other params.
            ring: called by any thread when something is made.
        """
        # What was tried is there, or the tick says why not.
        if engine.is_prepared(order) or self._tried == order.params:
            self._last = order.params
            return order
        if self._making is None:
            made = engine.prepare_beside(order)
            self._making = _Coming(order.params, now_ns, made)
            made.add_done_callback(lambda made: ring())
        if self._last is None or self.waits(now_ns):
            return None
        before = otherwise(self._last)
        if engine.is_prepared(before):
            return before
        self._last = None
        return None
