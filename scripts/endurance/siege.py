"""A good client beside attacks on everything that is no picture: what it loses, and what the server holds afterwards.

Must not know what the attacks are.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context

from .attackers import ATTACKS, Target, attack, bad_receivers, leave_alone
from .census import Census
from .errors import EnduranceError
from .players import Player
from .report import Curve, Report
from .soak import JUDGED_FROM_S, Sample, grown, look, quarters
from .subject import Subject
from .trial import try_out
from .waiting import until

OPTIONS = ("--log-level", "error", "--min-session-fps", "0", "--resume-s", "5")
BESIEGED = "besieged"
LOOK_EVERY_S = 1.0
WARM_UP_S, CALM_S = 5.0, 3.0
WRONG = re.compile("Traceback|ERROR|CRITICAL")
HARMLESS = frozenset(("picture", "repeat", "superseded"))
"""What may become of a good client's frames: one that is newer may take the place of one that waits."""
LEVEL_S = 60.0
"""Until what was begun is over: an output's connection, a still whose client has hung up."""
LONGEST_GAP_S = 10.0
GAP_FACTOR = 8.0
"""Between two pictures of the good client; or, on a busy machine, so many times the longest while all is calm."""


@dataclass(frozen=True, slots=True)
class SiegePlan:
    """What is to be run.

    Attributes:
        attacks: names of `ATTACKS`, all at once.
        fps: of the good client.
    """

    seed: int
    seconds: float
    attacks: Sequence[str] = tuple(ATTACKS)
    model: str = "echo:10"
    options: Sequence[str] = ()
    fps: float = 15.0


async def siege(plan: SiegePlan) -> Report:
    """Run a plan. See `try_out`."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        osc_port: int = probe.getsockname()[1]
    async with bad_receivers() as addresses:
        outputs = [f"--output={BESIEGED}={address}" for address in addresses]
        options = (*OPTIONS, "--osc", str(osc_port), *outputs, *plan.options)
        return await try_out("siege", plan.model, options, partial(_run, plan, osc_port, len(outputs)))


async def _run(plan: SiegePlan, osc_port: int, outputs: int, subject: Subject, report: Report) -> None:
    good, besieged = Player(subject.url, "good", plan.fps), Player(subject.url, BESIEGED, 5.0)
    target = Target(subject.port, osc_port, BESIEGED, outputs, plan.seed)
    # Attackers have a process of their own: what they wait for is not what the good client waits for.
    with ProcessPoolExecutor(1, get_context("spawn")) as attackers:
        async with good.playing():
            async with besieged.playing():
                await _attacked(attackers, plan, target, WARM_UP_S, subject)  # pools grow, helpers are started
                await leave_alone(target)
                good.account.begin_gap(time.monotonic())
                before = await _calm(subject)
                calm_gap_s = good.account.longest_gap_s(time.monotonic())
                good.account.begin_gap(time.monotonic())
                answered = good.account.answered
                samples, answers = await _attacked(attackers, plan, target, plan.seconds, subject)
                gap_s = good.account.longest_gap_s(time.monotonic())
                answered = good.account.answered - answered
                await leave_alone(target)
                await besieged.progress()
                await _until_left(subject, before, report)
            await good.progress()
            await good.settle()
    report.facts |= {
        **asdict(plan),
        "fates": dict(good.account.fates),
        "answered_during": answered,
        "longest_gap_s": round(gap_s, 3),
        "longest_gap_in_calm_s": round(calm_gap_s, 3),
        "answers": dict(sorted(answers.items())),
    }
    _judge(good, report)
    if gap_s > max(LONGEST_GAP_S, GAP_FACTOR * calm_gap_s):
        report.problems.append(f"the good client waited {gap_s:.1f} s for a picture")
    tried = {answer.partition(" ")[0] for answer in answers}
    report.problems += [f"nobody was attacked by {name}" for name in plan.attacks if name not in tried]
    report.problems += [f"the server said: {line}" for line in subject.said if WRONG.search(line)]
    _measured(samples, report)


async def _attacked(
    attackers: Executor, plan: SiegePlan, target: Target, seconds: float, subject: Subject
) -> tuple[list[Sample], Counter[str]]:
    """Attack for so long; what the server held meanwhile, and what became of attempts."""
    samples: list[Sample] = []
    begun_s = time.monotonic()
    attacking = asyncio.get_running_loop().run_in_executor(attackers, attack, target, plan.attacks, seconds)
    while not attacking.done() or len(samples) < 2:
        samples.append(await asyncio.to_thread(look, subject, time.monotonic() - begun_s))
        await asyncio.wait([attacking], timeout=LOOK_EVERY_S)
    return samples, await attacking


async def _calm(subject: Subject) -> Census:
    """What the server holds once that doesn't change: stills whose clients have hung up are over."""
    before = await asyncio.to_thread(subject.census)
    end_s = time.monotonic() + LEVEL_S
    while time.monotonic() < end_s:
        await asyncio.sleep(CALM_S)
        now = await asyncio.to_thread(subject.census)
        if now == before:
            break
        before = now
    return before


def _judge(good: Player, report: Report) -> None:
    lost = {fate: count for fate, count in good.account.fates.items() if fate not in HARMLESS}
    if lost:
        report.problems.append(f"the good client lost frames: {lost}")
    if good.stream is not None and good.stream.connections != 1:
        report.problems.append(f"the good client was cut off {good.stream.connections - 1} times")
    report.problems += good.account.problems


async def _until_left(subject: Subject, before: Census, report: Report) -> None:
    """Wait until the server holds no more than before the attack; else that is a problem."""
    try:
        await until(lambda: not subject.census().more_than(before), "nothing is left", LEVEL_S, in_thread=True)
    except EnduranceError:
        left = subject.census().more_than(before)
        report.problems += [f"{now} {what} are left, and {then} before" for what, (then, now) in left.items()]


def _measured(samples: Sequence[Sample], report: Report) -> None:
    """Write what was held, and what of it grew."""
    for name in [name for name in asdict(samples[0]) if name != "at_s"]:
        values = [float(getattr(sample, name)) for sample in samples]
        report.curves.append(Curve(name, [(sample.at_s, float(getattr(sample, name))) for sample in samples]))
        early, late = quarters(values)
        report.rows.append({"of": name, "early": early, "late": late, "most": max(values)})
    if samples[-1].at_s >= JUDGED_FROM_S:
        report.problems += grown(samples)
