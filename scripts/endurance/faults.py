"""What is done to a server, each undone again by itself.

Must not know what is looked at behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass

import psutil

from .cable import Cable
from .players import Player
from .subject import Subject
from .waiting import until

FROZEN_S = (0.3, 2.0)
"""How long a server stands still, and a network; least and most."""
STARVED_S = (1.0, 3.0)
"""How long there are no descriptors, and no memory."""
VISITORS = 16
"""Connections that come while there are no descriptors."""
NOT_WRITTEN = "can't be written"
"""What the server says of its state then."""
FULL_BYTES = 16
"""The largest file on a full disk."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault is done to.

    Attributes:
        dice: of this fault alone.
    """

    subject: Subject
    cable: Cable
    players: list[Player]
    dice: random.Random


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        strike: does it, and undoes it.
        ends_engine: whether the engine is gone by it, and nothing else.
        cuts: whether clients may lose their connections by it; they come back.
        ends_server: whether there is another server behind it.
    """

    strike: Callable[[Scene], Awaitable[None]]
    ends_engine: bool = False
    cuts: bool = False
    ends_server: bool = False


# -- the engine's process ----------------------------------------------------------------------------------------------


async def _signal_engine(scene: Scene, number: signal.Signals) -> None:
    """Send one of the engines a signal, and wait until that process is gone and there is another."""
    engines = scene.subject.engines()
    struck = scene.dice.choice(engines)
    struck.send_signal(number)

    def is_replaced() -> bool:
        now = scene.subject.engines()
        return struck not in now and len(now) == len(engines)

    await until(is_replaced, f"another engine, after {number.name}", in_thread=True)


async def kill_engine(scene: Scene) -> None:
    """As the system does where memory is short."""
    await _signal_engine(scene, signal.SIGKILL)


async def stop_engine(scene: Scene) -> None:
    """A hang."""
    await _signal_engine(scene, signal.SIGSTOP)


async def crash_engine(scene: Scene) -> None:
    """As native code that reads where nothing is."""
    await _signal_engine(scene, signal.SIGSEGV)


async def starve_memory(scene: Scene) -> None:
    """Give an engine no more memory than it has for a while. It may break or live."""
    struck = scene.dice.choice(scene.subject.engines())
    with _limited(struck, resource.RLIMIT_AS, struck.memory_info().vms):
        await asyncio.sleep(scene.dice.uniform(*STARVED_S))


# -- the server --------------------------------------------------------------------------------------------------------


async def kill_server(scene: Scene) -> None:
    """SIGKILL, and another server at the same address."""
    await scene.subject.end(signal.SIGKILL)
    await scene.subject.start()


async def end_server(scene: Scene) -> None:
    """SIGTERM, and another server at the same address."""
    await scene.subject.end(signal.SIGTERM)
    await scene.subject.start()


async def freeze_server(scene: Scene) -> None:
    """A machine that sleeps: to the server its clocks jump."""
    scene.subject.signal(signal.SIGSTOP)
    await asyncio.sleep(scene.dice.uniform(*FROZEN_S))
    scene.subject.signal(signal.SIGCONT)


# -- what it lives on --------------------------------------------------------------------------------------------------


async def fill_disk(scene: Scene) -> None:
    """Let no file grow while a session's params change; behind it they are to be kept."""
    subject = scene.subject
    player = scene.dice.choice(scene.players)
    assert player.stream is not None
    subject.said.clear()
    with _limited(psutil.Process(subject.pid), resource.RLIMIT_FSIZE, FULL_BYTES):
        await player.stream.update(prompt=f"full {scene.dice.random()}")
        await until(
            lambda: any(NOT_WRITTEN in line for line in tuple(subject.said)), "the server says that it can't write"
        )
    prompt = f"kept {scene.dice.random()}"
    await player.stream.update(prompt=prompt)
    await until(lambda: prompt in subject.state.read_text(), "what was changed is kept")


async def starve_descriptors(scene: Scene) -> None:
    """Leave the server no descriptor to open while many come; who is on stays, and the next visitor is served."""
    subject = scene.subject
    process = psutil.Process(subject.pid)
    with contextlib.ExitStack() as stack, _limited(process, resource.RLIMIT_NOFILE, process.num_fds()):
        for _ in range(VISITORS):
            visitor = stack.enter_context(socket.socket())
            visitor.connect(("127.0.0.1", subject.port))
        await asyncio.sleep(scene.dice.uniform(*STARVED_S))
        for player in scene.players:
            await player.progress()
    await until(lambda: subject.status_of("healthz") == 200, "the server takes connections again", in_thread=True)


@contextlib.contextmanager
def _limited(process: psutil.Process, which: int, most: int) -> Generator[None]:
    """Lower a process's limit while the block runs."""
    before = process.rlimit(which)
    process.rlimit(which, (most, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(which, before)


# -- the network -------------------------------------------------------------------------------------------------------


async def cut_network(scene: Scene) -> None:
    """Reset every connection."""
    scene.cable.cut()


async def lose_clients(scene: Scene) -> None:
    """Reset every connection at the clients; at the server they stay open, in silence."""
    scene.cable.vanish()


async def hold_network(scene: Scene) -> None:
    """Let nothing through for a while."""
    scene.cable.hold()
    await asyncio.sleep(scene.dice.uniform(*FROZEN_S))
    scene.cable.go_on()


KINDS = {
    "kill_engine": Kind(kill_engine, ends_engine=True),
    "stop_engine": Kind(stop_engine, ends_engine=True),
    "crash_engine": Kind(crash_engine, ends_engine=True),
    "starve_memory": Kind(starve_memory),
    "kill_server": Kind(kill_server, cuts=True, ends_server=True),
    "end_server": Kind(end_server, cuts=True, ends_server=True),
    "freeze_server": Kind(freeze_server),
    "fill_disk": Kind(fill_disk),
    "starve_descriptors": Kind(starve_descriptors),
    "cut_network": Kind(cut_network, cuts=True),
    "lose_clients": Kind(lose_clients, cuts=True),
    "hold_network": Kind(hold_network),
}
"""By their names. The wall clock is not among them: setting it would reach the whole machine; tickets and what is kept
are tested with clocks of their own.
"""
