"""Who asks too much of what is beside the pictures: pads and commands, OSC, large stills, outputs.

Each goes on until it is cancelled, from several addresses of this machine, as one alone is soon told to wait. Must not
know who else is served.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import itertools
import json
import random
import socket
import struct
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from realtime.server.osc.wire import pack_message

ADDRESSES = 4
"""Of loopback, from which each attack comes."""
AT_ONCE = 3
"""Requests under way from each address."""
TIMEOUT_S = 30.0
PACKETS_AT_ONCE = 200
"""Of OSC, before this event loop does anything else."""


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


async def on_pads(target: Target) -> None:
    """Pads as many and as large as they may be, larger ones, and what are none; and commands without end."""
    bodies = itertools.cycle([*_pads(), None])

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        if (body := next(bodies)) is not None:
            return await http.put(f"{target.path}/pads", content=body)
        return await http.post(f"{target.path}/command", content=target.dice.choice(_COMMANDS))

    await _flood(target, "pads", attempt)


async def on_stills(target: Target) -> None:
    """Stills as large as they may be, larger ones, bombs and what is no picture; some hang up."""
    bodies = _pictures()

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        query = {"scale": target.dice.choice((2, 8, 8, 9, -1, 10**9)), "steps": target.dice.choice((1, 8, 99))}
        timeout = target.dice.choice((0.05, 2.0, TIMEOUT_S))
        body = target.dice.choice(bodies)
        return await http.post(f"{target.path}/still", params=query, content=body, timeout=timeout)

    await _flood(target, "stills", attempt)


async def on_outputs(target: Target) -> None:
    """Outputs started and stopped as fast as it goes, and such that are none."""

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        number = target.dice.choice((*range(1, target.outputs + 1), 0, target.outputs + 1, "x" * 2000))
        return await http.post(f"{target.path}/outputs/{number}/{target.dice.choice(('start', 'stop'))}")

    await _flood(target, "outputs", attempt)


async def on_osc(target: Target) -> None:
    """Packets as fast as they go, most of them damaged."""
    dice, named = target.dice, f"/realtime/session/{target.session}"
    seeds = [
        pack_message(f"{named}/strength", (0.5,)),
        pack_message(f"{named}/prompt", ("ink " * 100,)),
        pack_message(f"{named}/pad/3", (1,)),
        pack_message(f"{named}/blend", ("ink", 1.0, "oil", 2.0)),
        b"#bundle\0" + bytes(8) + b"\0\0\0\x40" + pack_message(f"{named}/strength", (0.5,)),
        b"#bundle\0" * 300,
        bytes(60_000),
    ]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(ADDRESSES)]
        for number, one in enumerate(sockets, 2):
            one.bind((f"127.0.0.{number}", 0))
            one.setblocking(False)
        while True:
            for _ in range(PACKETS_AT_ONCE):
                packet = bytearray(dice.choice(seeds))
                for _ in range(dice.randrange(4)):
                    packet[dice.randrange(len(packet))] = dice.randrange(256)
                with contextlib.suppress(BlockingIOError):
                    dice.choice(sockets).sendto(packet, ("127.0.0.1", target.osc_port))
                    target.answers["osc sent"] += 1
            await asyncio.sleep(0.01)


ATTACKS: dict[str, Attack] = {"pads": on_pads, "stills": on_stills, "outputs": on_outputs, "osc": on_osc}


def attack(target: Target, names: Sequence[str], seconds: float) -> Counter[str]:
    """Attack in all these ways at once for so long; what became of attempts. For a process of its own."""
    _pads()
    _pictures()  # which takes a while

    async def together() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for name in names:
                    tasks.create_task(ATTACKS[name](target))

    asyncio.run(together())
    return target.answers


async def stop_outputs(target: Target) -> None:
    """Leave all outputs stopped."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{target.port}", trust_env=False) as http:
        for number in range(1, target.outputs + 1):
            await http.post(f"{target.path}/outputs/{number}/stop")


@contextlib.asynccontextmanager
async def bad_receivers() -> AsyncGenerator[list[str]]:
    """Addresses for outputs: one takes nothing, one hangs up at once, one answers by noise, at one is nobody."""

    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)  # it is never read from

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def rave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            for _ in range(1000):
                writer.write(random.randbytes(65536))
                await writer.drain()
        writer.close()

    servers = [await asyncio.start_server(each, "127.0.0.1", 0, limit=1) for each in (hold, hang_up, rave)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        yield [
            *(f"tcp://127.0.0.1:{port}" for port in ports[:2]),
            f"rtmp://127.0.0.1:{ports[2]}/live/key",
            "udp://127.0.0.1:9",
        ]
    finally:
        for server in servers:
            server.close()
        for writer in held:
            writer.close()


async def _flood(
    target: Target, name: str, attempt: Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]
) -> None:
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
        base = f"http://127.0.0.1:{target.port}"
        clients: list[httpx2.AsyncClient] = []
        for number in range(2, 2 + ADDRESSES):
            transport = httpx2.AsyncHTTPTransport(local_address=f"127.0.0.{number}")
            one = httpx2.AsyncClient(base_url=base, transport=transport, timeout=TIMEOUT_S, trust_env=False)
            clients.append(await stack.enter_async_context(one))
        async with asyncio.TaskGroup() as tasks:
            for http in clients:
                for _ in range(AT_ONCE):
                    tasks.create_task(go_on(http))


_COMMANDS = [
    json.dumps(body).encode()
    for body in (
        {"command": "pad", "pad": 1},
        {"command": "pad", "pad": 10**30},
        {"command": "tempo", "bpm": 1e308},
        {"command": "tempo", "bpm": 120},
        {"command": "seed"},
        {"command": "reset"},
        {"command": "x" * 30_000},
        {"command": ["pad"] * 100},
        {"command": "black"},
        {"command": "on_air"},
    )
] + [b"", b"\xff" * 100, b"[" * 60_000, b'{"command": "pad", "pad": NaN}']


@cache
def _pads() -> list[bytes]:
    """Bodies for pads."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, "JPEG", quality=95)
    picture = base64.b64encode(file.getvalue()).decode()
    look = {"prompt": "ink " * 240, "strength": 0.4, "seed": 7}
    most = [{"name": f"pad {number}", "look": look, "transition_s": 9, "picture": picture} for number in range(100)]
    return [
        json.dumps({"pads": most}).encode(),
        json.dumps({"pads": most * 2}).encode(),
        json.dumps({"pads": [{"name": "x", "look": {"strength": "y" * 100}}] * 90}).encode(),
        json.dumps({"pads": [[[{}]] * 20] * 300}).encode(),
        b'{"pads": ' + b"[" * 500_000,
        b"\x00" * (3 * 2**20),
        b'{"pads": [{"name": "x", "look": {}, "picture": "' + b"A" * 1_900_000 + b'"}]}',
    ]


@cache
def _pictures() -> list[bytes]:
    """Bodies for stills."""
    noise = np.random.default_rng(1).integers(0, 255, (1024, 1024, 3), np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "PNG", compress_level=1)
    jpeg = io.BytesIO()
    Image.fromarray(noise[:512, :512]).save(jpeg, "JPEG")
    return [
        whole.getvalue()[: 3 * 2**20],
        jpeg.getvalue(),
        jpeg.getvalue()[:20_000],
        _bomb(),
        b"GIF89a" + bytes(100),
        b"",
    ]


def _bomb() -> bytes:
    """A PNG of 2000×2000 pixels by its header, and of a hundred times as many by its data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 2000, 2000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(400 * 2**20 // 4), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
