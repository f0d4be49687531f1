"""A server at full rate with clients that come, vanish, resume and watch: whether what it holds grows.

Must not know how clients come and go.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from .census import resident_mb
from .guests import Guest
from .players import Player
from .report import Curve, Report
from .subject import Subject
from .trial import try_out
from .waiting import until
from .watchers import watch_for_ever, ways

OPTIONS = ("--engine-process", "--log-level", "warning", "--min-session-fps", "0", "--resume-s", "10")
GUESTS = 2
LOOK_EVERY_S = 1.0
JUDGED_FROM_S = 900.0
"""A shorter run tells nothing of growth: memory is level from the fifth minute on, as buffers and pools have grown to
their sizes.
"""
DRIFT = {"resident_mb": (0.02, 2.0), "descriptors": (0.05, 4.0), "threads": (0.05, 3.0), "tasks": (0.05, 4.0)}
"""By how much the mean of the last quarter may be above that of the second: as a share of it, and at least so much."""


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """What is to be run."""

    seed: int
    seconds: float
    model: str = "echo:10"
    options: Sequence[str] = ()
    clients: int = 4
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What a server held at one moment.

    Attributes:
        at_s: since the run began.
        resident_mb: of the server's process.
        engine_mb: of its engines' processes.
        tasks: of its event loop.
    """

    at_s: float
    resident_mb: float
    engine_mb: float
    descriptors: int
    threads: int
    children: int
    tasks: int


async def soak(plan: SoakPlan) -> Report:
    """Run a plan. See `try_out`."""
    return await try_out("soak", plan.model, (*OPTIONS, *plan.options), partial(_run, plan))


async def _run(plan: SoakPlan, subject: Subject, report: Report) -> None:
    players = [Player(subject.url, f"soak-{i}", plan.fps, is_still=i % 2 == 1) for i in range(plan.clients)]
    guests = [Guest(subject.port, f"guest-{i}", plan.seed + i) for i in range(GUESTS)]
    seen: Counter[str] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        for player in players:
            await stack.enter_async_context(player.playing())
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        others = [tasks.create_task(guest.come_and_go()) for guest in guests]
        for number, way in enumerate(ways().values()):
            session = players[number % len(players)].session
            others.append(tasks.create_task(watch_for_ever(way, subject.url, session, seen)))
        samples = await watch(subject, plan.seconds)
        await until(lambda: all(seen[way] for way in ways()), "something is seen in each way to watch")
        await until(lambda: all(guest.ends for guest in guests), "each guest has left once")
        for task in others:
            task.cancel()
        for player in players:
            await player.settle()
    accounts = [*(player.account for player in players), *(each for guest in guests for each in guest.accounts)]
    fates = sum((account.fates for account in accounts), Counter[str]())
    report.facts |= {**asdict(plan), "fates": dict(fates), "watched": dict(seen)}
    report.facts["guests"] = dict(sum((guest.ends for guest in guests), Counter[str]()))
    report.problems += [problem for account in accounts for problem in account.problems]
    _judge(samples, report)


async def watch(subject: Subject, seconds: float) -> list[Sample]:
    """Look at a server once a second for so long."""
    begun_s = time.monotonic()
    samples: list[Sample] = []
    while (at_s := time.monotonic() - begun_s) < seconds or len(samples) < 2:
        samples.append(await asyncio.to_thread(look, subject, at_s))
        await asyncio.sleep(LOOK_EVERY_S)
    return samples


def look(subject: Subject, at_s: float) -> Sample:
    """What it holds now."""
    census = subject.census()
    engines_mb = sum(resident_mb(engine.pid) for engine in subject.engines())
    tasks = int(subject.metric("realtime_tasks") or 0)
    return Sample(
        at_s, resident_mb(subject.pid), engines_mb, census.descriptors, census.threads, census.children, tasks
    )


def _judge(samples: Sequence[Sample], report: Report) -> None:
    """Write what was seen, and what of it grew."""
    for name in [name for name in asdict(samples[0]) if name != "at_s"]:
        values = [float(getattr(sample, name)) for sample in samples]
        report.curves.append(Curve(name, [(sample.at_s, float(getattr(sample, name))) for sample in samples]))
        early, late = quarters(values)
        report.rows.append(
            {"of": name, "early": early, "late": late, "drift_percent": 100 * (late / early - 1) if early else 0.0}
        )
    if samples[-1].at_s >= JUDGED_FROM_S:
        report.problems += grown(samples)


def grown(samples: Sequence[Sample]) -> list[str]:
    """What grew, in words."""
    found: list[str] = []
    for name, (share, least) in DRIFT.items():
        early, late = quarters([float(getattr(sample, name)) for sample in samples])
        if late - early > max(share * early, least):
            found.append(f"{name} grows: {early:.1f} in the second quarter, {late:.1f} in the last")
    return found


def quarters(values: Sequence[float]) -> tuple[float, float]:
    """Means of the second quarter, and of the last: in the first, what is kept grows to its size."""
    quarter = max(1, len(values) // 4)
    return statistics.mean(values[quarter : 2 * quarter] or values[:1]), statistics.mean(values[-quarter:])
