"""Clients on real sockets: one that reads the wire itself, so that it can be as rude as a test wants, and of HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from realtime.protocol import HEADER
from tests.fakes.frames import a_message
from tests.fakes.pictures import a_jpeg
from tests.fakes.waiting import PATIENCE_S

MAX_BYTES = 64 * 2**20


def http_client(base_url: str = "", **options: Any) -> httpx2.AsyncClient:
    """For plain HTTP on this machine: without proxies, and without the authorities' certificates, whose reading takes
    longer than most tests do.
    """
    return httpx2.AsyncClient(base_url=base_url, timeout=PATIENCE_S, trust_env=False, **{"verify": False, **options})


@dataclass(frozen=True)
class Picture:
    """A binary message of the server, taken apart."""

    version: int
    format: int
    flags: int
    seq: int
    captured_us: int
    params_version: int
    engine_us: int
    data: bytes


class Peer:
    """One connection. What is waited for must come in time; the rest is kept in `texts` and `pictures`."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.texts: list[dict[str, Any]] = []
        self.pictures: list[Picture] = []

    async def receive(self) -> dict[str, Any] | Picture:
        async with asyncio.timeout(PATIENCE_S):
            message = await self.websocket.recv()
        if isinstance(message, bytes):
            picture = Picture(*HEADER.unpack_from(message), message[HEADER.size :])
            self.pictures.append(picture)
            return picture
        text = json.loads(message)
        self.texts.append(text)
        return text

    async def text(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next text of this type that has these fields."""
        while True:
            message = await self.receive()
            if isinstance(message, dict) and message.items() >= {"type": kind, **fields}.items():
                return message

    async def picture(self) -> Picture:
        """The next picture."""
        while True:
            message = await self.receive()
            if isinstance(message, Picture):
                return message

    async def restyle(self, seq: int, picture: bytes | None = None, captured_us: int = 0) -> Picture:
        """Send a frame and wait for its answer."""
        await self.websocket.send(a_message(seq, picture, captured_us=captured_us))
        while (answer := await self.picture()).seq < seq:
            pass
        return answer

    async def patch(self, **params: Any) -> dict[str, Any]:
        """Send a patch and wait for what is then in force."""
        await self.say(type="params", params=params)
        return (await self.text("params"))["params"]

    async def say(self, **fields: Any) -> None:
        await self.websocket.send(json.dumps(fields))

    async def closed(self) -> int:
        """The code with which the server closes, reading whatever comes before."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006


@asynccontextmanager
async def connected(
    url: str, *, session: str | None = None, size: int | None = 64, **options: Any
) -> AsyncGenerator[Peer]:
    """A client that has been told `ready`. `size` makes frames small, and so the tests quick."""
    async with dialled(url, session=session, **options) as peer:
        await peer.text("ready")
        if size is not None:
            await peer.patch(width=size, height=size)
        yield peer


@asynccontextmanager
async def dialled(url: str, *, session: str | None = None, **options: Any) -> AsyncGenerator[Peer]:
    """A client that has heard nothing yet."""
    address = url if session is None else f"{url}?session={session}"
    async with connect_websocket(
        address, **{"compression": None, "max_size": MAX_BYTES, "proxy": None, "close_timeout": 1, **options}
    ) as websocket:
        yield Peer(websocket)


SMALL_JPEG = a_jpeg()
