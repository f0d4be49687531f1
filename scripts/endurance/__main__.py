"""The command line: `python -m scripts.endurance chaos`, `soak` or `siege`, in the root of a checkout."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from realtime.params import OutputFormat

from .attackers import ATTACKS
from .chaos import ChaosPlan, chaos
from .faults import KINDS, OF_ONE
from .report import Report
from .siege import SiegePlan, siege
from .soak import SoakPlan, soak

FPS = (15.0, 0.0)
"""Of chaos and of soak."""


def main(arguments: list[str] | None = None) -> int:
    """Run one of the two; returns 1 where something was found."""
    options = parser().parse_args(arguments)
    report: Report = asyncio.run(options.run(options))
    report.show()
    if options.plot is not None:
        options.plot.write_text(report.plot())
    if options.output is not None:
        options.output.write_text(json.dumps(report.wire()) + "\n")
    print(json.dumps(report.wire()))
    return 1 if report.problems else 0


def parser() -> argparse.ArgumentParser:
    """Of both commands."""
    parser = argparse.ArgumentParser(prog="python -m scripts.endurance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("chaos", help="harm a server again and again, and look what is left")
    one.add_argument("--seed", type=int, default=0, help="the same one gives the same faults")
    one.add_argument("--rounds", type=int, default=20, help="number of faults")
    one.add_argument("--kills", type=int, help="so many faults, and only those that end or stop the engine")
    one.add_argument("--fault", action="append", choices=list(KINDS), help="only this one; again for more")
    one.add_argument("--settle-s", type=float, default=0.0, help="between two: from 31 on engines start without delay")
    one.add_argument("--beside", action="append", choices=list(KINDS), help="a fault done all the time; again for more")
    one.add_argument("--engines", type=int, default=1, help="on the CPU, each in a process")
    one.add_argument("--callers", type=int, default=0, help="clients by WebRTC, beside --clients by WebSocket")
    one.add_argument("--vandals", type=int, default=0, help="clients of each way whose pictures are damaged")
    one.add_argument(
        "--formats", nargs="+", choices=list(OutputFormat), default=[OutputFormat.JPEG], help="of pictures"
    )
    one.add_argument("--spawn", action="store_true", help="start processes as on macOS and Windows")
    one.set_defaults(run=_chaos)
    two = commands.add_parser("soak", help="clients that come, vanish, resume and watch, at full rate")
    two.add_argument("--minutes", type=float, default=20.0)
    two.add_argument("--seed", type=int, default=0)
    two.set_defaults(run=_soak)
    three = commands.add_parser("siege", help="a good client beside attacks on pads, OSC, stills and outputs at once")
    three.add_argument("--seconds", type=float, default=60.0)
    three.add_argument("--seed", type=int, default=0)
    three.add_argument("--attack", action="append", choices=list(ATTACKS), help="only this one; again for more")
    three.set_defaults(run=_siege)
    for command in (one, two, three):
        command.add_argument("--model", default="echo:10", help="as in serve")
        if command is not three:
            command.add_argument("--clients", type=int, default=4)
        command.add_argument(
            "--fps", type=float, default=0.0 if command is two else 15.0, help="of each client; 0: as many as it may"
        )
        command.add_argument("--option", action="append", default=[], help="of serve, as --option=--dtype=float32")
        command.add_argument("--output", type=Path, help="a file for the JSON object")
        command.add_argument("--plot", type=Path, help="a file for an SVG")
    return parser


async def _chaos(options: argparse.Namespace) -> Report:
    rounds, kinds = options.rounds, tuple(options.fault or (OF_ONE if options.engines == 1 else KINDS))
    if options.kills is not None:
        rounds, kinds = options.kills, tuple(kind for kind in kinds if KINDS[kind].ends_engine)
    plan = ChaosPlan(
        options.seed, rounds, kinds, options.model, tuple(options.option), options.clients, options.fps,
        options.settle_s, tuple(options.beside or ()), tuple(map(OutputFormat, options.formats)), options.callers,
        options.vandals, options.engines, options.spawn,
    )  # fmt: skip
    return await chaos(plan)


async def _soak(options: argparse.Namespace) -> Report:
    plan = SoakPlan(
        options.seed, 60 * options.minutes, options.model, tuple(options.option), options.clients, options.fps
    )
    return await soak(plan)


async def _siege(options: argparse.Namespace) -> Report:
    attacks = tuple(options.attack or ATTACKS)
    plan = SiegePlan(options.seed, options.seconds, attacks, options.model, tuple(options.option), options.fps)
    return await siege(plan)


if __name__ == "__main__":
    sys.exit(main())
