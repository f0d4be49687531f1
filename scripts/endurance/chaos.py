"""Harms a server again and again under live clients, and looks each time what is left.

Must not know how a fault is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import psutil

from realtime.params import OutputFormat

from .cable import Cable
from .census import Census
from .errors import EnduranceError
from .faults import KINDS, OF_ONE, Scene
from .players import Player, frames
from .report import Report
from .subject import Subject
from .trial import try_out
from .vandals import bad_pictures
from .waiting import PATIENCE_S, until
from .watchers import by_websocket, watch_for_ever

if TYPE_CHECKING:
    from .callers import Caller

OPTIONS = ("--engine-process", "--log-level", "warning")
"""Of every server."""
BESIDE_EVERY_S = (0.3, 1.5)
"""Least and most time between two faults of `ChaosPlan.beside`."""
MENDED_S = 10.0
"""How long clients have to get pictures again before the next of those. A decoder that is spawned on a busy machine
imports for seconds: one that is killed each time before it has begun says nothing of the server."""
VANDALS_FPS = 5.0


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """What is to be done.

    Attributes:
        kinds: names in `KINDS`, of which each round draws one.
        beside: of which one is done again and again, whatever the rounds do.
        clients: by WebSocket.
        formats: of their pictures, in turns.
        callers: clients by WebRTC.
        vandals: clients of each way whose pictures are damaged.
        engines: of the server.
        spawns: see `Subject`.
        settle_s: time between two rounds.
    """

    seed: int
    rounds: int
    kinds: Sequence[str] = OF_ONE
    model: str = "echo:10"
    options: Sequence[str] = ()
    clients: int = 4
    fps: float = 15.0
    settle_s: float = 0.0
    beside: Sequence[str] = ()
    formats: Sequence[OutputFormat] = (OutputFormat.JPEG,)
    callers: int = 0
    vandals: int = 0
    engines: int = 1
    spawns: bool = False

    def draw(self) -> list[tuple[str, int]]:
        """The rounds: a kind of fault, and the seed of its own chance. The same for the same plan."""
        dice = random.Random(self.seed)
        return [(dice.choice(self.kinds), dice.getrandbits(32)) for _ in range(self.rounds)]

    def of_server(self) -> tuple[str, ...]:
        """Its options."""
        devices = ("--devices", ",".join(["cpu"] * self.engines)) if self.engines > 1 else ()
        return (*OPTIONS, *devices, *self.options)


@dataclass(slots=True)
class _Run:
    """A run so far.

    Attributes:
        vandals: who is only to be answered.
    """

    plan: ChaosPlan
    subject: Subject
    cable: Cable
    players: list[Player]
    callers: list[Caller]
    vandals: list[Player | Caller]
    gaps_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    video_gaps_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    besides: Counter[str] = field(default_factory=Counter[str])
    problems: list[str] = field(default_factory=list[str])

    @property
    def clients(self) -> list[Player | Caller]:
        """Those who are to be served."""
        return [*self.players, *self.callers]

    def scene(self, seed: int) -> Scene:
        """What a fault is done to."""
        return Scene(self.subject, self.cable, self.players, random.Random(seed), self.plan.engines)

    async def round(self, name: str, seed: int, before: Census) -> Census:
        """Do a fault, wait until all are served again, and look what is left; returns what to compare the next to."""
        connections = [client.connections for client in self.clients]
        for client in self.clients:
            client.account.begin_gap(time.monotonic())
        await KINDS[name].strike(self.scene(seed))
        await self.subject.until_ready(name)
        for client in self.clients:
            await client.progress()
        self.gaps_s.setdefault(name, []).append(_longest_gap_s(self.players))
        self.video_gaps_s.setdefault(name, []).append(_longest_gap_s(self.callers))
        if not KINDS[name].cuts and connections != [client.connections for client in self.clients]:
            self.problems.append(f"{name}: a client has lost its connection")
        after = self.subject.census() if KINDS[name].ends_server else before
        return await self._level(name, after)

    async def harm_beside(self) -> None:
        """Do the faults of `ChaosPlan.beside` for ever."""
        dice = random.Random(self.plan.seed + 1)
        while self.plan.beside:
            await asyncio.sleep(dice.uniform(*BESIDE_EVERY_S))
            name = dice.choice(self.plan.beside)
            with contextlib.suppress(psutil.NoSuchProcess):  # the server itself has ended just now
                await KINDS[name].strike(self.scene(dice.getrandbits(32)))
                self.besides[name] += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MENDED_S):
                    for client in self.clients:
                        await client.progress(1)

    async def _level(self, name: str, before: Census) -> Census:
        """Wait until the server holds no more than before."""
        try:
            await until(lambda: not self.subject.census().more_than(before), name, in_thread=True)
        except EnduranceError:
            for what, (then, now) in self.subject.census().more_than(before).items():
                self.problems.append(f"{name}: {now} {what}, and {then} before")
            return self.subject.census()  # said once
        return before


def _longest_gap_s(clients: Sequence[Player | Caller]) -> float:
    return max((client.account.longest_gap_s(time.monotonic()) for client in clients), default=0.0)


async def chaos(plan: ChaosPlan) -> Report:
    """Run a plan. See `try_out`."""
    return await try_out("chaos", plan.model, plan.of_server(), partial(_harm, plan), spawns=plan.spawns)


async def _harm(plan: ChaosPlan, subject: Subject, report: Report) -> None:
    seen: Counter[str] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        cable = await stack.enter_async_context(Cable(subject.port).plugged())
        run = _cast(plan, subject, cable)
        for client in (*run.clients, *run.vandals):
            await stack.enter_async_context(client.playing())
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        url = f"http://127.0.0.1:{cable.port}/"
        others = [
            tasks.create_task(watch_for_ever(by_websocket, url, run.players[0].session, seen, PATIENCE_S)),
            tasks.create_task(run.harm_beside()),
        ]
        try:
            await _rounds(plan, run)
            others.pop().cancel()
            for client in (*run.clients, *run.vandals):
                await client.settle()
        finally:
            for task in others:
                task.cancel()
            _write(plan, run, seen, report)
        subject_end = await subject.end(signal.SIGTERM)
        if subject_end != 0:
            run.problems.append(f"the server has ended with {subject_end}")
    report.problems += run.problems


def _cast(plan: ChaosPlan, subject: Subject, cable: Cable) -> _Run:
    """Make those who take part."""
    url = f"http://127.0.0.1:{cable.port}/"
    players = [
        Player(
            url, f"chaos-{i}", plan.fps, is_still=i % 2 == 1, pictures=frames(plan.formats[i % len(plan.formats)])
        )
        for i in range(plan.clients)
    ]  # fmt: skip
    vandals: list[Player | Caller] = []
    for i in range(plan.vandals):
        vandal = Player(url, f"vandal-{i}", VANDALS_FPS, pictures=bad_pictures(plan.seed + i))
        vandal.account.may_be_black = True
        vandals.append(vandal)
    callers: list[Caller] = []
    if plan.callers:
        from .callers import Caller

        callers = [Caller(url, f"caller-{i}") for i in range(plan.callers)]
        vandals += [Caller(url, f"bad-caller-{i}", plan.seed + i) for i in range(plan.vandals)]
    return _Run(plan, subject, cable, players, callers, vandals)


async def _rounds(plan: ChaosPlan, run: _Run) -> None:
    await until(lambda: len(run.subject.engines()) == plan.engines, "all engines are there", in_thread=True)
    for client in run.clients:
        await client.progress(20)
    level = run.subject.census()
    for number, (name, seed) in enumerate(plan.draw(), 1):
        await asyncio.sleep(plan.settle_s)
        level = await run.round(name, seed, level)
        video = f", of video {run.video_gaps_s[name][-1]:6.2f} s" if run.callers else ""
        print(f"{number:3} {name:20} gap {run.gaps_s[name][-1]:6.2f} s{video}", file=sys.stderr, flush=True)


def _write(plan: ChaosPlan, run: _Run, seen: Counter[str], report: Report) -> None:
    for name, gaps_s in sorted(run.gaps_s.items()):
        row = {"times": len(gaps_s), "median_gap_s": statistics.median(gaps_s), "longest_gap_s": max(gaps_s)}
        if run.callers:
            row["longest_video_gap_s"] = max(run.video_gaps_s[name])
        report.rows.append({"fault": name, **{key: round(value, 3) for key, value in row.items()}})
    said = asdict(plan)
    del said["kinds"]
    accounts = [client.account for client in run.clients]
    report.facts |= {
        **said,
        "starts": run.subject.starts,
        "fates": dict(sum((account.fates for account in accounts), Counter[str]())),
        "vandals_fates": dict(sum((vandal.account.fates for vandal in run.vandals), Counter[str]())),
        "beside": dict(run.besides),
        "watched": dict(seen),
        "sequence": [name for name, _ in plan.draw()],
    }
    run.problems += [problem for client in (*run.clients, *run.vandals) for problem in client.account.problems]
