"""Clients that come and go: in order, without a word, or cut off and back again, each by chance.

Must not know what is measured.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from .account import Account
from .cable import Cable
from .players import Player

STAYS_S = (1.0, 6.0)
PAUSE_S = (0.2, 1.5)
NAMES = 3
"""Sessions that a guest takes in turns: it comes back to some of them."""
LEAVES = ("in order", "without a word", "cut off, and back")


class Guest:
    """One that comes and goes.

    Args:
        port: of the server.
        name: what its sessions' names begin with.
        seed: of its chance.

    Attributes:
        accounts: of its visits.
        ends: how often it has left how.
    """

    def __init__(self, port: int, name: str, seed: int) -> None:
        self.accounts: list[Account] = []
        self.ends: Counter[str] = Counter()
        self._port = port
        self._name = name
        self._dice = random.Random(seed)

    async def come_and_go(self) -> None:
        """Until it is cancelled."""
        async with Cable(self._port).plugged() as cable:
            while True:
                await self._visit(cable)
                await asyncio.sleep(self._dice.uniform(*PAUSE_S))

    async def _visit(self, cable: Cable) -> None:
        name, how = f"{self._name}-{self._dice.randrange(NAMES)}", self._dice.choice(LEAVES)
        stays_s = self._dice.uniform(*STAYS_S)
        player = Player(f"http://127.0.0.1:{cable.port}/", name)
        async with player.playing():
            await asyncio.sleep(stays_s)
            if how == "cut off, and back":
                cable.cut()
                await player.progress()
            if how == "without a word":
                cable.vanish()
            else:
                await player.settle()
        self.accounts.append(player.account)
        self.ends[how] += 1
