"""The states of an engine's life, why one is away, and who is told of changes: what all of the server may ask for.

Must not know engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class State(Enum):
    """LOADING → READY ⇄ AWAY; STOPPED and FAILED are final."""

    LOADING = auto()
    READY = auto()
    AWAY = auto()
    """The engine broke, and another is loaded; or it hangs, and may come back."""
    STOPPED = auto()
    FAILED = auto()


class Changes:
    """Tells those who wait that something has changed. Event loop only."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """An event for the next change, and for no later one. Get it before looking at what may change, or a change
        between is missed.
        """
        return self._next

    def tell(self) -> None:
        """Something has changed."""
        self._next.set()
        self._next = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage of loading.

    Attributes:
        name: a phrase for people.
        percent: 0 to 100; None where no percentage is known.
    """

    name: str = "starting"
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """Why the engine is away, and for how long.

    Attributes:
        reason: a sentence for people: how it broke, that it hangs, or why another can't be loaded.
        since_ns: our monotonic clock when it broke, or was seen to hang.
        back_ns: when another should be ready, by the time that the last one took to load; when one that hangs is given
            up.
        tries: how many could not be loaded since.
    """

    reason: str
    since_ns: int
    back_ns: int
    tries: int = 0


class PutLoras(NamedTuple):
    """LoRAs that fit an engine.

    Attributes:
        put: has them in force and no others, and returns when they are. Raises ModelError where that can't be: then
            those before are. Raises EngineError where the engine has broken.
        notes: see `LoraChange`.
    """

    put: Callable[[], Awaitable[None]]
    notes: tuple[str, ...] = ()
