"""Whose frames an engine had when it broke: so that what breaks it every time is found, and set aside.

Must not know the engine, or how it is replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..errors import FrameError
from ..frame import Order

ASIDE_S, ASIDE_MAX_S = 10.0, 600.0
"""How long frames are set aside after a second break; twice as long after each further one."""


@dataclass(slots=True)
class _Suspicion:
    """Against one session.

    Attributes:
        version: of its params.
        breaks: of the engine in a row, at its frames with these params.
        until_ns: until when its frames are set aside.
    """

    version: int
    breaks: int = 0
    until_ns: int = 0


class Suspects:
    """Sessions that may have broken an engine. It outlives the engines; the engine thread's.

    All that an engine had as it broke are suspected, until one of their frames comes out of the next. Meanwhile they
    are run alone (the scheduler does), so the next break tells whose frame it was.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._suspicions: dict[str, _Suspicion] = {}

    def __contains__(self, session: object) -> bool:
        """Whether the session of this name is suspected."""
        return session in self._suspicions

    def must_run_alone(self, session: str, version: int) -> bool:
        """Whether the next frame of a session, with params of this version, is to be run alone."""
        return session in self and not self._is_aside(session, version)

    def _is_aside(self, session: str, version: int) -> bool:
        known = self._suspicions.get(session)
        return known is not None and known.version == version and known.until_ns > self._clock()

    def broke(self, orders: Collection[Order]) -> str | None:
        """An engine has broken while it had these.

        Returns:
            The name of a session that is to blame, as its frames break every engine; None while nobody is.
        """
        versions = {order.session: order.params.version for order in orders}
        for session, version in versions.items():
            known = self._suspicions.get(session)
            if known is None or known.version != version:
                known = self._suspicions[session] = _Suspicion(version)
            known.breaks += 1
            if known.breaks > 1 and len(versions) == 1:
                seconds = min(ASIDE_MAX_S, ASIDE_S * 2.0 ** (known.breaks - 2))
                known.until_ns = self._clock() + int(seconds * 1e9)
                return session
        return None

    def cleared(self, order: Order) -> None:
        """A frame has come out of the engine."""
        self._suspicions.pop(order.session, None)

    def forget(self, session: str) -> None:
        """The session is over."""
        self._suspicions.pop(session, None)

    def refusal(self, order: Order) -> FrameError | None:
        """Why this frame is set aside; None where it may run."""
        if not self._is_aside(order.session, order.params.version):
            return None
        known = self._suspicions[order.session]
        left_s = (known.until_ns - self._clock()) / 1e9
        return FrameError(
            f"the engine broke {known.breaks} times in a row on this session's frames: change the params, "
            f"or wait {left_s:.0f} s",
            "set_aside",
        )
