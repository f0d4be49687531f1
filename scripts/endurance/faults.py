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
from collections.abc import Awaitable, Callable, Generator, Sequence
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
        engines: how many engines the server has while all is well.
    """

    subject: Subject
    cable: Cable
    players: list[Player]
    dice: random.Random
    engines: int = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Attributes:
        strike: does it, and undoes it.
        ends_engine: whether an engine, or several, are gone by it, and nothing else.
        cuts: whether clients may lose their connections by it; they come back.
        ends_server: whether there is another server behind it.
        needs_several: whether it can be done to a server of several engines only.
    """

    strike: Callable[[Scene], Awaitable[None]]
    ends_engine: bool = False
    cuts: bool = False
    ends_server: bool = False
    needs_several: bool = False


# -- the engine's process ----------------------------------------------------------------------------------------------


async def _signal_engines(scene: Scene, number: signal.Signals, *, all_of_them: bool = False) -> None:
    """Send one of the engines a signal, or all, and wait until those processes are gone and there are others."""
    engines = await _engines(scene)
    struck = engines if all_of_them else [scene.dice.choice(engines)]
    for engine in struck:
        _send(engine, number)
    await _replaced(scene, struck, number.name)


async def _engines(scene: Scene) -> list[psutil.Process]:
    """All engines, once they are there: one may still be on its way back from what was done before."""
    await until(lambda: len(scene.subject.engines()) == scene.engines, "all engines are there", in_thread=True)
    return scene.subject.engines()


async def _replaced(scene: Scene, struck: Sequence[psutil.Process], after: str) -> None:
    def are_replaced() -> bool:
        now = scene.subject.engines()
        return not any(each in now for each in struck) and len(now) == scene.engines

    await until(are_replaced, f"other engines, after {after}", in_thread=True)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself, or by something else that is done
        process.send_signal(number)


async def kill_engine(scene: Scene) -> None:
    """As the system does where memory is short."""
    await _signal_engines(scene, signal.SIGKILL)


async def stop_engine(scene: Scene) -> None:
    """A hang."""
    await _signal_engines(scene, signal.SIGSTOP)


async def crash_engine(scene: Scene) -> None:
    """As native code that reads where nothing is."""
    await _signal_engines(scene, signal.SIGSEGV)


async def kill_engines(scene: Scene) -> None:
    """All at once."""
    await _signal_engines(scene, signal.SIGKILL, all_of_them=True)


async def stop_engines(scene: Scene) -> None:
    """All hang."""
    await _signal_engines(scene, signal.SIGSTOP, all_of_them=True)


async def kill_forkserver(scene: Scene) -> None:
    """The process that all engines and decoders are forked from, with which they end."""
    engines = await _engines(scene)
    for parent in {engine.ppid() for engine in engines} - {scene.subject.pid}:
        _send(psutil.Process(parent), signal.SIGKILL)
        await _replaced(scene, engines, "the end of what they are forked from")


async def drain_engine(scene: Scene) -> None:
    """Take one out of service, and back: those who were at it go on at others."""
    await _engines(scene)
    number = scene.dice.randrange(scene.engines)
    await asyncio.to_thread(scene.subject.post, f"api/workers/{number}/drain")
    for player in scene.players:
        await player.progress()
    await asyncio.to_thread(scene.subject.post, f"api/workers/{number}/start")
    await _engines(scene)


async def starve_memory(scene: Scene) -> None:
    """Give an engine no more memory than it has for a while. It may break or live."""
    struck = scene.dice.choice(await _engines(scene))
    with _limited(struck, resource.RLIMIT_AS, struck.memory_info().vms):
        await asyncio.sleep(scene.dice.uniform(*STARVED_S))


# -- decoders' processes -----------------------------------------------------------------------------------------------


async def kill_decoder(scene: Scene) -> None:
    """One, whatever it is at."""
    if decoders := scene.subject.decoders():
        _send(scene.dice.choice(decoders), signal.SIGKILL)


async def stop_decoder(scene: Scene) -> None:
    """One hangs."""
    if decoders := scene.subject.decoders():
        _send(scene.dice.choice(decoders), signal.SIGSTOP)


async def kill_decoders(scene: Scene) -> None:
    """All at once."""
    for decoder in scene.subject.decoders():
        _send(decoder, signal.SIGKILL)


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
    "kill_engines": Kind(kill_engines, ends_engine=True, needs_several=True),
    "stop_engines": Kind(stop_engines, ends_engine=True, needs_several=True),
    "drain_engine": Kind(drain_engine, needs_several=True),
    "starve_memory": Kind(starve_memory),
    "kill_forkserver": Kind(kill_forkserver),
    "kill_decoder": Kind(kill_decoder),
    "stop_decoder": Kind(stop_decoder),
    "kill_decoders": Kind(kill_decoders),
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
OF_ONE = tuple(name for name, kind in KINDS.items() if not kind.needs_several)
"""What can be done to a server of one engine."""
