"""Sessions that come and go among many engines, and front ends that share them by name.

Must not know what an engine does with a frame.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """How evenly sessions lie.

    Attributes:
        mean: sessions at an engine, or at a front end.
        most: at the fullest, at any time.
        refused: share of the newcomers for whom there was no room.
    """

    mean: float
    most: int
    refused: float


def come_and_go(
    engines: int, capacity: int, load: float, stays_s: float = 600.0, turns: int = 4, seed: int = 0
) -> Spread:
    """Sessions that stay where they were put: each newcomer at the engine that has fewest, for a random time.

    Args:
        load: how full all engines are on average, as a share of their capacity.
        turns: how often all sessions are replaced.
    """
    rng = random.Random(seed)
    wanted = engines * capacity * load
    loads = [0] * engines
    leaving: list[tuple[float, int]] = []
    least = [(0, rng.random(), engine) for engine in range(engines)]
    heapq.heapify(least)
    now, newcomers, refused, total, most = 0.0, 0, 0, 0.0, 0
    while newcomers < turns * wanted:
        now += rng.expovariate(wanted / stays_s)
        while leaving and leaving[0][0] <= now:
            _, engine = heapq.heappop(leaving)
            loads[engine] -= 1
            heapq.heappush(least, (loads[engine], rng.random(), engine))
        while least[0][0] != loads[least[0][2]]:
            heapq.heappop(least)  # what was said of this engine holds no longer
        newcomers += 1
        fewest, _, engine = least[0]
        if fewest >= capacity:
            refused += 1
            continue
        loads[engine] += 1
        heapq.heappush(least, (loads[engine], rng.random(), engine))
        heapq.heappush(leaving, (now + rng.expovariate(1 / stays_s), engine))
        total += len(leaving)
        most = max(most, loads[engine])
    return Spread(total / max(1, newcomers - refused) / engines, most, refused / newcomers)


def lost(engines: int, capacity: int, load: float, together: int) -> float:
    """The share of all sessions that no engine has room for when some engines, a machine's, are lost at once."""
    sessions = engines * capacity * load
    return max(0.0, sessions - (engines - together) * capacity) / sessions


def home(session: str, front_ends: list[str]) -> str:
    """The front end of a session: every one knows it by the names alone, and where one is lost only its sessions move.

    Source: Thaler and Ravishankar 1998, "Using name-based mappings to increase hit rates" (rendezvous hashing).
    """
    return max(front_ends, key=lambda name: hashlib.blake2b(f"{name} {session}".encode(), digest_size=8).digest())


def by_name(sessions: int, front_ends: int) -> tuple[Spread, float]:
    """How evenly names lie at front ends; and the share of the sessions that move when one is lost."""
    names = [f"front-{number}" for number in range(front_ends)]
    homes = {f"session-{number}": home(f"session-{number}", names) for number in range(sessions)}
    counts = Counter(homes.values())
    left = names[:-1]
    moved = sum(home(session, left) != where for session, where in homes.items()) if left else sessions
    return Spread(sessions / front_ends, max(counts.values()), 0.0), moved / sessions
