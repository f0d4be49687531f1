"""One engine among those of a server, with its scheduler and whoever replaces both; and what several are together.

Must not know sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..scheduling.suspects import Suspects
from .engine_state import Away, Changes, PutLoras, Stage, State
from .life import ReadyEngine


class Host(Protocol):
    """What keeps one engine running, here or on another machine; see `EngineHost`. Event loop only."""

    state: State
    stage: Stage
    away: Away | None
    error: BaseException | None
    is_closed: bool
    loras: tuple[str, ...]

    @property
    def life(self) -> ReadyEngine | None:
        """The ready engine; None unless `state` is READY."""
        ...

    def start(self) -> None:
        """Begin to load it."""
        ...

    async def stop(self) -> None:
        """Let go of it: the server ends."""
        ...

    async def close(self) -> None:
        """Close it: `is_closed` is set when it is gone."""
        ...

    async def ready_loras(self, loras: tuple[str, ...]) -> PutLoras:
        """See `Engine.ready_loras`. Raises ModelError, EngineError."""
        ...


MakeHost = Callable[[Callable[[object], None], Changes, Suspects], Host]
"""Makes a host.

Args:
    on_life: called at each change of its `state` or `away`.
    changes: told of each change, behind that.
    suspects: whose frames broke engines.
"""

_FIRST = (State.READY, State.AWAY, State.LOADING, State.FAILED)


@dataclass(slots=True, eq=False)
class Worker:
    """An engine host with a name, which sessions are put at. Event loop only.

    Attributes:
        number: 0, 1 and so on; its name in metrics.
        own_device: as the configuration names it; empty where only its machine knows.
        is_drained: no session is put here: those that are here leave, and then the engine is closed.
        name: in addresses, and for people: the number, or what its machine calls it.
    """

    number: int
    own_device: str
    host: Host
    is_drained: bool = False
    name: str = ""

    @property
    def device(self) -> str:
        """As the configuration names it, or the worker."""
        return self.own_device or getattr(self.host, "device", "")

    @property
    def open_life(self) -> ReadyEngine | None:
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


def spares(workers: Sequence[Worker], wanted: int, busy: Collection[Worker]) -> set[Worker]:
    """Those that are kept loaded and without sessions, for when another is lost.

    One that is away is to come back: until then a spare is in its place.

    Args:
        wanted: how many, as far as another is left to work.
        busy: workers that have sessions, and so are no spares.
    """
    in_service = [worker for worker in workers if not worker.is_drained]
    ready = [worker for worker in in_service if worker.open_life is not None]
    to_work = max(1, len(in_service) - wanted)
    idle = [worker for worker in ready if worker not in busy]
    return set(idle[max(0, len(idle) - max(0, len(ready) - to_work)) :])
