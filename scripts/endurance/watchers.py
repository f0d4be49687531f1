"""Who only watches a session, each in a way of its own, and comes back where it is cut off.

Must not know who sends, or what is done to the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import WebSocketException

AGAIN_S = 0.5
"""Until a watcher that was cut off, or refused, comes back; and from one snapshot to the next."""
WHEP_S = 5.0
"""How long a WHEP viewer stays."""
MANY_S = 10.0
"""… and each other."""

Watch = Callable[[str, str, Counter[str]], Awaitable[None]]
"""Watches a session of a server, by its page's URL and the session's name, counting what comes."""


async def by_websocket(url: str, session: str, seen: Counter[str]) -> None:
    """`/ws?watch=`."""
    address = f"ws{url.removeprefix('http')}ws?watch={session}"
    async with connect_websocket(address, compression=None, max_size=None, proxy=None) as websocket:
        async for message in websocket:
            seen["websocket"] += isinstance(message, bytes)


async def by_mjpeg(url: str, session: str, seen: Counter[str]) -> None:
    """MJPEG."""
    async with _http(url) as http, http.stream("GET", f"api/sessions/{session}/stream.mjpg") as answer:
        async for piece in answer.aiter_bytes():
            seen["mjpeg"] += piece.count(b"\xff\xd8\xff")


async def by_snapshot(url: str, session: str, seen: Counter[str]) -> None:
    """Snapshots, again and again."""
    async with _http(url) as http:
        while True:
            answer = await http.get(f"api/sessions/{session}/snapshot")
            seen["snapshot"] += answer.status_code == 200
            await asyncio.sleep(AGAIN_S)


async def by_whep(url: str, session: str, seen: Counter[str]) -> None:
    """WHEP, by aiortc."""
    from aiortc import RTCPeerConnection, RTCSessionDescription

    peer = RTCPeerConnection()
    try:
        peer.addTransceiver("video", direction="recvonly")
        tracks: list[Any] = []
        peer.on("track", tracks.append)
        await peer.setLocalDescription(await peer.createOffer())
        headers = {"content-type": "application/sdp"}
        async with _http(url) as http:
            answer = await http.post(f"whep?session={session}", content=peer.localDescription.sdp, headers=headers)
            answer.raise_for_status()
            await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WHEP_S):
                    while True:
                        await tracks[0].recv()
                        seen["whep"] += 1
            await http.delete(answer.headers["location"])
    finally:
        await peer.close()


def ways() -> Mapping[str, Watch]:
    """The ways to watch that this machine has."""
    found: dict[str, Watch] = {"websocket": by_websocket, "mjpeg": by_mjpeg, "snapshot": by_snapshot}
    return {**found, "whep": by_whep} if importlib.util.find_spec("aiortc") else found


async def watch_for_ever(way: Watch, url: str, session: str, seen: Counter[str], for_s: float = MANY_S) -> None:
    """Watch, leave after a time, and come back, until it is cancelled."""
    while True:
        with contextlib.suppress(OSError, httpx2.HTTPError, WebSocketException, TimeoutError, EOFError):
            async with asyncio.timeout(for_s):
                await way(url, session, seen)
        await asyncio.sleep(AGAIN_S)


def _http(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False)
