"""Runs stages in idle time, one after the other, detached, and pauses them while the machine must be quiet.

    python scripts/train_tiny background start NAME "STAGE options" ["STAGE options" ...] [--pause-file PATH]
        [--nice N]
    python scripts/train_tiny background stop NAME

Must not know what a stage does. A named runner is a small supervisor with one stage at a time below it, at idle
priority unless `--nice` gives it another: idle stages stand still beside other work. Its process id stands in
`logs/NAME.pid`, what stages print in `logs/NAME.log`. While the pause file exists the stage is stopped (SIGSTOP). A
stage that fails ends its runner.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from paths import LOGS, WORK

HERE = Path(__file__).resolve().parent
POLL_S = 2.0
AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux shares time between sessions first, niceness counts only within one: this sets the session's own."""


def alive(name: str) -> int | None:
    """The process id of a runner that is there."""
    path = LOGS / f"{name}.pid"
    if not path.exists():
        return None
    number = int(path.read_text("utf-8"))
    command = Path(f"/proc/{number}/cmdline")
    return number if command.exists() and b"supervise" in command.read_bytes() else None


def start(name: str, stages: list[str], pause_file: Path | None, niceness: int | None) -> None:
    """Start a runner; refuses a name that is running."""
    if number := alive(name):
        raise SystemExit(f"{name} runs already, process {number}")
    LOGS.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(HERE), "background", "supervise", name, *stages]
    if pause_file:
        command += ["--pause-file", str(pause_file)]
    if niceness is not None:
        command += ["--nice", str(niceness)]
    with (LOGS / f"{name}.log").open("ab") as log:
        runner = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    (LOGS / f"{name}.pid").write_text(str(runner.pid), "utf-8")
    print(f"{name}: process {runner.pid}, {LOGS / name}.log")


def stop(name: str) -> None:
    """End a runner and its stage; waits until a training stage has saved, which is after its present step."""
    number = alive(name)
    if number is None:
        raise SystemExit(f"{name} doesn't run")
    os.killpg(number, signal.SIGCONT)
    os.killpg(number, signal.SIGTERM)
    (LOGS / f"{name}.pid").unlink()
    with suppress(ProcessLookupError):
        while True:
            os.killpg(number, 0)
            time.sleep(POLL_S / 4)


def supervise(stages: list[str], pause_file: Path | None, niceness: int | None) -> None:
    """Run the stages in turn, as the leader of a process group; pause them as long as the pause file is there."""
    gently = ["nice", "-n", "19", "chrt", "--idle", "0"] if niceness is None else ["nice", "-n", str(niceness)]
    if niceness is not None and AUTOGROUP.exists():
        with suppress(OSError):  # a negative one without the right to it: `nice` says so
            AUTOGROUP.write_text(str(niceness), "ascii")
    # Compiled code outlives the process.
    environment = {"TORCHINDUCTOR_CACHE_DIR": str(WORK / "compiled"), **os.environ}
    for stage in stages:
        while pause_file and pause_file.exists():
            time.sleep(POLL_S)
        print(f"--- {stage}", flush=True)
        child = subprocess.Popen([*gently, sys.executable, str(HERE), *shlex.split(stage)], env=environment)
        paused = False
        while child.poll() is None:
            wanted = bool(pause_file and pause_file.exists())
            if wanted != paused:
                child.send_signal(signal.SIGSTOP if wanted else signal.SIGCONT)
                paused = wanted
            time.sleep(POLL_S)
        if child.returncode:
            raise SystemExit(f"{stage!r} ended with {child.returncode}")


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="background", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("start", "stop", "supervise"))
    parser.add_argument("name")
    parser.add_argument("stages", nargs="*")
    parser.add_argument("--pause-file", type=Path, help="stages rest while this file exists")
    parser.add_argument("--nice", type=int, help="niceness of the stages, instead of idle priority")
    args = parser.parse_args(arguments)
    if args.verb == "start":
        start(args.name, args.stages, args.pause_file, args.nice)
    elif args.verb == "stop":
        stop(args.name)
    else:
        supervise(args.stages, args.pause_file, args.nice)
