"""Prints how far every stage is: shards, checkpoints, runners and their last words.

    python scripts/train_tiny status

Must not change anything.
"""

from __future__ import annotations

import time
from pathlib import Path

from background import alive
from data import SHARD
from paths import CHECKPOINTS, LOGS, SHARDS
from pictures import HUNDRED, POOL
from training import load


def checkpoint(path: Path) -> str:
    """One line about a checkpoint."""
    state = load(path)
    age = (time.time() - path.stat().st_mtime) / 60
    if "step" not in state:
        return f"{path.stem:12} saved {age:.0f} minutes ago"
    return (
        f"{path.stem:12} step {state['step']}, {state['spent_s'] / 60:.1f} minutes of work, saved {age:.0f} minutes ago"
    )


def last_words(path: Path) -> str:
    """The last line of a log."""
    lines = path.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def main(arguments: list[str]) -> None:
    """Print everything."""
    del arguments
    people = len(list((POOL / "people").glob("*.npy"))) * HUNDRED
    real = len(list((POOL / "real").glob("*.npy")))
    print(f"pool         {real} real pictures, {people} people")
    shards = len(list(SHARDS.glob("[0-9]*")))
    print(f"shards       {shards}, {shards * SHARD} examples")
    for path in sorted(CHECKPOINTS.glob("*.pt")):
        print(checkpoint(path))
    for path in sorted(LOGS.glob("*.log")):
        running = alive(path.stem)
        print(f"{path.stem:12} {f'runs as process {running}' if running else 'does not run'}: {last_words(path)}")
