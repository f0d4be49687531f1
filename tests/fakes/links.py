"""Workers on other machines without machines or Ray: what is called crosses as bytes; a worker can freeze or die."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.server.engine_host import Load
from realtime.server.remote.worker_actor import WorkerActor


def echo_of(milliseconds: float = 2.0, **options: Any) -> Callable[[Config], Load]:
    """Chooses an echo engine, whatever the configuration says."""

    def load(config: Config, progress: Progress) -> Engine:
        return EchoEngine(milliseconds, max_rows=config.max_rows, **options)

    return lambda config: load


class DirectLink:
    """Implements `Link` for an actor on this event loop.

    Attributes:
        actor: the worker; another is one that Ray has started again.
        is_frozen: nothing is answered until `thaw`.
        is_dead: every call fails.
        calls: names of the methods that were called.
    """

    def __init__(self, actor: WorkerActor) -> None:
        self.actor = actor
        self.is_frozen = self.is_dead = False
        self.calls: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Future[Any], str, bytes]] = []
        self._under_way: set[Future[Any]] = set()

    def call(self, method: str, *arguments: object) -> Future[Any]:
        self.calls.append(method)
        future: Future[Any] = Future()
        self._under_way.add(future)
        crossing = pickle.dumps(arguments)
        self._loop.call_soon_threadsafe(self._arrive, future, method, crossing)
        return future

    def _arrive(self, future: Future[Any], method: str, crossing: bytes) -> None:
        if self.is_dead:
            self._fail(future)
        elif self.is_frozen:
            self._waiting.append((future, method, crossing))
        else:
            task = self._loop.create_task(getattr(self.actor, method)(*pickle.loads(crossing)))
            task.add_done_callback(lambda done: self._answer(future, done))

    def _answer(self, future: Future[Any], done: asyncio.Task[Any]) -> None:
        if self.is_frozen:
            self._waiting.append((future, "", b""))
        elif future not in self._under_way or done.cancelled():
            return
        elif (error := done.exception()) is not None:
            self._under_way.discard(future)
            future.set_exception(error)
        else:
            self._under_way.discard(future)
            future.set_result(pickle.loads(pickle.dumps(done.result())))

    def _fail(self, future: Future[Any]) -> None:
        if future in self._under_way:
            self._under_way.discard(future)
            future.set_exception(ConnectionError("the actor has died"))

    def thaw(self) -> None:
        """Go on. What was answered meanwhile is lost."""
        self.is_frozen = False
        waiting, self._waiting = self._waiting, []
        for future, method, crossing in waiting:
            if method:
                self._arrive(future, method, crossing)
            else:
                self._fail(future)

    def die(self) -> None:
        """Fail every call, also those that are not answered yet."""
        self.is_dead = True
        for future in list(self._under_way):
            self._fail(future)

    def begin_anew(self, actor: WorkerActor) -> None:
        """Be another process of the same name."""
        self.is_dead, self.actor = False, actor
