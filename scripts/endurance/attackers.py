"""Who asks too much of what is beside the pictures: pads and commands, OSC, large stills, outputs.

Each goes on until it is cancelled. Must not know who else is served.
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
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from functools import cache

import httpx2
import numpy as np
from PIL import Image

from realtime.server.osc.wire import pack_message

from .attackers_of_looks import on_hints, on_looks, on_loras, on_models, on_pictures, on_sockets, pictures
from .flooding import ADDRESSES, TIMEOUT_S, Attack, Target, bomb, flood
from .players import SIDE_PX

PACKETS_AT_ONCE = 200
"""Of OSC, before this event loop does anything else."""


async def on_pads(target: Target) -> None:
    """Pads as many and as large as they may be, larger ones, and what are none; and commands without end."""
    bodies = itertools.cycle([*_pads(), None])

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        if (body := next(bodies)) is not None:
            return await http.put(f"{target.path}/pads", content=body)
        return await http.post(f"{target.path}/command", content=target.dice.choice(_COMMANDS))

    await flood(target, "pads", attempt)


async def on_stills(target: Target) -> None:
    """Stills as large as they may be, larger ones, bombs and what is no picture; some hang up."""
    bodies = _pictures()

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        query = {"scale": target.dice.choice((2, 8, 8, 9, -1, 10**9)), "steps": target.dice.choice((1, 8, 99))}
        timeout = target.dice.choice((0.05, 2.0, TIMEOUT_S))
        body = target.dice.choice(bodies)
        return await http.post(f"{target.path}/still", params=query, content=body, timeout=timeout)

    await flood(target, "stills", attempt)


async def on_outputs(target: Target) -> None:
    """Outputs started and stopped as fast as it goes, and such that are none."""

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        number = target.dice.choice((*range(1, target.outputs + 1), 0, target.outputs + 1, "x" * 2000))
        return await http.post(f"{target.path}/outputs/{number}/{target.dice.choice(('start', 'stop'))}")

    await flood(target, "outputs", attempt)


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


ATTACKS: dict[str, Attack] = {
    "pads": on_pads,
    "stills": on_stills,
    "outputs": on_outputs,
    "osc": on_osc,
    "pictures": on_pictures,
    "sockets": on_sockets,
    "hints": on_hints,
    "looks": on_looks,
    "loras": on_loras,
    "models": on_models,
}


def attack(target: Target, names: Sequence[str], seconds: float) -> Counter[str]:
    """Attack in all these ways at once for so long, on a busy machine until each has had an answer; what became of
    attempts. For a process of its own.
    """
    _pads()
    _pictures()  # which takes a while
    pictures()

    async def together() -> None:
        async with asyncio.TaskGroup() as tasks:
            attacking = [tasks.create_task(ATTACKS[name](target)) for name in names]
            await asyncio.sleep(seconds)
            for _ in range(round(10 * TIMEOUT_S)):
                if {answer.partition(" ")[0] for answer in target.answers} >= {*names}:
                    break
                await asyncio.sleep(0.1)
            for task in attacking:
                task.cancel()

    asyncio.run(together())
    return target.answers


async def leave_alone(target: Target) -> None:
    """Leave all outputs stopped, and the session with params that cost little."""
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{target.port}", timeout=TIMEOUT_S, trust_env=False
    ) as http:
        for number in range(1, target.outputs + 1):
            await http.post(f"{target.path}/outputs/{number}/stop")
        await http.post(f"{target.path}/command", content=b'{"command": "reset"}')
        params = {"width": SIDE_PX, "height": SIDE_PX, "transition_s": 0}
        await http.patch(target.path, content=json.dumps({"params": params}))


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
        bomb(),
        b"GIF89a" + bytes(100),
        b"",
    ]
