"""How many inputs a fuzz target tries, the random numbers that each is made of, and the figures of a run."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

COUNT = int(os.environ.get("REALTIME_FUZZ_INPUTS", "2000"))
"""Read at import: no test sees the user's environment."""


def random_sources(target: str, count: int = COUNT) -> Iterator[random.Random]:
    """A source of random numbers for each input: the same in every run, and for each of them by itself."""
    return (random.Random(f"{target} {number}") for number in range(count))


def mutate(data: bytes, source: random.Random) -> bytes:
    """Change a few bytes: flip, overwrite, cut out, double, insert, or cut off the end."""
    changed = bytearray(data)
    for _ in range(source.randint(1, 4)):
        begin = source.randint(0, len(changed))
        end = min(len(changed), begin + source.choice((1, 1, 2, 8, 64)))
        match source.randrange(6):
            case 0 if begin < len(changed):
                changed[begin] ^= 1 << source.randrange(8)
            case 1:
                changed[begin:end] = source.randbytes(end - begin)
            case 2:
                del changed[begin:end]
            case 3:
                changed[begin:begin] = changed[begin:end]
            case 4:
                changed[begin:begin] = source.randbytes(end - begin)
            case _:
                del changed[begin:]
    return bytes(changed)


class Tally:
    """What became of the inputs of a target, and which took longest.

    Args:
        target: its name.
    """

    def __init__(self, target: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self._target = target
        self._cpu_ns = 0
        self._slowest_ns = 0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Charge a block's CPU time to one input."""
        began = time.thread_time_ns()
        yield
        spent = time.thread_time_ns() - began
        self._cpu_ns += spent
        self._slowest_ns = max(self._slowest_ns, spent)

    def __str__(self) -> str:
        count = sum(self.outcomes.values())
        outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in self.outcomes.most_common(12))
        mean_us = self._cpu_ns / max(count, 1) / 1000
        costs = f"CPU {mean_us:.0f} µs each, at most {self._slowest_ns / 1e6:.1f} ms"
        return f"{self._target}: {count:,} inputs ({outcomes}); {costs}"
