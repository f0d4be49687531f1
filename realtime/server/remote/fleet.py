"""The workers of a cluster: found as they come, forgotten when they don't come back, and drained as they go.

Must not know Ray, or how sessions are placed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from ...config import Config
from ..engine_state import State
from ..worker import MakeHost, Worker
from .host import RemoteHost
from .link import Link
from .messages import WorkOrder

log = logging.getLogger(__name__)

FIND_EVERY_S = 1.0
FIND_AGAIN_S = 30.0
"""… after the cluster gave no answer: while Ray waits for its head, calls of workers wait too, for seconds."""
FORGET_S = 60.0
"""How long a worker that the cluster knows no more is kept in mind: until then a spare stands for it."""


class Roster(Protocol):
    """Whoever places sessions at workers."""

    @property
    def workers(self) -> tuple[Worker, ...]:
        """All that have joined."""
        ...

    def join(self, name: str, make: MakeHost) -> Worker:
        """Take one in."""
        ...

    async def leave(self, worker: Worker) -> None:
        """Forget one."""
        ...

    async def drain(self, worker: Worker) -> None:
        """Have its sessions go on elsewhere, and close it. Raises where there is no other."""
        ...


class Cluster(Protocol):
    """Where workers are found."""

    def find(self) -> Mapping[str, Link]:
        """The ways to all workers, by their names. Waits for the cluster; any thread.

        Raises:
            EngineError: it does not answer.
        """
        ...


class Fleet:
    """Keeps a placement's workers those of a cluster.

    Args:
        cluster: where they are found.
        config: of the server.
        roster: the placement.
        clock: monotonic seconds.
    """

    def __init__(
        self, cluster: Cluster, config: Config, roster: Roster, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._order = WorkOrder.of(config, log.getEffectiveLevel())
        self._roster = roster
        self._clock = clock
        self._measured: dict[str, tuple[float, float]] = {}
        self._missed: dict[Worker, float] = {}  # since when the cluster does not know it
        self._draining: set[asyncio.Task[None]] = set()
        self._was_told = False

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            wait_s = FIND_EVERY_S
            try:
                found = await asyncio.to_thread(self._cluster.find)
            except Exception as error:  # workers that have joined are followed by their own signs of life
                log.warning("the Ray cluster does not say which workers it has: %s", error)
                wait_s = FIND_AGAIN_S
            else:
                await self.see(found)
            await asyncio.sleep(wait_s)

    async def see(self, found: Mapping[str, Link]) -> None:
        """Have those join that are new, and those leave that are gone."""
        known = {worker.name: worker for worker in self._roster.workers}
        for name, link in sorted(found.items()):
            if name not in known:
                log.info("%s has joined", name)
                self._roster.join(name, self._maker(name, link))
        for name, worker in known.items():
            await self._look_after(worker, is_there=name in found)

    def _maker(self, name: str, link: Link) -> MakeHost:
        return lambda on_life, changes, suspects: RemoteHost(
            name, link, self._order, on_life, changes, suspects, self._measured
        )

    async def _look_after(self, worker: Worker, *, is_there: bool) -> None:
        host = worker.host
        if is_there:
            self._missed.pop(worker, None)
            if isinstance(host, RemoteHost) and host.is_leaving and not worker.is_drained:
                self._drain(worker)
            return
        since_s = self._missed.setdefault(worker, self._clock())
        is_over = worker.is_drained or (isinstance(host, RemoteHost) and host.is_leaving)
        if host.state is not State.READY and (is_over or self._clock() - since_s > FORGET_S):
            log.info("%s has left", worker.name)
            del self._missed[worker]
            self._measured.pop(worker.name, None)
            await self._roster.leave(worker)

    def _drain(self, worker: Worker) -> None:
        async def drain() -> None:
            try:
                await self._roster.drain(worker)
            except Exception as error:
                log.warning("%s leaves, and its sessions have to wait: %s", worker.name, error)

        task = asyncio.get_running_loop().create_task(drain())
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)
