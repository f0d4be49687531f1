"""Engines for processes of their own, which fail as the prompt says: loaded by name, so functions of a module."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from realtime.config import Config, EngineConfig
from realtime.engine import Engine, LoraChange, Progress
from realtime.engine.echo import EchoEngine
from realtime.engine_process.engine import EngineProcess
from realtime.engine_process.patience import Limits
from realtime.errors import FrameError, ModelError
from realtime.frame import Failure, Job, Order, Result
from realtime.pixels import Pixels

QUICK = Limits(tick_s=0.5, tick_factor=10, climbing_s=0.5, first_s=0.5, loading_s=20, closing_s=10)
"""A hang is seen after half a second, also of a first tick; as the engine here has no model."""

SLOW_S = 3.0


class Faults:
    """Does what the first word of the prompt says; nothing for any other."""

    def __init__(self) -> None:
        self._is_sick = False

    def __call__(self, job: Job) -> None:
        match str(job.params.prompt).split(" ")[0]:
            case "abort":
                os.abort()
            case "null":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "hang":
                time.sleep(3600)
            case "memory":
                raise MemoryError
            case "exit":
                os._exit(3)
            case "nan":
                raise FrameError("not a number", "nan")
            case "sick":
                self._is_sick = True
        if self._is_sick:
            raise FrameError("not a number any more", "nan")


def load_faulty(config: EngineConfig, progress: Progress) -> Engine:
    """An engine that fails as the prompt says; from "sick" on it makes no picture any more."""
    _, _, tick_ms = config.model.partition(":")
    return EchoEngine(float(tick_ms or 0), config.max_rows, Faults())


def load_for_two_rows(config: EngineConfig, progress: Progress) -> Engine:
    """As on a device whose memory suffices for no more."""
    return EchoEngine(max_rows=2)


class Climbing(EchoEngine):
    """Is slow at the prompts "climb" and "slow"; with the first it says that other code runs ticks from now on."""

    def _admit(self, job: Job) -> Result | Failure:
        if job.params.prompt in ("climb", "slow"):
            if job.params.prompt == "climb":
                self.info = replace(self.info, rung=replace(self.info.rung, name="faster"))
            time.sleep(SLOW_S)
        return super()._admit(job)


def load_climbing(config: EngineConfig, progress: Progress) -> Engine:
    """An engine with a faster rung to come."""
    return Climbing()


class Dressing(EchoEngine):
    """Takes its time to put LoRAs on; with one that is called "endless" without end."""

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        return LoraChange(lambda: self._put("endless" in loras))

    def _put(self, is_endless: bool) -> Future[None]:
        time.sleep(3600 if is_endless else SLOW_S)
        done = Future[None]()
        done.set_result(None)
        return done


def load_dressing(config: EngineConfig, progress: Progress) -> Engine:
    """An engine that is slow to put LoRAs on."""
    return Dressing()


def load_nothing(config: EngineConfig, progress: Progress) -> Engine:
    progress("looking for it", 50.0)
    raise ModelError("there is no such model")


def load_killed_when_tried(config: EngineConfig, progress: Progress) -> Engine:
    """An engine whose process dies at the first frame that is no session's, if its model is not the first one's."""

    def fault(job: Job) -> None:
        if config.model != "echo:5":
            os.kill(os.getpid(), signal.SIGKILL)

    return EchoEngine(fault=fault)


def load_without_end(config: EngineConfig, progress: Progress) -> Engine:
    """An engine that is never ready where its model is not the first one's; says so once."""
    if config.model != "echo:5":
        progress("reading", 40.0)
        time.sleep(3600)
    return EchoEngine()


def load_and_crash(config: EngineConfig, progress: Progress) -> Engine:
    os.abort()


def load_and_stop(config: EngineConfig, progress: Progress) -> Engine:
    os.kill(os.getpid(), signal.SIGSTOP)
    return EchoEngine()


def in_a_process(
    load: Callable[[EngineConfig, Progress], Engine] = load_faulty, limits: Limits = QUICK
) -> Callable[..., EngineProcess]:
    """Loads an engine in a process of its own, as a server does."""

    def load_process(config: Config, progress: Progress = lambda stage, percent: None) -> EngineProcess:
        return EngineProcess(config, progress, load, limits)

    return load_process


class ShowingHints(EchoEngine):
    """Answers with the sum of a job's hints."""

    def _admit(self, job: Job) -> Result | Failure:
        outcome = super()._admit(job)
        if isinstance(outcome, Failure):
            return outcome
        return replace(outcome, picture=sum(job.hints.values(), start=job.picture * 0))


def load_showing_hints(config: EngineConfig, progress: Progress) -> Engine:
    """An engine that shows what it is shown."""
    return ShowingHints()


class Encoding(EchoEngine):
    """Makes beside its ticks what is asked for: "held" when a frame comes with the prompt "go on". Answers with the
    references that it was given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, prepares_beside=True)
        self._may_go_on = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._seen: dict[str, Pixels] = {}

    def is_prepared(self, order: Order) -> bool:
        return False

    def prepare_beside(self, order: Order) -> Future[int]:
        self._seen |= order.references
        is_held = order.params.prompt == "held"
        return self._thread.submit(lambda: int(not is_held or self._may_go_on.wait(60)))

    def _admit(self, job: Job) -> Result | Failure:
        if job.params.prompt == "go on":
            self._may_go_on.set()
        outcome = super()._admit(job)
        if isinstance(outcome, Failure) or not job.references:
            return outcome
        (reference,) = job.references
        return replace(outcome, picture=job.picture * 0 + self._seen[reference].max())

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        done = Future[None]()
        done.set_result(None)
        return LoraChange(lambda: done)


def load_encoding(config: EngineConfig, progress: Progress) -> Engine:
    """An engine that makes things beside its ticks."""
    return Encoding()
