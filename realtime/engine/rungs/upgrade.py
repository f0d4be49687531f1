"""The upgrade to a faster rung while frames flow: a thread that has things made in child processes and hands them over.

Must not know rows, the scheduler, or how a rung works.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .builder import Builder, Task

if TYPE_CHECKING:
    from ...config import ModelConfig
    from ..backend import Backend
    from ..state import RungState

_log = logging.getLogger(__name__)

StartBuilder = Callable[["ModelConfig", Task], Builder]
"""Starts a child process that runs a task; tests bring their own."""


class Meanwhile(NamedTuple):
    """An upgrade's state. The upgrade's thread replaces it as a whole, other threads read it.

    Attributes:
        doing, failed: as in `RungState`; at most one of them is set.
    """

    doing: str | None = None
    failed: str = ""


IDLE = Meanwhile()

_running: set[Upgrade] = set()


class Upgrade:
    """A thread that makes a faster rung while a slower one serves. A failure is logged, and the slower one stays.

    Args:
        config: names the model that the builder loads.
        adopt: hands the engine its new backend; called in the upgrade's thread.
        start_builder: starts a child process that runs a task.
        obstacle: why there is no room for a child process now; empty where there is.

    Attributes:
        closing: set by `close`; the work is to end then.
    """

    def __init__(
        self,
        config: ModelConfig,
        adopt: Callable[[Backend], None],
        start_builder: StartBuilder = Builder,
        obstacle: Callable[[], str] = lambda: "",
    ) -> None:
        self.closing = threading.Event()
        self._config = config
        self._adopt = adopt
        self._start_builder = start_builder
        self._obstacle = obstacle
        self._builder: Builder | None = None
        self._lock = threading.Lock()
        self._meanwhile = IDLE
        self._thread: threading.Thread | None = None

    def beside(self, rung: RungState) -> RungState:
        """A rung's state with this upgrade's `doing`, `failed` and `climbs`. Any thread."""
        doing, failed = self._meanwhile
        goes_on = self._thread is not None and self._thread.is_alive() and not self.closing.is_set()
        return replace(rung, doing=doing, failed=failed, climbs=goes_on)

    def goes_on_with(self, config: ModelConfig) -> None:
        """Have children from now on load the model of this configuration."""
        self._config = config

    def start(self, work: Work) -> None:
        """Start the thread with this work."""
        _running.add(self)
        self._thread = threading.Thread(target=self._run, args=(work,), name="upgrade", daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """As `close`, but wait for no thread: it ends soon, and hands nothing over any more."""
        self.closing.set()
        with self._lock:
            if self._builder is not None:
                self._builder.close()

    def close(self) -> None:
        """Kill the builder, set `closing`, and wait for the thread."""
        self.retire()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def abandon(self) -> None:
        """As `close`, but wait for no thread, and remove the builder's files."""
        self.closing.set()
        with self._lock:
            if self._builder is not None:
                self._builder.abandon()

    # -- for `work`, in the upgrade's thread ------------------------------------------------------------------------

    def make(self, what: str, task: Task, on_message: Callable[[Mapping[str, Any]], None]) -> bool:
        """Run a task in a child process, and wait for it.

        Args:
            what: what it makes, for people.
            task: the task.
            on_message: called with each of its messages.

        Returns:
            True if there was room for it, the task succeeded and the upgrade is not closing. A failure is logged and in
            `beside`.
        """
        if why := self._obstacle():
            self.give_up(what, why)
            return False
        _log.info("%s is being made", what)
        self._meanwhile = Meanwhile(doing=what)
        with self._lock:
            if self.closing.is_set():
                return False
            builder = self._builder = self._start_builder(self._config, task)
        try:
            for message in builder.messages():
                on_message(message)
            reason = builder.outcome()
        finally:
            with self._lock:
                self._builder = None
            builder.dispose()
        if reason and not self.closing.is_set():
            self.give_up(what, reason)
        else:
            self._meanwhile = IDLE
        return not reason and not self.closing.is_set()

    def give_up(self, what: str, reason: object) -> None:
        """Log, and show in `beside`, that `what` could not be made and why."""
        _log.warning("%s can't be made, the rung stays as it is: %s", what, reason)
        self._meanwhile = Meanwhile(failed=f"no {what}: {reason}")

    def arrive(self, backend: Backend) -> None:
        """Hand the engine a faster backend, unless the upgrade is closing."""
        with self._lock:  # behind `retire` nothing may come
            if not self.closing.is_set():
                self._meanwhile = IDLE
                self._adopt(backend)

    def _run(self, work: Work) -> None:
        try:
            work(self)
        except Exception as error:  # compilers and converters may raise any exception, and a slower rung serves
            _log.debug("the upgrade ended", exc_info=True)
            self.give_up("a faster rung", f"{type(error).__name__}: {error}")
        finally:
            _running.discard(self)


def abandon_upgrades() -> None:
    """Abandon all upgrades that run: for a process that leaves beside a busy engine, which closes none."""
    for upgrade in tuple(_running):
        upgrade.abandon()


Work = Callable[[Upgrade], None]
"""The function of an upgrade's thread: calls `make` and `arrive`, and returns soon after `closing` is set."""
