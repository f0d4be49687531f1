"""Attempts without end, from several addresses of this machine, as one is soon told to wait; and whom they are at.

Must not know what is attempted.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx2

ADDRESSES = 4
"""Of loopback, from which each attack comes."""
AT_ONCE = 3
"""Requests under way from each address."""
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    """What is attacked.

    Attributes:
        port, osc_port: of the server, on loopback.
        session: that is attacked, with somebody in it.
        outputs: how many it has.
        seed: of chance.
        answers: statuses, and what else became of attempts.
    """

    port: int
    osc_port: int
    session: str
    outputs: int
    seed: int
    answers: Counter[str] = field(default_factory=Counter[str])

    @cached_property
    def dice(self) -> random.Random:
        """What is chosen by chance."""
        return random.Random(self.seed)

    @property
    def path(self) -> str:
        """Of the session's routes."""
        return f"/api/sessions/{self.session}"


Attack = Callable[[Target], Coroutine[Any, Any, None]]


def base_of(target: Target) -> str:
    """The server's address."""
    return f"http://127.0.0.1:{target.port}"


async def flood(target: Target, name: str, attempt: Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]) -> None:
    """Attempts without end, `AT_ONCE` from each address."""

    async def go_on(http: httpx2.AsyncClient) -> None:
        while True:
            try:
                status = (await attempt(http)).status_code
                target.answers[f"{name} {status}"] += 1
                await asyncio.sleep(0)
            except httpx2.HTTPError as error:
                target.answers[f"{name} {type(error).__name__}"] += 1
                await asyncio.sleep(0.02)

    async with contextlib.AsyncExitStack() as stack:
        clients: list[httpx2.AsyncClient] = []
        for number in range(2, 2 + ADDRESSES):
            transport = httpx2.AsyncHTTPTransport(local_address=f"127.0.0.{number}")
            one = httpx2.AsyncClient(base_url=base_of(target), transport=transport, timeout=TIMEOUT_S, trust_env=False)
            clients.append(await stack.enter_async_context(one))
        async with asyncio.TaskGroup() as tasks:
            for http in clients:
                for _ in range(AT_ONCE):
                    tasks.create_task(go_on(http))


def bomb() -> bytes:
    """A PNG of 2000×2000 pixels by its header, and of a hundred times as many by its data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 2000, 2000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(400 * 2**20 // 4), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
