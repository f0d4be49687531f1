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
from dataclasses import dataclass, field
from functools import partial

from .cable import Cable
from .census import Census
from .errors import EnduranceError
from .faults import KINDS, Scene
from .players import Player
from .report import Report
from .subject import Subject
from .trial import try_out
from .waiting import PATIENCE_S, until
from .watchers import by_websocket, watch_for_ever

OPTIONS = ("--engine-process", "--log-level", "warning")
"""Of every server."""


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """What is to be done.

    Attributes:
        kinds: names in `KINDS`, of which each round draws one.
        settle_s: time between two rounds.
    """

    seed: int
    rounds: int
    kinds: Sequence[str] = tuple(KINDS)
    model: str = "echo:10"
    options: Sequence[str] = ()
    clients: int = 4
    fps: float = 15.0
    settle_s: float = 0.0

    def draw(self) -> list[tuple[str, int]]:
        """The rounds: a kind of fault, and the seed of its own chance. The same for the same plan."""
        dice = random.Random(self.seed)
        return [(dice.choice(self.kinds), dice.getrandbits(32)) for _ in range(self.rounds)]


@dataclass(slots=True)
class _Run:
    """A run so far."""

    subject: Subject
    cable: Cable
    players: list[Player]
    gaps_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    problems: list[str] = field(default_factory=list[str])

    async def round(self, name: str, seed: int, before: Census) -> Census:
        """Do a fault, wait until all are served again, and look what is left; returns what to compare the next to."""
        connections = [_connections(player) for player in self.players]
        for player in self.players:
            player.account.begin_gap(time.monotonic())
        await KINDS[name].strike(Scene(self.subject, self.cable, self.players, random.Random(seed)))
        await self.subject.until_ready(name)
        for player in self.players:
            await player.progress()
        gap_s = max(player.account.longest_gap_s(time.monotonic()) for player in self.players)
        self.gaps_s.setdefault(name, []).append(gap_s)
        if not KINDS[name].cuts and connections != [_connections(player) for player in self.players]:
            self.problems.append(f"{name}: a client has lost its connection")
        after = self.subject.census() if KINDS[name].ends_server else before
        return await self._level(name, after)

    async def _level(self, name: str, before: Census) -> Census:
        """Wait until the server holds no more than before."""
        try:
            await until(lambda: not self.subject.census().more_than(before), name, in_thread=True)
        except EnduranceError:
            for what, (then, now) in self.subject.census().more_than(before).items():
                self.problems.append(f"{name}: {now} {what}, and {then} before")
            return self.subject.census()  # said once
        return before

    def fates(self) -> Counter[str]:
        """What became of all frames."""
        return sum((player.account.fates for player in self.players), Counter[str]())


def _connections(player: Player) -> int:
    return player.stream.connections if player.stream is not None else 0


async def chaos(plan: ChaosPlan) -> Report:
    """Run a plan. See `try_out`."""
    return await try_out("chaos", plan.model, (*OPTIONS, *plan.options), partial(_harm, plan))


async def _harm(plan: ChaosPlan, subject: Subject, report: Report) -> None:
    seen: Counter[str] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        cable = await stack.enter_async_context(Cable(subject.port).plugged())
        url = f"http://127.0.0.1:{cable.port}/"
        players = [Player(url, f"chaos-{i}", plan.fps, is_still=i % 2 == 1) for i in range(plan.clients)]
        for player in players:
            await stack.enter_async_context(player.playing())
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watching = tasks.create_task(watch_for_ever(by_websocket, url, players[0].session, seen, PATIENCE_S))
        run = _Run(subject, cable, players)
        try:
            await _rounds(plan, run)
            for player in players:
                await player.settle()
        finally:
            watching.cancel()
            _write(plan, run, seen, report)
        subject_end = await subject.end(signal.SIGTERM)
        if subject_end != 0:
            run.problems.append(f"the server has ended with {subject_end}")
    report.problems += run.problems


async def _rounds(plan: ChaosPlan, run: _Run) -> None:
    for player in run.players:
        await player.progress(20)
    level = run.subject.census()
    for number, (name, seed) in enumerate(plan.draw(), 1):
        await asyncio.sleep(plan.settle_s)
        level = await run.round(name, seed, level)
        print(f"{number:3} {name:20} gap {run.gaps_s[name][-1]:6.2f} s", file=sys.stderr, flush=True)


def _write(plan: ChaosPlan, run: _Run, seen: Counter[str], report: Report) -> None:
    for name, gaps_s in sorted(run.gaps_s.items()):
        row = {"times": len(gaps_s), "median_gap_s": statistics.median(gaps_s), "longest_gap_s": max(gaps_s)}
        report.rows.append({"fault": name, **{key: round(value, 3) for key, value in row.items()}})
    report.facts |= {
        "seed": plan.seed,
        "model": plan.model,
        "options": list(plan.options),
        "clients": plan.clients,
        "fps": plan.fps,
        "settle_s": plan.settle_s,
        "starts": run.subject.starts,
        "fates": dict(run.fates()),
        "watched": dict(seen),
        "sequence": [name for name, _ in plan.draw()],
    }
    run.problems += [problem for player in run.players for problem in player.account.problems]
