"""One engine among those of a server, with its scheduler and whoever replaces both; and what several are together.

Must not know sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .engine_host import Away, EngineHost, State
from .life import Life

_FIRST = (State.READY, State.AWAY, State.LOADING, State.FAILED)


@dataclass(slots=True, eq=False)
class Worker:
    """An engine host with a name, which sessions are put at. Event loop only.

    Attributes:
        number: 0, 1 and so on; its name in addresses and metrics.
        device: as the configuration names it.
        is_drained: no session is put here: those that are here leave, and then the engine is closed.
    """

    number: int
    device: str
    host: EngineHost
    is_drained: bool = False

    @property
    def open_life(self) -> Life | None:
        """The engine, where it is ready and sessions may be put here."""
        return None if self.is_drained else self.host.life

    @property
    def jobs(self) -> int:
        """Frames that its engine has and has not given back yet."""
        return self.host.life.scheduler.jobs if self.host.life is not None else 0

    @property
    def state(self) -> str:
        """In a word, for people and programs."""
        if self.is_drained:
            return "drained" if self.host.is_closed else "draining"
        return self.host.state.name.lower()

    @property
    def reason(self) -> str | None:
        """Why it is not ready, in words; None where it is, or was drained."""
        host = self.host
        match host.state:
            case State.AWAY if host.away is not None:
                return host.away.reason
            case State.FAILED:
                return str(host.error) or type(host.error).__name__
            case State.LOADING:
                return host.stage.name
            case _:
                return None


def state_of(workers: Sequence[Worker]) -> State:
    """The state of all together: of those that are not drained the one that is nearest to READY."""
    states = {worker.host.state for worker in workers if not worker.is_drained}
    return next((state for state in _FIRST if state in states), State.STOPPED)


def first_back(workers: Sequence[Worker]) -> tuple[Worker, Away] | None:
    """Of the workers that are away, the one that should be back first; None where there is none."""
    away = [(worker, worker.host.away) for worker in workers if not worker.is_drained]
    return min(
        ((worker, gap) for worker, gap in away if gap is not None), key=lambda each: each[1].back_ns, default=None
    )
